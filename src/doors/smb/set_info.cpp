#include "wire/smb2/set_info.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include "doors/common/secret.h"
#include "doors/smb/errors.h"
#include "doors/smb/extended.h"
#include "doors/smb/facts.h"
#include "doors/smb/locks.h"
#include "doors/smb/notify.h"
#include "doors/smb/place.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "doors/smb/stored_acl.h"
#include "doors/smb/stream.h"
#include "windows/security.h"
#include "wire/smb2/create.h"
#include "wire/smb2/query.h"

/// SET_INFO (MS-SMB2 section 3.3.5.21, MS-FSA section 2.1.5.14).
namespace isthmus::smb {
namespace {

using smb2::FileInfoClass;
using smb2::NtStatus;
using windows::Rights;

/// A reader that found nothing: too short for the class.
constexpr NtStatus kShort = NtStatus::info_length_mismatch;

NtStatus status_of(const Status& s) { return s ? NtStatus::success : smb::status_of(s.error()); }

NtStatus change(Request& r, const SetAttr& set) {
  op::Setattr a;
  a.node = r.open->file->node;
  a.set = set;
  auto done = r.call(a);
  return done ? NtStatus::success : smb::status_of(done.error());
}

NtStatus set_basic(Request& r, Bytes data) {
  if (!r.open->may(Rights::kWriteAttributes)) return NtStatus::access_denied;
  const auto m = smb2::read_basic_change(data);
  if (!m) return kShort;
  auto attr = r.attr_of(r.open->file->node);
  if (!attr) return smb::status_of(attr.error());
  const bool directory = (attr->mode & S_IFMT) == S_IFDIR;
  if ((m->attributes & smb2::kAttrDirectory) && !directory) return NtStatus::invalid_parameter;
  if (directory && (m->attributes & smb2::kAttrTemporary)) return NtStatus::invalid_parameter;
  if (m->attributes != 0) {
    // FSCTL_SET_SPARSE alone says whether a file is sparse.
    const uint32_t sparse = attributes_of(r, r.open->file->node, *attr, {}) & smb2::kAttrSparse;
    const uint32_t bits = (m->attributes & ~smb2::kAttrSparse) | sparse;
    if (const Status s = set_attributes(r, r.open->file->node, *attr, bits); !s) return status_of(s);
  }
  SetAttr set;
  if (smb2::time_change(m->times.access) == smb2::TimeChange::set) {
    set.mask |= kSetAtime;
    set.to.atime = from_file_time(m->times.access);
  }
  if (smb2::time_change(m->times.write) == smb2::TimeChange::set) {
    set.mask |= kSetMtime;
    set.to.mtime = from_file_time(m->times.write);
  }
  if (set.mask)
    if (const NtStatus s = change(r, set); s != NtStatus::success) return s;
  switch (smb2::time_change(m->times.write)) {
    case smb2::TimeChange::keep:
      break;
    case smb2::TimeChange::set:
    case smb2::TimeChange::freeze: {
      std::lock_guard lock(r.open->m);
      r.open->write_time = set.mask & kSetMtime ? set.to.mtime : attr->mtime;
      break;
    }
    case smb2::TimeChange::thaw: {
      std::lock_guard lock(r.open->m);
      r.open->write_time.reset();
      break;
    }
  }
  if (smb2::time_change(m->times.creation) == smb2::TimeChange::set)
    if (const Status s = set_creation(r, r.open->file->node, m->times.creation); !s) return status_of(s);
  // Not every file system has a time of the last change that can be set.
  if (smb2::time_change(m->times.change) == smb2::TimeChange::set) {
    SetAttr rare;
    rare.mask = kSetCtime;
    rare.to.ctime = from_file_time(m->times.change);
    const NtStatus s = change(r, rare);
    if (s != NtStatus::success && s != NtStatus::not_supported && s != NtStatus::invalid_parameter) return s;
  }
  return NtStatus::success;
}

/// A name is put into a directory by opening it so (MS-FSA section 2.1.5.14.11): who has it open otherwise is asked.
NtStatus parent_allows(Request& r, NodeId parent) {
  op::Open open;
  open.node = parent;
  open.flags = O_PATH;
  open.share = smb2::kShareRead | smb2::kShareWrite;
  open.access = smb2::kShareWrite;
  return status_of(open_and_release(r.files(), r.ctx, open, [&r] { r.go_async(); }));
}

/// Before a directory moves its clients close what they have open in it by handle leases alone (MS-FSA section
/// 2.1.4.2). With no mutex held: others do so meanwhile.
void have_closed_below(Request& r, const OpenedFile& directory, const std::string& path) {
  const auto opens = r.server.files.with([&](const Open& o) {
    if (!o.file || o.file.get() == &directory) return false;
    std::lock_guard lock(o.file->m);
    return is_below(o.file->path, path);
  });
  for (const auto& open : opens) tell_going(r.server, r.ctx, open->file->node, HandleId::none);
  for (const auto& open : opens) have_closed(r.server, r.ctx, open->file->node, [&r] { r.go_async(); });
}

/// The name that a rename or a link is to make. `to`: its place.
NtStatus find_target(Request& r, const smb2::NameChange& m, Place& to, std::string& name) {
  if (m.root != 0) return NtStatus::invalid_parameter;
  std::string_view text = as_text(m.name);
  if (text.starts_with(std::string_view("\\\0", 2))) text.remove_prefix(2);
  const ClientPath path = read_path(as_bytes(text), r.open->posix);
  if (path.status != NtStatus::success) return path.status;
  if (path.names.empty()) return NtStatus::object_name_invalid;
  if (!path.stream.empty()) return NtStatus::not_supported;
  name = path.names.back();
  return walk(r, path.names, r.open->posix || r.server.options.case_sensitive, to);
}

bool is_read_only(Request& r, Place& at) {
  return attributes_of(r, at.entry.node, at.entry.attr, at.name) & smb2::kAttrReadOnly;
}

NtStatus rename(Request& r, Bytes data, bool ex) {
  Open& open = *r.open;
  if (!open.may(Rights::kDelete)) return NtStatus::access_denied;
  const auto m = smb2::read_name_change(data, ex);
  if (!m) return kShort;
  OpenedFile& file = *open.file;
  if (open.stream) return rename_stream(r, *m);
  if (file.node == NodeId::root) return NtStatus::access_denied;
  const bool posix = open.posix || (m->flags & smb2::NameChange::kPosix);
  const bool replace = m->flags & smb2::NameChange::kReplace;
  Place to(r);
  std::string name;
  if (const NtStatus s = find_target(r, *m, to, name); s != NtStatus::success) return s;
  const bool apple =
      r.session->apple.load(std::memory_order_relaxed);  // whose directories move with what is open in them
  const bool must_be_closed = !posix && !apple && file.directory;
  if (must_be_closed) have_closed_below(r, file, file.path_now());
  if (!posix) have_streams_closed(r.server, r.ctx, file.node, [&r] { r.go_async(); });
  if (replace && !posix && to.exists() && to.entry.node != file.node && r.server.files.is_open(to.entry.node))
    have_closed(r.server, r.ctx, to.entry.node, [&r] { r.go_async(); });
  std::lock_guard naming(file.naming_m);
  NodeId from_dir{};
  std::string from_name, from_path;
  {
    std::lock_guard lock(file.m);
    if (file.opens == 0) return NtStatus::file_closed;
    if (file.delete_pending) return NtStatus::delete_pending;
    from_dir = file.parent;
    from_name = file.name;
    from_path = file.path;
  }
  if (!leads_to(r, from_dir, from_name, file.node)) return NtStatus::object_name_not_found;
  if (must_be_closed && r.server.files.any_below(from_path)) return NtStatus::access_denied;
  if (!posix && r.server.streams.any_of(file.node)) return NtStatus::access_denied;
  const bool same_name = to.exists() && to.entry.node == file.node && to.parent == from_dir && to.name == from_name;
  bool keeps = !replace;
  if (same_name) {
    if (name == from_name) return NtStatus::success;
    keeps = false;  // another case of it
  } else if (to.exists()) {
    if (!replace) return NtStatus::object_name_collision;
    if ((to.entry.attr.mode & S_IFMT) == S_IFDIR && !posix) return NtStatus::access_denied;
    if (to.entry.node != file.node && r.server.files.is_open(to.entry.node) && !posix) return NtStatus::access_denied;
    if (!posix && is_read_only(r, to) && !(m->flags & smb2::NameChange::kIgnoreReadOnly))
      return NtStatus::access_denied;
    name = to.name;
  }
  if (const NtStatus s = parent_allows(r, to.parent); s != NtStatus::success) return s;
  Status done = Unit{};
  if (to.exists() && !same_name && to.entry.node == file.node) {
    if (posix) return NtStatus::success;  // as rename(2) has it
    // Another link of the file: rename(2) would leave both.
    done = r.call(op::Unlink{{}, from_dir, from_name, open.handle});
  } else {
    op::Rename move{{}, from_dir, from_name, to.parent, name, keeps ? RENAME_NOREPLACE : 0u, open.handle};
    done = r.call(move);
    if (!done && keeps && (done.code() == EINVAL || is_unsupported(done.error()))) {
      auto there = r.call(op::Lookup{{}, to.parent, name});
      if (there && there->node != NodeId::none) {
        if (there->node != NodeId::root) forget(r.files(), r.ctx, there->node);
        return NtStatus::object_name_collision;
      }
      move.flags = 0;
      done = r.call(move);
    }
  }
  if (!done) return status_of(done);
  r.server.names.may_be(to.parent, name);
  const std::string parent_path = above(to);
  const NodeId was =
      r.server.files.renamed(file, to.take_parent(), name, parent_path.empty() ? name : parent_path + "/" + name);
  if (was != NodeId::none && was != NodeId::root) forget(r.files(), r.ctx, was);
  return NtStatus::success;
}

NtStatus link(Request& r, Bytes data, bool ex) {
  const auto m = smb2::read_name_change(data, ex);
  if (!m) return kShort;
  if (r.server.read_only) return NtStatus::media_write_protected;
  const NodeId node = r.open->file->node;
  if (r.open->file->directory) return NtStatus::file_is_a_directory;
  if (r.open->stream) return NtStatus::invalid_parameter;
  Place to(r);
  std::string name;
  if (const NtStatus s = find_target(r, *m, to, name); s != NtStatus::success) return s;
  const auto make = [&](const std::string& as) {
    auto made = r.call(op::Link{{}, node, to.parent, as});
    if (!made) return smb::status_of(made.error());
    if (made->node != NodeId::root) forget(r.files(), r.ctx, made->node);
    return NtStatus::success;
  };
  if (!to.exists()) {
    const NtStatus s = make(name);
    if (s == NtStatus::success) r.server.names.may_be(to.parent, name);
    return s;
  }
  if (!(m->flags & smb2::NameChange::kReplace)) return NtStatus::object_name_collision;
  if (to.entry.node == node) return NtStatus::success;
  if ((to.entry.attr.mode & S_IFMT) == S_IFDIR || (!r.open->posix && is_read_only(r, to)))
    return NtStatus::access_denied;
  // Whatever fails, what is there stays.
  const std::string temporary = ".~isthmus-" + random_secret();
  if (const NtStatus s = make(temporary); s != NtStatus::success) return s;
  const Status done = r.call(op::Rename{{}, to.parent, temporary, to.parent, to.name, 0, HandleId::none});
  if (!done) (void)r.call(op::Unlink{{}, to.parent, temporary, HandleId::none});
  return status_of(done);
}

Result<bool> is_empty(Request& r, NodeId dir) {
  struct Sink final : DirSink {
    bool add(const DirEntry& e) override {
      cookie = e.cookie;
      some = true;
      found |= e.name != "." && e.name != "..";
      return !found;
    }
    uint64_t cookie = 0;
    bool some = false, found = false;
  } sink;
  op::OpenDir begin;
  begin.node = dir;
  auto opened = r.call(begin);
  if (!opened) return opened.error();
  Status done = Unit{};
  do {
    sink.some = false;
    op::ReadDir read;
    read.node = dir;
    read.handle = opened->handle;
    read.cookie = sink.cookie;
    read.sink = &sink;
    done = r.call(read);
  } while (done && sink.some && !sink.found);
  (void)r.call(op::ReleaseDir{{}, dir, opened->handle});
  if (!done) return done.error();
  return !sink.found;
}

NtStatus set_disposition(Request& r, Bytes data, bool ex) {
  Open& open = *r.open;
  if (!open.may(Rights::kDelete)) return NtStatus::access_denied;
  const auto m = smb2::read_disposition_change(data, ex);
  if (!m) return kShort;
  OpenedFile& file = *open.file;
  if (open.stream) return dispose_of_stream(r, m->flags & smb2::DispositionChange::kDelete);
  if (!(m->flags & smb2::DispositionChange::kDelete)) {
    std::lock_guard lock(open.m);
    std::lock_guard also(file.m);
    open.delete_on_close = false;
    file.delete_pending = false;
    return NtStatus::success;
  }
  if (file.node == NodeId::root || r.server.read_only) return NtStatus::access_denied;
  auto attr = r.attr_of(r.open->file->node);
  if (!attr) return smb::status_of(attr.error());
  if (!file.directory && !(m->flags & smb2::DispositionChange::kIgnoreReadOnly) && !open.posix &&
      (attributes_of(r, file.node, *attr, {}) & smb2::kAttrReadOnly))
    return NtStatus::cannot_delete;
  if (file.directory) {
    auto empty = is_empty(r, file.node);
    if (!empty) return smb::status_of(empty.error());
    if (!*empty) return NtStatus::directory_not_empty;
  }
  {
    std::lock_guard lock(open.m);
    std::lock_guard also(file.m);
    open.unlink_at_close = open.posix || (m->flags & smb2::DispositionChange::kPosix);
    file.delete_pending = true;
  }
  if (file.directory) end_notifies(r.server, file);
  tell_going(r.server, open.ctx, file.node, open.handle);
  return NtStatus::success;
}

NtStatus set_size(Request& r, Bytes data, bool allocation) {
  Open& open = *r.open;
  if (!open.may(Rights::kWriteData)) return NtStatus::access_denied;
  if (!has_data(open)) return NtStatus::invalid_parameter;
  const auto size = smb2::read_size_change(data);
  if (!size) return data.size() < 8 ? kShort : NtStatus::invalid_parameter;
  if (open.stream) return resize_stream(r, open, *size, allocation);
  auto attr = r.attr_of(r.open->file->node);
  if (!attr) return smb::status_of(attr.error());
  if (allocation && *size >= attr->size) {
    op::Fallocate room;
    room.node = open.file->node;
    room.handle = open.handle;
    room.mode = FALLOC_FL_KEEP_SIZE;
    room.length = *size;
    if (*size == 0) return NtStatus::success;
    const Status done = r.call(room);
    return done || is_unsupported(done.error()) ? NtStatus::success : status_of(done);
  }
  const uint64_t from = std::min(*size, attr->size);
  if (is_locked(open, from, std::max(*size, attr->size) - from, true)) return NtStatus::file_lock_conflict;
  op::Setattr set;
  set.node = open.file->node;
  set.handle = open.handle;
  set.set.mask = kSetSize;
  set.set.to.size = *size;
  auto done = r.call(set);
  if (!done) return smb::status_of(done.error());
  keep_write_time(r);
  return NtStatus::success;
}

NtStatus set_security(Request& r, const smb2::SetInfoRequest& m) {
  Open& open = *r.open;
  if (!open.file) return NtStatus::invalid_parameter;
  if (m.additional & smb2::kSecuritySacl) return NtStatus::access_denied;
  auto d = windows::read_security(m.data);
  if (!d) return NtStatus::invalid_security_descriptor;
  if ((m.additional & (smb2::kSecurityOwner | smb2::kSecurityGroup)) && !open.may(Rights::kWriteOwner))
    return NtStatus::access_denied;
  if ((m.additional & smb2::kSecurityDacl) && !open.may(Rights::kWriteDac)) return NtStatus::access_denied;
  auto attr = r.attr_of(r.open->file->node);
  if (!attr) return smb::status_of(attr.error());
  const uint32_t attributes = attributes_of(r, open.file->node, *attr, {});
  const auto& ids = r.server.options.identities;
  if (d->dacl) windows::write_as(ids, *d->dacl);
  SetAttr set;
  set.to.uid = attr->uid;
  set.to.gid = attr->gid;
  if ((m.additional & smb2::kSecurityOwner) && d->owner) {
    const auto who = ids.identity_of(*d->owner);
    if (!who.uid) return NtStatus::invalid_owner;
    if (*who.uid != attr->uid) set.mask |= kSetUid;
    set.to.uid = *who.uid;
  }
  if ((m.additional & smb2::kSecurityGroup) && d->group) {
    const auto who = ids.identity_of(*d->group);
    if (!who.gid) return NtStatus::invalid_owner;
    if (*who.gid != attr->gid) set.mask |= kSetGid;
    set.to.gid = *who.gid;
  }
  const bool lists = (m.additional & smb2::kSecurityDacl) && d->has_dacl;
  auto keep = lists ? d : stored_acl(r, open.file->node, *attr);
  if (lists) keep->dacl_auto_inherited &= std::exchange(keep->dacl_auto_inherit_request, false);
  if (lists) {
    // Whose entries are the owner's: those of who owns it now.
    uint32_t mode =
        windows::mode_of_security(*d, open.file->directory, ids.of_user(set.to.uid), ids.of_group(set.to.gid));
    uint32_t bits = 01777;
    // A client that knows of modes sends the one it means: of Apple's without setid bits.
    if (const auto meant = d->dacl ? windows::nfs_mode_in(*d->dacl) : std::nullopt) {
      keep.reset();  // and no list
      const bool apple = r.session->apple.load(std::memory_order_relaxed);
      bits = apple ? 0777 : 07777;
      mode = *meant;
    }
    if ((mode & bits) != (attr->mode & bits)) {
      set.mask |= kSetMode;
      set.to.mode = (attr->mode & ~bits) | (mode & bits);
    }
  }
  if (set.mask) {
    if (const NtStatus s = change(r, set); s != NtStatus::success) return s;
    attr = r.attr_of(open.file->node);
    if (!attr) return smb::status_of(attr.error());
  }
  if (!keep) return NtStatus::success;
  const Status kept = store_acl(r, open.file->node, *attr, *keep, attributes);
  return kept ? NtStatus::success : smb::status_of(kept.error());
}

NtStatus set_file(Request& r, const smb2::SetInfoRequest& m) {
  Open& open = *r.open;
  if (!open.file) return NtStatus::invalid_parameter;
  switch (static_cast<FileInfoClass>(m.info_class)) {
    case FileInfoClass::basic:
      return set_basic(r, m.data);
    case FileInfoClass::rename:
      return rename(r, m.data, false);
    case FileInfoClass::rename_ex:
      return rename(r, m.data, true);
    case FileInfoClass::link:
      return link(r, m.data, false);
    case FileInfoClass::link_ex:
      return link(r, m.data, true);
    case FileInfoClass::disposition:
      return set_disposition(r, m.data, false);
    case FileInfoClass::disposition_ex:
      return set_disposition(r, m.data, true);
    case FileInfoClass::end_of_file:
      return set_size(r, m.data, false);
    case FileInfoClass::allocation:
      return set_size(r, m.data, true);
    case FileInfoClass::position: {
      const auto at = smb2::read_size_change(m.data);
      if (!at) return kShort;
      std::lock_guard lock(open.m);
      open.position = *at;
      return NtStatus::success;
    }
    case FileInfoClass::mode: {
      const auto mode = smb2::read_flags_change(m.data);
      if (!mode) return kShort;
      std::lock_guard lock(open.m);
      open.mode = *mode;
      return NtStatus::success;
    }
    case FileInfoClass::full_ea: {
      if (!open.may(Rights::kWriteEa)) return NtStatus::access_denied;
      const auto list = smb2::read_ea_list(m.data);
      if (!list) return NtStatus::ea_list_inconsistent;
      return status_of(set_extended(r, open.file->node, *list));
    }
    case FileInfoClass::valid_data_length:
      return open.may(Rights::kWriteData) ? NtStatus::success : NtStatus::access_denied;
    case FileInfoClass::short_name:
      return NtStatus::not_supported;
    default:
      return NtStatus::invalid_info_class;
  }
}

}  // namespace

std::optional<Reply> set_info(Request& r) {
  const auto m = r.read<smb2::SetInfoRequest>();
  if (!m) return Reply(NtStatus::invalid_parameter);
  if (!r.find_open(m->file_id)) return Reply(NtStatus::file_closed);
  const InSequence in_sequence(r);
  if (!in_sequence) return Reply(NtStatus::file_not_available);
  NtStatus status = NtStatus::invalid_parameter;
  switch (m->type) {
    case smb2::InfoType::file:
      status = set_file(r, *m);
      break;
    case smb2::InfoType::security:
      status = set_security(r, *m);
      break;
    case smb2::InfoType::filesystem:
    case smb2::InfoType::quota:
      status = NtStatus::not_supported;
      break;
  }
  if (status != NtStatus::success) return Reply(status);
  return Reply(smb2::SetInfoResponse{});
}

}  // namespace isthmus::smb
