#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>

#include "vfs/volume/core.h"

namespace isthmus::volume {

/// An answer that waits until the clients of the other doors have heard of the change, so that whoever has it finds the
/// same through every door. Not for ever: a kernel may itself wait for something that waits for us
/// (docs/decisions/0014).
class Heard final : public TimerItem {
 public:
  static constexpr std::chrono::milliseconds kPatience{500};

  /// Runs `then` once, here if there is nobody to wait for.
  static void wait(Core& core, uint32_t port, std::function<void()> then) {
    if (core.hub.only(port)) return then();
    auto self = std::make_shared<Heard>(core.timers(kPatience), std::move(then));
    self->timers_.add(*self);
    core.hub.others(port, [&](Upcalls& up) {
      self->left_.fetch_add(1, std::memory_order_relaxed);
      up.when_heard([self] { self->one(); });
    });
    self->one();
  }
  Heard(Timers& timers, std::function<void()> then) : timers_(timers), then_(std::move(then)) {}
  void fire() noexcept override { go(); }

 private:
  void one() {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    timers_.remove(*this);
    go();
  }
  void go() {
    if (!gone_.exchange(true, std::memory_order_acq_rel)) then_();
  }

  Timers& timers_;
  const std::function<void()> then_;
  std::atomic<unsigned> left_{1};
  std::atomic<bool> gone_{false};
};

}  // namespace isthmus::volume
