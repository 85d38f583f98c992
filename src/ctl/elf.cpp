#include "ctl/elf.h"

#include <elf.h>

#include <bit>
#include <cstring>
#include <map>
#include <optional>

namespace isthmus::ctl {
namespace {

static_assert(std::endian::native == std::endian::little, "ELFDATA2LSB is compared with");

/// More than any program has: a file that says so is broken.
constexpr size_t kMaxSymbols = size_t{1} << 20;

class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file) {}

  /// The object at a place of the file.
  template <class T>
  std::optional<T> at(uint64_t offset) const {
    if (offset > file_.size() || file_.size() - offset < sizeof(T)) return {};
    T t;
    memcpy(&t, file_.data() + offset, sizeof t);
    return t;
  }
  /// The same at an address of the running program.
  template <class T>
  std::optional<T> loaded(uint64_t address) const {
    auto offset = offset_of(address);
    return offset ? at<T>(*offset) : std::nullopt;
  }
  std::optional<std::string> text(uint64_t address) const {
    auto offset = offset_of(address);
    if (!offset || *offset >= file_.size()) return {};
    std::string_view rest = file_.substr(*offset);
    size_t end = rest.find('\0');
    return end == std::string_view::npos ? std::nullopt : std::optional(std::string(rest.substr(0, end)));
  }
  void load(const Elf64_Phdr& segment) { loads_.push_back(segment); }

 private:
  std::optional<uint64_t> offset_of(uint64_t address) const {
    for (auto& s : loads_)
      if (address >= s.p_vaddr && address - s.p_vaddr < s.p_filesz) return s.p_offset + (address - s.p_vaddr);
    return {};
  }
  std::string_view file_;
  std::vector<Elf64_Phdr> loads_;
};

using Dynamic = std::map<int64_t, uint64_t>;  // tag -> value; DT_NEEDED apart

std::optional<uint64_t> value(const Dynamic& d, int64_t tag) {
  auto at = d.find(tag);
  return at == d.end() ? std::nullopt : std::optional(at->second);
}

struct Version {
  std::string name, library;
};

/// Version number -> what it is. False: broken.
bool read_versions(const Reader& r, const Dynamic& d, uint64_t strings, std::map<uint16_t, Version>& to) {
  auto where = value(d, DT_VERNEED), count = value(d, DT_VERNEEDNUM);
  if (!where || !count) return true;
  uint64_t at = *where;
  size_t seen = 0;
  for (uint64_t i = 0; i < *count; i++) {
    auto need = r.loaded<Elf64_Verneed>(at);
    if (!need || ++seen > kMaxSymbols) return false;
    auto library = r.text(strings + need->vn_file);
    uint64_t aux_at = at + need->vn_aux;
    for (unsigned k = 0; k < need->vn_cnt; k++) {
      auto aux = r.loaded<Elf64_Vernaux>(aux_at);
      if (!aux || !library || ++seen > kMaxSymbols) return false;
      auto name = r.text(strings + aux->vna_name);
      if (!name) return false;
      to[aux->vna_other] = {*name, *library};
      aux_at += aux->vna_next;
    }
    at += need->vn_next;
  }
  return true;
}

/// How many symbols there are that other libraries have: in the table they come before those that the hash finds.
std::optional<uint64_t> count_imports(const Reader& r, const Dynamic& d) {
  if (auto gnu = value(d, DT_GNU_HASH)) {
    auto first_exported = r.loaded<uint32_t>(*gnu + 4);
    return first_exported ? std::optional<uint64_t>(*first_exported) : std::nullopt;
  }
  auto hash = value(d, DT_HASH);
  auto all = hash ? r.loaded<uint32_t>(*hash + 4) : std::nullopt;
  return all ? std::optional<uint64_t>(*all) : std::nullopt;
}

bool read_symbols(const Reader& r, const Dynamic& d, uint64_t strings, ElfNeeds& needs) {
  std::map<uint16_t, Version> versions;
  if (!read_versions(r, d, strings, versions)) return false;
  auto table = value(d, DT_SYMTAB), numbers = value(d, DT_VERSYM), count = count_imports(r, d);
  if (!table || !count) return true;
  if (*count > kMaxSymbols) return false;
  for (uint64_t i = 1; i < *count; i++) {
    auto symbol = r.loaded<Elf64_Sym>(*table + i * sizeof(Elf64_Sym));
    if (!symbol) return false;
    if (symbol->st_shndx != SHN_UNDEF) continue;
    auto name = r.text(strings + symbol->st_name);
    if (!name) return false;
    ElfNeeds::Symbol needed{*name, {}, {}};
    auto number = numbers ? r.loaded<uint16_t>(*numbers + i * sizeof(uint16_t)) : std::nullopt;
    if (auto v = versions.find(number.value_or(0) & 0x7fff); v != versions.end()) {
      needed.version = v->second.name;
      needed.library = v->second.library;
    }
    needs.symbols.push_back(std::move(needed));
  }
  return true;
}

}  // namespace

Result<ElfNeeds> elf_needs(std::string_view file) {
  Reader r(file);
  auto header = r.at<Elf64_Ehdr>(0);
  if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
      header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_phentsize != sizeof(Elf64_Phdr))
    return err(ENOEXEC);
  std::optional<Elf64_Phdr> dynamic;
  for (unsigned i = 0; i < header->e_phnum; i++) {
    auto segment = r.at<Elf64_Phdr>(header->e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment) return err(EBADMSG);
    if (segment->p_type == PT_LOAD) r.load(*segment);
    if (segment->p_type == PT_DYNAMIC) dynamic = segment;
  }
  ElfNeeds needs;
  if (!dynamic) return needs;
  Dynamic d;
  std::vector<uint64_t> libraries;
  for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= dynamic->p_filesz; at += sizeof(Elf64_Dyn)) {
    auto entry = r.at<Elf64_Dyn>(dynamic->p_offset + at);
    if (!entry) return err(EBADMSG);
    if (entry->d_tag == DT_NULL) break;
    if (entry->d_tag == DT_NEEDED)
      libraries.push_back(entry->d_un.d_val);
    else
      d[entry->d_tag] = entry->d_un.d_val;
  }
  auto strings = value(d, DT_STRTAB);
  if (libraries.empty() || !strings) return needs;  // a static program that can be put anywhere
  needs.dynamic = true;
  for (uint64_t at : libraries) {
    auto name = r.text(*strings + at);
    if (!name) return err(EBADMSG);
    needs.libraries.push_back(*name);
  }
  if (!read_symbols(r, d, *strings, needs)) return err(EBADMSG);
  return needs;
}

}  // namespace isthmus::ctl
