#pragma once
#include <cassert>
#include <memory>
#include <utility>

#include "vfs/context.h"
#include "vfs/ops.h"

namespace isthmus {

/// One operation under way. A door allocates it (from its pool) and keeps it until answered() has been called, which
/// happens exactly once, on any thread, possibly before submit() returns.
template <class T>
struct Pending {
  Context ctx;
  T args;
  virtual void answered(Result<typename T::Reply>&& r) noexcept = 0;

 protected:
  ~Pending() = default;
};

namespace detail {
/// Provider mistakes: logged with the operation's name.
void log_dropped(Op op);
void log_twice(Op op);
void log_exception(Op op, const char* what);
/// Turns an answer that no door could pass on (a new node that is none or its own parent, more bytes than asked for, an
/// errno outside 1..4095) into EIO and a log line. Declared for each reply in call.cpp.
template <class T>
Errno check_answer(const T& args, const Result<typename T::Reply>& r);
}  // namespace detail

/// The right, and the duty, to answer one operation once, from any thread. Dropped unanswered: EIO and a log line.
/// Answered twice (after a move or an earlier answer): a log line, nothing else.
template <class T>
class [[nodiscard]] Call {
 public:
  using Reply = typename T::Reply;

  explicit Call(Pending<T>& p) : p_(&p) {}
  Call(Call&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  Call& operator=(Call&& o) noexcept {
    if (this != &o) {
      drop();
      p_ = std::exchange(o.p_, nullptr);
    }
    return *this;
  }
  ~Call() { drop(); }

  const T& operator*() const { return p_->args; }
  const T* operator->() const { return &p_->args; }
  const Context& context() const { return p_->ctx; }
  /// False once answered or moved from.
  explicit operator bool() const { return p_ != nullptr; }

  void reply(Reply r) { finish(Result<Reply>(std::move(r))); }
  void fail(Errno e) { finish(Result<Reply>(e)); }
  void fail(int e) { finish(Result<Reply>(err(e))); }
  void finish(Result<Reply> r) {
    Pending<T>* p = std::exchange(p_, nullptr);
    if (!p) return detail::log_twice(T::id);
    if (Errno e = detail::check_answer(p->args, r); e != Errno{}) r = Result<Reply>(e);
    p->answered(std::move(r));
  }
  /// The request itself, for waist code that passes it on. The caller takes the duty over.
  Pending<T>& take() && { return *std::exchange(p_, nullptr); }

 private:
  void drop() noexcept {
    if (!p_) return;
    detail::log_dropped(T::id);
    std::exchange(p_, nullptr)->answered(Result<Reply>(err(EIO)));
  }
  Pending<T>* p_;
};

}  // namespace isthmus
