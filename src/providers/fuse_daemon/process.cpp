#include "providers/fuse_daemon/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <climits>
#include <fstream>
#include <unordered_map>

#include "base/folder.h"
#include "base/text.h"

namespace isthmus::fuse_daemon {
namespace {

constexpr size_t kPage = 4096;  // no machine has smaller ones

/// The number behind "NAME:" in a file like /proc/PID/status; 0: there is none.
uint64_t number_after(const std::string& file, std::initializer_list<std::string_view> names) {
  std::ifstream in(file);
  uint64_t sum = 0;
  for (std::string line; std::getline(in, line);)
    for (auto name : names)
      if (line.starts_with(name)) {
        const size_t digits = line.find_first_of("0123456789", name.size());
        if (digits != std::string::npos) sum += parse_number(std::string_view(line).substr(digits)).value_or(0);
      }
  return sum;
}

}  // namespace

std::optional<std::string> read_text(pid_t thread, uint64_t address, size_t most) {
  std::string text;
  char part[kPage];
  while (text.size() < most) {
    // The next page may not be there.
    const size_t size = std::min(kPage - address % kPage, most - text.size());
    if (!read_memory(thread, address, part, size)) return std::nullopt;
    const std::string_view got(part, size);
    const size_t end = got.find('\0');
    text += got.substr(0, end);
    if (end != std::string_view::npos) return text;
    address += size;
  }
  return std::nullopt;
}

bool read_memory(pid_t thread, uint64_t address, void* to, size_t size) {
  iovec here{to, size}, there{reinterpret_cast<void*>(address), size};  // NOLINT(performance-no-int-to-ptr)
  return process_vm_readv(thread, &here, 1, &there, 1, 0) == static_cast<ssize_t>(size);
}

pid_t process_of(pid_t thread) {
  return static_cast<pid_t>(number_after(fmt::format("/proc/{}/status", thread), {"Tgid:"}));
}

Fd descriptor_of(pid_t thread, int number) {
  const pid_t process = process_of(thread);
  if (process == 0) return Fd();
  Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, process, 0)));
  if (!pidfd) return Fd();
  return Fd(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd.get(), number, 0)));
}

std::string absolute_path(pid_t thread, const std::string& path) {
  if (path.starts_with('/')) return path;
  char folder[PATH_MAX];
  const ssize_t n = readlink(fmt::format("/proc/{}/cwd", thread).c_str(), folder, sizeof folder);
  if (n <= 0) return path;
  std::string whole(folder, static_cast<size_t>(n));
  if (!path.empty() && path != ".") whole += (whole.ends_with('/') ? "" : "/") + path;
  return whole;
}

std::vector<pid_t> descendants(pid_t top) {
  std::unordered_map<pid_t, std::vector<pid_t>> children;
  for (auto& name : names_in("/proc")) {
    const auto pid = parse_number(name, INT32_MAX);
    if (!pid) continue;
    const auto parent = number_after(fmt::format("/proc/{}/status", *pid), {"PPid:"});
    if (parent != 0) children[static_cast<pid_t>(parent)].push_back(static_cast<pid_t>(*pid));
  }
  std::vector<pid_t> found = children[top];
  for (size_t i = 0; i < found.size(); i++)
    for (pid_t child : children[found[i]]) found.push_back(child);
  return found;
}

std::vector<pid_t> processes_with(const std::string& name, const std::string& value) {
  const std::string wanted = '\0' + name + "=" + value + '\0';
  std::vector<pid_t> found;
  for (auto& entry : names_in("/proc")) {
    const auto pid = parse_number(entry, INT32_MAX);
    if (!pid) continue;
    std::ifstream in(fmt::format("/proc/{}/environ", *pid), std::ios::binary);
    const std::string all = '\0' + std::string(std::istreambuf_iterator<char>(in), {});
    if (all.find(wanted) != std::string::npos) found.push_back(static_cast<pid_t>(*pid));
  }
  return found;
}

uint64_t activity(const std::vector<pid_t>& processes) {
  uint64_t sum = 0;
  for (pid_t process : processes) {
    const std::string threads = fmt::format("/proc/{}/task", process);
    for (auto& thread : names_in(threads))
      sum += number_after(fmt::format("{}/{}/status", threads, thread),
                          {"voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"});
  }
  return sum;
}

std::string name_of_process(pid_t pid) {
  std::ifstream in(fmt::format("/proc/{}/comm", pid));
  std::string name;
  std::getline(in, name);
  return name;
}

}  // namespace isthmus::fuse_daemon
