#include "vfs/volume/rights.h"

namespace isthmus::volume {

// notify_change() and setattr_prepare() in Linux, chmod(2), chown(2), truncate(2), utimensat(2).
Status judge_setattr(const Credentials& c, const Guard& g, const HandleFacts& h, SetAttr& set) {
  if (set.mask & kSetSize) {
    Status s = h.given ? (h.access & kWantWrite ? Status(Unit{}) : Status(err(EBADF))) : may_access(c, g, kWantWrite);
    if (!s) return s;
  }
  if (set.mask & (kSetUid | kSetGid)) {
    auto to = [&](uint32_t bit, uint32_t id) { return set.mask & bit ? std::optional(id) : std::nullopt; };
    if (auto s = may_chown(c, g, to(kSetUid, set.to.uid), to(kSetGid, set.to.gid)); !s) return s;
  }
  if (set.mask & (kSetMode | kSetFlags | kSetBtime))
    if (auto s = may_chmod(c, g); !s) return s;
  constexpr uint32_t kGiven = kSetAtime | kSetMtime | kSetCtime, kNow = kSetAtimeNow | kSetMtimeNow;
  if (set.mask & (kGiven | kNow)) {
    bool only_now = !(set.mask & kGiven) && (set.mask & kNow) == kNow;
    if (auto s = may_set_times(c, g, only_now); !s) return s;
  }
  if (set.mask & kSetMode) {
    uint32_t gid = set.mask & kSetGid ? set.to.gid : g.gid;
    set.to.mode = strip_sgid(c, set.to.mode, gid);
  } else if (S_ISREG(g.mode) && (g.mode & (S_ISUID | S_ISGID))) {
    // Linux lets nobody keep them over a change of owner; over a change of size, root does.
    bool lost = (set.mask & (kSetUid | kSetGid)) || ((set.mask & kSetSize) && !is_privileged(c));
    uint32_t mode = without_suidgid(c, g.mode, g.gid);
    if (lost && mode != g.mode) {
      set.mask |= kSetMode;
      set.to.mode = mode;
    }
  }
  return Unit{};
}

Status judge_rename(const Credentials& c, const RightsFacts& f, bool exchange) {
  auto leaves = [&](const Guard& dir, bool known, const Guard& who) {
    return known ? may_remove(c, dir, who.uid) : may_access(c, dir, kWantWrite | kWantExecute);
  };
  if (auto s = leaves(f.node, f.has_victim, f.victim); !s) return s;
  if (auto s = leaves(f.other, f.has_target, f.target); !s) return s;
  // A directory's ".." is written to when it moves.
  if (f.moves && f.has_victim && S_ISDIR(f.victim.mode))
    if (auto s = may_access(c, f.victim, kWantWrite); !s) return s;
  if (f.moves && exchange && f.has_target && S_ISDIR(f.target.mode)) return may_access(c, f.target, kWantWrite);
  return Unit{};
}

}  // namespace isthmus::volume
