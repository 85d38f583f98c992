#pragma once
#include <atomic>
#include <cstdint>

namespace isthmus {

/// futex(2) on a word of this process alone. Sleeps until it is woken, or for no reason; not at all if the word is not
/// `value`, which the kernel looks at after the sleeper is queued.
void futex_wait(std::atomic<uint32_t>& word, uint32_t value);
void futex_wake_one(std::atomic<uint32_t>& word);
void futex_wake_all(std::atomic<uint32_t>& word);

}  // namespace isthmus
