#include "providers/libfuse/v3/interrupter.h"

#include <pthread.h>
#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

#include "run/threads.h"

namespace isthmus::libfuse {
namespace {

constexpr std::chrono::milliseconds kAgain{200};

void on_signal(int) {}

}  // namespace

struct Interrupter::Target {
  std::mutex m;  // held while the signal is sent: the thread is still there
  std::condition_variable ended;
  bool over = false;
  int signal;
  pthread_t thread;
};

Interrupter::Interrupter(int signal, const Context& ctx) {
  if (signal == 0 || !ctx.cancel) return;
  target_ = std::make_shared<Target>();
  target_->signal = signal;
  target_->thread = pthread_self();
  cancel_ = ctx.cancel;
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  cancel_->on_request([target = target_] {
    try {
      SignalsBlocked blocked;
      std::thread([target] {
        std::unique_lock lock(target->m);
        while (!target->over) {
          pthread_kill(target->thread, target->signal);
          target->ended.wait_for(lock, kAgain);
        }
      }).detach();
    } catch (const std::system_error&) {
      // No thread can be made: the callback is not interrupted.
    }
  });
}

Interrupter::~Interrupter() {
  if (!target_) return;
  cancel_->clear();
  std::lock_guard lock(target_->m);
  target_->over = true;
  target_->ended.notify_all();
}

bool Interrupter::prepare(int signal) {
  struct sigaction old {};
  if (sigaction(signal, nullptr, &old) < 0) return false;
  if (old.sa_handler != SIG_DFL) return true;  // the program's own
  struct sigaction act {};
  act.sa_handler = on_signal;
  sigemptyset(&act.sa_mask);
  return sigaction(signal, &act, nullptr) == 0;
}

void Interrupter::restore(int signal) {
  struct sigaction old {};
  if (sigaction(signal, nullptr, &old) == 0 && old.sa_handler == on_signal) ::signal(signal, SIG_DFL);
}

}  // namespace isthmus::libfuse
