#include "doors/smb/notify.h"

#include <algorithm>
#include <future>

#include "base/utf16.h"
#include "doors/smb/errors.h"
#include "doors/smb/logon.h"
#include "doors/smb/names.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "windows/security.h"
#include "wire/smb2/notify_info.h"
#include "wire/smb2/query.h"

/// CHANGE_NOTIFY (MS-SMB2 section 3.3.5.19).
namespace isthmus::smb {
namespace {

using smb2::NotifyAction;
using smb2::NtStatus;

constexpr uint32_t kStreamChanges = smb2::kChangeStreamName | smb2::kChangeStreamSize | smb2::kChangeStreamWrite;

uint32_t watch_bits(uint32_t filter) {
  uint32_t bits = 0;
  if (filter & (smb2::kChangeFileName | smb2::kChangeDirName))
    bits |= kWatchCreated | kWatchRemoved | kWatchRenamedFrom | kWatchRenamedTo;
  if (filter & (smb2::kChangeSize | smb2::kChangeLastWrite)) bits |= kWatchModified;
  if (filter & (smb2::kChangeAttributes | smb2::kChangeLastWrite | smb2::kChangeLastAccess | smb2::kChangeCreation |
                smb2::kChangeSecurity))
    bits |= kWatchAttributes;
  if (filter & (smb2::kChangeEa | smb2::kChangeAttributes)) bits |= kWatchXattr;  // of which one has the attributes
  return bits;
}

std::string_view directory_of(std::string_view path) {
  const size_t end = path.rfind('/');
  return path.substr(0, end == std::string_view::npos ? 0 : end);
}

/// A rename inside of a directory has an old name and a new one; other names come and go (MS-FSA section 2.1.5.15.11).
bool stays_in_directory(const std::vector<WatchEvent>& events, const WatchEvent& e) {
  return std::any_of(events.begin(), events.end(), [&](const WatchEvent& other) {
    return &other != &e && other.cookie == e.cookie && directory_of(other.path) == directory_of(e.path);
  });
}

NotifyAction action_of(const std::vector<WatchEvent>& events, const WatchEvent& e) {
  uint32_t what = e.what;
  if ((what & (kWatchRenamedFrom | kWatchRenamedTo)) && e.cookie != 0 && !stays_in_directory(events, e))
    what |= what & kWatchRenamedFrom ? kWatchRemoved : kWatchCreated;
  const bool created = what & kWatchCreated, removed = what & kWatchRemoved;
  if (created && removed) return NotifyAction::modified;
  if (created) return NotifyAction::added;
  if (removed) return NotifyAction::removed;
  if (what & kWatchRenamedFrom) return NotifyAction::renamed_old;
  if (what & kWatchRenamedTo) return NotifyAction::renamed_new;
  return NotifyAction::modified;
}

/// "\a\b" without its beginning.
std::string relative_name(std::string_view path) { return client_path(path).substr(2); }

constexpr size_t kMostStreamNews = 128;  // of one open; beyond them the client is told to look at everything again

/// What has happened, for one who waits. None: nothing that concerns him.
std::optional<Reply> news(const std::vector<WatchEvent>& events, const std::deque<StreamNews>& streams, uint32_t room) {
  smb2::NotifyWriter writer(room);
  bool overflow = streams.size() > kMostStreamNews;
  for (const WatchEvent& e : events) {
    overflow |= e.overflow;
    if (overflow) break;
    if (e.path.empty()) continue;  // the directory itself
    const std::string name = relative_name(e.path);
    overflow |= !writer.add(action_of(events, e), as_bytes(name));
  }
  for (const StreamNews& s : streams) {
    if (overflow) break;
    overflow |= !writer.add(s.action, as_bytes(s.name));
  }
  if (!overflow && writer.empty()) return {};
  const std::string list = overflow ? std::string() : writer.finish();
  Reply reply = smb2::DataResponse{as_bytes(list)};
  if (overflow) reply.status = NtStatus::notify_enum_dir;
  return reply;
}

/// Answers the one who has waited longest, if there is news.
void deliver(Open& open) {
  while (true) {
    std::shared_ptr<Request> who;
    std::optional<Reply> reply;
    {
      std::lock_guard lock(open.m);
      if (!open.watching || open.watchers.empty()) return;
      const auto events = open.watching->take();
      const auto streams = std::exchange(open.stream_news, {});
      if (events.empty() && streams.empty()) return;
      who = open.watchers.front();
      const auto asked = who->read<smb2::ChangeNotifyRequest>();
      reply = news(events, streams, std::min(open.notify_size, asked ? asked->max_output : 0));
      if (!reply) continue;
      open.watchers.pop_front();
    }
    who->cancel->clear();
    who->finish(std::move(*reply));
  }
}

NtStatus start_watch(Request& r, const smb2::ChangeNotifyRequest& m) {
  WatchWish wish;
  wish.node = r.open->file->node;
  wish.what = watch_bits(m.filter);
  wish.subtree = m.flags & smb2::ChangeNotifyRequest::kWatchTree;
  std::promise<Result<std::unique_ptr<Watching>>> promise;
  const std::weak_ptr<Open> open = r.open;
  r.server.port.watch(
      r.ctx, wish,
      [open] {
        if (const auto o = open.lock()) deliver(*o);
      },
      [&promise](Result<std::unique_ptr<Watching>> made) { promise.set_value(std::move(made)); });
  auto made = promise.get_future().get();
  if (!made) return status_of(made.error());
  // One that came too late ends here, without the mutex.
  const std::unique_ptr<Watching> late = [&]() -> std::unique_ptr<Watching> {
    std::lock_guard lock(r.open->m);
    if (r.open->watching || r.open->closed.load()) return std::move(*made);
    r.open->watching = std::move(*made);
    r.open->notify_filter = m.filter;
    r.open->notify_tree = wish.subtree;
    return nullptr;
  }();
  if (!late && (m.filter & kStreamChanges)) r.server.stream_watchers.add(r.open);
  return NtStatus::success;
}

}  // namespace

void StreamWatchers::add(const std::shared_ptr<Open>& open) {
  std::lock_guard lock(m_);
  std::erase_if(opens_, [](const auto& o) { return o.expired(); });
  opens_.push_back(open);
  some_.store(true);
}

std::vector<std::shared_ptr<Open>> StreamWatchers::all() {
  std::vector<std::shared_ptr<Open>> found;
  if (!some_.load()) return found;
  std::lock_guard lock(m_);
  for (const auto& o : opens_)
    if (auto open = o.lock(); open && !open->closed.load()) found.push_back(std::move(open));
  if (found.empty()) some_.store(false);
  return found;
}

void tell_stream(Server& server, OpenedFile& file, std::string_view stream, NotifyAction action, uint32_t filter) {
  const auto watchers = server.stream_watchers.all();
  if (watchers.empty()) return;
  const std::string path = file.path_now();
  const std::string_view above = directory_of(path);
  for (const auto& open : watchers) {
    const std::string directory = open->file->path_now();
    if (!is_below(path, directory)) continue;
    {
      std::lock_guard lock(open->m);
      if (!(open->notify_filter & filter) || (above != directory && !open->notify_tree)) continue;
      StreamNews what{action,
                      relative_name(std::string_view(path).substr(directory.empty() ? 0 : directory.size() + 1))};
      what.name += utf16_of(':' + std::string(stream) + ":$DATA").value_or("");
      auto& all = open->stream_news;
      if (all.size() <= kMostStreamNews && (all.empty() || all.back() != what)) all.push_back(std::move(what));
    }
    deliver(*open);
  }
}

void end_notify(Open& open, NtStatus status) {
  std::unique_ptr<Watching> watching;
  std::deque<std::shared_ptr<Request>> all;
  {
    std::lock_guard lock(open.m);
    watching = std::move(open.watching);
    all.swap(open.watchers);
  }
  for (const auto& r : all) {
    r->cancel->clear();
    r->finish(status);
  }
}

void end_notifies(Server& server, const OpenedFile& file) {
  for (const auto& open : server.files.of_file(file)) end_notify(*open, NtStatus::delete_pending);
}

std::optional<Reply> change_notify(Request& r) {
  const auto m = r.read<smb2::ChangeNotifyRequest>();
  if (!m) return Reply(NtStatus::invalid_parameter);
  if (!r.find_open(m->file_id)) return Reply(NtStatus::file_closed);
  if (!r.open->file || !r.open->file->directory || r.open->stream) return Reply(NtStatus::invalid_parameter);
  if (m->max_output > most_io(r.link->agreed)) return Reply(NtStatus::invalid_parameter);
  if (!r.open->may(windows::kReadData)) return Reply(NtStatus::access_denied);
  if (!r.last) return Reply(NtStatus::internal_error);  // nothing may follow one that waits
  bool fresh = false;
  {
    std::lock_guard lock(r.open->m);
    fresh = !r.open->watching;
    if (fresh) r.open->notify_size = m->max_output;
  }
  {
    std::lock_guard lock(r.open->file->m);
    if (r.open->file->delete_pending) return Reply(NtStatus::delete_pending);
  }
  // The first one says what is watched, as long as the directory is open.
  if (fresh)
    if (const NtStatus s = start_watch(r, *m); s != NtStatus::success) return Reply(s);
  const auto self = r.shared_from_this();
  {
    std::lock_guard lock(r.open->m);
    if (r.open->closed.load()) return Reply(NtStatus::notify_cleanup);
    r.open->watchers.push_back(self);
  }
  r.cancel->on_request([weak = std::weak_ptr<Request>(self)] {
    const auto request = weak.lock();
    if (!request) return;
    {
      std::lock_guard lock(request->open->m);
      if (std::erase(request->open->watchers, request) == 0) return;
    }
    request->finish(NtStatus::cancelled);
  });
  deliver(*r.open);
  return {};
}

}  // namespace isthmus::smb
