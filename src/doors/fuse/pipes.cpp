#include "doors/fuse/pipes.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "doors/fuse/page_memory.h"

namespace isthmus::fuse {
namespace {

constexpr size_t kKept = 16;

std::unique_ptr<Pipes::Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) return nullptr;
  auto p = std::make_unique<Pipes::Pipe>();
  p->out.reset(fds[0]);
  p->in.reset(fds[1]);
  int room = ::fcntl(fds[1], F_GETPIPE_SZ);
  p->room = room > 0 ? static_cast<size_t>(room) : 0;
  return p;
}

}  // namespace

std::unique_ptr<Pipes::Pipe> Pipes::take(size_t bytes) {
  // One slot of a page for the header, and one more where the range does not begin at a page.
  size_t need = round_up(bytes, kPage) + 2 * kPage;
  if (need >= too_big_.load(std::memory_order_relaxed)) return nullptr;
  std::unique_ptr<Pipe> p;
  {
    std::lock_guard lock(m_);
    if (!free_.empty()) {
      p = std::move(free_.back());
      free_.pop_back();
    }
  }
  if (!p) p = make_pipe();
  if (!p) return nullptr;
  if (p->room < need) {
    int room = ::fcntl(p->in.get(), F_SETPIPE_SZ, static_cast<int>(need));
    if (room > 0) p->room = static_cast<size_t>(room);
  }
  if (p->room >= need) return p;
  too_big_.store(need, std::memory_order_relaxed);
  give(std::move(p));
  return nullptr;
}

void Pipes::give(std::unique_ptr<Pipe> pipe) {
  std::lock_guard lock(m_);
  if (free_.size() < kKept) free_.push_back(std::move(pipe));
}

bool fill_pipe(Pipes::Pipe& pipe, Bytes header, const Buffer::FileRange& range) {
  if (::write(pipe.in.get(), header.data(), header.size()) != static_cast<ssize_t>(header.size())) return false;
  auto offset = static_cast<off64_t>(range.offset);
  for (size_t left = range.length; left > 0;) {
    ssize_t n = ::splice(range.fd, &offset, pipe.in.get(), nullptr, left, SPLICE_F_MOVE);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    left -= static_cast<size_t>(n);
  }
  return true;
}

}  // namespace isthmus::fuse
