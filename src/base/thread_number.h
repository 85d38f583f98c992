#pragma once

namespace isthmus {

namespace detail {
extern constinit thread_local unsigned thread_number_and_one;  // 0: none yet
unsigned take_thread_number();
}  // namespace detail

/// A number of the calling thread that no other living thread has, the smallest there is; given again after the
/// thread's end (everything it did then happens before anything the next owner does). For data of which each thread has
/// its own copy or shard: with n threads, numbers below n.
inline unsigned thread_number() {
  unsigned n = detail::thread_number_and_one;
  return n ? n - 1 : detail::take_thread_number();
}

}  // namespace isthmus
