#pragma once
#include "base/result.h"
#include "providers/libfuse/common/message.h"

namespace isthmus::libfuse {

/// The errno of what a callback returned below 0. ERANGE and a message for what is none.
inline Errno error_of(long returned) {
  if (returned < 0 && returned > -1000) return err(static_cast<int>(-returned));
  message(FUSE_LOG_ERR, "fuse: bad error value: %li\n", -returned);
  return err(ERANGE);
}
/// Of a callback that returns 0 or -errno.
inline Status status_of(long returned) { return returned == 0 ? Status(Unit{}) : Status(error_of(returned)); }
/// Of one that returns a number or -errno.
template <class T>
Result<T> number_of(long returned) {
  return returned < 0 ? Result<T>(error_of(returned)) : Result<T>(static_cast<T>(returned));
}

}  // namespace isthmus::libfuse
