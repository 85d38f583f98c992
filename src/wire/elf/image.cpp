#include "wire/elf/image.h"

#include <algorithm>
#include <cerrno>

#include "wire/elf/dynamic.h"

namespace isthmus::wire::elf {
namespace {

constexpr size_t kMostSegments = 256;  // linkers make a dozen

Problem malformed(std::string what) { return {err(ENOEXEC), std::move(what), {}}; }

void read_dynamic(const Dynamic& dynamic, Image& image) {
  image.needed = dynamic.strings_of(DT_NEEDED);
  image.soname = dynamic.string_of(DT_SONAME);
  image.runpath = dynamic.string_of(DT_RUNPATH);
  // ld.so(8): not used beside the other.
  if (image.runpath.empty()) image.rpath = dynamic.string_of(DT_RPATH);
  if (dynamic.find(DT_FLAGS_1).value_or(0) & DF_1_PIE) image.program = true;

  Versions versions = read_versions(dynamic);
  for (auto& v : versions.by_index)
    if (!v.library.empty()) image.needed_versions.push_back({v.library, v.name, v.weak});
  image.defined_versions = versions.defined;
  for (uint32_t index : relocated_symbols(dynamic)) {
    Elf64_Sym s = dynamic.symbol(index);
    if (s.st_shndx != SHN_UNDEF) continue;
    const Version& v = versions.at(dynamic.version_of(index));
    image.imports.push_back({dynamic.string(s.st_name), v.name, v.library, ELF64_ST_BIND(s.st_info) == STB_WEAK});
  }
  for (uint32_t index : hashed_symbols(dynamic)) {
    Elf64_Sym s = dynamic.symbol(index);
    if (s.st_shndx == SHN_UNDEF || ELF64_ST_BIND(s.st_info) == STB_LOCAL) continue;
    image.exports.push_back({dynamic.string(s.st_name), versions.at(dynamic.version_of(index)).name});
  }
}

Image read(Bytes file) {
  View view(file);
  Image image;
  image.machine = *read_machine(file);
  auto header = load<Elf64_Ehdr>(view.at_offset(0, sizeof(Elf64_Ehdr), "headers"));
  image.program = header.e_type == ET_EXEC;
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) throw Malformed{"is neither a program nor a shared library"};
  if (header.e_phnum > 0 && header.e_phentsize != sizeof(Elf64_Phdr))
    throw Malformed{"is damaged: its program headers have an unknown size"};
  Bytes headers = view.at_offset(header.e_phoff, uint64_t{header.e_phnum} * sizeof(Elf64_Phdr), "program headers");
  if (header.e_phnum > kMostSegments) throw Malformed{"is damaged: it has too many segments"};
  Bytes dynamic;
  for (size_t i = 0; i < header.e_phnum; i++) {
    auto p = load<Elf64_Phdr>(headers, i);
    if (p.p_type == PT_LOAD) view.add_segment(p);
    if (p.p_type == PT_DYNAMIC) dynamic = view.at_offset(p.p_offset, p.p_filesz, "dynamic section");
    if (p.p_type != PT_INTERP) continue;
    std::string_view text = as_text(view.at_offset(p.p_offset, p.p_filesz, "name of the dynamic linker"));
    if (text.size() < 2 || text.find('\0') != text.size() - 1)
      throw Malformed{"is damaged: the name of its dynamic linker has no end"};
    image.interpreter = text.substr(0, text.size() - 1);
    image.program = true;
  }
  if (!dynamic.empty()) read_dynamic(Dynamic(view, dynamic), image);
  return image;
}

}  // namespace

bool is_elf(Bytes file) { return as_text(file).starts_with(std::string_view(ELFMAG, SELFMAG)); }

Expected<Machine> read_machine(Bytes file) {
  if (!is_elf(file)) return malformed("is no ELF file");
  // The same in files of 32 and 64 bits.
  constexpr size_t kMachineEnd = offsetof(Elf64_Ehdr, e_machine) + sizeof(Elf64_Half);
  static_assert(offsetof(Elf32_Ehdr, e_machine) == offsetof(Elf64_Ehdr, e_machine));
  if (file.size() < kMachineEnd) return malformed("is cut off or damaged: its headers lie beyond its end");
  auto byte = [&](size_t i) { return std::to_integer<uint8_t>(file[i]); };
  Machine m{byte(EI_CLASS), byte(EI_DATA), 0};
  auto number = byte(kMachineEnd - 2) | byte(kMachineEnd - 1) << 8;
  auto swapped = byte(kMachineEnd - 1) | byte(kMachineEnd - 2) << 8;
  m.number = static_cast<uint16_t>(m.byte_order == ELFDATA2MSB ? swapped : number);
  if ((m.word != ELFCLASS32 && m.word != ELFCLASS64) || (m.byte_order != ELFDATA2LSB && m.byte_order != ELFDATA2MSB))
    return malformed("is damaged: it says neither of how many bits it is nor in what order");
  return m;
}

Expected<Image> read_image(Bytes file) {
  auto machine = read_machine(file);
  if (!machine) return machine.problem();
  if (machine->word != ELFCLASS64 || machine->byte_order != ELFDATA2LSB)
    return malformed("is not for a 64-bit little-endian machine");
  try {
    return read(file);
  } catch (const Malformed& m) {
    return malformed(m.what);
  }
}

}  // namespace isthmus::wire::elf
