#pragma once
#include <utility>

#include "vfs/filesystem.h"

namespace isthmus {

namespace detail {
template <class T, class F>
struct Continued final : Pending<T> {
  explicit Continued(F f) : then(std::move(f)) {}
  void answered(Result<typename T::Reply>&& r) noexcept override {
    F f = std::move(then);
    delete this;
    f(std::move(r));
  }
  F then;
};
}  // namespace detail

/// Submits `args` and runs `then(Result<Reply>)` with the answer, on whichever thread has it. One allocation. Views in
/// args and ctx must live until then; `then` must not throw.
template <class T, class F>
void call_then(FileSystem& fs, const Context& ctx, T args, F then) {
  auto* p = new detail::Continued<T, F>(std::move(then));
  p->ctx = ctx;
  p->args = std::move(args);
  fs.submit<T>(*p);
}

/// Gives lookups back. Cannot fail.
inline void forget(FileSystem& fs, const Context& ctx, NodeId node, uint64_t count = 1) {
  call_then(fs, ctx, op::Forget{{}, node, count}, [](Status) {});
}

}  // namespace isthmus
