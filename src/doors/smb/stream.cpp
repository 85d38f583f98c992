#include "doors/smb/stream.h"

#include <algorithm>
#include <future>

#include "base/utf16.h"
#include "doors/smb/apple.h"
#include "doors/smb/errors.h"
#include "doors/smb/facts.h"
#include "doors/smb/locks.h"
#include "doors/smb/names.h"
#include "doors/smb/notify.h"
#include "doors/smb/oplock.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "windows/fold.h"
#include "windows/security.h"

namespace isthmus::smb {
namespace {

using smb2::NtStatus;

std::string attribute_name(std::string_view stream) {
  return std::string(kStreamPrefix) + std::string(stream) + std::string(kStreamType);
}

/// The stream's name of an attribute's. None: it is not of a stream.
std::optional<std::string_view> stream_name(std::string_view attribute) {
  if (!attribute.starts_with(kStreamPrefix)) return {};
  std::string_view name = attribute.substr(kStreamPrefix.size());
  if (name.ends_with(kStreamType)) name.remove_suffix(kStreamType.size());
  if (name.empty() || name.find(':') != std::string_view::npos) return {};
  if (name.size() > kMostStreamName) return {};
  return name;
}

/// Streams are found in any case, also where files are not: so does Windows.
std::string key_of(std::string_view name) { return windows::fold_case(name); }

}  // namespace

Result<std::vector<std::string>> stream_names(Request& r, NodeId node) {
  auto names = r.call(op::ListXattr{{}, node});
  if (!names) return names.error();
  std::vector<std::string> found;
  for (const std::string& attribute : *names)
    if (const auto name = stream_name(attribute); name && std::find(found.begin(), found.end(), *name) == found.end())
      found.emplace_back(*name);
  return found;
}

namespace {

/// A value without the zero byte that Samba ends it by.
std::string without_end(std::string value) {
  if (value.ends_with('\0')) value.pop_back();
  return value;
}

/// ENODATA: somebody has removed it.
Result<std::string> load(Request& r, NodeId node, std::string_view name) {
  auto value = r.call(op::GetXattr{{}, node, attribute_name(name)});
  // Other programs may write the names of attributes without a type.
  if (!value && value.error() == err(ENODATA))
    value = r.call(op::GetXattr{{}, node, std::string(kStreamPrefix) + std::string(name)});
  if (!value) return value.error();
  std::string data = without_end(std::move(*value));
  if (!is_kept_by_apple(name, data)) return err(ENODATA);
  return data;
}

/// The name of a stream as it is kept, which may be in another case. ENODATA: there is none.
Result<std::string> kept_name(Request& r, NodeId node, std::string_view name) {
  auto names = stream_names(r, node);
  if (!names) return names.error();
  if (is_afp_info(name))
    std::erase_if(*names, [&](const std::string& n) { return is_afp_info(n) && !load(r, node, n); });
  if (std::find(names->begin(), names->end(), name) != names->end()) return std::string(name);
  const std::string key = key_of(name);
  for (std::string& other : *names)
    if (key_of(other) == key) return std::move(other);
  return err(ENODATA);
}

Context of_stream(Context ctx) {
  ctx.of_stream = true;
  return ctx;
}

/// By whichever of its names it has, or both; none is well, too.
Status remove(FileSystem& fs, const Context& ctx, NodeId node, std::string_view name) {
  for (const std::string& attribute : {attribute_name(name), std::string(kStreamPrefix) + std::string(name)}) {
    const Status done = call_and_wait(fs, op::RemoveXattr{{}, node, attribute}, of_stream(ctx));
    if (!done && done.error() != err(ENODATA)) return done;
  }
  return Unit{};
}

NtStatus store(Request& r, NodeId node, std::string_view name, std::string data) {
  // Nor has a server of Apple's streams without data.
  if (!is_kept_by_apple(name, data) || (data.empty() && r.session->apple.load(std::memory_order_relaxed))) {
    const Status done = remove(r.files(), r.ctx, node, name);
    return done ? NtStatus::success : status_of(done.error());
  }
  data += '\0';
  const Status done = r.call(op::SetXattr{{}, node, attribute_name(name), as_bytes(data), 0, false}, of_stream(r.ctx));
  if (done) return NtStatus::success;
  return done.code() == E2BIG || done.code() == ERANGE ? NtStatus::file_too_large : status_of(done.error());
}

/// What there is of a stream that is open, with its io_m held: nothing, if others have removed it.
Result<std::string> load_open(Request& r, const NamedStream& stream) {
  auto data = load(r, stream.node, stream.name);
  if (!data && data.error() == err(ENODATA)) return is_afp_info(stream.name) ? new_afp_info() : std::string();
  return data;
}

/// Without io_m held: clients are told on this thread.
void tell(Request& r, std::string_view name, smb2::NotifyAction action, uint32_t filter) {
  tell_stream(r.server, *r.open->file, name, action, filter);
}

/// With io_m held.
NtStatus begin(Request& r, NamedStream& stream, StreamCreation& c) {
  auto kept = kept_name(r, stream.node, stream.name);
  if (!kept && kept.error() != err(ENODATA)) return status_of(kept.error());
  if (!kept) {
    if (smb2::must_exist(c.disposition)) return NtStatus::object_name_not_found;
    if (r.server.read_only) return NtStatus::media_write_protected;
    c.action = smb2::kActionCreated;
    return store(r, stream.node, stream.name, {});
  }
  stream.name = *kept;
  if (c.disposition == smb2::Disposition::create) return NtStatus::object_name_collision;
  if (!smb2::overwrites(c.disposition)) {
    auto data = load_open(r, stream);
    if (!data) return status_of(data.error());
    c.size = data->size();
    return NtStatus::success;
  }
  if (r.server.read_only) return NtStatus::media_write_protected;
  c.action = smb2::action_on_existing(c.disposition);
  return store(r, stream.node, stream.name, {});
}

/// Rights as the volume's share modes have them.
uint8_t share_bits_of(uint32_t access) {
  using windows::Rights;
  uint32_t bits = 0;
  if (access & (Rights::kReadData | Rights::kExecute)) bits |= volume::kAccessRead;
  if (access & (Rights::kWriteData | Rights::kAppendData)) bits |= volume::kAccessWrite;
  if (access & Rights::kDelete) bits |= volume::kAccessDelete;
  if (access & ~kStatAccess) bits |= volume::kAccessOther;
  if (access & Rights::kReadControl) bits |= volume::kAccessControl;
  return static_cast<uint8_t>(bits);
}

volume::Actor actor_of(const Context& ctx) { return {0, ctx.client, ctx.lease_key, ctx.parent_lease_key}; }

/// Waits for those who are in the way.
Errno use_stream(volume::Opens& opens, const volume::Opens::Wish& wish, Cancel* cancel,
                 const std::function<void()>& slow) {
  const auto promise = std::make_shared<std::promise<Errno>>();
  auto done = promise->get_future();
  opens.use(wish, cancel, [promise](Errno e) { promise->set_value(e); });
  if (done.wait_for(kBeforeInterim) != std::future_status::ready) slow();
  return done.get();
}

}  // namespace

std::shared_ptr<StreamUse> StreamTable::enter(NodeId node, std::string key, std::string_view name) {
  auto use = std::make_shared<StreamUse>();
  std::lock_guard lock(m_);
  auto& place = all_[Key(node, key)];
  if (!place) place = std::make_shared<NamedStream>(node, NodeId{next_++}, std::move(key), name);
  if (place->delete_pending) return nullptr;
  use->stream = place;
  use->handle = HandleId{next_++};
  place->uses.push_back(use.get());
  return use;
}

bool StreamTable::leave(const StreamUse& use, bool delete_it) {
  std::lock_guard lock(m_);
  NamedStream& stream = *use.stream;
  std::erase(stream.uses, &use);
  stream.delete_pending |= delete_it;
  if (!stream.uses.empty()) return false;
  if (stream.delete_pending) return true;
  all_.erase(Key(stream.node, stream.key));  // the use holds it
  return false;
}

void StreamTable::end(const NamedStream& stream) {
  std::lock_guard lock(m_);
  all_.erase(Key(stream.node, stream.key));
}

std::shared_ptr<NamedStream> StreamTable::find(NodeId node, const std::string& key) const {
  std::lock_guard lock(m_);
  const auto it = all_.find(Key(node, key));
  return it == all_.end() ? nullptr : it->second;
}

void StreamTable::set_delete_pending(NamedStream& stream, bool to) {
  std::lock_guard lock(m_);
  stream.delete_pending = to;
}

bool StreamTable::is_delete_pending(const NamedStream& stream) const {
  std::lock_guard lock(m_);
  return stream.delete_pending;
}

bool StreamTable::rename(NamedStream& stream, std::string key) {
  std::lock_guard lock(m_);
  if (stream.key == key) return true;
  if (all_.contains(Key(stream.node, key))) return false;
  auto place = all_.extract(Key(stream.node, stream.key));
  if (place.empty()) return false;
  stream.key = key;
  place.key() = Key(stream.node, std::move(key));
  all_.insert(std::move(place));
  return true;
}

std::vector<NodeId> StreamTable::numbers_of(NodeId node) const {
  std::vector<NodeId> found;
  std::lock_guard lock(m_);
  for (auto it = all_.lower_bound(Key(node, std::string())); it != all_.end() && it->first.first == node; ++it)
    found.push_back(it->second->number);
  return found;
}

void have_streams_closed(Server& server, const Context& ctx, NodeId node, const std::function<void()>& slow) {
  for (NodeId number : server.streams.numbers_of(node))
    (void)use_stream(server.streams.opens, {.node = number, .use = volume::Use::detach, .who = actor_of(ctx)},
                     ctx.cancel, slow);
}

void tell_streams_going(Server& server, const Context& ctx, NodeId node) {
  for (NodeId number : server.streams.numbers_of(node))
    server.streams.opens.announce({.node = number, .use = volume::Use::detach, .who = actor_of(ctx)});
}

NtStatus break_stream_leases(Request& r, volume::Use use) {
  const StreamUse& stream = *r.open->stream;
  const Errno e =
      use_stream(r.server.streams.opens,
                 {.node = stream.stream->number, .use = use, .handle = stream.handle, .who = actor_of(r.open->ctx)},
                 r.cancel.get(), [&r] { r.go_async(); });
  return e == Errno{} ? NtStatus::success : status_of(e);
}

bool has_streams(Request& r, NodeId node) {
  const auto can = r.server.port.capabilities();
  if (!can.has(Op::GetXattr) || !can.has(Op::SetXattr) || !can.has(Op::ListXattr) || !can.has(Op::RemoveXattr))
    return false;
  const auto value = r.call(op::GetXattr{{}, node, kDosXattr});
  return value || !is_unsupported(value.error());
}

Result<std::vector<smb2::StreamFact>> streams_of(Request& r, NodeId node) {
  std::vector<smb2::StreamFact> list;
  auto names = stream_names(r, node);
  if (!names && is_unsupported(names.error())) return list;
  if (!names) return names.error();
  for (const std::string& name : *names) {
    auto data = load(r, node, name);
    if (!data && data.error() == err(ENODATA)) continue;
    if (!data) return data.error();
    auto shown = utf16_of(':' + name + std::string(kStreamType));
    if (shown) list.push_back({std::move(*shown), data->size(), stream_allocation(data->size())});
  }
  return list;
}

Result<std::string> stream_data(Request& r, NodeId node, std::string_view name) { return load(r, node, name); }

NtStatus copy_streams(Request& r, NodeId from, NodeId to) {
  auto names = stream_names(r, from);
  if (!names) return status_of(names.error());
  for (const std::string& name : *names) {
    auto data = load(r, from, name);
    if (!data && data.error() == err(ENODATA)) continue;
    if (!data) return status_of(data.error());
    const auto stream = r.server.streams.find(to, key_of(name));
    std::unique_lock<std::mutex> io;
    if (stream) r.server.streams.opens.outside(stream->number, volume::Use::change);
    if (stream) io = std::unique_lock(stream->io_m);
    if (const NtStatus s = store(r, to, name, std::move(*data)); s != NtStatus::success) return s;
  }
  return NtStatus::success;
}

void drop_streams(Request& r, NodeId node) {
  auto names = stream_names(r, node);
  if (!names) return;
  for (const std::string& name : *names) {
    const auto stream = r.server.streams.find(node, key_of(name));
    std::unique_lock<std::mutex> io;
    if (stream) r.server.streams.opens.outside(stream->number, volume::Use::change);
    if (stream) io = std::unique_lock(stream->io_m);
    (void)remove(r.files(), r.ctx, node, name);
  }
}

Status find_stream(Request& r, NodeId node, std::string_view name) {
  auto kept = kept_name(r, node, name);
  return kept ? Status(Unit{}) : Status(kept.error());
}

bool is_stream_going(const Server& server, NodeId node, std::string_view name) {
  const auto stream = server.streams.find(node, key_of(name));
  return stream && server.streams.is_delete_pending(*stream);
}

namespace {

/// The last use of a stream that is to be deleted has ended. Answers its name if it is gone.
std::optional<std::string> remove_stream(Server& server, const Context& ctx, NamedStream& stream) {
  std::string name;
  {
    std::lock_guard io(stream.io_m);
    name = stream.name;
    if (!is_afp_resource(name)) (void)remove(server.port, ctx, stream.node, name);
  }
  server.streams.end(stream);
  return is_afp_resource(name) ? std::nullopt : std::optional(name);
}

}  // namespace

NtStatus open_stream(Request& r, NodeId node, StreamCreation& c, const CacheGrant& grant) {
  auto use = r.server.streams.enter(node, key_of(c.name), c.name);
  if (!use) return NtStatus::delete_pending;
  volume::Opens& opens = r.server.streams.opens;
  const Errno e = use_stream(opens,
                             {.node = use->stream->number,
                              .use = volume::Use::open,
                              .handle = use->handle,
                              .who = actor_of(r.ctx),
                              .access = share_bits_of(c.access),
                              .share = static_cast<uint8_t>(c.share),
                              .truncates = smb2::overwrites(c.disposition)},
                             r.cancel.get(), [&r] { r.go_async(); });
  NtStatus status = e == err(EBUSY) ? NtStatus::sharing_violation : e == Errno{} ? NtStatus::success : status_of(e);
  if (status == NtStatus::success && !is_for(grant, use->stream->number)) status = NtStatus::invalid_parameter;
  if (status == NtStatus::success && r.server.streams.is_delete_pending(*use->stream))
    status = NtStatus::delete_pending;
  if (status == NtStatus::success) {
    std::lock_guard io(use->stream->io_m);
    status = begin(r, *use->stream, c);
  }
  if (status == NtStatus::success) {
    c.use = std::move(use);
    return status;
  }
  opens.close(use->stream->number, use->handle);
  if (r.server.streams.leave(*use, false)) (void)remove_stream(r.server, r.ctx, *use->stream);
  return status;
}

void close_stream(Server& server, Open& open) {
  NamedStream& stream = *open.stream->stream;
  const bool delete_it = [&] {
    std::lock_guard lock(open.m);
    return open.delete_on_close;
  }();
  const bool goes = server.streams.leave(*open.stream, delete_it);
  const auto gone = goes ? remove_stream(server, open.ctx, stream) : std::nullopt;
  // Whoever waits for this one finds it gone.
  server.streams.opens.close(stream.number, open.stream->handle);
  server.files.forget_handle(open);
  if (gone) tell_stream(server, *open.file, *gone, smb2::NotifyAction::removed_stream, smb2::kChangeStreamName);
}

Result<uint64_t> stream_size(Request& r, const Open& open) {
  std::lock_guard io(open.stream->stream->io_m);
  auto data = load_open(r, *open.stream->stream);
  if (!data) return data.error();
  return data->size();
}

Result<std::string> read_stream(Request& r, const Open& open, uint64_t offset, uint32_t length) {
  Result<std::string> data = err(EIO);
  {
    std::lock_guard io(open.stream->stream->io_m);
    data = load_open(r, *open.stream->stream);
    offset = apple_offset(open.stream->stream->name, offset);
  }
  if (!data) return data;
  if (offset >= data->size()) return std::string();
  return data->substr(offset, length);
}

NtStatus write_stream(Request& r, const Open& open, uint64_t offset, Bytes data) {
  NamedStream& stream = *open.stream->stream;
  if (const NtStatus s = break_stream_leases(r, volume::Use::change); s != NtStatus::success) return s;
  std::unique_lock io(stream.io_m);
  auto whole = load_open(r, stream);
  if (!whole) return status_of(whole.error());
  const size_t was = whole->size();
  if (is_afp_info(stream.name)) {
    if (!write_afp_info(*whole, offset, data)) return NtStatus::invalid_parameter;
  } else {
    if (offset == UINT64_MAX) offset = was;
    if (offset > kMostStream || data.size() > kMostStream - offset) return NtStatus::file_too_large;
    const size_t end = offset + data.size();
    if (end > was) whole->resize(end);
    if (!data.empty()) whole->replace(offset, data.size(), as_text(data));
  }
  const bool grows = whole->size() > was;
  const std::string name = stream.name;
  const NtStatus done = store(r, stream.node, name, std::move(*whole));
  io.unlock();
  if (done == NtStatus::success)
    tell(r, name, smb2::NotifyAction::modified_stream,
         smb2::kChangeStreamWrite | (grows ? smb2::kChangeStreamSize : 0));
  return done;
}

NtStatus resize_stream(Request& r, const Open& open, uint64_t size, bool allocation) {
  NamedStream& stream = *open.stream->stream;
  if (const NtStatus s = break_stream_leases(r, volume::Use::change); s != NtStatus::success) return s;
  std::unique_lock io(stream.io_m);
  auto whole = load_open(r, stream);
  if (!whole) return status_of(whole.error());
  if (const NtStatus s = apple_allows_size(stream.name, size); s != NtStatus::success || is_afp_info(stream.name))
    return s;
  if (allocation && size >= whole->size()) return size <= kMostStream ? NtStatus::success : NtStatus::file_too_large;
  if (size > kMostStream) return NtStatus::file_too_large;
  const uint64_t from = std::min<uint64_t>(size, whole->size()), to = std::max<uint64_t>(size, whole->size());
  if (is_locked(open, from, to - from, true)) return NtStatus::file_lock_conflict;
  whole->resize(size);
  const std::string name = stream.name;
  const NtStatus done = store(r, stream.node, name, std::move(*whole));
  io.unlock();
  if (done == NtStatus::success) tell(r, name, smb2::NotifyAction::modified_stream, smb2::kChangeStreamSize);
  return done;
}

NtStatus rename_stream(Request& r, const smb2::NameChange& to) {
  const ClientPath path = read_path(to.name, false);
  if (path.status != NtStatus::success) return path.status;
  // A stream stays in its file (MS-FSA section 2.1.5.14.11.1).
  if (!path.names.empty() || to.root != 0) return NtStatus::invalid_parameter;
  if (path.stream.empty()) return NtStatus::not_supported;  // it would become the file's own data
  NamedStream& stream = *r.open->stream->stream;
  r.server.streams.opens.announce({.node = stream.number,
                                   .use = volume::Use::detach,
                                   .handle = r.open->stream->handle,
                                   .who = actor_of(r.open->ctx)});
  std::unique_lock io(stream.io_m);
  if (r.server.streams.is_delete_pending(stream)) return NtStatus::delete_pending;
  if (stream.name == path.stream) return NtStatus::success;
  const std::string key = key_of(path.stream);
  auto there = kept_name(r, stream.node, path.stream);
  if (!there && there.error() != err(ENODATA)) return status_of(there.error());
  const bool itself = there && *there == stream.name;
  if (there && !itself && !(to.flags & smb2::NameChange::kReplace)) return NtStatus::object_name_collision;
  auto data = load_open(r, stream);
  if (!data) return status_of(data.error());
  if (!data->empty() && !is_kept_by_apple(path.stream, *data)) return NtStatus::invalid_parameter;
  // From here on nobody opens the new name.
  const std::string old_key = key_of(stream.name), old_name = stream.name;
  if (!r.server.streams.rename(stream, key)) return NtStatus::invalid_parameter;
  const NtStatus made = store(r, stream.node, path.stream, std::move(*data));
  if (made != NtStatus::success) {
    r.server.streams.rename(stream, old_key);
    return made;
  }
  if (there && !itself && *there != path.stream) (void)remove(r.files(), r.ctx, stream.node, *there);
  (void)remove(r.files(), r.ctx, stream.node, old_name);
  stream.name = path.stream;
  io.unlock();
  tell(r, old_name, smb2::NotifyAction::removed_stream, smb2::kChangeStreamName);
  tell(r, path.stream, smb2::NotifyAction::added_stream, smb2::kChangeStreamName);
  return NtStatus::success;
}

NtStatus dispose_of_stream(Request& r, bool delete_it) {
  if (!delete_it) {
    std::lock_guard lock(r.open->m);
    r.open->delete_on_close = false;
  }
  if (delete_it && r.server.read_only) return NtStatus::access_denied;
  const StreamUse& use = *r.open->stream;
  r.server.streams.set_delete_pending(*use.stream, delete_it);
  if (delete_it)
    r.server.streams.opens.announce(
        {.node = use.stream->number, .use = volume::Use::detach, .handle = use.handle, .who = actor_of(r.open->ctx)});
  return NtStatus::success;
}

std::string stream_suffix(const Open& open) {
  std::lock_guard io(open.stream->stream->io_m);
  return utf16_of(':' + open.stream->stream->name).value_or("");
}

}  // namespace isthmus::smb
