#include "wire/elf/dynamic.h"

#include <algorithm>

namespace isthmus::wire::elf {

Dynamic::Dynamic(const View& view, Bytes section) : view_(view) {
  constexpr const char* kWhat = "dynamic section";
  for (size_t i = 0;; i++) {
    if ((i + 1) * sizeof(Elf64_Dyn) > section.size())
      throw Malformed{std::string("is damaged: its ") + kWhat + " has no end"};
    auto entry = load<Elf64_Dyn>(section, i);
    if (entry.d_tag == DT_NULL) break;
    entries_.push_back(entry);
  }
  if (auto address = find(DT_STRTAB)) strings_ = view.at(*address, find(DT_STRSZ).value_or(0), "strings");
  symbols_ = find(DT_SYMTAB);
  if (symbols_ && find(DT_SYMENT).value_or(sizeof(Elf64_Sym)) != sizeof(Elf64_Sym))
    throw Malformed{"is damaged: its symbols have an unknown size"};
  versions_ = find(DT_VERSYM);
}

std::optional<uint64_t> Dynamic::find(Elf64_Sxword tag) const {
  for (auto& e : entries_)
    if (e.d_tag == tag) return e.d_un.d_val;
  return std::nullopt;
}

std::string_view Dynamic::string(uint64_t offset) const {
  if (offset < strings_.size()) {
    std::string_view rest = as_text(strings_.subspan(offset));
    if (size_t end = rest.find('\0'); end != std::string_view::npos) return rest.substr(0, end);
  }
  throw Malformed{"is damaged: a name lies outside of its strings"};
}

std::string_view Dynamic::string_of(Elf64_Sxword tag) const {
  auto offset = find(tag);
  return offset ? string(*offset) : std::string_view();
}

std::vector<std::string_view> Dynamic::strings_of(Elf64_Sxword tag) const {
  std::vector<std::string_view> all;
  for (auto& e : entries_)
    if (e.d_tag == tag) all.push_back(string(e.d_un.d_val));
  return all;
}

Elf64_Sym Dynamic::symbol(uint64_t index) const {
  if (!symbols_) throw Malformed{"is damaged: it has no table of symbols"};
  Bytes table = view_.from(*symbols_, "symbols");
  if (index >= table.size() / sizeof(Elf64_Sym)) throw Malformed{"is damaged: a symbol lies outside of what is loaded"};
  return load<Elf64_Sym>(table, index);
}

uint16_t Dynamic::version_of(uint64_t index) const {
  if (!versions_) return VER_NDX_GLOBAL;
  Bytes table = view_.from(*versions_, "versions of symbols");
  if (index >= table.size() / sizeof(Elf64_Half))
    throw Malformed{"is damaged: the version of a symbol lies outside of what is loaded"};
  return load<Elf64_Half>(table, index);
}

namespace {

constexpr uint16_t kIndexBits = 0x7fff;  // of a version's number; the highest bit says hidden

class VersionReader {
 public:
  explicit VersionReader(const Dynamic& dynamic) : dynamic_(dynamic) {}

  Versions read() {
    if (auto first = dynamic_.find(DT_VERDEF)) definitions(*first, dynamic_.find(DT_VERDEFNUM).value_or(0));
    if (auto first = dynamic_.find(DT_VERNEED)) needs(*first, dynamic_.find(DT_VERNEEDNUM).value_or(0));
    return std::move(all_);
  }

 private:
  void definitions(uint64_t address, uint64_t count) {
    for (; count > 0; count--) {
      auto d = load_at<Elf64_Verdef>(dynamic_.view(), address, "versions");
      auto name = load_at<Elf64_Verdaux>(dynamic_.view(), address + d.vd_aux, "versions");
      std::string_view text = dynamic_.string(name.vda_name);
      // The base version is the file's own name.
      if (!(d.vd_flags & VER_FLG_BASE)) {
        all_.defined.push_back(text);
        put(d.vd_ndx, {text, {}, false});
      }
      if (d.vd_next == 0) break;
      address += d.vd_next;
    }
  }
  void needs(uint64_t address, uint64_t count) {
    for (; count > 0; count--) {
      auto n = load_at<Elf64_Verneed>(dynamic_.view(), address, "needed versions");
      std::string_view library = dynamic_.string(n.vn_file);
      uint64_t at = address + n.vn_aux;
      for (unsigned i = 0; i < n.vn_cnt; i++) {
        auto v = load_at<Elf64_Vernaux>(dynamic_.view(), at, "needed versions");
        put(v.vna_other, {dynamic_.string(v.vna_name), library, (v.vna_flags & VER_FLG_WEAK) != 0});
        if (v.vna_next == 0) break;
        at += v.vna_next;
      }
      if (n.vn_next == 0) break;
      address += n.vn_next;
    }
  }
  void put(uint16_t index, const Version& version) {
    index &= kIndexBits;
    // Each has a number of its own: more are entries that overlap.
    if (++count_ > kIndexBits) throw Malformed{"is damaged: it has too many versions"};
    if (index >= all_.by_index.size()) all_.by_index.resize(index + size_t{1});
    all_.by_index[index] = version;
  }

  const Dynamic& dynamic_;
  Versions all_;
  size_t count_ = 0;
};

void take_symbols(const View& view, uint64_t address, uint64_t size, std::vector<uint32_t>& into) {
  Bytes table = view.at(address, size, "relocations");
  for (size_t i = 0; i < table.size() / sizeof(Elf64_Rela); i++)
    if (auto symbol = static_cast<uint32_t>(ELF64_R_SYM(load<Elf64_Rela>(table, i).r_info))) into.push_back(symbol);
}

void make_set(std::vector<uint32_t>& indices) {
  std::sort(indices.begin(), indices.end());
  indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
}

std::vector<uint32_t> gnu_hashed(const Dynamic& dynamic, uint64_t address) {
  constexpr const char* kWhat = "hash table";
  struct Header {
    uint32_t buckets, first_symbol, bloom_words, bloom_shift;
  };
  const View& view = dynamic.view();
  auto h = load_at<Header>(view, address, kWhat);
  uint64_t buckets_at = address + sizeof h + uint64_t{h.bloom_words} * sizeof(uint64_t);
  Bytes buckets = view.at(buckets_at, uint64_t{h.buckets} * sizeof(uint32_t), kWhat);
  std::vector<uint32_t> all;
  if (h.buckets == 0) return all;
  uint64_t chains_at = buckets_at + buckets.size();
  for (size_t b = 0; b < h.buckets; b++) {
    auto index = load<uint32_t>(buckets, b);
    if (index == 0) continue;
    if (index < h.first_symbol) throw Malformed{"is damaged: its hash table leads to symbols that it does not hold"};
    Bytes chain = view.from(chains_at + uint64_t{index - h.first_symbol} * sizeof(uint32_t), kWhat);
    for (size_t i = 0;; i++) {
      if (i >= chain.size() / sizeof(uint32_t)) throw Malformed{"is damaged: its hash table has no end"};
      all.push_back(index + static_cast<uint32_t>(i));
      // Chains of a sound table share nothing.
      if (all.size() > view.size() / sizeof(Elf64_Sym)) throw Malformed{"is damaged: its hash table is too large"};
      if (load<uint32_t>(chain, i) & 1) break;
    }
  }
  return all;
}

std::vector<uint32_t> classic_hashed(const Dynamic& dynamic, uint64_t address) {
  struct Header {
    uint32_t buckets, symbols;
  };
  auto h = load_at<Header>(dynamic.view(), address, "hash table");
  static_cast<void>(
      dynamic.view().at(address + sizeof h, (uint64_t{h.buckets} + h.symbols) * sizeof(uint32_t), "hash table"));
  std::vector<uint32_t> all;
  for (uint32_t i = 1; i < h.symbols; i++) all.push_back(i);
  return all;
}

}  // namespace

const Version& Versions::at(uint16_t versym) const {
  static constexpr Version kNone;
  uint16_t index = versym & kIndexBits;
  return index < by_index.size() ? by_index[index] : kNone;
}

Versions read_versions(const Dynamic& dynamic) { return VersionReader(dynamic).read(); }

std::vector<uint32_t> relocated_symbols(const Dynamic& dynamic) {
  std::vector<uint32_t> all;
  if (auto a = dynamic.find(DT_RELA)) {
    if (dynamic.find(DT_RELAENT).value_or(sizeof(Elf64_Rela)) != sizeof(Elf64_Rela))
      throw Malformed{"is damaged: its relocations have an unknown size"};
    take_symbols(dynamic.view(), *a, dynamic.find(DT_RELASZ).value_or(0), all);
  }
  if (auto a = dynamic.find(DT_JMPREL)) {
    if (dynamic.find(DT_PLTREL).value_or(DT_RELA) != DT_RELA)
      throw Malformed{"has relocations of a kind that 64-bit machines do not use"};
    take_symbols(dynamic.view(), *a, dynamic.find(DT_PLTRELSZ).value_or(0), all);
  }
  make_set(all);
  return all;
}

std::vector<uint32_t> hashed_symbols(const Dynamic& dynamic) {
  std::vector<uint32_t> all;
  if (auto a = dynamic.find(DT_GNU_HASH))
    all = gnu_hashed(dynamic, *a);
  else if (auto b = dynamic.find(DT_HASH))
    all = classic_hashed(dynamic, *b);
  make_set(all);
  return all;
}

}  // namespace isthmus::wire::elf
