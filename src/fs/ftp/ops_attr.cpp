/// Attributes that are set.
#include <sys/stat.h>

#include "fs/ftp/again.h"
#include "fs/ftp/ftp_fs.h"

namespace isthmus::fs::ftp {
namespace {

constexpr uint32_t kTimes = kSetMtime | kSetMtimeNow;

}  // namespace

void FtpFs::setattr(Call<op::Setattr> c) {
  const SetAttr set = c->set;
  Lock lock(m_);
  auto found = find(c->node, Op::Setattr);
  const bool host = found && (!(*found)->site || (*found)->pinned);
  lock.unlock();
  if (!found) return c.fail(found.error());
  if (options_.read_only || host) return c.fail(host ? EPERM : EROFS);
  // Owners are the server's affair; those that are shown already may be set.
  if ((set.mask & kSetUid && set.to.uid != options_.uid) || (set.mask & kSetGid && set.to.gid != options_.gid))
    return c.fail(EPERM);
  if (set.mask & kSetSize && set.to.size > (uint64_t{1} << 62)) return c.fail(EFBIG);
  const NodePtr node = *found;
  Answer<op::Setattr> a(std::move(c));
  auto answer = [this, a, node](Errno e) {
    if (e != Errno{}) return a.fail(e);
    Lock again_locked(m_);
    const Attributes r{attr_of(*node), node->draft ? options_.cache_ms : ttl_of(node->known_ns)};
    again_locked.unlock();
    a.finish(r);
  };
  with_facts(node, options_.cache_ms, [this, node, set, answer](Errno e) {
    if (e != Errno{}) return answer(e);
    Lock locked(m_);
    const Kind kind = node->facts.kind;
    const bool unknown = !node->draft && !node->facts.size;
    locked.unlock();
    if (!(set.mask & kSetSize)) return change_attributes(node, set, answer);
    if (kind != Kind::file) return answer(err(kind == Kind::folder ? EISDIR : EINVAL));
    if (unknown && set.to.size > 0) return answer(err(EOPNOTSUPP));
    truncate(node, set.to.size, [this, node, set, answer](Errno e2) {
      if (e2 != Errno{}) return answer(e2);
      change_attributes(node, set, answer);
    });
  });
}

void FtpFs::change_attributes(const NodePtr& node, const SetAttr& set, Then then) {
  Lock lock(m_);
  const Attr shown = attr_of(*node);
  const uint32_t mode = set.to.mode & 07777;
  const bool set_mode = set.mask & kSetMode && mode != (shown.mode & 07777);
  const bool set_time = set.mask & kTimes && !(set.mask & kSetMtime && set.to.mtime == shown.mtime);
  const bool to_now = set.mask & kSetMtimeNow;
  const Time time = to_now ? now() : set.to.mtime;
  Server& server = *node->site->server;
  if (!set_mode && !set_time) {
    lock.unlock();
    return then(Errno{});
  }
  if (set_mode && server.no_chmod) {
    lock.unlock();
    return then(err(EOPNOTSUPP));
  }
  const bool no_times = server.no_set_time || !(server.features.set_modified || server.features.modified);
  const bool draft = node->draft && node->draft->dirty();
  if (set_time && no_times && !(to_now && draft)) {
    lock.unlock();
    return then(err(EOPNOTSUPP));
  }
  if (draft) {
    // It goes with the file.
    if (set_mode) node->draft->want_mode = mode;
    if (set_time && !to_now) node->draft->want_time = time;
    lock.unlock();
    return then(Errno{});
  }
  const std::string path = path_of(*node);
  lock.unlock();
  submit(
      node->site, false,
      [this, node, path, set_mode, set_time, mode, time, then](Remote& r) {
        Said s;
        if (set_mode) s = again(r, [&] { return r.set_mode(path, mode); });
        if (s.ok() && set_time) s = again(r, [&] { return r.set_time(path, time); });
        if (s.vague) {
          Facts f;
          s.error = r.facts(path, f).error == err(ENOENT) ? err(ENOENT) : err(EACCES);
        }
        if (s.ok()) {
          Lock again_locked(m_);
          if (set_mode) node->facts.mode = mode;
          if (set_time) {
            node->facts.modified = Time{time.sec, 0};
            node->facts.exact = true;
          }
          if (node->draft) node->draft->mtime = node->facts.modified.value_or(node->draft->mtime);
          if (node->parent && !node->gone) note_added(*node->parent, node->name, node->facts);
        }
        then(s.error);
      },
      then);
}

}  // namespace isthmus::fs::ftp
