#pragma once
#include <string>
#include <vector>

#include "ctl/registry.h"

namespace isthmus::ctl {

/// Starts a FUSE program on our libfuse, in a process of its own, and has its files here, for any door: this process is
/// its kernel. `words`: its file, its name and its arguments; the mountpoint, an empty folder, is added unless
/// `own_mountpoint` is given, which gets the one that the program names. The program ends with the file system, and a
/// program that ends by itself has SIGTERM sent to this process. `trace` as of `isthmus run`.
struct ProgramJob {
  std::string file;
  std::vector<std::string> arguments;  ///< with argv[0]
  std::string library_folder;
  std::string* own_mountpoint = nullptr;
};
Expected<std::unique_ptr<FileSystem>> host_program(const ProgramJob& job, const SourceHooks& hooks);

}  // namespace isthmus::ctl
