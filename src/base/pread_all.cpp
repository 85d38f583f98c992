#include "base/pread_all.h"

#include <unistd.h>

namespace isthmus {

Result<size_t> pread_all(int fd, MutableBytes to, uint64_t offset) {
  size_t done = 0;
  while (done < to.size()) {
    const ssize_t n = ::pread(fd, to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_errno();
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

Status pwrite_all(int fd, Bytes bytes, uint64_t offset) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::pwrite(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? last_errno() : err(ENOSPC);
    done += static_cast<size_t>(n);
  }
  return Unit{};
}

}  // namespace isthmus
