/// Writing: into a file without a name on this machine, from which it goes to the server, while it is written where it
/// is written in order, and else when it is flushed.
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "base/pread_all.h"
#include "base/unlinked_file.h"
#include "fs/ftp/ftp_fs.h"

namespace isthmus::fs::ftp {
namespace {

constexpr uint64_t kStreamFrom = 1 << 20;  // files that are larger begin to go before they are complete
constexpr uint64_t kAhead = 2 << 20;       // so far a writer may be ahead of the connection then

/// Something at `offset` and behind it has changed. Under m_.
void note_overwritten(Draft& d, uint64_t offset) {
  if (offset < d.sent) d.stale = true;
  if (offset >= std::max(d.synced, d.sent)) return;
  d.overwritten = true;
  if (d.at_end) d.late = true;
}

}  // namespace

Result<Fd> FtpFs::make_spool() const {
  auto file = unlinked_file(options_.spool);
  if (!file)
    log(LogLevel::error, "ftp: nothing can be written: {} cannot hold files on their way: {}; give a folder by spool=",
        options_.spool.empty() ? "$TMPDIR, /var/tmp" : options_.spool, text_of(file.error()));
  return file;
}

/// The node's draft; without one, it is begun as the server has the file.
Result<std::shared_ptr<Draft>> FtpFs::draft_of(Node& node) {
  if (node.draft) return node.draft;
  auto fd = make_spool();
  if (!fd) return fd.error();
  auto d = std::make_shared<Draft>(std::move(*fd));
  d->exists = true;
  d->size = d->synced = d->have_from = node.facts.size.value_or(0);
  d->in_order = d->size == 0;
  d->mtime = node.facts.modified.value_or(began_);
  node.draft = d;
  return d;
}

void FtpFs::slow_down_no_more(Draft& d, Lock& lock) {
  auto slowed = std::exchange(d.slowed, {});
  lock.unlock();
  for (auto& w : slowed) w(Errno{});
  lock.lock();
}

void FtpFs::with_all(const NodePtr& node, Then then) {
  Lock lock(m_);
  auto made = draft_of(*node);
  if (!made || (*made)->have_from == 0) {
    lock.unlock();
    return then(made ? Errno{} : made.error());
  }
  auto d = *made;
  d->fetched.push_back(std::move(then));
  if (d->fetching) return;
  d->fetching = true;
  lock.unlock();
  auto done = [this, d](Errno e) {
    Lock again(m_);
    d->fetching = false;
    auto fetched = std::exchange(d->fetched, {});
    again.unlock();
    for (auto& t : fetched) t(e);
  };
  submit(
      node->site, true, [this, node, d, done](Remote& r) { done(fetch(node, d, r).error); }, done);
}

Said FtpFs::fetch(const NodePtr& node, const std::shared_ptr<Draft>& d, Remote& r) {
  uint64_t at = 0;
  Said said;
  for (int tries = 0; tries < 3; tries++) {
    Lock lock(m_);
    const uint64_t end = d->have_from;
    const std::string path = path_of(*node);
    lock.unlock();
    if (end == 0) return {};
    const uint64_t from = node->site->server->no_restart ? 0 : at;
    uint64_t position = from;
    Errno disk{};
    said = r.download(path, from,
                      [&](Bytes bytes) {
                        const auto n = static_cast<size_t>(std::min<uint64_t>(bytes.size(), end - position));
                        if (auto s = pwrite_all(d->spool.get(), bytes.first(n), position); !s) {
                          disk = s.error();
                          return Remote::Taken::enough;
                        }
                        position += n;
                        return position == end && n < bytes.size() ? Remote::Taken::enough : Remote::Taken::all;
                      },
                      {});
    at = std::max(at, position);
    if (disk != Errno{}) return {.error = disk};
    if (at == end && (said.ok() || said.stopped)) {
      lock.lock();
      // Shortened meanwhile: then there is nothing to have.
      if (d->have_from == end) d->have_from = 0;
      return {};
    }
    if (said.ok()) return {.error = err(ESTALE)};  // shorter than it was
    if (!said.lost && said.error != err(EOPNOTSUPP)) break;
    if (r.aborted()) break;
    if (said.lost)
      if (Said c = r.connect(); !c.ok()) return c;
  }
  if (said.vague) said.error = err(EACCES);
  return said;
}

void FtpFs::write(Call<op::Write> c) {
  const uint64_t offset = c->offset;
  const bool append = c->append;
  Lock lock(m_);
  auto h = handle_of(c->handle);
  lock.unlock();
  if (!h || !h->writes) return c.fail(EBADF);
  if (offset > (uint64_t{1} << 62)) return c.fail(EFBIG);
  std::string room;
  auto bytes = c->data->in_one_piece(room);
  if (!bytes) return c.fail(bytes.error());
  std::string data;
  if (room.empty())
    data.assign(as_text(*bytes));
  else
    data = std::move(room);
  data.resize(bytes->size());
  write_some(h, Answer<op::Write>(std::move(c)), offset, append, std::move(data));
}

void FtpFs::write_some(const std::shared_ptr<Handle>& h, Answer<op::Write> a, uint64_t offset, bool append,
                       std::string data) {
  const NodePtr node = h->node;
  Lock lock(m_);
  auto made = draft_of(*node);
  lock.unlock();
  if (!made) return a.fail(made.error());
  const auto d = *made;
  const size_t n = data.size();
  if (n == 0) return a.finish(size_t{0});
  std::unique_lock io(d->io);
  lock.lock();
  const uint64_t at = append ? d->size : offset;
  if (at < d->have_from) {
    lock.unlock();
    io.unlock();
    return with_all(node, [this, h, a, at, text = std::make_shared<std::string>(std::move(data))](Errno e) {
      if (e != Errno{}) return a.fail(e);
      write_some(h, a, at, false, std::move(*text));
    });
  }
  lock.unlock();
  const Status written = pwrite_all(d->spool.get(), as_bytes(data), at);
  if (!written) {
    io.unlock();
    return a.fail(written.error());
  }
  lock.lock();
  if (at != d->size) d->in_order = false;
  note_overwritten(*d, at);
  d->size = std::max(d->size, at + n);
  d->version++;
  d->mtime = now();
  d->want_time.reset();
  const bool all_new = d->have_from == 0 && (d->overwritten || !d->exists);
  const bool begin = !d->uploading && !d->dead && d->in_order && all_new && d->size >= kStreamFrom &&
                     !options_.in_place && options_.connections > 1;
  if (begin) d->uploading = true;
  if (d->remote) d->remote->wake();
  const bool wait = d->uploading && !d->at_end && !d->stale && d->size > d->sent + kAhead;
  auto done = [a, n](Errno) { a.finish(n); };
  if (wait) d->slowed.push_back(done);
  lock.unlock();
  io.unlock();
  if (begin) start_upload(node);
  if (!wait) done(Errno{});
}

void FtpFs::truncate(const NodePtr& node, uint64_t size, Then then) {
  Lock lock(m_);
  auto made = draft_of(*node);
  lock.unlock();
  if (!made) return then(made.error());
  const auto d = *made;
  std::unique_lock io(d->io);
  lock.lock();
  if (size == d->size) {
    // Empty as far as is known: what is written from now on takes the place of whatever is there.
    if (size == 0 && d->exists) d->overwritten = d->in_order = true;
    settle(node, lock);
    lock.unlock();
    io.unlock();
    return then(Errno{});
  }
  if (size > 0 && size < d->have_from) {
    lock.unlock();
    io.unlock();
    return with_all(node, [this, node, size, then](Errno e) {
      if (e != Errno{}) return then(e);
      truncate(node, size, then);
    });
  }
  lock.unlock();
  if (::ftruncate(d->spool.get(), static_cast<off_t>(size)) < 0) {
    const Errno e = last_errno();
    io.unlock();
    return then(e);
  }
  lock.lock();
  if (size == 0) d->have_from = 0;
  note_overwritten(*d, size);
  d->size = size;
  d->version++;
  d->mtime = now();
  d->want_time.reset();
  if (size == 0 && !d->uploading) d->in_order = true;
  if (d->remote) d->remote->wake();
  const bool later = node->writers > 0;  // its flush sees to the rest
  auto slowed = std::exchange(d->slowed, {});
  lock.unlock();
  io.unlock();
  for (auto& w : slowed) w(Errno{});
  if (later) return then(Errno{});
  with_uploaded(node, then);
}

/// A draft that nobody needs any more goes; one that is not on the server goes there first. Under m_.
void FtpFs::settle(const NodePtr& node, Lock& lock) {
  auto d = node->draft;
  if (!d || node->writers > 0 || d->uploading || d->fetching || !d->waiting.empty()) return;
  if (!d->dead && d->dirty() && d->failed != d->version) {
    d->waiting.emplace_back(d->version, [](Errno) {});
    d->uploading = true;
    lock.unlock();
    start_upload(node);
    lock.lock();
    return;
  }
  if (d->dirty() && node->parent) {
    // What was not uploaded is not there, and the server's file is what it was.
    node->known_ns = 0;
    if (node->parent->listing) node->parent->listing->at_ns = 0;
    if (!d->exists) unlink_node(*node);
  }
  if (d->dead && !d->exists) unlink_node(*node);
  node->draft.reset();
  drop_if_unused(node);
}

void FtpFs::with_uploaded(const NodePtr& node, Then then) {
  Lock lock(m_);
  auto d = node->draft;
  if (!d || !d->dirty() || d->dead) {
    settle(node, lock);
    lock.unlock();
    return then(Errno{});
  }
  d->waiting.emplace_back(d->version, std::move(then));
  const bool begin = !d->uploading;
  d->uploading = true;
  if (d->remote) d->remote->wake();
  lock.unlock();
  if (begin) start_upload(node);
}

}  // namespace isthmus::fs::ftp
