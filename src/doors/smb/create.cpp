#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include <algorithm>

#include "doors/smb/apple.h"
#include "doors/smb/durable.h"
#include "doors/smb/errors.h"
#include "doors/smb/extended.h"
#include "doors/smb/facts.h"
#include "doors/smb/oplock.h"
#include "doors/smb/pipes.h"
#include "doors/smb/place.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "doors/smb/stored_acl.h"
#include "doors/smb/stream.h"
#include "windows/access.h"
#include "windows/reparse.h"
#include "windows/security.h"
#include "wire/smb2/create.h"
#include "wire/smb2/create_contexts.h"
#include "wire/smb2/error_response.h"
#include "wire/smb2/posix_facts.h"

/// CREATE (MS-SMB2 section 3.3.5.9, MS-FSA section 2.1.5.1).
namespace isthmus::smb {
namespace {

using smb2::Disposition;
using smb2::NtStatus;
using windows::Rights;

constexpr uint32_t kMaximumAllowed = 0x02000000, kSystemSecurity = 0x01000000;
constexpr uint32_t kReads = Rights::kReadData | Rights::kExecute;
constexpr uint32_t kWrites = Rights::kWriteData | Rights::kAppendData;
constexpr int kTries = 4;  // while names come and go

/// One CREATE on its way.
struct Creation {
  Request& r;
  const smb2::CreateRequest& m;
  const std::vector<smb2::CreateContext>& contexts;
  CacheWish wish;
  DurableWish durable;
  bool posix = false;
  std::optional<uint32_t> posix_mode{};  ///< of a file that is made; none: the usual one
  std::optional<uint32_t> uid{}, gid{};  ///< of a file that is made; none: the server's
  std::vector<smb2::Ea> eas{};           ///< of a file that is made or overwritten, as is the room that it is to have
  uint64_t allocation = 0;

  uint32_t access = 0;  ///< wanted, then granted
  bool maximum = false;
  uint32_t rights = 0;  ///< that there are on what is opened, if it was there
  uint32_t action = smb2::kActionOpened;
  HandleId handle = HandleId::none;
  Attr attr;
  std::optional<windows::SecurityDescriptor> acl{};  ///< of a new file: the client's, or inherited
  StreamCreation stream;                             ///< without a name: the file itself

  bool named() const { return !stream.name.empty(); }

  NtStatus check() const;
  NtStatus open_existing(Place& at);
  NtStatus make_new(Place& at);
  NtStatus enter_folder(NodeId folder);
  NtStatus grant(uint32_t there);
  NtStatus enter_stream(NodeId node);
  NtStatus close_again(NodeId node, NtStatus why);
  /// Of the file in the volume: a stream is shared by itself, but holds its file against being deleted.
  uint32_t volume_share() const { return named() ? share() | smb2::kShareRead | smb2::kShareWrite : share(); }
  /// Who has no use of the data or the name takes no part in share modes (MS-FSA section 2.1.5.1.2.2).
  uint32_t share() const { return access & (kReads | kWrites | Rights::kDelete) ? m.share_access : 7; }
  uint32_t share_bits() const {
    uint32_t bits = 0;
    if (!named() && (access & Rights::kDelete)) bits |= volume::kAccessDelete;
    if (!named() && (access & ~kStatAccess)) bits |= volume::kAccessOther;
    if (!named() && (access & Rights::kReadControl)) bits |= volume::kAccessControl;
    return bits;
  }
  bool overwrites() const { return smb2::overwrites(m.disposition); }
  /// Of a symlink at the end of the path. rename(2) and unlink(2) mean the link.
  bool means_link() const {
    return (m.options & (smb2::kOptionOpenReparsePoint | smb2::kOptionDeleteOnClose)) ||
           (posix && (m.disposition == Disposition::create || (m.desired_access & Rights::kDelete)));
  }
  std::string contexts_of(const Open& open, NodeId parent, const std::optional<smb2::Lease>& lease) const;
};

NtStatus Creation::check() const {
  if (m.impersonation > smb2::kImpersonationMost) return NtStatus::bad_impersonation_level;
  if (static_cast<uint32_t>(m.disposition) >= smb2::kDispositions || (m.options & ~smb2::kOptionsKnown) ||
      (m.share_access & ~7u))
    return NtStatus::invalid_parameter;
  if ((m.options & smb2::kOptionDirectory) && ((m.options & smb2::kOptionNonDirectory) || overwrites()))
    return NtStatus::invalid_parameter;
  if (m.options & (smb2::kOptionOpenByFileId | smb2::kOptionReserveOpfilter)) return NtStatus::not_supported;
  if (m.desired_access == 0) return NtStatus::access_denied;
  if (m.desired_access & kSystemSecurity) return NtStatus::privilege_not_held;
  const uint32_t wanted = windows::expand_generic(m.desired_access);
  if ((m.options & smb2::kOptionDeleteOnClose) && !(wanted & (Rights::kDelete | kMaximumAllowed)))
    return NtStatus::invalid_parameter;
  return NtStatus::success;
}

/// The rights that are wanted, against those there are.
NtStatus Creation::grant(uint32_t there) {
  uint32_t wanted = windows::expand_generic(m.desired_access);
  maximum = wanted & kMaximumAllowed;
  wanted &= ~kMaximumAllowed;
  if (overwrites()) wanted |= Rights::kWriteData;
  if (wanted & ~there) return NtStatus::access_denied;
  access = maximum ? wanted | there : wanted;
  if ((m.options & smb2::kOptionDeleteOnClose) && !(access & Rights::kDelete)) return NtStatus::access_denied;
  return NtStatus::success;
}

/// What has been opened is not answered, for `why`.
NtStatus Creation::close_again(NodeId node, NtStatus why) {
  op::Release end;
  end.node = node;
  end.handle = std::exchange(handle, HandleId::none);
  (void)r.call(end);
  return why;
}

/// With the file open. Its handle is closed again if the stream cannot be opened.
NtStatus Creation::enter_stream(NodeId node) {
  stream.disposition = m.disposition;
  stream.access = access;
  stream.share = share();
  const NtStatus status = open_stream(r, node, stream, *wish.grant);
  return status == NtStatus::success ? status : close_again(node, status);
}

NtStatus Creation::open_existing(Place& at) {
  const uint32_t type = at.entry.attr.mode & S_IFMT;
  const bool directory = type == S_IFDIR && !named();
  if (named() && type != S_IFDIR && type != S_IFREG) return NtStatus::object_name_invalid;
  if (named() && smb2::must_exist(m.disposition))
    if (const Status s = find_stream(r, at.entry.node, stream.name); !s)
      return s.error() == err(ENODATA) ? NtStatus::object_name_not_found : status_of(s.error());
  if (named() && is_stream_going(r.server, at.entry.node, stream.name)) return NtStatus::delete_pending;
  // Nobody's lease is broken for what cannot be.
  if (named() && m.disposition == Disposition::create && find_stream(r, at.entry.node, stream.name))
    return NtStatus::object_name_collision;
  if (m.disposition == Disposition::create && !named()) return NtStatus::object_name_collision;
  if (directory && (m.options & smb2::kOptionNonDirectory)) return NtStatus::file_is_a_directory;
  if (!directory && (m.options & smb2::kOptionDirectory)) return NtStatus::not_a_directory;
  if (directory && overwrites()) return NtStatus::file_is_a_directory;
  if (r.server.files.is_going(at.entry.node, at.parent, at.name)) return NtStatus::delete_pending;
  if (!named() && !is_for(*wish.grant, at.entry.node)) return NtStatus::invalid_parameter;
  rights = rights_of(r, at.entry.node, at.entry.attr, may_delete_in(r, at.parent));
  if (const NtStatus s = grant(rights); s != NtStatus::success) return s;
  // Who only reads does not ask for them here: the answer says them.
  const bool to_change = overwrites() || (access & kWrites) || (m.options & smb2::kOptionDeleteOnClose);
  const uint32_t attributes =
      !posix && to_change ? attributes_of(r, at.entry.node, at.entry.attr, at.name) : smb2::kAttrNormal;
  if (!posix && !directory && (attributes & smb2::kAttrReadOnly)) {
    if (overwrites() || (windows::expand_generic(m.desired_access) & kWrites)) return NtStatus::access_denied;
    access &= ~kWrites;
    if (m.options & smb2::kOptionDeleteOnClose) return NtStatus::cannot_delete;
  }
  if (!posix && overwrites() && !named()) {
    // Who did not know that a file is hidden or the system's must not lose it.
    constexpr uint32_t kKept = smb2::kAttrHidden | smb2::kAttrSystem;
    const bool dot = r.server.options.hide_dot_files && at.name.starts_with('.');
    if ((attributes & kKept & ~m.attributes & ~(dot ? smb2::kAttrHidden : 0)) != 0) return NtStatus::access_denied;
  }
  if (!named() && (access & Rights::kDelete))
    have_streams_closed(r.server, r.ctx, at.entry.node, [this] { r.go_async(); });
  op::Open open;
  open.node = at.entry.node;
  open.share = volume_share();
  open.access = share_bits();
  const bool data = type == S_IFREG && !named() && (access & (kReads | kWrites));
  if (!data)
    open.flags = O_PATH;
  else if (access & kWrites)
    open.flags = access & kReads ? O_RDWR : O_WRONLY;
  if (overwrites() && !named()) open.flags |= O_TRUNC;
  const uint64_t removals = r.server.removals;
  auto opened = r.call(open);
  // The most that may be had: less, if that is too much.
  if (!opened && maximum && data && (opened.error() == err(EACCES) || opened.error() == err(EROFS))) {
    access &= ~kWrites;
    open.flags = access & kReads ? O_RDONLY : O_PATH;
    opened = r.call(open);
  }
  if (!opened) return status_of(opened.error());
  handle = opened->handle;
  // Whom it has waited for may have been the last that had the file open, and it was to go.
  if (r.server.removals != removals && at.parent != NodeId::none && !leads_to(r, at.parent, at.name, at.entry.node))
    return close_again(at.entry.node, NtStatus::file_closed);
  if (named()) return enter_stream(open.node);
  action = smb2::action_on_existing(m.disposition);
  return NtStatus::success;
}

/// What the list of a folder says of new files.
NtStatus Creation::enter_folder(NodeId folder) {
  if (posix) return NtStatus::success;
  const auto folders = stored_acl(r, folder);
  if (!folders) return NtStatus::success;
  const bool directory = m.options & smb2::kOptionDirectory;
  if (!(rights_by(r, folders->list, folders->attr) & (directory ? Rights::kAppendData : Rights::kWriteData)))
    return NtStatus::access_denied;
  if (!acl)
    acl = windows::inherited(folders->list, directory, r.server.options.identities.of_user(r.server.own.cred.uid),
                             r.server.options.identities.of_group(r.server.own.cred.gid));
  return NtStatus::success;
}

NtStatus Creation::make_new(Place& at) {
  if (smb2::must_exist(m.disposition)) return NtStatus::object_name_not_found;
  if (r.server.read_only) return NtStatus::media_write_protected;
  if (!is_for(*wish.grant, NodeId::none)) return NtStatus::invalid_parameter;
  if (const NtStatus s = grant(windows::kAllRights); s != NtStatus::success) return s;
  if (const NtStatus s = enter_folder(at.parent); s != NtStatus::success) return s;
  if ((m.attributes & smb2::kAttrReadOnly) && (m.options & smb2::kOptionDeleteOnClose)) return NtStatus::cannot_delete;
  Result<Entry> made = err(EIO);
  if (m.options & smb2::kOptionDirectory) {
    made = r.call(op::Mkdir{{}, at.parent, at.name, posix_mode.value_or(0777), {}});
  } else if (!named() && (access & (kReads | kWrites))) {
    op::Create create;
    create.dir = at.parent;
    create.name = at.name;
    create.mode = S_IFREG | posix_mode.value_or(0666);
    create.flags = O_CREAT | O_EXCL | (!(access & kWrites) ? O_RDONLY : access & kReads ? O_RDWR : O_WRONLY);
    create.share = share();
    create.access = share_bits();
    auto created = r.call(create);
    if (!created) return status_of(created.error());
    handle = created->opened.handle;
    made = created->entry;
  } else {
    made = r.call(op::Mknod{{}, at.parent, at.name, S_IFREG | posix_mode.value_or(0666), 0, {}});
  }
  if (!made) return status_of(made.error());
  at.put(*made);
  r.server.names.may_be(at.parent, at.name);
  action = smb2::kActionCreated;
  if (handle != HandleId::none) return NtStatus::success;
  op::Open open;
  open.node = at.entry.node;
  open.flags = O_PATH;
  open.share = volume_share();
  open.access = share_bits();
  auto opened = r.call(open);
  if (!opened) return status_of(opened.error());
  handle = opened->handle;
  return named() ? enter_stream(open.node) : NtStatus::success;
}

std::string Creation::contexts_of(const Open& open, NodeId parent, const std::optional<smb2::Lease>& lease) const {
  std::string list;
  if (const auto* c = smb2::find_context(contexts, smb2::kContextMaximalAccess)) {
    const auto asked = smb2::read_data<smb2::MaximalAccessRequest>(c->data);
    if (!asked || asked->timestamp == 0 || asked->timestamp != file_time(attr.mtime)) {
      // What is opened has not changed since it was looked at.
      const uint32_t most =
          action == smb2::kActionOpened ? rights : rights_of(r, open.file->node, attr, may_delete_in(r, parent));
      smb2::append_create_context(list, smb2::kContextMaximalAccess,
                                  as_bytes(smb2::write_data(smb2::MaximalAccessResponse{NtStatus::success, most})));
    }
  }
  if (smb2::find_context(contexts, smb2::kContextOnDiskId))
    smb2::append_create_context(list, smb2::kContextOnDiskId,
                                as_bytes(smb2::write_data(smb2::OnDiskIdResponse{attr.ino, r.server.volume_serial})));
  if (const auto* c = smb2::find_context(contexts, smb2::kContextAapl))
    if (const std::string aapl = answer_aapl(r, c->data); !aapl.empty())
      smb2::append_create_context(list, smb2::kContextAapl, as_bytes(aapl));
  if (posix) {
    const smb2::FileFacts facts = facts_of(r.server, attr, 0);
    smb2::append_create_context(
        list, smb2::kContextPosix,
        as_bytes(smb2::write_posix_create({facts.posix_links, facts.reparse_tag, smb2::posix_wire_mode(attr.mode),
                                           as_bytes(facts.owner), as_bytes(facts.group)})));
  }
  if (lease) smb2::append_create_context(list, smb2::kContextLease, as_bytes(smb2::write_lease(*lease)));
  return list;
}

/// What goes with a new file, or with one that was overwritten.
void dress(const Creation& c, Request& r, NodeId node) {
  const uint32_t bits = c.m.attributes & kDosBits & ~smb2::kAttrSparse;
  const bool usual = (bits & ~smb2::kAttrArchive) == 0;
  if (c.action != smb2::kActionCreated) drop_streams(r, node);
  if (!usual || c.action != smb2::kActionCreated)
    (void)set_attributes(r, node, c.attr, bits | ((c.attr.mode & S_IFMT) == S_IFREG ? smb2::kAttrArchive : 0));
}

/// Extended attributes and room that are asked for with a new file, or one that was overwritten.
NtStatus furnish(Creation& c, Request& r, const Open& open) {
  if (c.action == smb2::kActionOpened || c.named()) return NtStatus::success;
  if (const Status s = set_extended(r, open.file->node, c.eas); !s)
    return is_unsupported(s.error()) ? NtStatus::eas_not_supported : status_of(s.error());
  if (c.allocation == 0 || !has_data(open) || !(c.access & kWrites)) return NtStatus::success;
  op::Fallocate room;
  room.node = open.file->node;
  room.handle = open.handle;
  room.mode = FALLOC_FL_KEEP_SIZE;
  room.length = c.allocation;
  if (const Status s = r.call(room); !s) return is_unsupported(s.error()) ? NtStatus::success : status_of(s.error());
  if (const auto attr = r.attr_of(open.file->node)) c.attr = *attr;
  return NtStatus::success;
}

/// A new file is its maker's, as Linux's client tells (idsfromsid). Only root's servers may give it away: others keep
/// it.
void give_away(Creation& c, Request& r, NodeId parent, NodeId node) {
  op::Setattr set;
  set.node = node;
  if (c.uid && *c.uid != c.attr.uid) set.set.mask |= kSetUid;
  if (c.gid && *c.gid != c.attr.gid) {
    // A folder with the set-group-ID bit gives its own group.
    const auto folder = r.attr_of(parent);
    if (folder && !(folder->mode & S_ISGID)) set.set.mask |= kSetGid;
  }
  if (set.set.mask == 0) return;
  set.set.to.uid = c.uid.value_or(0);
  set.set.to.gid = c.gid.value_or(0);
  // chown(2) takes the setid bits away.
  set.set.mask |= kSetMode;
  set.set.to.mode = c.attr.mode;
  if (const auto given = r.call(set)) c.attr = given->attr;
}

Reply answer(Creation& c, Place& at) {
  Request& r = c.r;
  const NodeId parent = at.parent;
  const auto attr = r.attr_of(at.entry.node);
  c.attr = attr ? *attr : at.entry.attr;
  auto open = std::make_shared<Open>();
  const bool directory = (c.attr.mode & S_IFMT) == S_IFDIR;
  open->reparse = !directory && (c.attr.mode & S_IFMT) != S_IFREG;
  open->file = r.server.files.open(r.server, at.take_node(), directory, at.take_parent(), at.name, at.path);
  open->handle = c.handle;
  open->stream = c.stream.use;
  open->access = c.access;
  open->options = c.m.options;
  open->ctx = r.server.own;
  open->ctx.client = r.session->id;
  open->ctx.lease_key = r.ctx.lease_key;
  open->ctx.parent_lease_key = r.ctx.parent_lease_key;
  open->cache = c.wish.grant;
  open->parent_cache = c.wish.parent;
  open->posix = c.posix;
  open->delete_on_close = c.m.options & smb2::kOptionDeleteOnClose;
  open->unlink_at_close = c.posix && open->delete_on_close;
  open->mode =
      c.m.options & (smb2::kOptionWriteThrough | smb2::kOptionSequentialOnly | smb2::kOptionNoBuffering |
                     smb2::kOptionSynchronousAlert | smb2::kOptionSynchronousNonAlert | smb2::kOptionDeleteOnClose);
  attach(*open, r);
  open->action = c.named() ? c.stream.action : c.action;
  open->sequence = r.header.channel_sequence();
  r.server.files.add(open);
  if (!r.lives()) {  // what it belongs to ended meanwhile, and did not see this one
    close_open(r.server, open);
    return r.session->valid() ? NtStatus::network_name_deleted : NtStatus::user_session_deleted;
  }
  if (c.action != smb2::kActionOpened) dress(c, r, open->file->node);
  if (const NtStatus s = furnish(c, r, *open); s != NtStatus::success) {
    {
      std::lock_guard lock(open->m);
      open->delete_on_close |= c.action == smb2::kActionCreated;
    }
    close_open(r.server, open);
    return s;
  }
  if (c.action == smb2::kActionCreated) give_away(c, r, parent, open->file->node);
  if (c.action == smb2::kActionCreated && c.acl) give_acl(r, open->file->node, c.attr, *c.acl);
  if (c.named() && c.stream.action == smb2::kActionCreated)
    tell_stream(r.server, *open->file, c.stream.name, smb2::NotifyAction::added_stream, smb2::kChangeStreamName);
  ask_for_cache(r, open, c.wish, open->action == smb2::kActionCreated);
  r.use(open);

  smb2::CreateResponse response;
  const auto [level, lease] = answer_cache(c.wish);
  response.oplock = level;
  response.action = c.named() ? c.stream.action : c.action;
  describe(response, r, *open, c.attr, c.named() ? std::optional(c.stream.size) : std::nullopt);
  response.file_id = open->id;
  std::string contexts = c.contexts_of(*open, parent, lease);
  make_durable(r, *open, c.durable, contexts);
  response.contexts = as_bytes(contexts);
  return response;
}

/// POSIX clients follow symlinks themselves.
Reply stopped_on(Request& r, NodeId link) {
  auto target = r.call(op::Readlink{{}, link});
  if (!target) return status_of(target.error());
  const auto reparse = windows::to_reparse({S_IFLNK, *target, 0, 0}, true);
  Reply stopped(NtStatus::stopped_on_symlink);
  if (reparse) stopped.error_data = smb2::write_symlink_error(as_bytes(*reparse));
  return stopped;
}

/// Answers a CREATE by an open that there is already. `level` and `lease` are what it says of them.
Reply answer_again(Request& r, const std::shared_ptr<Open>& open, uint32_t action, smb2::OplockLevel level,
                   const std::optional<smb2::Lease>& lease, std::string list) {
  r.use(open);
  auto attr = r.attr_of(open->file->node);
  if (!attr) return status_of(attr.error());
  smb2::CreateResponse response;
  response.oplock = level;
  response.action = action;
  describe(response, r, *open, *attr);
  response.file_id = open->id;
  if (lease) smb2::append_create_context(list, smb2::kContextLease, as_bytes(smb2::write_lease(*lease)));
  response.contexts = as_bytes(list);
  return response;
}

/// A durable open, after its client has lost the connection.
Reply go_on(Creation& c, const ClientPath& path) {
  Request& r = c.r;
  std::shared_ptr<Open> open;
  if (const NtStatus s = r.server.durables.take(r, c.durable, c.wish, path.names, open); s != NtStatus::success)
    return s;
  c.wish.grant = open->cache;
  const auto [level, lease] = answer_cache(c.wish);
  Reply reply = answer_again(r, open, smb2::kActionOpened, level, lease, {});
  // The client does not know that it has it, or has gone again.
  if ((reply.status != NtStatus::success || !r.lives()) && !r.server.durables.keep(open)) close_open(r.server, open);
  return reply;
}

/// A CREATE that is sent again, as its answer was lost (MS-SMB2 section 3.3.5.9.10).
Reply replay(Creation& c, const std::shared_ptr<Open>& open) {
  Request& r = c.r;
  if (!r.header.is_replay()) return NtStatus::duplicate_objectid;
  if (!open) return NtStatus::file_not_available;  // the first is on its way
  if (open->session_id != r.session->id || open->tree_id != r.tree.id || !open->file || open->stream)
    return NtStatus::access_denied;
  const auto& name = open->cache->name;
  if (name.has_value() != c.wish.lease.has_value() || (name && name->second != c.wish.lease->key))
    return NtStatus::access_denied;
  std::string list;
  if (name) {
    c.wish.grant = open->cache;
    const auto [level, lease] = answer_cache(c.wish);
    make_durable(r, *open, c.durable, list);
    return answer_again(r, open, open->action, level, lease, std::move(list));
  }
  // An oplock stays as it is; the client hears of the one that it asks for this time, if that is less.
  const smb2::OplockLevel level =
      std::min(c.wish.level, answer_cache(CacheWish{.lease = {}, .grant = open->cache}).first);
  if (level == smb2::OplockLevel::batch) make_durable(r, *open, c.durable, list);
  return answer_again(r, open, open->action, level, {}, std::move(list));
}

Reply make_or_open(Creation& c, const ClientPath& path) {
  Request& r = c.r;
  make_room(r, c.durable);
  r.ctx.lease_key = c.wish.grant->number;
  r.ctx.parent_lease_key = c.wish.parent ? c.wish.parent->number : 0;
  const bool exact = c.posix || r.server.options.case_sensitive;
  for (int i = 0; i < kTries; i++) {
    Place at(r);
    if (const NtStatus s = walk(r, path.names, exact, at); s != NtStatus::success) return s;
    if (at.exists() && (at.entry.attr.mode & S_IFMT) == S_IFLNK && !c.means_link()) {
      if (c.posix) return stopped_on(r, at.entry.node);
      auto target = follow(r, above(at), at.entry.node);
      if (!target) return NtStatus::object_name_not_found;
      at.put(*target);
    }
    const bool there = at.exists();
    if (there && path.data && !c.named() && (at.entry.attr.mode & S_IFMT) == S_IFDIR)
      return NtStatus::file_is_a_directory;
    const NtStatus s = there ? c.open_existing(at) : c.make_new(at);
    if (s == NtStatus::success) return answer(c, at);
    const bool raced = there ? (s == NtStatus::object_name_not_found && !c.named()) || s == NtStatus::file_closed
                             : s == NtStatus::object_name_collision && c.m.disposition != Disposition::create;
    if (!raced) return s;
  }
  return NtStatus::sharing_violation;
}

}  // namespace

std::optional<Reply> create(Request& r) {
  const auto m = r.read<smb2::CreateRequest>();
  if (!m) return Reply(NtStatus::invalid_parameter);
  // A session may outlive the connection that its opens were made on.
  if (std::max(r.link->opens.load(std::memory_order_relaxed), r.session->opens.load(std::memory_order_relaxed)) >=
      r.server.options.max_opens)
    return Reply(NtStatus::insufficient_resources);
  if (r.tree.pipes) return open_pipe(r, *m);
  const auto contexts = smb2::read_create_contexts(m->contexts);
  if (!contexts) return Reply(NtStatus::invalid_parameter);
  Creation c{.r = r, .m = *m, .contexts = *contexts, .wish = {}, .durable = {}, .attr = {}, .stream = {}};
  if (const NtStatus s = read_durable(r, *contexts, c.durable); s != NtStatus::success) return Reply(s);
  // What an open was made with need not be said again.
  if (const NtStatus s = c.durable.again ? NtStatus::success : c.check(); s != NtStatus::success) return Reply(s);
  if (const auto* p = smb2::find_context(*contexts, smb2::kContextPosix); p && r.link->agreed.posix) {
    const auto asked = smb2::read_data<smb2::PosixCreateRequest>(p->data);
    if (!asked) return Reply(NtStatus::invalid_parameter);
    c.posix = true;
    // Of "none", Linux's client has in places what is left in 16 bits.
    if (static_cast<uint16_t>(asked->mode) != static_cast<uint16_t>(smb2::PosixCreateRequest::kNoMode)) {
      c.posix_mode = asked->mode & 07777;
      r.ctx.cred.umask = 0;  // the client's program has one of its own
    }
  }
  if (const auto* p = smb2::find_context(*contexts, smb2::kContextSecurity)) {
    c.acl = windows::read_security(p->data);
    if (!c.acl) return Reply(NtStatus::invalid_security_descriptor);
    c.acl->dacl_auto_inherited &= std::exchange(c.acl->dacl_auto_inherit_request, false);
    // A client that knows of modes says the one it means. With POSIX it has said so already: what Linux writes here
    // where it means none is 07777.
    if (const auto mode = c.acl->dacl && !c.posix ? windows::nfs_mode_in(*c.acl->dacl) : std::nullopt) {
      c.posix_mode = *mode & 07777;
      r.ctx.cred.umask = 0;
    }
    if (c.posix || c.posix_mode) {
      const auto& ids = r.server.options.identities;
      if (c.acl->owner) c.uid = ids.identity_of(*c.acl->owner).uid;
      if (c.acl->group) c.gid = ids.identity_of(*c.acl->group).gid;
    }
    if (c.posix || c.posix_mode || !c.acl->has_dacl) c.acl.reset();
  }
  if (const auto* p = smb2::find_context(*contexts, smb2::kContextExtendedAttributes)) {
    auto list = smb2::read_ea_list(p->data);
    if (!list) return Reply(NtStatus::invalid_parameter);
    if (m->options & smb2::kOptionNoEaKnowledge) return Reply(NtStatus::access_denied);
    c.eas = std::move(*list);
  }
  if (const auto* p = smb2::find_context(*contexts, smb2::kContextAllocationSize)) {
    const auto asked = smb2::read_data<smb2::AllocationSizeRequest>(p->data);
    if (!asked) return Reply(NtStatus::invalid_parameter);
    c.allocation = asked->size;
  }
  if (smb2::find_context(*contexts, smb2::kContextTimewarp)) return Reply(NtStatus::object_name_not_found);
  const ClientPath path = read_path(m->name, c.posix);
  if (path.status != NtStatus::success) return Reply(path.status);
  if (path.data && (m->options & smb2::kOptionDirectory)) return Reply(NtStatus::not_a_directory);
  c.stream.name = path.stream;
  if (c.named() && (m->options & smb2::kOptionDirectory)) return Reply(NtStatus::not_a_directory);
  if (c.named() && !has_streams(r, NodeId::root)) return Reply(NtStatus::object_name_invalid);
  c.wish = cache_wish(r, c.durable.again ? smb2::OplockLevel::lease : m->oplock, *contexts);
  if (c.durable.again) return go_on(c, path);
  if (c.durable.wanted && c.durable.v2) {
    const Creations::Key key(r.link->agreed.asked.client_guid, c.durable.create_guid);
    const Creations::Found first = r.server.creations.begin(key, r);
    if (!first.fresh) return replay(c, first.open);
    Reply reply = make_or_open(c, path);
    if (reply.status == NtStatus::success)
      r.server.creations.done(key, r.open);
    else
      r.server.creations.failed(key);
    return reply;
  }
  return make_or_open(c, path);
}

}  // namespace isthmus::smb
