#pragma once
#include <memory>

#include "vfs/context.h"

namespace isthmus::libfuse {

/// While it lives, an interrupt of the request sends the calling thread a signal, again and again: the first may come
/// just before a system call sleeps.
class Interrupter {
 public:
  /// signal 0: does nothing.
  Interrupter(int signal, const Context& ctx);
  ~Interrupter();
  Interrupter(const Interrupter&) = delete;
  Interrupter& operator=(const Interrupter&) = delete;

  /// Has the signal do nothing but interrupt, for the process. False: errno says why.
  static bool prepare(int signal);
  static void restore(int signal);

 private:
  struct Target;
  std::shared_ptr<Target> target_;
  Cancel* cancel_ = nullptr;
};

}  // namespace isthmus::libfuse
