/// How a draft gets to the server: beside the file first, then over it, so that the old one is whole until the new one
/// is complete; or behind it, where it only became longer.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <span>

#include "base/log.h"
#include "base/pread_all.h"
#include "fs/ftp/ftp_fs.h"

namespace isthmus::fs::ftp {
namespace {

constexpr int64_t kWriterIdleNs = 20 * kNsPerSec;  // an upload that waits for its writer gives its connection back

bool is_full(Errno e) { return e == err(EDQUOT) || e == err(ENOSPC); }

std::string in_folder(const std::string& path, const std::string& name) {
  return path.substr(0, path.rfind('/') + 1) + name;
}

}  // namespace

void FtpFs::start_upload(const NodePtr& node) {
  node->site->connections.submit({.run = [this, node](Remote& r) { run_upload(node, r); },
                                  .fail =
                                      [this, node](const Said& s) {
                                        Lock lock(m_);
                                        auto d = node->draft;
                                        lock.unlock();
                                        if (d) finish_upload(node, d, s);
                                      },
                                  .stream = true,
                                  .patience_ms = options_.retry_ms});
}

void FtpFs::run_upload(const NodePtr& node, Remote& r) {
  Connections& connections = node->site->connections;
  const int64_t give_up = monotonic_ns() + options_.retry_ms * int64_t{1'000'000};
  Lock lock(m_);
  auto d = node->draft;
  if (!d) return;
  d->remote = &r;
  lock.unlock();
  Said said;
  uint32_t pause = 100;
  for (bool repeated = false;; repeated = true) {
    if (r.connected()) said = upload_once(node, d, r, repeated);
    lock.lock();
    const bool wanted = !d->waiting.empty() && !d->dead;
    const bool more = wanted && (said.ok() || said.stopped) && d->dirty() &&
                      std::any_of(d->waiting.begin(), d->waiting.end(), [&](auto& w) { return w.first > d->clean; });
    lock.unlock();
    if (r.aborted()) break;
    if (said.ok() || said.stopped) {
      if (!more) break;
      if (said.stopped && !r.connected())
        if (Said c = r.connect(); !c.ok()) said = c;
      continue;
    }
    if (!said.lost || is_full(said.error) || !wanted || monotonic_ns() > give_up) break;
    if (!connections.sleep(pause)) break;
    pause = std::min(pause * 2, 2'000u);
    if (Said c = r.connect(); !c.ok()) said = c;
  }
  // A refusal is for good: nothing of it stays.
  const bool refused = !said.ok() && !said.stopped && (!said.lost || is_full(said.error));
  if (refused && !r.aborted() && (r.connected() || r.connect().ok())) {
    lock.lock();
    const std::string beside = d->beside.empty() ? "" : in_folder(path_of(*node), d->beside);
    if (!beside.empty()) d->stale = true;
    lock.unlock();
    if (!beside.empty()) (void)r.command({"*DELE " + beside});
  }
  finish_upload(node, d, said);
}

void FtpFs::finish_upload(const NodePtr& node, const std::shared_ptr<Draft>& d, const Said& said) {
  Lock lock(m_);
  d->uploading = false;
  d->remote = nullptr;
  d->at_end = false;
  Errno e = said.ok() || said.stopped ? Errno{} : said.error;
  if (said.vague) e = err(EACCES);
  std::vector<Then> failed, done;
  std::erase_if(d->waiting, [&](auto& w) {
    if (w.first <= d->clean || d->dead)
      done.push_back(std::move(w.second));
    else if (e != Errno{})
      failed.push_back(std::move(w.second));
    else
      return false;
    return true;
  });
  if (!failed.empty()) {
    d->failed = d->version;
    log(LogLevel::error, "ftp: {}: {} could not be uploaded: {}{}", node->site->server->name,
        wire::ftp::printable(path_of(*node)),
        said.text.empty() ? std::string(text_of(e)) : wire::ftp::printable(said.text),
        d->exists && !options_.in_place ? "; the server has the old file still" : "");
  }
  if (e != Errno{} && failed.empty()) d->in_order = false;  // the flush will try again, and nobody before it
  const bool more = !d->waiting.empty();
  if (more) d->uploading = true;
  slow_down_no_more(*d, lock);
  if (!more) settle(node, lock);
  lock.unlock();
  for (auto& t : done) t(Errno{});
  for (auto& t : failed) t(e);
  if (more) start_upload(node);
}

/// Sends the draft from `from` on: to its present end if somebody waits for it to be there, else as it is written.
/// stopped: it was given up, because it has become useless or because its connection was needed.
Said FtpFs::send(const NodePtr& node, const std::shared_ptr<Draft>& d, Remote& r, const std::string& to, uint64_t from,
                 bool append) {
  Connections& connections = node->site->connections;
  Lock lock(m_);
  d->sent = from;
  d->at_end = d->late = false;
  if (from == 0) d->stale = false;
  lock.unlock();
  int64_t moved = monotonic_ns();
  Errno disk{};
  Said said = r.upload(to, append,
                       [&](MutableBytes room) -> size_t {
                         Lock l(m_);
                         if (d->dead || d->stale) return Remote::kStop;
                         const uint64_t at = d->sent;
                         const auto n =
                             static_cast<size_t>(std::min<uint64_t>(room.size(), d->size - std::min(d->size, at)));
                         if (n == 0) {
                           if (d->waiting.empty()) return Remote::kWait;
                           d->at_end = true;
                           d->end = at;
                           d->end_version = d->version;
                           return 0;
                         }
                         // Before it is read: who overwrites it from now on sees that it is too late.
                         d->sent = at + n;
                         moved = monotonic_ns();
                         slow_down_no_more(*d, l);
                         l.unlock();
                         const auto got = pread_all(d->spool.get(), room.first(n), at);
                         if (got && *got == n) return n;
                         disk = got ? err(EIO) : got.error();
                         return Remote::kStop;
                       },
                       {.resume =
                            [&] {
                              Lock l(m_);
                              return d->dead || d->stale || !d->waiting.empty() || d->size > d->sent;
                            },
                        .enough =
                            [&] {
                              const bool crowded = connections.crowded();
                              Lock l(m_);
                              const bool idle = d->waiting.empty() && d->size == d->sent && !d->at_end;
                              return d->dead || (idle && (crowded || monotonic_ns() - moved > kWriterIdleNs));
                            }});
  return disk == Errno{} ? said : Said{.error = disk};
}

/// Whether the server's [from, to) is what the draft has there.
Said FtpFs::compare(const std::shared_ptr<Draft>& d, Remote& r, const std::string& path, uint64_t from, uint64_t to,
                    bool& same) {
  uint64_t at = from;
  std::string here;
  const Said s = r.download(path, from,
                            [&](Bytes bytes) {
                              here.resize(bytes.size());
                              const auto n = pread_all(d->spool.get(), std::as_writable_bytes(std::span(here)), at);
                              if (!n || *n != bytes.size() || here != as_text(bytes)) return Remote::Taken::enough;
                              at += bytes.size();
                              return Remote::Taken::all;
                            },
                            {});
  same = s.ok() && at == to;
  return s;
}

Said FtpFs::upload_once(const NodePtr& node, const std::shared_ptr<Draft>& d, Remote& r, bool repeated) {
  Server& server = *node->site->server;
  Lock lock(m_);
  if (d->dead) {
    const std::string beside = d->beside;
    const std::string path = path_of(*node);
    lock.unlock();
    if (!beside.empty()) (void)r.command({"*DELE " + in_folder(path, beside)});
    return {.stopped = true};
  }
  const std::string path = path_of(*node);
  const Facts before = node->facts;
  const bool existed = d->exists;
  const bool behind = existed && !d->overwritten && d->size >= d->synced && !server.no_append && d->beside.empty();
  const uint64_t synced = d->synced;
  const bool tried = repeated || d->appending;
  d->appending = behind;
  if (behind) d->stale = false;  // nothing below has changed, or it would not do to append
  lock.unlock();
  Said s;
  if (behind) {
    uint64_t from = synced, there = 0;
    if (tried) {
      // Some of it may have arrived; but what others have put there is no part of it.
      s = r.size(path, there);
      if (s.lost) return s;
      bool ours = false;
      if (s.ok() && there > synced)
        if (s = compare(d, r, path, synced, there, ours); s.lost) return s;
      if (ours) from = there;
    }
    s = send(node, d, r, path, from, true);
    if (!s.lost && s.error == err(EOPNOTSUPP)) {
      server.no_append = true;
      return upload_once(node, d, r, repeated);
    }
    if (!s.ok()) return s;
    if (s = r.size(path, there); s.lost) return s;
    if (s.ok() && there < d->end)
      return {.error = err(EIO), .text = fmt::format("the server has {} bytes of {}", there, d->end)};
  } else {
    if (s = fetch(node, d, r); !s.ok()) return s;
    if (s = options_.in_place ? put_in_place(node, d, r, path) : put_beside(node, d, r, path, repeated); !s.ok())
      return s;
    if (!options_.in_place)
      if (s = replace(node, d, r, path, existed, before); !s.ok()) return s;
  }
  if (behind || options_.in_place) s = set_attributes(d, r, path, true, before);
  if (s.lost) return s;
  Facts after;
  Said asked = r.facts(path, after);
  lock.lock();
  d->exists = true;
  d->synced = d->end;
  d->clean = d->end_version;
  d->overwritten = d->late;
  d->appending = false;
  d->beside_done = d->stale = d->at_end = false;
  d->sent = 0;
  if (node->parent && !d->beside.empty()) node->parent->hidden.erase(d->beside);
  d->beside.clear();
  const auto mode = d->want_mode;
  if (!d->dirty()) {
    d->want_time.reset();
    d->want_mode.reset();
  }
  if (asked.ok()) {
    after.name = node->name;
    if (!after.mode) after.mode = mode && !server.no_chmod ? mode : before.mode;
    after.kind = Kind::file;
    if (!after.size) after.size = d->synced;
    node->facts = after;
    d->mtime = after.modified.value_or(d->mtime);
  } else {
    node->facts.size = d->synced;
    node->facts.modified = d->mtime;
    node->facts.kind = Kind::file;
  }
  node->known_ns = monotonic_ns();
  if (node->parent && !node->gone) note_added(*node->parent, node->name, node->facts);
  return {};
}

/// The whole file under its own name: if it breaks, so is the file.
Said FtpFs::put_in_place(const NodePtr& node, const std::shared_ptr<Draft>& d, Remote& r, const std::string& path) {
  Said s = send(node, d, r, path, 0, false);
  if (!s.ok()) return s;
  uint64_t there = 0;
  const Said t = r.size(path, there);
  if (t.lost) return t;
  if (t.ok() && there != d->end)
    return {.error = err(EIO), .text = fmt::format("the server has {} bytes of {}", there, d->end)};
  return s;
}

/// The whole file beside the one it will be; gone on with where the last try ended, if nothing of that has changed.
Said FtpFs::put_beside(const NodePtr& node, const std::shared_ptr<Draft>& d, Remote& r, const std::string& path,
                       bool repeated) {
  Server& server = *node->site->server;
  Lock lock(m_);
  const bool tried = !d->beside.empty();
  if (!tried) d->beside = fmt::format(".isthmus-{:08x}{:08x}.part", static_cast<uint32_t>(mark_), ++last_beside_);
  const std::string name = d->beside, beside = in_folder(path, name);
  if (node->parent) node->parent->hidden.insert(name);
  lock.unlock();
  Said s;
  uint64_t from = 0, there = 0;
  if (tried) {
    s = r.size(beside, there);
    if (s.lost) return s;
    lock.lock();
    if (s.ok() && !d->stale && there <= d->sent && !server.no_append) from = there;
    const bool complete = d->beside_done && !d->stale && d->version == d->end_version;
    const uint64_t end = d->end;
    lock.unlock();
    if (!s.ok() && complete) {
      // The rename whose answer got lost was done.
      s = r.size(path, there);
      if (s.lost) return s;
      if (s.ok() && there == end) {
        lock.lock();
        d->beside_done = false;
        return s;
      }
    }
  }
  lock.lock();
  d->beside_done = false;
  lock.unlock();
  s = send(node, d, r, beside, from, from > 0);
  if (!s.ok()) {
    if (s.lost || s.stopped) return s;
    if (from > 0 && s.error == err(EOPNOTSUPP)) {
      server.no_append = true;
      return put_beside(node, d, r, path, repeated);
    }
    if ((s.code == 550 || s.code == 553) && name.starts_with('.')) {
      // Some refuse names that begin with a dot.
      lock.lock();
      if (node->parent) node->parent->hidden.erase(name);
      d->beside = name.substr(1);
      d->sent = 0;
      lock.unlock();
      return put_beside(node, d, r, path, repeated);
    }
    (void)r.command({"*DELE " + beside});
    return s;
  }
  // 226 is a word; the size is what it is worth.
  const Said t = r.size(beside, there);
  if (t.lost) return t;
  lock.lock();
  const uint64_t end = d->end;
  d->beside_done = !t.ok() || there == end;
  if (!d->beside_done) d->stale = true;
  const bool done = d->beside_done;
  lock.unlock();
  if (done) return s;
  (void)r.command({"*DELE " + beside});
  return {.error = err(EIO), .lost = true, .text = fmt::format("the server has {} bytes of {}", there, end)};
}

/// The file beside becomes the file.
Said FtpFs::replace(const NodePtr& node, const std::shared_ptr<Draft>& d, Remote& r, const std::string& path,
                    bool existed, const Facts& before) {
  Lock lock(m_);
  const bool done = !d->beside_done;
  const std::string beside = in_folder(path, d->beside);
  lock.unlock();
  if (done) return {};
  // A file that was new when it was made, and that others have made meanwhile, is theirs.
  Facts others;
  if (!existed)
    if (Said t = r.facts(path, others); t.ok() || t.lost) {
      if (!t.lost) (void)r.command({"*DELE " + beside});
      return t.lost ? t : Said{.error = err(EEXIST), .text = "somebody else has made it meanwhile"};
    }
  Said s = set_attributes(d, r, beside, existed, before);
  if (s.lost) return s;
  s = move(r, beside, path, beside + ".old", existed);
  if (s.ok() || s.lost) return s;
  log(LogLevel::warning,
      "ftp: {}: {}: the server renames nothing to that: {}; with upload=direct it is written in place",
      node->site->server->name, wire::ftp::printable(path), wire::ftp::printable(s.text));
  (void)r.command({"*DELE " + beside});
  return s;
}

/// Times and permissions that were asked for, and the permissions of the file that is replaced. Not worth an upload.
Said FtpFs::set_attributes(const std::shared_ptr<Draft>& d, Remote& r, const std::string& path, bool existed,
                           const Facts& before) {
  Lock lock(m_);
  auto mode = d->want_mode;
  if (!mode && existed && d->exists && !d->beside.empty()) mode = before.mode;
  const auto time = d->want_time;
  lock.unlock();
  Said s;
  if (mode)
    if (s = r.set_mode(path, *mode); s.lost) return s;
  if (time) s = r.set_time(path, *time);
  return s.lost ? s : Said{};
}

}  // namespace isthmus::fs::ftp
