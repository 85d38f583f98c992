#pragma once
#include <memory>
#include <mutex>
#include <optional>

#include "vfs/call.h"

namespace isthmus::fs::ftp {

/// A Call that several hold: the first one answers it, and who cancels it is one of them (EINTR). So nobody waits for a
/// server longer than he likes. What is needed of its arguments later is copied: they end with the answer.
template <class T>
class Answer {
 public:
  explicit Answer(Call<T> call) : s_(std::make_shared<State>(std::move(call))) {
    Cancel* cancel = s_->cancel;
    if (cancel)
      cancel->on_request([s = s_] {
        if (auto c = take(*s)) c->fail(EINTR);
      });
  }
  /// The call, for whoever is first.
  std::optional<Call<T>> take() const {
    auto c = take(*s_);
    if (c && s_->cancel) s_->cancel->clear();
    return c;
  }
  void finish(Result<typename T::Reply> r) const {
    if (auto c = take()) c->finish(std::move(r));
  }
  /// For operations without a reply: Errno{} is success.
  void end(Errno e) const { finish(e == Errno{} ? Result<typename T::Reply>(Unit{}) : e); }
  void fail(Errno e) const { finish(e); }
  void fail(int e) const { finish(err(e)); }

 private:
  struct State {
    explicit State(Call<T> c) : cancel(c.context().cancel), call(std::move(c)) {}
    Cancel* cancel;
    std::mutex m;  // guards call; a leaf
    std::optional<Call<T>> call;
  };
  static std::optional<Call<T>> take(State& s) {
    std::lock_guard lock(s.m);
    std::optional<Call<T>> c = std::move(s.call);
    s.call.reset();
    return c;
  }
  std::shared_ptr<State> s_;
};

}  // namespace isthmus::fs::ftp
