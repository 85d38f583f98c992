#pragma once
#include <string>
#include <vector>

#include "ctl/mounts.h"
#include "ctl/source.h"

/// `isthmus mount addon:PATH?OPTIONS MOUNTPOINT`: a FUSE program, an executable or a shared object with a main(), on
/// our libfuse and in a process of its own, which a process of ours watches (docs/addons.md).
namespace isthmus::ctl {

/// Arguments as a shell without quotes has them: split at blanks; a backslash takes the next character as it is.
std::vector<std::string> split_arguments(std::string_view text);

/// What the add-on is run with: its name, the source's option `args`, each list of `mount_options` and each other
/// option behind "-o", the mountpoint, and "-f".
std::vector<std::string> addon_arguments(const Source& source, const std::vector<std::string>& mount_options,
                                         const std::string& mountpoint);

/// The same for doors without a kernel: its files in this process (hosted.h).
Expected<std::unique_ptr<FileSystem>> host_addon(const Source& source, const SourceHooks& hooks);

/// As run_mount(): returns when the add-on has ended, or, in the parent of a background server, when the mount answers.
/// `inherited`: descriptors that a server in the background must not keep.
Failure run_addon(const MountJob& job, const Source& source, const std::vector<int>& inherited);

}  // namespace isthmus::ctl
