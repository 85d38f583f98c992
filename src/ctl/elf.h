#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isthmus::ctl {

/// What a program's file says of the libraries it is to be run with. Only of itself, not of those libraries.
struct ElfNeeds {
  /// A function of a library: its name, the version it must have (empty: any) and the library (empty with it).
  struct Symbol {
    std::string name, version, library;
  };
  bool dynamic = false;  ///< false: linked statically, no library is loaded
  std::vector<std::string> libraries;
  std::vector<Symbol> symbols;
};

/// Of a file's bytes, which nobody vouches for. ENOEXEC: no 64-bit ELF file of this machine's byte order. EBADMSG: it
/// contradicts itself. Source: elf(5), LSB "Symbol Versioning".
Result<ElfNeeds> elf_needs(std::string_view file);

}  // namespace isthmus::ctl
