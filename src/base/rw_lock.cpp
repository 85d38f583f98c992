#include "base/rw_lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

namespace isthmus {
namespace {

// Critical sections take well below a microsecond: looking again a few times is cheaper than sleeping, as long as the
// owner runs.
constexpr int kSpins = 100;

void pause_a_little() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

long futex(std::atomic<uint32_t>& word, int op, uint32_t value) {
  static_assert(sizeof word == sizeof(uint32_t) && std::atomic<uint32_t>::is_always_lock_free);
  return ::syscall(SYS_futex, static_cast<void*>(&word), op | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0);
}

}  // namespace

// Until the state is no longer `state`, which has kWaiting set; or for no reason.
void RwLock::sleep(uint32_t state) { futex(state_, FUTEX_WAIT, state); }
void RwLock::wake() { futex(state_, FUTEX_WAKE, INT_MAX); }

void RwLock::wait() {
  for (int spins = 0;;) {
    uint32_t s = state_.load(std::memory_order_relaxed);
    if ((s & ~kWaiting) == 0) {
      // Others may go on sleeping: their mark stays, and unlock() wakes them.
      if (state_.compare_exchange_weak(s, s | kWriter, std::memory_order_acquire, std::memory_order_relaxed)) return;
    } else if (spins < kSpins) {
      spins++;
      pause_a_little();
    } else if ((s & kWaiting) ||
               state_.compare_exchange_weak(s, s | kWaiting, std::memory_order_relaxed, std::memory_order_relaxed)) {
      sleep(s | kWaiting);
    }
  }
}

void RwLock::wait_shared() {
  for (int spins = 0;;) {
    uint32_t s = state_.load(std::memory_order_relaxed);
    // Nobody holds it, whoever sleeps: the owner is on its way to wake them all.
    if ((s & (kWriter | kWaiting)) == 0 || s == kWaiting) {
      if (state_.compare_exchange_weak(s, s + 1, std::memory_order_acquire, std::memory_order_relaxed)) return;
    } else if (spins < kSpins) {
      spins++;
      pause_a_little();
    } else if ((s & kWaiting) ||
               state_.compare_exchange_weak(s, s | kWaiting, std::memory_order_relaxed, std::memory_order_relaxed)) {
      sleep(s | kWaiting);
    }
  }
}

// The last reader has left a lock with sleepers. Unless somebody took it meanwhile, who will wake them then.
void RwLock::leave() {
  uint32_t s = kWaiting;
  if (state_.compare_exchange_strong(s, 0, std::memory_order_relaxed, std::memory_order_relaxed)) wake();
}

}  // namespace isthmus
