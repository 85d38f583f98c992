#pragma once
#include <new>
#include <stdexcept>

namespace isthmus::libfuse {

/// What f() returns, or `otherwise` where there is too little memory: programs in C catch nothing.
template <class R, class F>
R no_throw(R otherwise, F f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
  } catch (const std::length_error&) {
  }
  return otherwise;
}

}  // namespace isthmus::libfuse
