#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"

/// Looks at other processes, by what the kernel shows of them. Answers are of a moment: a process may be another one,
/// or have changed its memory, by the time it is used.
namespace isthmus::fuse_daemon {

/// The text at an address of a thread's memory, up to its NUL; none if it cannot be read or is `most` bytes or longer.
std::optional<std::string> read_text(pid_t thread, uint64_t address, size_t most);
/// Exactly these bytes.
bool read_memory(pid_t thread, uint64_t address, void* to, size_t size);
/// The process of a thread; 0: there is none.
pid_t process_of(pid_t thread);
/// A copy of another process's descriptor (pidfd_getfd(2)). Close-on-exec.
Fd descriptor_of(pid_t thread, int number);
/// A path as a thread means it: a relative one from its working directory. Nothing is looked up.
std::string absolute_path(pid_t thread, const std::string& path);

/// Every process that came of `top`, itself not.
std::vector<pid_t> descendants(pid_t top);
/// Every process that began with NAME=VALUE in its environment, as far as this user may see it.
std::vector<pid_t> processes_with(const std::string& name, const std::string& value);
/// How often threads of these have been given or have left a processor: the same again means that nothing was done.
uint64_t activity(const std::vector<pid_t>& processes);
/// For messages: "sshfs"; empty: it is gone.
std::string name_of_process(pid_t pid);

}  // namespace isthmus::fuse_daemon
