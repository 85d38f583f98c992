#include "doors/fuse/read_ahead.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "base/log.h"

namespace isthmus::fuse {
namespace {

// Longer ones were slower again, shorter ones cost more processor time for each MiB.
constexpr uint32_t kReadAhead = 1u << 20;

}  // namespace

void set_read_ahead(const Mounted& mounted, std::optional<uint32_t> bytes) {
  if (mounted.by != MountedBy::kernel_call || mounted.connection == 0) return;
  // Named by the device number of the mount, whose major is 0: no block device lies below.
  std::string path = "/sys/class/bdi/0:" + std::to_string(mounted.connection) + "/read_ahead_kb";
  std::string kib = std::to_string(bytes.value_or(kReadAhead) / 1024);
  Fd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || write(file.get(), kib.data(), kib.size()) < 0)
    log(LogLevel::debug, "read-ahead stays what the kernel offers: {}: {}", path, text_of(last_errno()));
}

}  // namespace isthmus::fuse
