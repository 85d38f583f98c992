#pragma once
#include <signal.h>

#include <initializer_list>
#include <string>
#include <thread>

namespace isthmus {

sigset_t signal_set(std::initializer_list<int> signals);
/// Every signal but those that a thread's own instruction raises (SIGSEGV and its like). Blocked, such a signal ends
/// the process whatever its handler (signal(7)), so no thread of ours blocks them.
sigset_t blockable_signals();

/// Blocks blockable_signals() in the calling thread while it lives; threads made meanwhile inherit that.
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

/// A process' or thread's stat file (proc_pid_stat(5)) behind the name, which may hold anything: field 3, the state, is
/// the first. Empty: there is none.
std::string stat_behind_name(const std::string& path);

/// What tools show of a thread: the first 11 bytes of `name`, then `suffix`, 15 bytes in all.
void name_thread(std::thread& t, const std::string& name, const std::string& suffix = {});

}  // namespace isthmus
