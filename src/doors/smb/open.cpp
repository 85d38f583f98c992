#include "doors/smb/open.h"

#include <fcntl.h>

#include <algorithm>

#include "base/log.h"
#include "doors/common/secret.h"
#include "doors/smb/listing.h"
#include "doors/smb/locks.h"
#include "doors/smb/notify.h"
#include "doors/smb/oplock.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "doors/smb/stream.h"
#include "vfs/then.h"

namespace isthmus::smb {

Open::Open() = default;
Open::~Open() = default;
RangeLocks& Open::range_locks() const { return stream ? stream->stream->locks : file->locks; }

OpenedFile::~OpenedFile() {
  if (node != NodeId::root) forget(server.port, {}, node);
  if (parent != NodeId::none && parent != NodeId::root) forget(server.port, {}, parent);
}

std::shared_ptr<OpenedFile> FileTable::open(Server& server, NodeId node, bool directory, NodeId parent,
                                            std::string_view name, std::string_view path) {
  std::shared_ptr<OpenedFile> file;
  bool fresh = false;
  {
    std::lock_guard lock(m_);
    auto& place = files_[Name(node, parent, name)];
    fresh = !place;
    if (fresh) {
      place = std::make_shared<OpenedFile>(server, node, directory);
      place->parent = parent;
      place->name = name;
      place->path = path;
    }
    file = place;
    std::lock_guard also(file->m);
    file->opens++;
  }
  if (!fresh) {
    if (node != NodeId::root) forget(server.port, {}, node);
    if (parent != NodeId::none && parent != NodeId::root) forget(server.port, {}, parent);
  }
  return file;
}

bool FileTable::is_going(NodeId node, NodeId parent, const std::string& name) const {
  std::lock_guard lock(m_);
  const auto it = files_.find(Name(node, parent, name));
  if (it == files_.end()) return false;
  std::lock_guard also(it->second->m);
  return it->second->delete_pending;
}

bool FileTable::is_open(NodeId node) const {
  std::lock_guard lock(m_);
  const auto it = files_.lower_bound(Name(node, NodeId::none, std::string()));
  return it != files_.end() && std::get<0>(it->first) == node;
}

bool FileTable::close(OpenedFile& file) {
  std::lock_guard lock(m_);
  std::lock_guard also(file.m);
  if (--file.opens > 0) return false;
  files_.erase(Name(file.node, file.parent, file.name));  // the caller holds it
  return true;
}

bool is_below(std::string_view path, std::string_view directory) {
  if (path.size() <= directory.size() || !path.starts_with(directory)) return false;
  return directory.empty() || path[directory.size()] == '/';
}

NodeId FileTable::renamed(OpenedFile& file, NodeId parent, const std::string& name, const std::string& path) {
  std::lock_guard lock(m_);
  std::string from;
  NodeId was = NodeId::none;
  {
    std::lock_guard also(file.m);
    auto place = files_.extract(Name(file.node, file.parent, file.name));
    from = std::exchange(file.path, path);
    was = std::exchange(file.parent, parent);
    file.name = name;
    if (!place.empty()) {
      place.key() = Name(file.node, parent, name);
      files_.insert(std::move(place));
    }
  }
  if (!file.directory) return was;
  for (const auto& [key, other] : files_) {
    std::lock_guard also(other->m);
    if (is_below(other->path, from)) other->path.replace(0, from.size(), path);
  }
  return was;
}

bool FileTable::any_below(const std::string& path) const {
  std::lock_guard lock(m_);
  // What is being closed is not open: its file may still be here when its lease has been let go.
  return std::any_of(opens_.begin(), opens_.end(), [&](const auto& o) {
    const auto& file = o.second->file;
    if (!file) return false;
    std::lock_guard also(file->m);
    return is_below(file->path, path);
  });
}

void FileTable::add(const std::shared_ptr<Open>& open) {
  std::lock_guard lock(m_);
  open->id.temporary = next_++;
  const auto random = random_bytes<8>();
  for (size_t i = 0; i < random.size(); i++) open->id.persistent = open->id.persistent << 8 | random[i];
  opens_[open->id.temporary] = open;
  if (open->handle != HandleId::none) by_handle_[open->handle] = open;
  if (open->stream) by_handle_[open->stream->handle] = open;
}

std::shared_ptr<Open> FileTable::find(const smb2::FileId& id) const {
  std::lock_guard lock(m_);
  const auto it = opens_.find(id.temporary);
  return it == opens_.end() || it->second->id.persistent != id.persistent ? nullptr : it->second;
}

std::shared_ptr<Open> FileTable::find(HandleId handle) const {
  std::lock_guard lock(m_);
  const auto it = by_handle_.find(handle);
  return it == by_handle_.end() ? nullptr : it->second;
}

bool FileTable::replace(const Open& open, const std::shared_ptr<Open>& by) {
  std::lock_guard lock(m_);
  const auto it = opens_.find(open.id.temporary);
  if (it == opens_.end() || it->second.get() != &open) return false;
  if (open.handle != HandleId::none) by_handle_.erase(open.handle);
  by->id = open.id;
  it->second = by;
  if (by->handle != HandleId::none) by_handle_[by->handle] = by;
  return true;
}

bool FileTable::remove(const Open& open) {
  std::lock_guard lock(m_);
  return opens_.erase(open.id.temporary) > 0;
}

void FileTable::forget_handle(const Open& open) {
  std::lock_guard lock(m_);
  const auto forget = [&](HandleId handle) {
    const auto it = by_handle_.find(handle);
    if (it != by_handle_.end() && it->second.get() == &open) by_handle_.erase(it);
  };
  forget(open.handle);
  if (open.stream) forget(open.stream->handle);
}

std::vector<std::shared_ptr<Open>> FileTable::with(const std::function<bool(const Open&)>& wanted) const {
  std::vector<std::shared_ptr<Open>> all;
  std::lock_guard lock(m_);
  for (const auto& [id, open] : opens_)
    if (wanted(*open)) all.push_back(open);
  return all;
}

std::vector<std::shared_ptr<Open>> FileTable::of_session(uint64_t session_id, std::optional<uint32_t> tree) const {
  return with([&](const Open& o) { return o.session_id == session_id && (!tree || o.tree_id == *tree); });
}

std::vector<std::shared_ptr<Open>> FileTable::of_file(const OpenedFile& file) const {
  return with([&](const Open& o) { return o.file.get() == &file; });
}

namespace {

/// The last open of a file that is to go has ended. `through`: its handle, if that is not released yet. Only what is
/// still the same file under its name goes. With naming_m held.
void remove_file(Server& server, const Open& open, OpenedFile& file, HandleId through) {
  if (server.read_only || file.parent == NodeId::none) return;
  const Context& ctx = open.ctx;
  auto found = call_and_wait(server.port, op::Lookup{{}, file.parent, file.name}, ctx);
  if (!found || found->node == NodeId::none) return;
  const bool same = found->node == file.node;
  if (found->node != NodeId::root) forget(server.port, ctx, found->node);
  if (!same) return;
  const Status done = file.directory ? call_and_wait(server.port, op::Rmdir{{}, file.parent, file.name, through}, ctx)
                                     : call_and_wait(server.port, op::Unlink{{}, file.parent, file.name, through}, ctx);
  server.removals.fetch_add(1);
  if (done) {
    server.names.forget(file.node);
    std::lock_guard lock(file.m);
    file.name_gone = true;
  } else if (done.code() != ENOTEMPTY)
    log(LogLevel::warning, "smb: cannot delete '{}' at its close: {}", file.path, text_of(done.error()));
}

void unlock_all(Server& server, const Open& open) {
  RangeLocks& locks = open.range_locks();
  std::vector<RangeLock> mine;
  {
    std::lock_guard lock(locks.m);
    for (const RangeLock& l : locks.all)
      if (l.open == open.id.temporary) mine.push_back(l);
    std::erase_if(locks.all, [&](const RangeLock& l) { return l.open == open.id.temporary; });
  }
  for (const RangeLock& l : mine) unlock_range(server, open, l);
}

void release(Server& server, const Open& open) {
  if (open.handle == HandleId::none) return;
  op::Release end;
  end.node = open.file->node;
  end.handle = open.handle;
  (void)call_and_wait(server.port, end, open.ctx);
  server.files.forget_handle(open);
}

/// What belongs to an open that nobody finds any more.
void end_open(Server& server, const std::shared_ptr<Open>& open) {
  end_waiting(server, *open);
  if (!open->file) return;
  std::lock_guard asking(open->cache->asking_m);
  OpenedFile& file = *open->file;
  unlock_all(server, *open);
  if (open->stream) close_stream(server, *open);
  bool doomed = false, going = false, stays = true, others_stay = false;
  {
    std::lock_guard lock(open->m);
    std::lock_guard also(file.m);
    stays = !open->delete_on_close && !file.delete_pending;
    others_stay = !stays && open->unlink_at_close && file.opens > 1;
  }
  // A rename that holds the name may wait for this open to end. What is deleted goes before its open does.
  if (stays) release(server, *open);
  if (others_stay) have_closed(server, open->ctx, file.node, [] {});
  {
    std::lock_guard naming(file.naming_m);
    bool now = false;
    {
      std::lock_guard lock(open->m);
      std::lock_guard also(file.m);
      if (open->delete_on_close && !open->stream) doomed = !std::exchange(file.delete_pending, true);
      going = file.delete_pending;
      now = open->unlink_at_close;
    }
    if (server.files.close(file) || now) {
      if (going && !file.name_gone) remove_file(server, *open, file, stays ? HandleId::none : open->handle);
      going = false;
    }
  }
  if (doomed && file.directory) end_notifies(server, file);
  if (going) tell_going(server, open->ctx, file.node, open->handle);
  if (!stays) release(server, *open);
  leave_cache(*open);
}

}  // namespace

void attach(Open& open, const Request& r) {
  {
    std::lock_guard lock(open.m);
    open.link = r.link;
    open.session = r.session;
  }
  open.tree_id = r.tree.id;
  open.session_id = r.session->id;
  r.link->opens.fetch_add(1, std::memory_order_relaxed);
  r.session->opens.fetch_add(1, std::memory_order_relaxed);
}

void detach(Open& open) {
  std::shared_ptr<Link> link;
  std::shared_ptr<Session> session;
  {
    std::lock_guard lock(open.m);
    link = std::exchange(open.link, {}).lock();
    session = std::exchange(open.session, {}).lock();
  }
  open.session_id = 0;
  if (link) link->opens.fetch_sub(1, std::memory_order_relaxed);
  if (session) session->opens.fetch_sub(1, std::memory_order_relaxed);
}

void end_waiting(Server& server, Open& open) {
  end_notify(open, smb2::NtStatus::notify_cleanup);
  {
    std::lock_guard lock(open.listing_m);
    end_listing(server, open);
  }
  std::vector<std::weak_ptr<Request>> locks;
  {
    std::lock_guard lock(open.m);
    locks.swap(open.waiting_locks);
  }
  for (const auto& w : locks)
    if (const auto r = w.lock()) r->cancel->request();
}

Status open_and_release(FileSystem& fs, const Context& ctx, const op::Open& open, const std::function<void()>& slow) {
  const auto opened = call_and_wait(fs, open, ctx, kBeforeInterim, slow);
  if (!opened) return opened.error();
  op::Release end;
  end.node = open.node;
  end.handle = opened->handle;
  return call_and_wait(fs, end, ctx);
}

void have_closed(Server& server, const Context& ctx, NodeId node, const std::function<void()>& slow) {
  op::Open open;
  open.node = node;
  open.flags = O_PATH;
  open.access = volume::kAccessDetach;
  (void)open_and_release(server.port, ctx, open, slow);
  have_streams_closed(server, ctx, node, slow);
}

void tell_going(Server& server, const Context& ctx, NodeId node, HandleId through) {
  server.port.going(ctx, node, through);
  tell_streams_going(server, ctx, node);
}

void close_open(Server& server, const std::shared_ptr<Open>& open) {
  if (open->closed.exchange(true)) return;
  server.files.remove(*open);
  server.durables.forget(*open);
  detach(*open);
  end_open(server, open);
}

bool replace_open(Server& server, const std::shared_ptr<Open>& open, const std::shared_ptr<Open>& by) {
  if (open->closed.exchange(true)) return false;
  if (!server.files.replace(*open, by)) return false;
  detach(*open);
  end_open(server, open);
  return true;
}

}  // namespace isthmus::smb
