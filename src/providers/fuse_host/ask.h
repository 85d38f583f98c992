#pragma once
#include <cstring>
#include <utility>

#include "providers/fuse_host/fuse_host.h"

/// For the files that have FuseHost's operations.
namespace isthmus::fuse_host {

template <class T>
Bytes bytes_of(const T& in) {
  return std::as_bytes(std::span(&in, 1));
}

/// A name as messages have it: its bytes, then a NUL.
inline constexpr std::byte kNul[1] = {};
inline Bytes text(std::string_view name) { return as_bytes(name); }

/// A struct at the beginning of a body that is long enough.
template <class T>
T take_as(Bytes body) {
  T t{};
  memcpy(&t, body.data(), sizeof t);
  return t;
}

template <class T, class F>
void FuseHost::ask(Opcode opcode, NodeId node, Call<T> call, std::initializer_list<Bytes> parts, size_t least, F then) {
  class Asked final : public Connection::Waiter {
   public:
    Asked(Call<T> c, size_t n, F f) : call(std::move(c)), least(n), then(std::move(f)) {}
    void answered(Errno e, Bytes body) noexcept override {
      if (e == Errno{} && body.size() < least) e = err(EIO);
      if (e != Errno{})
        then(std::move(call), Result<Bytes>(e));
      else
        then(std::move(call), Result<Bytes>(body));
    }
    Call<T> call;
    const size_t least;
    F then;
  };
  const Context& ctx = call.context();  // lives until the call is answered
  auto waiter = std::make_unique<Asked>(std::move(call), least, std::move(then));
  connection_.ask(opcode, raw(node), ctx, std::span(parts.begin(), parts.size()), std::move(waiter));
}

template <class T>
void FuseHost::ask_unit(Opcode opcode, NodeId node, Call<T> call, std::initializer_list<Bytes> parts) {
  ask(opcode, node, std::move(call), parts, 0, [this](Call<T> c, Result<Bytes> r) {
    if (r) return c.reply({});
    if (r.error() == err(ENOSYS)) return drop_to_default(std::move(c));
    c.fail(r.error());
  });
}

}  // namespace isthmus::fuse_host
