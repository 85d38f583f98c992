#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/problem.h"

/// What the dynamic linker reads of a program or shared library: System V gABI chapters 4 and 5, symbol versions as in
/// the Linux Standard Base. Every offset and count of the file is checked before it is used.
namespace isthmus::wire::elf {

/// What a file is made for. Files of different machines do not go into one process.
struct Machine {
  uint8_t word;        ///< ELFCLASS32 or ELFCLASS64
  uint8_t byte_order;  ///< ELFDATA2LSB or ELFDATA2MSB
  uint16_t number;     ///< EM_X86_64, ...
  friend bool operator==(const Machine&, const Machine&) = default;
};

/// A symbol that relocations want. The dynamic linker resolves these and no others.
struct Import {
  std::string_view name;
  std::string_view version;  ///< empty: whatever there is
  std::string_view library;  ///< the soname that the version is of; empty without one
  bool weak = false;         ///< may be missing
};

struct Export {
  std::string_view name, version;  ///< version empty: the base one
};

/// A version that a library must define, or the program does not start.
struct NeededVersion {
  std::string_view library, version;
  bool weak = false;
};

struct Image {
  Machine machine;
  bool program =
      false;  ///< to be executed, and not only loaded: an ET_EXEC, a PIE, or one that names its dynamic linker
  std::string_view interpreter;  ///< its dynamic linker; empty: none
  std::string_view soname, rpath, runpath;
  std::vector<std::string_view> needed;
  std::vector<NeededVersion> needed_versions;
  std::vector<std::string_view> defined_versions;
  std::vector<Import> imports;
  std::vector<Export> exports;
};

bool is_elf(Bytes file);
/// Of a file of any machine.
Expected<Machine> read_machine(Bytes file);
/// Of a file of a 64-bit little-endian machine. All views are into `file`. A problem says what is wrong with "it".
Expected<Image> read_image(Bytes file);

}  // namespace isthmus::wire::elf
