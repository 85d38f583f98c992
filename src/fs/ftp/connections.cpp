#include "fs/ftp/connections.h"

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"
#include "run/threads.h"

namespace isthmus::fs::ftp {
namespace {

// A server that cannot be reached is left alone for a while, each time for longer; one that refuses a password, too:
// some shut people out after a few tries.
constexpr int64_t kFirstPause = kNsPerSec / 2, kMostPause = 5 * kNsPerSec, kAfterRefusal = 10 * kNsPerSec;

}  // namespace

bool Connections::is_crowded() const {
  if (!streams_.empty() && streams_running_ >= most_streams()) return true;
  const bool free = std::any_of(connections_.begin(), connections_.end(), [](const Connection& c) { return c.free(); });
  return !jobs_.empty() && !free && alive() >= limit_;
}

size_t Connections::alive() const {
  return static_cast<size_t>(
      std::count_if(connections_.begin(), connections_.end(), [](const Connection& c) { return !c.ending; }));
}

bool Connections::crowded() const {
  std::lock_guard lock(m_);
  return is_crowded();
}

bool Connections::only_one() const {
  std::lock_guard lock(m_);
  return limit_ == 1;
}

void Connections::submit(Job job) {
  std::list<std::thread> ended;
  bool refused = false;
  {
    std::lock_guard lock(m_);
    refused = stopping_;
    if (!refused) {
      patient_ += job.patience_ms > 0;
      if (job.patience_ms) job.until_ns = monotonic_ns() + job.patience_ms * int64_t{1'000'000};
      (job.stream ? streams_ : jobs_).push_back(std::move(job));
      size_t waiting = jobs_.size() + (streams_running_ < most_streams() ? streams_.size() : 0);
      for (auto& c : connections_) waiting -= std::min<size_t>(waiting, c.free());
      if (waiting > 0 && alive() < limit_) {
        Connection& c = connections_.emplace_back();
        c.remote = std::make_unique<Remote>(*server_);
        SignalsBlocked blocked;
        c.thread = std::thread([this, &c] { serve(c); });
        name_thread(c.thread, "ftp " + server_->host);
      } else if (is_crowded()) {
        for (auto& c : connections_) c.remote->wake();
      }
      changed_.notify_all();
    }
    ended.swap(ended_);
  }
  for (auto& t : ended) t.join();
  if (refused) job.fail({.error = err(ECONNABORTED), .lost = true});
}

bool Connections::take(Job& job) {
  auto take_from = [&](std::deque<Job>& queue) {
    job = std::move(queue.front());
    queue.pop_front();
    return true;
  };
  if (!jobs_.empty()) return take_from(jobs_);
  if (!streams_.empty() && streams_running_ < most_streams()) return take_from(streams_);
  return false;
}

/// all: also those that are patient.
void Connections::fail_jobs(const Said& said, bool all, std::unique_lock<std::mutex>& lock) {
  std::vector<Job> failed;
  const int64_t t = monotonic_ns();
  // What a server says on purpose it will say again.
  const bool lasting = said.error == err(EACCES) || said.error == err(EKEYREJECTED) || said.error == err(EPROTO) ||
                       said.error == err(ENOENT);
  for (auto* queue : {&jobs_, &streams_})
    std::erase_if(*queue, [&](Job& j) {
      if (!all && !lasting && t < j.until_ns) return false;
      patient_ -= j.patience_ms > 0;
      failed.push_back(std::move(j));
      return true;
    });
  lock.unlock();
  for (auto& j : failed) j.fail(said);
  failed.clear();
  lock.lock();
}

/// False: this connection has nothing more to do.
bool Connections::log_in(Connection& c, std::unique_lock<std::mutex>& lock) {
  c.logged_in = false;
  while (!stopping_ && !(jobs_.empty() && streams_.empty())) {
    if (const int64_t left = down_until_ns_ - monotonic_ns(); left > 0) {
      fail_jobs(Said(down_), false, lock);
      if (!jobs_.empty() || !streams_.empty()) changed_.wait_for(lock, std::chrono::nanoseconds(left));
      continue;
    }
    auto others = [&] {
      return static_cast<size_t>(
          std::count_if(connections_.begin(), connections_.end(), [](const Connection& o) { return o.logged_in; }));
    };
    const bool alone = others() == 0;
    lock.unlock();
    Said s = c.remote->connect(alone);
    lock.lock();
    if (s.ok()) {
      c.logged_in = true;
      down_for_ns_ = 0;
      return true;
    }
    if (const size_t n = others(); too_many(s) && n > 0) {
      limit_ = n;
      log(LogLevel::info, "ftp: {}: takes no more than {} connections", server_->name, n);
      return false;
    }
    if (stopping_) return false;
    s.lost = true;
    const bool first = down_for_ns_ == 0;
    down_for_ns_ = s.error == err(EACCES) ? kAfterRefusal
                   : first                ? kFirstPause
                                          : std::min(down_for_ns_ * 2, kMostPause);
    down_until_ns_ = monotonic_ns() + down_for_ns_;
    if (first) log(LogLevel::warning, "{}", explain(*server_, s));
    down_ = std::move(s);
  }
  return false;
}

void Connections::serve(Connection& c) {
  std::unique_lock lock(m_);
  bool more = log_in(c, lock);
  while (more) {
    Job job;
    c.idle = true;
    changed_.wait_for(lock, std::chrono::milliseconds(idle_ms_), [&] {
      return stopping_ || !jobs_.empty() || (!streams_.empty() && streams_running_ < most_streams());
    });
    c.idle = false;
    if (stopping_ && jobs_.empty()) break;
    if (alive() > limit_ || !take(job)) break;
    const bool stream = job.stream, patient = job.patience_ms > 0;
    streams_running_ += stream;
    lock.unlock();
    job.run(*c.remote);
    job = {};
    lock.lock();
    streams_running_ -= stream;
    patient_ -= patient;
    changed_.notify_all();
    if (!c.remote->connected()) more = log_in(c, lock);
  }
  c.logged_in = c.idle = false;
  c.ending = true;
  if (c.remote->connected() && !stopping_) {
    lock.unlock();
    (void)c.remote->command({"*QUIT"});
    lock.lock();
  }
  // Others may not end it any more; libcurl waits for nothing from here on.
  c.remote->abort();
  auto remote = std::move(c.remote);
  ended_.push_back(std::move(c.thread));
  connections_.remove_if([&](const Connection& o) { return &o == &c; });
  changed_.notify_all();
  lock.unlock();
  remote.reset();
}

bool Connections::sleep(uint32_t ms) {
  std::unique_lock lock(m_);
  return !changed_.wait_for(lock, std::chrono::milliseconds(ms), [&] { return stopping_; });
}

void Connections::stop(uint32_t patience_ms) {
  std::unique_lock lock(m_);
  changed_.wait_for(lock, std::chrono::milliseconds(patience_ms), [&] { return patient_ == 0; });
  stopping_ = true;
  fail_jobs({.error = err(ECONNABORTED), .lost = true}, true, lock);
  changed_.notify_all();
  for (auto& c : connections_) c.remote->abort();
  changed_.wait(lock, [&] { return connections_.empty(); });
  std::list<std::thread> ended = std::move(ended_);
  ended_.clear();
  lock.unlock();
  for (auto& t : ended) t.join();
}

}  // namespace isthmus::fs::ftp
