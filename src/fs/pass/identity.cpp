#include "fs/pass/identity.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

namespace isthmus::fs::pass {

namespace {

constexpr int64_t kBelieveNs = kNsPerSec;
constexpr size_t kMaxKnown = 1024;

std::string slurp(const char* path) {
  std::string text;
  Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd) return text;
  char buf[4096];
  for (ssize_t n; (n = ::read(fd.get(), buf, sizeof buf)) > 0;) text.append(buf, static_cast<size_t>(n));
  return text;
}

/// The numbers of the line "key:\t1 2 3".
std::vector<uint32_t> numbers_of(std::string_view text, std::string_view key) {
  std::vector<uint32_t> v;
  size_t at = text.find(key);
  if (at == text.npos) return v;
  text.remove_prefix(at + key.size());
  text = text.substr(0, text.find('\n'));
  const char *p = text.data(), *end = p + text.size();
  while (p < end) {
    uint32_t n = 0;
    auto r = std::from_chars(p, end, n);
    if (r.ec == std::errc{}) v.push_back(n);
    p = r.ec == std::errc{} ? r.ptr : p + 1;
  }
  return v;
}

int set_groups(const std::vector<uint32_t>& g) {
  return static_cast<int>(::syscall(SYS_setgroups, g.size(), g.data()));
}
/// True when the thread's fsuid (fsgid) is `id` afterwards. The calls report nothing, so ask again with a number
/// that no one can have.
bool set_fsuid(uint32_t id) {
  ::syscall(SYS_setfsuid, id);
  return static_cast<uint32_t>(::syscall(SYS_setfsuid, UINT32_MAX)) == id;
}
bool set_fsgid(uint32_t id) {
  ::syscall(SYS_setfsgid, id);
  return static_cast<uint32_t>(::syscall(SYS_setfsgid, UINT32_MAX)) == id;
}

bool set_effective(const std::array<__user_cap_data_struct, 2>& base, uint64_t effective) {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  auto data = base;
  data[0].effective = static_cast<uint32_t>(effective);
  data[1].effective = static_cast<uint32_t>(effective >> 32);
  return ::syscall(SYS_capset, &head, data.data()) == 0;
}

/// The umask of this thread alone, from its first call on, and until the next: threads that serve make files in no
/// other way, so there is nothing to put back. Answers 0 or an errno.
int set_umask(uint32_t mask) {
  thread_local const int failed = ::unshare(CLONE_FS) == 0 ? 0 : errno;
  thread_local uint32_t is = UINT32_MAX;
  if (failed == 0 && is != mask) {
    ::umask(mask);
    is = mask;
  }
  return failed;
}

[[noreturn]] void cannot_return(const char* what) {
  log(LogLevel::error, "pass: cannot take the server's own {} back after acting for a caller; ending the process",
      what);
  std::abort();
}

}  // namespace

Identities::Identities() : uid_(::geteuid()), gid_(::getegid()) {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  if (::syscall(SYS_capget, &head, caps_.data()) < 0) caps_ = {};
  can_switch_ = uid_ == 0 && has_capability(CAP_SETUID) && has_capability(CAP_SETGID);
  auto own = std::make_shared<std::vector<uint32_t>>();
  if (int n = ::getgroups(0, nullptr); n > 0) {
    own->resize(static_cast<size_t>(n));
    n = ::getgroups(n, own->data());
    own->resize(static_cast<size_t>(std::max(n, 0)));
  }
  own_groups_ = std::move(own);
}

Groups Identities::groups_of(const Credentials& cred) const {
  auto sent = [&] { return std::make_shared<const std::vector<uint32_t>>(cred.groups.begin(), cred.groups.end()); };
  if (cred.groups_known || cred.pid == 0) return sent();
  int64_t now = monotonic_ns();
  {
    std::lock_guard lock(m_);
    auto it = known_.find(cred.pid);
    if (it != known_.end() && it->second.until > now && it->second.uid == cred.uid && it->second.gid == cred.gid)
      return it->second.groups;
  }
  std::string text = slurp(("/proc/" + std::to_string(cred.pid) + "/status").c_str());
  auto uids = numbers_of(text, "\nUid:");
  if (uids.size() != 4 || uids[3] != cred.uid) return sent();  // gone, hidden, or another process by now
  auto groups = std::make_shared<const std::vector<uint32_t>>(numbers_of(text, "\nGroups:"));
  std::lock_guard lock(m_);
  if (known_.size() >= kMaxKnown) known_.clear();
  known_[cred.pid] = {cred.uid, cred.gid, now + kBelieveNs, groups};
  return groups;
}

AsCaller::AsCaller(const Identities& ids, const Context& ctx, Why why, uint32_t mode) : ids_(ids) {
  if (why == Why::make)
    if (int e = set_umask(ctx.umask_pending ? ctx.cred.umask & 0777 : 0)) {
      error_ = err(e);
      return;
    }
  if (!ids.can_switch() || !ctx.cred.known) return;
  if (ctx.access_checked && why == Why::check) return;
  bool keep_caps = ctx.access_checked;
  become(ctx.cred, keep_caps, !keep_caps || (mode & S_ISGID));
  if (error_ != Errno{}) leave();
}

void AsCaller::become(const Credentials& cred, bool keep_caps, bool with_groups) {
  bool stays_root = cred.uid == ids_.uid();
  if (with_groups && !stays_root) {
    if (set_groups(*ids_.groups_of(cred)) < 0) {
      error_ = last_errno();
      return;
    }
    groups_ = true;
  }
  if (cred.gid != ids_.gid()) {
    gid_ = true;
    if (!set_fsgid(cred.gid)) {
      error_ = err(EPERM);
      return;
    }
  }
  if (stays_root) return;
  uid_ = true;
  if (!set_fsuid(cred.uid)) {
    error_ = err(EPERM);
    return;
  }
  // The kernel has taken the file capabilities away, but not those that open trusted and security attributes.
  uint64_t keep = keep_caps ? ids_.effective() & ~(uint64_t{1} << CAP_FSETID) : 0;
  caps_ = true;
  if (!set_effective(ids_.caps_, keep)) error_ = last_errno();
}

void AsCaller::leave() noexcept {
  int saved = errno;
  if (uid_ && !set_fsuid(ids_.uid())) cannot_return("user");
  if (gid_ && !set_fsgid(ids_.gid())) cannot_return("group");
  if (caps_ && !set_effective(ids_.caps_, ids_.effective())) cannot_return("capabilities");
  if (groups_ && set_groups(*ids_.own_groups()) < 0) cannot_return("groups");  // needs CAP_SETGID
  uid_ = gid_ = groups_ = caps_ = false;
  errno = saved;
}

}  // namespace isthmus::fs::pass
