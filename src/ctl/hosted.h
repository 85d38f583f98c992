#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "ctl/registry.h"
#include "providers/fuse_daemon/daemon.h"

/// FUSE programs in processes of their own, whose files are here, for any door: this process is their kernel.
namespace isthmus::ctl {

struct ProgramJob {
  std::string file;
  /// With argv[0]. Unless `own_mountpoint` is given, fuse_daemon::kMountpoint in them is an empty folder of ours, and
  /// is added behind them where it is in none.
  std::vector<std::string> arguments;
  fuse_daemon::WayIn way = fuse_daemon::WayIn::seccomp;
  std::string library_folder = {};               ///< of our libfuse, for WayIn::own
  std::string preload = {};                      ///< our library, for WayIn::preload
  fuse_daemon::Mount* own_mountpoint = nullptr;  ///< gets what the program mounts and where
  bool isolated = false;
  bool character_device = false;  ///< it mounts nothing (CUSE): no mountpoint is added behind its arguments
};

/// Starts it. It ends with the file system; when it ends by itself hooks.lost is called. No thread may run yet.
Expected<std::unique_ptr<FileSystem>> host_program(const ProgramJob& job, const SourceHooks& hooks);

/// A hosted daemon that nobody is to check modes before: it does so by itself.
bool judges_itself(const FileSystem& fs);

/// For `--in NAME`; "auto": what works here and for this program, which is told where it is not seccomp. Sets job.way,
/// and what that way needs.
Expected<Unit> choose_way_in(std::string_view name, ProgramJob& job);
inline constexpr std::string_view kWaysIn[] = {"auto", "seccomp", "fusermount", "fd", "libfuse", "preload"};

}  // namespace isthmus::ctl
