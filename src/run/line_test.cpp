#include "run/line.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <future>

namespace isthmus {
namespace {

using namespace std::chrono_literals;

/// Requests are functions; wait() blocks on a condition variable.
class FakeSource final : public LineSource {
 public:
  void post(std::function<void()> f) {
    std::lock_guard lock(m_);
    queue_.push_back(std::move(f));
    cv_.notify_one();
  }
  void close() {
    std::lock_guard lock(m_);
    closed_ = true;
    cv_.notify_all();
  }
  Got wait(unsigned thread) override {
    std::unique_lock lock(m_);
    // Not interruptible by signals as a read is, so it looks up from time to time.
    cv_.wait_for(lock, 20ms, [&] { return closed_ || !queue_.empty(); });
    if (!queue_.empty()) {
      current_[thread] = std::move(queue_.front());
      queue_.pop_front();
      return Got::request;
    }
    return closed_ ? Got::closed : Got::nothing;
  }
  void run(unsigned thread) override { std::exchange(current_[thread], nullptr)(); }
  bool readable() override {
    looks++;
    std::lock_guard lock(m_);
    return !queue_.empty();
  }

  std::atomic<int> looks{0};

 private:
  std::mutex m_;
  std::condition_variable cv_;
  std::deque<std::function<void()>> queue_;
  std::array<std::function<void()>, 64> current_;
  bool closed_ = false;
};

TEST(Line, OneThreadServesFastOperations) {
  FakeSource source;
  Line line(source, {});
  ASSERT_TRUE(line.start());
  std::atomic<int> ran{0};
  std::promise<void> done;
  for (int i = 0; i < 10000; i++)
    source.post([&] {
      if (ran.fetch_add(1) == 9999) done.set_value();
    });
  ASSERT_EQ(done.get_future().wait_for(30s), std::future_status::ready);
  line.stop();
  EXPECT_EQ(ran, 10000);
}

TEST(Line, ABlockedOperationDoesNotStarveOthers) {
  FakeSource source;
  Line line(source, {});
  ASSERT_TRUE(line.start());
  std::promise<void> release, other_ran;
  std::shared_future<void> released = release.get_future().share();
  for (int i = 0; i < 8; i++) source.post([released] { released.wait(); });
  source.post([&] { other_ran.set_value(); });
  EXPECT_EQ(other_ran.get_future().wait_for(30s), std::future_status::ready);
  EXPECT_GE(line.started(), 9u);
  release.set_value();
  line.stop();
}

TEST(Line, SomebodyWaitsSoonAfterAllAreBlocked) {
  FakeSource source;
  Line line(source, {});
  ASSERT_TRUE(line.start());
  std::promise<void> release;
  source.post([&] { release.get_future().wait(); });
  while (line.started() < 2 || line.waiting() < 1) std::this_thread::sleep_for(1ms);
  release.set_value();
  line.stop();
}

TEST(Line, AnOperationMayWaitForALaterOne) {
  FakeSource source;
  Line line(source, {});
  ASSERT_TRUE(line.start());
  std::promise<void> later, done;
  source.post([&] {
    later.get_future().wait();
    done.set_value();
  });
  source.post([&] { later.set_value(); });
  EXPECT_EQ(done.get_future().wait_for(30s), std::future_status::ready);
  line.stop();
}

/// Threads of a line after 8 looks at an operation that computes while another request waits.
unsigned threads_while_computing() {
  FakeSource source;
  Line line(source, {});
  EXPECT_TRUE(line.start());
  std::promise<unsigned> threads;
  source.post([&] {
    source.post([] {});
    // One more thread would take that, and nobody would look any more.
    while (source.looks < 8 && line.started() == 1) {
    }
    threads.set_value(line.started());
  });
  unsigned n = threads.get_future().get();
  line.stop();
  return n;
}

TEST(Line, AnOperationThatComputesIsNotBlocked) {
  // On a busy machine the operation may not run for so long that it counts as blocked.
  for (int i = 0; i < 100; i++)
    if (threads_while_computing() == 1) return;
  FAIL() << "another thread came each time";
}

TEST(Line, OneThatComputesForLongIsBlocked) {
  FakeSource source;
  Line line(source, {});
  ASSERT_TRUE(line.start());
  std::atomic<bool> other_ran{false};
  std::promise<void> done;
  source.post([&] {
    while (!other_ran) {
    }
    done.set_value();
  });
  source.post([&] { other_ran = true; });
  EXPECT_EQ(done.get_future().wait_for(30s), std::future_status::ready);
  line.stop();
}

TEST(Line, NeverMoreThreadsThanTheLimit) {
  FakeSource source;
  Line line(source, {.max_threads = 3});
  ASSERT_TRUE(line.start());
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  std::atomic<int> in{0}, out{0};
  for (int i = 0; i < 10; i++)
    source.post([&, released] {
      in++;
      released.wait();
      out++;
    });
  while (in < 3) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(in, 3);
  EXPECT_EQ(line.started(), 3u);
  release.set_value();
  while (out < 10) std::this_thread::sleep_for(1ms);
  line.stop();
}

TEST(Line, ANeverBlockingSourceHasOneThread) {
  FakeSource source;
  Line line(source, {.may_block = false, .max_threads = 1});
  ASSERT_TRUE(line.start());
  std::promise<void> done;
  source.post([] { std::this_thread::sleep_for(20ms); });
  source.post([&] { done.set_value(); });
  EXPECT_EQ(done.get_future().wait_for(30s), std::future_status::ready);
  EXPECT_EQ(line.started(), 1u);
  line.stop();
}

TEST(Line, SurplusThreadsParkAndComeBack) {
  FakeSource source;
  Line line(source, {.tick = 500us, .patience = 8});
  ASSERT_TRUE(line.start());
  for (int round = 0; round < 3; round++) {
    std::promise<void> release;
    std::shared_future<void> released = release.get_future().share();
    std::atomic<int> in{0}, out{0};
    for (int i = 0; i < 6; i++)
      source.post([&, released] {
        in++;
        released.wait();
        out++;
      });
    while (in < 6) std::this_thread::sleep_for(1ms);
    release.set_value();
    while (out < 6) std::this_thread::sleep_for(1ms);
    // Fast operations until all but one or two have parked.
    auto until = std::chrono::steady_clock::now() + 30s;
    while (line.waiting() > 2 && std::chrono::steady_clock::now() < until) {
      source.post([] {});
      std::this_thread::sleep_for(200us);
    }
    EXPECT_LE(line.waiting(), 2u);
  }
  EXPECT_LE(line.started(), 9u);
  line.stop();
}

TEST(Line, EndsWhenTheSourceCloses) {
  FakeSource source;
  Line line(source, {});
  ASSERT_TRUE(line.start());
  source.post([] {});
  source.close();
  line.wait_ended();
  line.stop();
}

/// What the `n`-th thread of a line blocks; the second and later are started by the sentinel.
sigset_t mask_of_thread(unsigned n, const Line::Options& options) {
  FakeSource source;
  Line line(source, options);
  EXPECT_TRUE(line.start());
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  for (unsigned i = 0; i < n; i++) source.post([released] { released.wait(); });
  std::promise<sigset_t> mask;
  source.post([&] {
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, nullptr, &now);
    mask.set_value(now);
  });
  sigset_t found = mask.get_future().get();
  release.set_value();
  line.stop();
  return found;
}

TEST(Line, FaultsAreNeverBlocked) {
  for (unsigned n : {0u, 1u}) {
    sigset_t mask = mask_of_thread(n, {});
    for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) EXPECT_FALSE(sigismember(&mask, s)) << s;
    for (int s : {SIGTERM, SIGCHLD, SIGUSR1, SIGRTMAX}) EXPECT_TRUE(sigismember(&mask, s)) << s;
  }
}

TEST(Line, BlocksWhatItIsTold) {
  Line::Options options;
  options.blocked = signal_set({SIGTERM});
  for (unsigned n : {0u, 1u}) {
    sigset_t mask = mask_of_thread(n, options);
    EXPECT_TRUE(sigismember(&mask, SIGTERM));
    for (int s : {SIGSEGV, SIGCHLD, SIGUSR1, SIGALRM}) EXPECT_FALSE(sigismember(&mask, s)) << s;
  }
}

/// Blocks in read(2), as a door does.
class PipeSource final : public LineSource {
 public:
  PipeSource() { EXPECT_EQ(pipe(fds_), 0); }
  ~PipeSource() override {
    close(fds_[0]);
    close(fds_[1]);
  }
  Got wait(unsigned) override {
    char c;
    return read(fds_[0], &c, 1) == 1 ? Got::request : Got::nothing;
  }
  void run(unsigned) override {}
  bool readable() override { return false; }

 private:
  int fds_[2];
};

TEST(Line, StopInterruptsABlockedRead) {
  PipeSource source;
  Line line(source, {});
  ASSERT_TRUE(line.start());
  while (line.waiting() == 0) std::this_thread::sleep_for(1ms);
  line.stop();
  EXPECT_EQ(line.waiting(), 0u);
}

TEST(Line, HandlersOfTheProgramStay) {
  struct sigaction mine {
  }, before{}, after{};
  mine.sa_handler = [](int) {};
  for (int s = SIGRTMIN; s < SIGRTMAX; s++) ASSERT_EQ(sigaction(s, &mine, s == SIGRTMIN + 5 ? &before : nullptr), 0);
  {
    PipeSource source;
    Line line(source, {});
    ASSERT_TRUE(line.start());
    while (line.waiting() == 0) std::this_thread::sleep_for(1ms);
    line.stop();
  }
  for (int s = SIGRTMIN; s < SIGRTMAX; s++) {
    EXPECT_EQ(sigaction(s, nullptr, &after), 0);
    EXPECT_EQ(after.sa_handler, mine.sa_handler) << s;
  }
  ASSERT_EQ(sigaction(SIGRTMAX, &mine, nullptr), 0);
  {
    PipeSource source;
    Line line(source, {});
    EXPECT_EQ(line.start().error(), err(EBUSY));
  }
  for (int s = SIGRTMIN; s <= SIGRTMAX; s++) signal(s, SIG_DFL);
}

TEST(Line, StopBeforeStartIsHarmless) {
  PipeSource source;
  Line line(source, {});
  line.stop();
}

}  // namespace
}  // namespace isthmus
