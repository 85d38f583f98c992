#pragma once
#include <signal.h>

#include <string>
#include <thread>

namespace isthmus {

/// Blocks every signal of the calling thread while it lives; threads made meanwhile inherit that.
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

/// What tools show of a thread: the first 11 bytes of `name`, then `suffix`, 15 bytes in all.
void name_thread(std::thread& t, const std::string& name, const std::string& suffix = {});

}  // namespace isthmus
