#include "base/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

namespace isthmus {
namespace {

void futex(std::atomic<uint32_t>& word, int op, uint32_t value) {
  static_assert(sizeof word == sizeof(uint32_t) && std::atomic<uint32_t>::is_always_lock_free);
  ::syscall(SYS_futex, static_cast<void*>(&word), op | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0);
}

}  // namespace

void futex_wait(std::atomic<uint32_t>& word, uint32_t value) { futex(word, FUTEX_WAIT, value); }
void futex_wake_one(std::atomic<uint32_t>& word) { futex(word, FUTEX_WAKE, 1); }
void futex_wake_all(std::atomic<uint32_t>& word) { futex(word, FUTEX_WAKE, INT_MAX); }

}  // namespace isthmus
