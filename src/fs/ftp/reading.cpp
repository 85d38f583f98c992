/// Reading: a stream an open file, from where it is read, a bit ahead of its reader.
#include <algorithm>

#include "base/log.h"
#include "fs/ftp/ftp_fs.h"

namespace isthmus::fs::ftp {
namespace {

constexpr uint64_t kBehind = 256 << 10;      // kept behind the reader: kernels do not ask quite in order
constexpr uint64_t kNear = 1 << 20;          // so far ahead it is quicker to read on than to begin anew
constexpr int64_t kIdleNs = 30 * kNsPerSec;  // a stream that nobody reads gives its connection back
constexpr int kTries = 3;

/// Where a new stream begins, for a reader at `offset`.
uint64_t first_byte(uint64_t offset, bool restart) {
  if (!restart || offset <= kNear) return 0;
  return offset - kBehind;
}

}  // namespace

/// Reads that can be answered, taken from the stream. Under m_.
std::vector<std::pair<Answer<op::Read>, Result<Buffer>>> FtpFs::ready(Stream& s) {
  std::vector<std::pair<Answer<op::Read>, Result<Buffer>>> done;
  uint64_t lowest = UINT64_MAX;
  std::erase_if(s.waiting, [&](Stream::Waiting& w) {
    if (w.offset < s.begin) {
      done.emplace_back(w.answer, err(EIO));
      return true;
    }
    const bool all = w.offset + w.size <= s.end();
    if (!all && !s.eof) {
      lowest = std::min(lowest, w.offset);
      return false;
    }
    const uint64_t from = std::min(w.offset, s.end());
    const size_t n = static_cast<size_t>(std::min<uint64_t>(w.size, s.end() - from));
    done.emplace_back(w.answer, Buffer::own(s.data.substr(s.head + static_cast<size_t>(from - s.begin), n)));
    return true;
  });
  // What lies behind the reader goes, in large pieces.
  lowest = std::min(lowest, s.high);
  const uint64_t keep = std::min(lowest, s.end());
  if (keep > s.begin + kBehind) {
    const uint64_t drop = keep - kBehind - s.begin;
    s.head += static_cast<size_t>(drop);
    s.begin += drop;
    if (s.head > kBehind) {
      s.data.erase(0, s.head);
      s.head = 0;
    }
  }
  s.used_ns = monotonic_ns();
  return done;
}

void FtpFs::serve(Stream& s, Lock& lock) {
  auto done = ready(s);
  lock.unlock();
  for (auto& [answer, r] : done) answer.finish(std::move(r));
  lock.lock();
}

void FtpFs::drop_stream(Stream& s) {
  s.dropped = true;
  if (s.remote) s.remote->wake();
}

void FtpFs::start_stream(const std::shared_ptr<Stream>& s) {
  submit(
      s->node->site, true, [this, s](Remote& r) { run_stream(s, r); },
      [this, s](Errno e) {
        Lock lock(m_);
        s->running = false;
        s->error = e;
        auto waiting = std::exchange(s->waiting, {});
        lock.unlock();
        for (auto& w : waiting) w.answer.fail(e);
      });
}

void FtpFs::run_stream(const std::shared_ptr<Stream>& s, Remote& r) {
  Connections& connections = s->node->site->connections;
  Lock lock(m_);
  s->remote = &r;
  Errno error{};
  for (int tries = 0; !s->dropped && !s->eof && error == Errno{};) {
    const uint64_t reached = s->end();
    const bool first = !s->size && !s->modified && reached == s->begin;
    const bool lost = s->node->gone && s->node->shadow.empty();
    const std::string path = path_of(*s->node);
    lock.unlock();
    Said said;
    Facts f;
    // Pieces of two versions of a file must not be put together: each beginning is compared with the first.
    if (lost)
      said.error = err(ESTALE);
    else if (!first)
      said = r.facts(path, f);
    lock.lock();
    if (said.ok() && !first && (f.size != s->size || (f.exact && s->modified && f.modified->sec != s->modified->sec))) {
      log(LogLevel::warning, "ftp: {}: {} has been changed while it was read",
          r.aborted() ? "" : s->node->site->server->name, wire::ftp::printable(path));
      said.error = err(ESTALE);
    }
    if (said.ok() && first) {
      s->size = s->node->facts.size;
      if (s->node->facts.exact) s->modified = s->node->facts.modified;
    }
    if (said.ok()) {
      const bool restart = !s->node->site->server->no_restart;
      uint64_t at = restart ? reached : 0;  // where in the file the connection is
      const uint64_t from = at;
      lock.unlock();
      const uint32_t ahead = options_.read_ahead;
      said = r.download(
          path, from,
          [&](Bytes bytes) {
            Lock l(m_);
            if (s->dropped) return Remote::Taken::enough;
            const uint64_t end = s->end();
            if (end > s->high && end - s->high >= ahead) return Remote::Taken::none;
            const uint64_t skip = std::min<uint64_t>(bytes.size(), end - std::min(end, at));
            at += bytes.size();
            s->data.append(as_text(bytes.subspan(static_cast<size_t>(skip))));
            if (!s->waiting.empty()) serve(*s, l);
            return Remote::Taken::all;
          },
          {.resume =
               [&] {
                 Lock l(m_);
                 return s->dropped || s->end() <= s->high || s->end() - s->high < ahead / 2;
               },
           .enough =
               [&] {
                 const bool crowded = connections.crowded(), only = connections.only_one();
                 Lock l(m_);
                 const bool idle = s->waiting.empty() && s->end() > s->high && s->end() - s->high >= ahead / 2;
                 return s->dropped || (crowded && (idle || only)) || (idle && monotonic_ns() - s->used_ns > kIdleNs);
               }});
      lock.lock();
    }
    if (s->end() > reached) tries = 0;
    if (said.ok()) {
      s->eof = true;
      // More or less than the listing said.
      if (s->node->facts.size != s->end() && !s->node->draft) {
        s->node->known_ns = 0;
        if (s->node->parent && s->node->parent->listing) s->node->parent->listing->at_ns = 0;
        if (up()) {
          lock.unlock();
          up()->invalidate_attr(s->node->id);
          lock.lock();
        }
      }
    } else if (said.stopped && !r.aborted()) {
      break;  // it goes on when somebody reads
    } else if (said.lost && ++tries < kTries && !r.aborted()) {
      lock.unlock();
      if (tries > 1) connections.sleep(200u * static_cast<uint32_t>(tries));
      if (Said c = r.connect(); !c.ok()) error = c.error;
      lock.lock();
    } else if (said.error == err(EOPNOTSUPP) && s->node->site->server->no_restart && tries++ < kTries) {
      continue;  // from the beginning, then
    } else {
      error = said.vague ? err(EACCES) : said.error;
    }
  }
  s->running = false;
  s->remote = nullptr;
  s->error = error;
  std::vector<Stream::Waiting> failed;
  if (error != Errno{} || s->dropped) failed = std::exchange(s->waiting, {});
  if (error == Errno{} && s->eof) serve(*s, lock);
  // A reader that came while this one was leaving.
  const bool more = !s->dropped && error == Errno{} && !s->eof && !s->waiting.empty();
  s->running = more;
  lock.unlock();
  for (auto& w : failed) w.answer.fail(error == Errno{} ? err(EIO) : error);
  if (more) start_stream(s);
}

void FtpFs::read(Call<op::Read> c) {
  const uint64_t offset = c->offset;
  const size_t size = c->size;
  const HandleId handle = c->handle;
  Answer<op::Read> a(std::move(c));
  Lock lock(m_);
  auto h = handle_of(handle);
  if (!h || size == 0) {
    lock.unlock();
    return a.finish(h ? Result<Buffer>(Buffer()) : Result<Buffer>(err(EBADF)));
  }
  const NodePtr node = h->node;
  if (auto d = node->draft) {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(size, d->size - std::min(offset, d->size)));
    const bool here = n == 0 || offset >= d->have_from;
    lock.unlock();
    auto answer = [a, d, offset, n](Errno e) {
      if (e != Errno{}) return a.fail(e);
      a.finish(n == 0 ? Buffer() : Buffer::file(d->spool.get(), offset, n, d));
    };
    return here ? answer(Errno{}) : with_all(node, answer);
  }
  const bool restart = !node->site->server->no_restart;
  std::shared_ptr<Stream> s = h->stream;
  const bool of_use =
      s && !s->dropped && s->error == Errno{} && offset >= s->begin && (s->eof || offset <= s->end() + kNear);
  if (!of_use) {
    // Behind what the server is known to have there is nothing to ask for.
    if (!s && node->facts.size && offset >= *node->facts.size && is_fresh(node->known_ns, options_.cache_ms)) {
      lock.unlock();
      return a.finish(Buffer());
    }
    auto fresh = std::make_shared<Stream>();
    fresh->node = node;
    fresh->begin = first_byte(offset, restart);
    if (s) {
      fresh->size = s->size;
      fresh->modified = s->modified;
      // Who waits for the other stream goes on with this one, where it can.
      std::erase_if(s->waiting, [&](Stream::Waiting& w) {
        if (w.offset < fresh->begin || w.offset > offset + kNear) return false;
        fresh->high = std::max(fresh->high, w.offset + w.size);
        fresh->waiting.push_back(std::move(w));
        return true;
      });
      drop_stream(*s);
    }
    h->stream = s = std::move(fresh);
  }
  s->high = std::max(s->high, offset + size);
  s->waiting.push_back({std::move(a), offset, size});
  serve(*s, lock);
  const bool begin = !s->waiting.empty() && !s->running && !s->dropped;
  if (begin) s->running = true;
  if (s->remote) s->remote->wake();
  lock.unlock();
  if (begin) start_stream(s);
}

}  // namespace isthmus::fs::ftp
