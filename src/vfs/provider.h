#pragma once
#include <exception>
#include <new>

#include "vfs/filesystem.h"

namespace isthmus {

namespace detail {

/// Answers for a provider that throws: ENOMEM for bad_alloc, else EIO and a log line.
template <class F>
auto guarded(Op op, F f) noexcept -> decltype(f()) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return err(ENOMEM);
  } catch (const std::exception& e) {
    log_exception(op, e.what());
  } catch (...) {
    log_exception(op, "not a std::exception");
  }
  return err(EIO);
}

template <class D, class T, class F>
void run_call(D& d, Call<T> call, F method) noexcept {
  try {
    method(d, std::move(call));  // a throw destroys the call, which answers EIO
  } catch (const std::exception& e) {
    log_exception(T::id, e.what());
  } catch (...) {
    log_exception(T::id, "not a std::exception");
  }
}

}  // namespace detail

/// Derive as `class MemFs final : public Provider<MemFs>` and write, as public methods, only the operations you
/// support, each in one of two shapes:
///   Result<Entry> lookup(const Context&, const op::Lookup&);   answers now (may block unless kBlocking says otherwise)
///   void lookup(Call<op::Lookup>);                             answers now or later, from any thread
/// `static constexpr auto kBlocking = Blocking::never_blocks;` promises that no method sleeps. A method of an
/// operation's name with another signature does not compile. Methods are called from several threads at once.
template <class D>
class Provider : public FileSystem {
 protected:
  Provider() : FileSystem(kTable, kCaps, blocking_of()) {}

 private:
  template <class T, class Now, class Later>
  static constexpr Thunk thunk(Now, Later) {
    if constexpr (requires(D & d, Call<T> c) { Later{}(d, std::move(c)); })
      return [](FileSystem& f, void* p) {
        detail::run_call(static_cast<D&>(f), Call<T>(*static_cast<Pending<T>*>(p)), Later{});
      };
    else if constexpr (requires(D & d, const Context& x, const T& a) { Now{}(d, x, a); })
      return [](FileSystem& f, void* p) {
        auto& q = *static_cast<Pending<T>*>(p);
        auto r = detail::guarded(
            T::id, [&]() -> Result<typename T::Reply> { return Now{}(static_cast<D&>(f), q.ctx, q.args); });
        Call<T>(q).finish(std::move(r));
      };
    else
      return nullptr;
  }

  static constexpr Table make_table() {
    Table t{};
#define X(T, m, R)                                                                                             \
  t[index_of(Op::T)] =                                                                                         \
      thunk<op::T>([](auto& d, const Context& x, const op::T& a) -> decltype(d.m(x, a)) { return d.m(x, a); }, \
                   [](auto& d, Call<op::T> c) -> decltype(d.m(std::move(c))) { d.m(std::move(c)); });          \
  static_assert(                                                                                               \
      !requires { &D::m; } || requires(D & d, Call<op::T> c) { d.m(std::move(c)); } ||                         \
          requires(D & d, const Context& x, const op::T& a) { Result<R>(d.m(x, a)); },                         \
      #m ": neither Result<Reply> (const Context&, const op::" #T "&) nor void (Call<op::" #T ">)");
#include "vfs/ops.def"
#undef X
    return t;
  }
  static constexpr Capabilities make_caps() {
    Capabilities c;
    for (size_t i = 0; i < kOpCount; i++)
      if (kTable[i]) c.set(static_cast<Op>(i));
    return c;
  }
  static constexpr Blocking blocking_of() {
    if constexpr (requires { D::kBlocking; })
      return D::kBlocking;
    else
      return Blocking::may_block;
  }
  static inline const Table kTable = make_table();
  static inline const Capabilities kCaps = make_caps();
};

}  // namespace isthmus
