#include "run/streams.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <algorithm>

#include "base/log.h"

namespace isthmus {
namespace {

constexpr int kAcceptAtOnce = 16;
constexpr std::chrono::milliseconds kSweep{1000};  // between looks for connections that have waited too long

}  // namespace

StreamServer::StreamServer(Fd listener, Accept accept, Options options)
    : listener_(std::move(listener)), accept_(std::move(accept)), options_(std::move(options)) {}

StreamServer::~StreamServer() { stop(); }

Status StreamServer::start() {
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  timer_.reset(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!epoll_ || !timer_) return last_errno();
  got_.assign(options_.line.max_threads, nullptr);
  if (!arm(listener_.get(), EPOLLIN, &listener_, true) || !arm(timer_.get(), EPOLLIN, &timer_, true))
    return last_errno();
  line_ = std::make_unique<Line>(static_cast<LineSource&>(*this), options_.line);
  return line_->start();
}

void StreamServer::stop() {
  if (!line_) return;
  line_->stop();
  line_.reset();
  std::list<std::unique_ptr<Connection>> gone;  // they end outside of the lock, as in remove()
  {
    std::lock_guard lock(m_);
    gone.swap(connections_);
  }
}

size_t StreamServer::connections() const {
  std::lock_guard lock(m_);
  return connections_.size();
}

bool StreamServer::arm(int fd, uint32_t events, void* who, bool first) {
  epoll_event e{.events = events | EPOLLONESHOT, .data = {.ptr = who}};
  return epoll_ctl(epoll_.get(), first ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e) == 0;
}

LineSource::Got StreamServer::wait(unsigned thread) {
  epoll_event e{};
  if (epoll_wait(epoll_.get(), &e, 1, -1) != 1) return Got::nothing;
  got_[thread] = e.data.ptr;
  return Got::request;
}

bool StreamServer::readable() {
  pollfd p{epoll_.get(), POLLIN, 0};
  return poll(&p, 1, 0) > 0;
}

void StreamServer::run(unsigned thread) {
  void* who = got_[thread];
  if (who == &listener_) {
    accept_some();
  } else if (who == &timer_) {
    sweep();
  } else {
    serve(*static_cast<Connection*>(who));
  }
}

void StreamServer::accept_some() {
  bool pause = false;
  for (int i = 0; i < kAcceptAtOnce && !pause; ++i) {
    Fd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket) {
      add(std::move(socket));
      continue;
    }
    if (errno == EAGAIN) break;
    pause = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    if (pause) log(LogLevel::warning, "cannot accept a connection now: {}", text_of(last_errno()));
  }
  {
    std::lock_guard lock(m_);
    listener_paused_ = pause;
    if (pause) set_timer(true);
  }
  if (!pause) arm(listener_.get(), EPOLLIN, &listener_);
}

void StreamServer::add(Fd socket) {
  {
    std::lock_guard lock(m_);
    if (connections_.size() >= options_.max_connections && !make_room_locked()) {
      log(LogLevel::warning, "a connection was refused: {} are open and all are busy", connections_.size());
      return;
    }
  }
  auto made = std::make_unique<Connection>();
  made->stream = accept_(socket.get());
  if (!made->stream) return;
  made->socket = std::move(socket);
  made->since = Clock::now();
  made->until = made->since + made->stream->patience();
  made->idle = made->stream->idle();  // who never says a word must not keep others out
  Connection& c = *made;
  bool armed = false;
  {
    std::lock_guard lock(m_);
    connections_.push_front(std::move(made));
    c.place = connections_.begin();
    if (connections_.size() == 1) set_timer(true);
    c.busy = false;
    armed = arm(c.socket.get(), EPOLLIN | EPOLLRDHUP, &c, true);
  }
  if (!armed) remove(c);
}

/// Ends the connection that has been idle longest. False: there is none.
bool StreamServer::make_room_locked() {
  Connection* oldest = nullptr;
  for (auto& c : connections_)
    if (c->idle && !c->busy && !c->ended && (!oldest || c->since < oldest->since)) oldest = c.get();
  if (!oldest) return false;
  oldest->ended = true;
  ::shutdown(oldest->socket.get(), SHUT_RDWR);
  return true;
}

void StreamServer::serve(Connection& c) {
  {
    std::lock_guard lock(m_);
    c.busy = true;
  }
  const Stream::Next next = c.stream->ready();
  const std::function<void()> work = c.stream->take_work();
  hand_back(c, next);
  if (work) work();
}

/// The next thread may have it.
void StreamServer::hand_back(Connection& c, Stream::Next next) {
  if (next == Stream::Next::close) return remove(c);
  // Who waits for room is not told that the peer will send no more: that would be told again and again, as long as the
  // peer takes nothing.
  const uint32_t events = next == Stream::Next::write ? EPOLLOUT : EPOLLIN | EPOLLRDHUP;
  bool armed = false;
  {
    // The next thread has its event while we are still in here, and takes the mutex before it does anything.
    std::lock_guard lock(m_);
    c.busy = false;
    c.idle = c.stream->idle();
    c.since = Clock::now();
    c.until = c.since + c.stream->patience();
    armed = arm(c.socket.get(), events, &c);
  }
  if (!armed) remove(c);
}

void StreamServer::remove(Connection& c) {
  std::unique_ptr<Connection> gone;  // ends outside of the lock, which may take time
  {
    std::lock_guard lock(m_);
    gone = std::move(*c.place);
    connections_.erase(c.place);
    if (connections_.empty() && !listener_paused_) set_timer(false);
  }
  gone->stream.reset();
}

void StreamServer::sweep() {
  uint64_t ticks = 0;
  if (::read(timer_.get(), &ticks, sizeof ticks) < 0 && errno != EAGAIN)
    log(LogLevel::error, "the timer of connections failed: {}", text_of(last_errno()));
  bool resume = false;
  {
    std::lock_guard lock(m_);
    const auto time = Clock::now();
    for (auto& c : connections_) {
      if (c->busy || c->ended || c->until > time) continue;
      c->ended = true;
      ::shutdown(c->socket.get(), SHUT_RDWR);  // its event brings it to an end
    }
    resume = std::exchange(listener_paused_, false);
    if (connections_.empty()) set_timer(false);
  }
  if (resume) arm(listener_.get(), EPOLLIN, &listener_);
  arm(timer_.get(), EPOLLIN, &timer_);
}

void StreamServer::set_timer(bool on) {
  const timespec every{.tv_sec = kSweep.count() / 1000, .tv_nsec = 0};
  itimerspec spec{};
  if (on) spec = {.it_interval = every, .it_value = every};
  timerfd_settime(timer_.get(), 0, &spec, nullptr);
}

}  // namespace isthmus
