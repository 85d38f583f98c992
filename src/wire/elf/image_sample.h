#pragma once
#include <elf.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace isthmus::wire::elf {

/// A small program with everything that the reader knows, one segment, addresses equal to offsets:
/// /lib/ld.so, libfuse3.so.3 and libc.so.6 needed, RUNPATH $ORIGIN/lib, imports fuse_main@FUSE_3.0, open (weak),
/// exports mine@@OWN_1, theirs.
struct Sample {
  std::vector<std::byte> bytes;
  size_t dynamic = 0, verneed = 0, gnu_hash = 0, rela = 0;  ///< where they begin

  template <class T>
  T& as(size_t offset) {
    return *reinterpret_cast<T*>(bytes.data() + offset);
  }
  Elf64_Ehdr& header() { return as<Elf64_Ehdr>(0); }
  Elf64_Phdr& segment(size_t i) { return as<Elf64_Phdr>(sizeof(Elf64_Ehdr) + i * sizeof(Elf64_Phdr)); }
  Elf64_Dyn& tag(Elf64_Sxword t) {
    size_t i = dynamic;
    while (as<Elf64_Dyn>(i).d_tag != t) i += sizeof(Elf64_Dyn);
    return as<Elf64_Dyn>(i);
  }
};

class SampleMaker {
 public:
  Sample make() {
    put(std::vector<Elf64_Ehdr>(1));
    put(std::vector<Elf64_Phdr>(3));
    constexpr std::string_view kInterpreter("/lib/ld.so\0", 11);
    size_t interpreter = put(kInterpreter);
    // Index 0 is nobody's.
    std::vector<Elf64_Sym> symbols(5);
    symbols[1] = {name("fuse_main"), ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, SHN_UNDEF, 0, 0};
    symbols[2] = {name("open"), ELF64_ST_INFO(STB_WEAK, STT_FUNC), 0, SHN_UNDEF, 0, 0};
    symbols[3] = {name("mine"), ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, 0, 0};
    symbols[4] = {name("theirs"), ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, 0, 0};
    size_t symtab = put(symbols);
    size_t versym = put(std::vector<Elf64_Half>{0, 3, 1, 2, 1, 0, 0, 0});
    size_t verdef =
        put(std::vector<Elf64_Verdef>{{1, VER_FLG_BASE, 1, 1, 0, 2 * sizeof(Elf64_Verdef), sizeof(Elf64_Verdef)},
                                      {1, 0, 2, 1, 0, sizeof(Elf64_Verdef) + sizeof(Elf64_Verdaux), 0}});
    put(std::vector<Elf64_Verdaux>{{name("own.so"), 0}, {name("OWN_1"), 0}});
    Sample s;
    s.verneed = put(std::vector<Elf64_Verneed>{{1, 1, name("libfuse3.so.3"), sizeof(Elf64_Verneed), 0}});
    put(std::vector<Elf64_Vernaux>{{0, 0, 3, name("FUSE_3.0"), 0}});
    // One bucket with both symbols; the chain's end has an odd value.
    s.gnu_hash = put(std::vector<uint32_t>{1, 3, 1, 0, 0, 0, 3, 10, 11, 0});
    s.rela = put(std::vector<Elf64_Rela>{{0, ELF64_R_INFO(uint64_t{2}, 1), 0}});
    size_t jmprel = put(std::vector<Elf64_Rela>{{0, ELF64_R_INFO(uint64_t{1}, 7), 0}});
    std::vector<Elf64_Dyn> dynamic;
    auto tag = [&](Elf64_Sxword t, uint64_t v) { dynamic.push_back({t, {v}}); };
    tag(DT_NEEDED, name("libfuse3.so.3"));
    tag(DT_NEEDED, name("libc.so.6"));
    tag(DT_RUNPATH, name("$ORIGIN/lib"));
    tag(DT_SONAME, name("own.so"));
    size_t strings = put(std::string_view(strings_));
    tag(DT_STRTAB, strings);
    tag(DT_STRSZ, strings_.size());
    tag(DT_SYMTAB, symtab);
    tag(DT_SYMENT, sizeof(Elf64_Sym));
    tag(DT_VERSYM, versym);
    tag(DT_VERDEF, verdef);
    tag(DT_VERDEFNUM, 2);
    tag(DT_VERNEED, s.verneed);
    tag(DT_VERNEEDNUM, 1);
    tag(DT_GNU_HASH, s.gnu_hash);
    tag(DT_RELA, s.rela);
    tag(DT_RELASZ, sizeof(Elf64_Rela));
    tag(DT_RELAENT, sizeof(Elf64_Rela));
    tag(DT_JMPREL, jmprel);
    tag(DT_PLTRELSZ, sizeof(Elf64_Rela));
    tag(DT_PLTREL, DT_RELA);
    tag(DT_NULL, 0);
    s.dynamic = put(dynamic);
    s.bytes = std::move(bytes_);

    Elf64_Ehdr& h = s.header();
    for (size_t i = 0; i < SELFMAG; i++) h.e_ident[i] = static_cast<unsigned char>(ELFMAG[i]);
    h.e_ident[EI_CLASS] = ELFCLASS64;
    h.e_ident[EI_DATA] = ELFDATA2LSB;
    h.e_type = ET_DYN;
    h.e_machine = EM_X86_64;
    h.e_phoff = sizeof h;
    h.e_phentsize = sizeof(Elf64_Phdr);
    h.e_phnum = 3;
    s.segment(0) = {PT_INTERP, PF_R, interpreter, interpreter, 0, kInterpreter.size(), kInterpreter.size(), 1};
    s.segment(1) = {PT_LOAD, PF_R, 0, 0, 0, s.bytes.size(), s.bytes.size(), 1};
    size_t size = dynamic.size() * sizeof(Elf64_Dyn);
    s.segment(2) = {PT_DYNAMIC, PF_R, s.dynamic, s.dynamic, 0, size, size, 8};
    return s;
  }

 private:
  uint32_t name(std::string_view text) {
    size_t at = strings_.size();
    strings_ += text;
    strings_ += '\0';
    return static_cast<uint32_t>(at);
  }
  template <class T>
  size_t put(const std::vector<T>& table) {
    return put(std::string_view(reinterpret_cast<const char*>(table.data()), table.size() * sizeof(T)));
  }
  size_t put(std::string_view text) {
    while (bytes_.size() % 8 != 0) bytes_.push_back({});
    size_t at = bytes_.size();
    for (char c : text) bytes_.push_back(static_cast<std::byte>(c));
    return at;
  }

  std::vector<std::byte> bytes_;
  std::string strings_ = std::string(1, '\0');
};

}  // namespace isthmus::wire::elf
