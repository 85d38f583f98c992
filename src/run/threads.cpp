#include "run/threads.h"

#include <pthread.h>

namespace isthmus {

SignalsBlocked::SignalsBlocked() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before_);
}

SignalsBlocked::~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void name_thread(std::thread& t, const std::string& name, const std::string& suffix) {
  pthread_setname_np(t.native_handle(), (name.substr(0, 11) + suffix).substr(0, 15).c_str());
}

}  // namespace isthmus
