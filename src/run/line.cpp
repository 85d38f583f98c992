#include "run/line.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "base/futex.h"
#include "base/log.h"
#include "run/threads.h"

namespace isthmus {
namespace {

constexpr unsigned kIdleLooks = 32;  // looks without an operation before the sentinel sleeps
constexpr unsigned kLongLooks = 16;  // looks after which an operation that needs the CPU counts as blocked, too
constexpr int kFirstSignal = 5;      // above SIGRTMIN; the lowest ones are others' favourites

void on_wake(int) {}

/// Whether a thread of this process has a CPU or waits for one.
bool needs_cpu(pid_t thread) {
  return stat_behind_name("/proc/self/task/" + std::to_string(thread) + "/stat").starts_with('R');
}

/// A real-time signal that nobody in this process handles but we: a handler that does nothing, without SA_RESTART, so
/// that read(2) returns EINTR. 0: there is none.
int take_signal() {
  static std::mutex m;
  static int taken = 0;
  std::lock_guard lock(m);
  auto handler_of = [](int signal) {
    struct sigaction a {};
    return sigaction(signal, nullptr, &a) == 0 ? a.sa_handler : SIG_IGN;
  };
  if (taken && handler_of(taken) == on_wake) return taken;
  const int count = SIGRTMAX - SIGRTMIN + 1;
  for (int i = 0; i < count; i++) {
    int signal = SIGRTMIN + (kFirstSignal + i) % count;
    if (handler_of(signal) != SIG_DFL) continue;
    struct sigaction action {};
    action.sa_handler = on_wake;
    if (sigaction(signal, &action, nullptr) == 0) return taken = signal;
  }
  return 0;
}

}  // namespace

struct Line::Place {
  unsigned index = 0;
  std::atomic<pid_t> id{0};  // of the thread; 0: not begun
  std::atomic<bool> in_wait{false};
  std::thread thread;
};

Line::Line(LineSource& source, Options options) : source_(source), options_(std::move(options)) {}

Line::~Line() { stop(); }

Status Line::start() {
  std::lock_guard lock(m_);
  sigset_t of_caller;
  pthread_sigmask(SIG_BLOCK, nullptr, &of_caller);
  sigorset(&mask_, &of_caller, &options_.blocked);
  wake_signal_ = take_signal();
  if (!wake_signal_) {
    log(LogLevel::error, "{}: every real-time signal of this process has a handler; one is needed to end",
        options_.name);
    return err(EBUSY);
  }
  sigdelset(&mask_, wake_signal_);
  places_.reserve(std::max(1u, options_.max_threads));
  for (unsigned i = 0; i < std::min(options_.first_threads, options_.max_threads); i++)
    if (auto s = start_thread_locked(); !s && i == 0) return s;
  SignalsBlocked blocked;
  try {
    sentinel_ = std::thread([this] { sentinel_main(); });
  } catch (const std::system_error& e) {
    over_ = true;
    stopping_.store(true);
    return err(e.code().value());
  }
  name_thread(sentinel_, options_.name, "/s");
  return Unit{};
}

Status Line::start_thread_locked() {
  auto place = std::make_unique<Place>();
  place->index = static_cast<unsigned>(places_.size());
  SignalsBlocked blocked;                            // until the thread sets mask_
  started_.fetch_add(1, std::memory_order_relaxed);  // before it can run anything that looks
  try {
    place->thread = std::thread([this, p = place.get()] { thread_main(*p); });
  } catch (const std::system_error& e) {
    started_.fetch_sub(1, std::memory_order_relaxed);
    return err(e.code().value());
  }
  name_thread(place->thread, options_.name, "/" + std::to_string(place->index));
  places_.push_back(std::move(place));
  running_++;
  return Unit{};
}

void Line::thread_main(Place& place) {
  pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  place.id.store(::gettid());

  while (!stopping()) {
    waiting_.fetch_add(1);
    place.in_wait.store(true);
    auto got = stopping() ? LineSource::Got::nothing : source_.wait(place.index);
    place.in_wait.store(false);
    waiting_.fetch_sub(1);
    if (got == LineSource::Got::closed) {
      source_closed();
      break;
    }
    if (got == LineSource::Got::nothing) continue;
    if (options_.may_block) note_busy();
    source_.run(place.index);
    ended_ops_.fetch_add(1, std::memory_order_relaxed);
    if (surplus_.load(std::memory_order_relaxed) > 0 && waiting_.load() > 0 && !park()) break;
  }
  std::lock_guard lock(m_);
  if (--running_ == 0) ended_.notify_all();
}

/// False: the line is over.
bool Line::park() {
  std::unique_lock lock(m_);
  if (over_) return false;
  unsigned n = surplus_.load(std::memory_order_relaxed);
  if (n == 0) return true;
  surplus_.store(n - 1, std::memory_order_relaxed);
  parked_count_++;
  parked_.wait(lock, [&] { return tickets_ > 0 || over_; });
  parked_count_--;
  if (over_) return false;
  tickets_--;
  return true;
}

void Line::source_closed() {
  std::lock_guard lock(m_);
  over_ = true;
  parked_.notify_all();
}

/// The store-load order against sentinel_main()'s going to sleep matters: both sides are sequentially consistent.
void Line::note_busy() {
  if (sentinel_awake_.load() == 0 && sentinel_awake_.exchange(1) == 0) futex_wake_one(sentinel_awake_);
}

void Line::sentinel_main() {
  uint64_t ops_before = 0;
  unsigned idle_looks = 0;
  for (;;) {
    if (stopping()) {
      wake_all_waiting();
      if (all_left()) return;
    } else if (!look(ops_before, idle_looks)) {
      idle_looks = 0;
      sentinel_awake_.store(0);
      if (!stopping() && waiting_.load() > 0) futex_wait(sentinel_awake_, 0);
      sentinel_awake_.store(1);
    }
    std::this_thread::sleep_for(options_.tick);
  }
}

/// False: nothing happens, sleep.
bool Line::look(uint64_t& ops_before, unsigned& idle_looks) {
  uint64_t ops = ended_ops_.load(std::memory_order_relaxed);
  unsigned waiting = waiting_.load();
  bool progress = std::exchange(ops_before, ops) != ops;
  idle_looks = progress || waiting == 0 ? 0 : idle_looks + 1;

  fewest_waiting_ = looks_in_window_ == 0 ? waiting : std::min(fewest_waiting_, waiting);
  if (++looks_in_window_ >= options_.patience) {
    looks_in_window_ = 0;
    std::lock_guard lock(m_);
    if (options_.parks) surplus_.store(fewest_waiting_ > 1 ? fewest_waiting_ - 1 : 0, std::memory_order_relaxed);
  }
  blocked_looks_ = waiting == 0 && !progress ? blocked_looks_ + 1 : 0;
  // Also where nothing is to be read yet: somebody should wait, and the sentinel can sleep.
  if (blocked_looks_ > 0 && options_.may_block && (blocked_looks_ >= kIdleLooks || source_.readable()) &&
      (blocked_looks_ >= kLongLooks || !some_needs_cpu()))
    call_one_more();
  return idle_looks < kIdleLooks;
}

/// Where other work has the CPUs, one thread more would only be one more to wait for them.
bool Line::some_needs_cpu() {
  std::lock_guard lock(m_);
  return std::any_of(places_.begin(), places_.end(), [](const auto& p) { return needs_cpu(p->id.load()); });
}

void Line::call_one_more() {
  std::lock_guard lock(m_);
  if (over_) return;
  surplus_.store(0, std::memory_order_relaxed);
  if (parked_count_ > tickets_) {
    tickets_++;
    parked_.notify_one();
    return;
  }
  if (places_.size() < options_.max_threads) {
    if (auto s = start_thread_locked(); s) return;
  }
  if (std::exchange(limit_told_, true)) return;
  log(LogLevel::warning, "{}: all {} threads are blocked in operations; requests wait for one to end", options_.name,
      places_.size());
}

void Line::wake_all_waiting() {
  std::lock_guard lock(m_);
  for (auto& p : places_)
    if (p->in_wait.load()) pthread_kill(p->thread.native_handle(), wake_signal_);
}

bool Line::all_left() {
  std::lock_guard lock(m_);
  return running_ == 0;
}

void Line::ask_to_stop() {
  {
    std::lock_guard lock(m_);
    over_ = true;
    stopping_.store(true);
    parked_.notify_all();
  }
  sentinel_awake_.store(1);
  futex_wake_one(sentinel_awake_);
}

void Line::stop() {
  ask_to_stop();
  if (sentinel_.joinable())
    sentinel_.join();  // it leaves last, so no thread is made or signalled any more
  else
    while (!all_left()) {
      wake_all_waiting();
      std::this_thread::sleep_for(options_.tick);
    }
  for (auto& p : places_)
    if (p->thread.joinable()) p->thread.join();
}

bool Line::wait_ended_for(std::chrono::milliseconds time) {
  std::unique_lock lock(m_);
  return ended_.wait_for(lock, time, [&] { return running_ == 0; });
}

void Line::wait_ended() {
  std::unique_lock lock(m_);
  ended_.wait(lock, [&] { return running_ == 0; });
}

}  // namespace isthmus
