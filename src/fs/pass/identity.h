#pragma once
#include <linux/capability.h>

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "vfs/context.h"

namespace isthmus::fs::pass {

using Groups = std::shared_ptr<const std::vector<uint32_t>>;

/// Who this process is, and who its callers are. Any thread.
class Identities {
 public:
  Identities();
  /// True: this process may act as its callers (root with CAP_SETUID and CAP_SETGID). False: everything is done as the
  /// process itself and nobody is switched.
  bool can_switch() const { return can_switch_; }
  bool has_capability(unsigned cap) const { return effective() >> cap & 1; }
  uint32_t uid() const { return uid_; }
  uint32_t gid() const { return gid_; }
  /// Supplementary groups of this process.
  const Groups& own_groups() const { return own_groups_; }
  /// Those of a caller: from `cred` when whole, else from /proc/PID/status (believed for a second), else those sent.
  Groups groups_of(const Credentials& cred) const;

 private:
  friend class AsCaller;
  uint64_t effective() const { return uint64_t{caps_[1].effective} << 32 | caps_[0].effective; }

  bool can_switch_ = false;
  uint32_t uid_ = 0, gid_ = 0;
  std::array<__user_cap_data_struct, 2> caps_{};
  Groups own_groups_;

  struct Known {
    uint32_t uid, gid;
    int64_t until;
    Groups groups;
  };
  mutable std::mutex m_;  // guards known_; a leaf
  mutable std::unordered_map<uint32_t, Known> known_;
};

/// Makes this thread act on files as the caller, until destroyed. The kernel below then gives new files their owner,
/// group, set-group-ID and default ACL, and checks permissions, as for the caller itself (path_resolution(7),
/// credentials(7); the raw setfsuid, setgroups and capset calls change one thread only).
///   make:  a new file is made. When the door has checked permissions, the server's right to pass over modes is kept,
///          without CAP_FSETID, and only ownership is the caller's. The thread's umask is the
///          caller's until the next call; no other thread shares it then.
///   check: permissions matter. Nothing is switched when the door has checked them.
/// Never nested. A thread that cannot be made root again must not live: abort().
class AsCaller {
 public:
  enum class Why { make, check };
  /// mode: of the new file (S_ISGID needs the caller's groups).
  AsCaller(const Identities& ids, const Context& ctx, Why why, uint32_t mode = 0);
  AsCaller(const AsCaller&) = delete;
  AsCaller& operator=(const AsCaller&) = delete;
  ~AsCaller() { leave(); }

  /// Not 0: could not become the caller; do not go on.
  Errno error() const { return error_; }
  explicit operator bool() const { return error_ == Errno{}; }
  /// The server itself again, before the end of the scope. errno stays.
  void leave() noexcept;

 private:
  void become(const Credentials& cred, bool keep_caps, bool with_groups);

  const Identities& ids_;
  bool uid_ = false, gid_ = false, groups_ = false, caps_ = false;
  Errno error_{};
};

}  // namespace isthmus::fs::pass
