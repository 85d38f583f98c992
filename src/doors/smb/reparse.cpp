#include "doors/smb/reparse.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "doors/common/secret.h"
#include "doors/smb/errors.h"
#include "doors/smb/place.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
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

/// Under a name that nobody has, so that the file stays where anything fails. Counted.
Result<Entry> make_special(Request& r, NodeId parent, const std::string& name, const windows::Special& file,
                           uint32_t mode) {
  if (file.type == S_IFLNK) return r.call(op::Symlink{{}, parent, name, file.target});
  Context as = r.ctx;
  as.cred.umask = 0;  // the file that it takes the place of has the mode already
  return r.call(op::Mknod{{}, parent, name, file.type | (mode & 0777), makedev(file.major, file.minor), {}}, as);
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
  made->access = old.access;
  made->options = old.options;
  made->posix = old.posix;
  made->file = r.server.files.open(r.server, at.take_node(), false, at.take_parent(), at.name, at.path);
  attach(*made, r);
  return made;
}

}  // namespace

NtStatus set_reparse_point(Request& r, Bytes buffer) {
  const std::shared_ptr<Open> old = r.open;
  OpenedFile& file = *old->file;
  if (old->stream) return NtStatus::invalid_parameter;
  if (!old->may_some(Rights::kWriteData | Rights::kWriteAttributes)) return NtStatus::access_denied;
  const auto special = windows::from_reparse(buffer);
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
  const std::string temporary = ".~isthmus-" + random_secret();
  auto made = make_special(r, at.parent, temporary, *special, at.entry.attr.mode);
  if (!made) return status_of(made.error());
  at.put(*made);
  Status done = Unit{};
  if (file.directory) done = r.call(op::Rmdir{{}, at.parent, at.name, old->handle});
  if (done) done = r.call(op::Rename{{}, at.parent, temporary, at.parent, at.name, 0, old->handle});
  if (!done) {
    (void)r.call(op::Unlink{{}, at.parent, temporary, HandleId::none});
    return status_of(done.error());
  }
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
  if (!r.session->valid()) close_open(r.server, *by);  // it ended meanwhile, and did not see this one
  r.use(*by);
  return NtStatus::success;
}

}  // namespace isthmus::smb
