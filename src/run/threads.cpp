#include "run/threads.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/fd.h"

namespace isthmus {

sigset_t signal_set(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (int s : signals) sigaddset(&set, s);
  return set;
}

sigset_t blockable_signals() {
  sigset_t set;
  sigfillset(&set);
  for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) sigdelset(&set, s);
  return set;
}

SignalsBlocked::SignalsBlocked() {
  sigset_t these = blockable_signals();
  pthread_sigmask(SIG_BLOCK, &these, &before_);
}

SignalsBlocked::~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

std::string stat_behind_name(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[1024];
  const ssize_t n = file ? ::read(file.get(), text, sizeof text) : -1;
  const std::string_view all(text, n > 0 ? static_cast<size_t>(n) : 0);
  const size_t name = all.rfind(") ");
  return name == std::string_view::npos ? "" : std::string(all.substr(name + 2));
}

void name_thread(std::thread& t, const std::string& name, const std::string& suffix) {
  pthread_setname_np(t.native_handle(), (name.substr(0, 11) + suffix).substr(0, 15).c_str());
}

}  // namespace isthmus
