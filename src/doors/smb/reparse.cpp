#include "doors/smb/reparse.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "doors/common/secret.h"
#include "doors/smb/errors.h"
#include "doors/smb/place.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "doors/smb/stream.h"
#include "windows/reparse.h"
#include "windows/security.h"

namespace isthmus::smb {
namespace {

using smb2::NtStatus;
using windows::Rights;

/// A path of ours, taken apart.
std::vector<std::string> names_of(std::string_view path) {
  std::vector<std::string> names;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    names.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return names;
}

Result<Entry> make_anyones(Request& r, NodeId parent, const std::string& name, const windows::Special& file,
                           uint32_t mode) {
  if (file.type == S_IFLNK) return r.call(op::Symlink{{}, parent, name, file.target});
  Context as = r.ctx;
  as.cred.umask = 0;  // the file that it takes the place of has the mode already
  // A device is all of it, whoever may use its file: nobody else, unless the client has said so by a mode or chmod.
  const bool usual_mode = !r.open->posix && (file.type == S_IFCHR || file.type == S_IFBLK);
  return r.call(
      op::Mknod{{}, parent, name, file.type | (mode & (usual_mode ? 0700 : 0777)), makedev(file.major, file.minor), {}},
      as);
}

/// Under a name that nobody has, so that the file `instead_of` stays where anything fails. Its owner's. Counted.
Result<Entry> make_special(Request& r, NodeId parent, const std::string& name, const windows::Special& file,
                           const Attr& instead_of) {
  auto made = make_anyones(r, parent, name, file, instead_of.mode);
  if (!made) return made;
  op::Setattr set;
  set.node = made->node;
  set.set.to.uid = instead_of.uid;
  set.set.to.gid = instead_of.gid;
  if (made->attr.uid != instead_of.uid) set.set.mask |= kSetUid;
  if (made->attr.gid != instead_of.gid) set.set.mask |= kSetGid;
  if (set.set.mask)
    if (const auto given = r.call(set)) made->attr = given->attr;
  return made;
}

/// An open of what is now at `at`, for whoever has `old`.
Result<std::shared_ptr<Open>> open_instead(Request& r, const Open& old, Place& at) {
  op::Open open;
  open.node = at.entry.node;
  open.flags = O_PATH;
  open.share = smb2::kShareRead | smb2::kShareWrite | smb2::kShareDelete;
  open.access = old.access & Rights::kDelete ? smb2::kShareDelete : 0;
  auto opened = r.call(open);
  if (!opened) return opened.error();
  auto made = std::make_shared<Open>();
  made->reparse = true;
  made->handle = opened->handle;
  made->ctx = old.ctx;
  made->cache = std::make_shared<CacheGrant>(old.ctx.lease_key, std::nullopt);
  made->parent_cache = old.parent_cache;
  made->access = old.access;
  made->options = old.options;
  made->posix = old.posix;
  made->file = r.server.files.open(r.server, at.take_node(), false, at.take_parent(), at.name, at.path);
  attach(*made, r);
  return made;
}

/// Nothing would be lost with what `name` is now, and nobody but the request has it open.
bool is_empty(Request& r, OpenedFile& file, NodeId parent, const std::string& name) {
  auto found = r.call(op::Lookup{{}, parent, name});
  if (!found || found->node == NodeId::none) return false;
  if (found->node != NodeId::root) forget(r.files(), r.ctx, found->node);
  std::lock_guard lock(file.m);
  return found->node == file.node && file.opens == 1 && (file.directory || found->attr.size == 0);
}

/// The file `name` becomes what `temporary` is, which is not there afterwards.
Status put_in_place(Request& r, OpenedFile& file, NodeId parent, const std::string& temporary, const std::string& name,
                    HandleId through) {
  const auto remove = [&](const std::string& what) {
    return file.directory ? r.call(op::Rmdir{{}, parent, what, through})
                          : r.call(op::Unlink{{}, parent, what, through});
  };
  const auto move = [&](uint32_t flags) {
    return r.call(op::Rename{{}, parent, temporary, parent, name, flags, through});
  };
  // Others may have written to it since it was looked at: it is looked at again when nobody finds it any more.
  Status done = move(RENAME_EXCHANGE);
  if (done) {
    done = is_empty(r, file, parent, temporary) ? remove(temporary) : Status(err(EBUSY));
    if (done) return done;
    if (const Status back = move(RENAME_EXCHANGE); !back) {
      log(LogLevel::error, "smb: '{}' is called '{}' now: {}", name, temporary, text_of(back.error()));
      return done;
    }
  } else if (done.code() == EINVAL || is_unsupported(done.error())) {
    done = is_empty(r, file, parent, name) ? Status(Unit{}) : Status(err(EBUSY));
    if (done && file.directory) done = remove(name);
    if (done) done = move(file.directory ? RENAME_NOREPLACE : 0);
    if (done) return done;
  }
  (void)r.call(op::Unlink{{}, parent, temporary, HandleId::none});
  return done;
}

}  // namespace

NtStatus set_reparse_point(Request& r, Bytes buffer) {
  const std::shared_ptr<Open> old = r.open;
  OpenedFile& file = *old->file;
  if (old->stream) return NtStatus::invalid_parameter;
  if (!old->may_some(Rights::kWriteData | Rights::kWriteAttributes)) return NtStatus::access_denied;
  const auto special = windows::from_reparse(buffer, old->posix);
  if (!special) return NtStatus::io_reparse_data_invalid;
  if (old->reparse) return NtStatus::io_reparse_tag_mismatch;
  if (file.directory && special->type != S_IFLNK) return NtStatus::io_reparse_data_invalid;
  std::unique_lock naming(file.naming_m);
  std::string path;
  {
    std::lock_guard lock(file.m);
    if (file.parent == NodeId::none) return NtStatus::access_denied;
    if (file.delete_pending) return NtStatus::delete_pending;
    if (file.opens != 1) return NtStatus::sharing_violation;
    path = file.path;
  }
  Place at(r);
  if (const NtStatus s = walk(r, names_of(path), true, at); s != NtStatus::success) return s;
  if (at.entry.node != file.node) return NtStatus::object_name_not_found;
  // What a file has in it would be lost.
  if (!file.directory && at.entry.attr.size != 0) return NtStatus::io_reparse_data_invalid;
  if (const auto streams = stream_names(r, file.node); streams && !streams->empty())
    return NtStatus::io_reparse_data_invalid;
  const std::string temporary = ".~isthmus-" + random_secret();
  auto made = make_special(r, at.parent, temporary, *special, at.entry.attr);
  if (!made) return status_of(made.error());
  at.put(*made);
  const Status done = put_in_place(r, file, at.parent, temporary, at.name, old->handle);
  if (!done) return status_of(done.error());
  naming.unlock();
  auto by = open_instead(r, *old, at);
  if (!by) return status_of(by.error());
  {
    std::lock_guard lock(old->m);
    (*by)->mode = old->mode;
    (*by)->delete_on_close = std::exchange(old->delete_on_close, false);
    (*by)->unlink_at_close = old->unlink_at_close;
  }
  if (!replace_open(r.server, old, *by)) {  // closed meanwhile
    close_open(r.server, *by);
    return NtStatus::file_closed;
  }
  if (!r.lives()) close_open(r.server, *by);  // what it belongs to ended meanwhile, and did not see this one
  r.use(*by);
  return NtStatus::success;
}

}  // namespace isthmus::smb
