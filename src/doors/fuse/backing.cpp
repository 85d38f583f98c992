#include "doors/fuse/backing.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

#include "base/fd.h"
#include "base/log.h"
#include "wire/fuse/flags.h"

namespace isthmus::fuse {

using namespace wire::fuse;

namespace {

/// While it lives this thread is without CAP_FSETID. The kernel uses a backing file with the rights of the thread that
/// registered it, whoever writes: with that capability setuid bits would survive everybody's writes.
class WithoutFsetid {
 public:
  WithoutFsetid() {
    if (::syscall(SYS_capget, &head_, had_) < 0 || !(had_[0].effective & kBit)) return;
    __user_cap_data_struct less[2] = {had_[0], had_[1]};
    less[0].effective &= ~kBit;
    dropped_ = ::syscall(SYS_capset, &head_, less) == 0;
  }
  ~WithoutFsetid() {
    if (dropped_ && ::syscall(SYS_capset, &head_, had_) < 0) std::abort();  // it is permitted still
  }
  WithoutFsetid(const WithoutFsetid&) = delete;
  WithoutFsetid& operator=(const WithoutFsetid&) = delete;

 private:
  static constexpr uint32_t kBit = 1u << CAP_FSETID;
  __user_cap_header_struct head_{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct had_[2]{};
  bool dropped_ = false;
};

/// Answers that no other file will change.
bool is_final(Errno e) {
  switch (static_cast<int>(e)) {
    case EPERM:       // needs CAP_SYS_ADMIN in the first user namespace
    case ELOOP:       // the store is stacked on another one already
    case ENOTTY:      // an old kernel
    case EINVAL:      // built without
    case EOPNOTSUPP:  // not agreed on
      return true;
    default:
      return false;
  }
}

bool can_direct(int fd) {
  return Fd(::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC)) || errno != EINVAL;
}

}  // namespace

int32_t Backing::add(int fd) {
  WithoutFsetid as;
  auto id = transport_.backing_open(fd);
  if (id) {
    worked_.store(true, std::memory_order_relaxed);
    return *id;
  }
  if (is_final(id.error()) && !worked_.load(std::memory_order_relaxed) && works_.exchange(false))
    log(LogLevel::warning, "no passthrough: the kernel says \"{}\"; files are served as without the option",
        text_of(id.error()));
  return 0;
}

Status Backing::opened(NodeId node, const Opened& o, uint32_t flags, OpenOut& out) {
  if (!on_) return Unit{};
  if (o.backing_id > 0) {
    // Whether all opens of a node agree is the provider's affair then.
    out.open_flags |= kFopenPassthrough;
    out.backing_id = o.backing_id;
    return Unit{};
  }
  Shard& s = shard(node);
  std::lock_guard lock(s.m);
  File& f = s.files[raw(node)];
  bool direct_fails = (flags & O_DIRECT) && o.backing_fd >= 0 && !can_direct(o.backing_fd);
  if (f.opens == 0) {
    // Streams are not files; and what is opened with O_DIRECT, the kernel opens so below.
    bool may = o.backing_fd >= 0 && !(o.flags & (kOpenedNonSeekable | kOpenedStream)) && !direct_fails;
    f.id = may && works_.load(std::memory_order_relaxed) ? add(o.backing_fd) : 0;
  } else if (f.id && direct_fails) {
    return err(EINVAL);
  }
  f.opens++;
  if (!f.id) {
    // What the page cache has may be older than what was written around it.
    out.open_flags &= ~kFopenKeepCache;
    return Unit{};
  }
  out.open_flags = (out.open_flags & kFopenNoflush) | kFopenPassthrough;
  out.backing_id = f.id;
  return Unit{};
}

void Backing::closed(NodeId node) {
  if (!on_) return;
  Shard& s = shard(node);
  std::lock_guard lock(s.m);
  auto it = s.files.find(raw(node));
  if (it == s.files.end() || --it->second.opens > 0) return;
  if (it->second.id) transport_.backing_close(it->second.id);
  s.files.erase(it);
}

}  // namespace isthmus::fuse
