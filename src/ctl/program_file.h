#pragma once
#include <memory>
#include <string>
#include <vector>

#include "wire/elf/image.h"

namespace isthmus::ctl {

/// The bytes of a regular file, at most kMostProgram. The problem names the file.
constexpr size_t kMostProgram = size_t{1} << 30;
Expected<std::vector<std::byte>> read_whole(const std::string& path);

/// A program or library, in memory as a whole: the views of `image` are into `bytes`.
struct ElfFile {
  std::string path;
  std::vector<std::byte> bytes;
  wire::elf::Image image;
};
Expected<std::unique_ptr<ElfFile>> read_elf(const std::string& path);
Expected<std::unique_ptr<ElfFile>> elf_of(const std::string& path, std::vector<std::byte> bytes);

/// The file that execvp(3) would run: `name` itself with a slash in it, else the first executable one on $PATH.
/// ENOENT: there is none; EACCES: it is there, but not executable.
Expected<std::string> resolve_program(const std::string& name);

/// Why the dynamic linker would not look at LD_LIBRARY_PATH for this program when this user runs it: setuid and the
/// like (ld.so(8), secure-execution mode). Empty: it would.
std::string ignores_environment(const std::string& path);

}  // namespace isthmus::ctl
