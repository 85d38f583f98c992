#include "base/rw_lock.h"

#include "base/futex.h"

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

}  // namespace

void RwLock::wake() { futex_wake_all(state_); }

// Somebody is in the way, as the state `s` says: looks again a few times, then sleeps until the state is another.
void RwLock::stand_aside(uint32_t s, int& spins) {
  if (spins < kSpins) {
    spins++;
    return pause_a_little();
  }
  uint32_t seen = s;
  if ((s & kWaiting) ||
      state_.compare_exchange_weak(seen, s | kWaiting, std::memory_order_relaxed, std::memory_order_relaxed))
    futex_wait(state_, s | kWaiting);
}

void RwLock::wait() {
  for (int spins = 0;;) {
    uint32_t s = state_.load(std::memory_order_relaxed);
    if ((s & ~kWaiting) == 0) {
      // Others may go on sleeping: their mark stays, and unlock() wakes them.
      if (state_.compare_exchange_weak(s, s | kWriter, std::memory_order_acquire, std::memory_order_relaxed)) return;
    } else {
      stand_aside(s, spins);
    }
  }
}

void RwLock::wait_shared() {
  for (int spins = 0;;) {
    uint32_t s = state_.load(std::memory_order_relaxed);
    // Nobody holds it, whoever sleeps: the owner is on its way to wake them all.
    if ((s & (kWriter | kWaiting)) == 0 || s == kWaiting) {
      if (state_.compare_exchange_weak(s, s + 1, std::memory_order_acquire, std::memory_order_relaxed)) return;
    } else {
      stand_aside(s, spins);
    }
  }
}

// The last reader has left a lock with sleepers. Unless somebody took it meanwhile, who will wake them then.
void RwLock::leave() {
  uint32_t s = kWaiting;
  if (state_.compare_exchange_strong(s, 0, std::memory_order_relaxed, std::memory_order_relaxed)) wake();
}

}  // namespace isthmus
