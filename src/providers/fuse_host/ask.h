#pragma once
#include <algorithm>
#include <cstring>
#include <utility>

#include "providers/fuse_host/fuse_host.h"

/// For the files that have FuseHost's operations.
namespace isthmus::fuse_host {

template <class T>
Bytes bytes_of(const T& in) {
  return std::as_bytes(std::span(&in, 1));
}
/// The beginning of a struct, for a daemon that knows no more of it.
template <class T>
Bytes bytes_of(const T& in, size_t length) {
  return bytes_of(in).first(length);
}

/// A name as messages have it: its bytes, then a NUL.
inline constexpr std::byte kNul[1] = {};
inline Bytes text(std::string_view name) { return as_bytes(name); }

/// A struct at the beginning of a body. What an old daemon's lacks at its end is zeros.
template <class T>
T take_as(Bytes body) {
  T t{};
  if (!body.empty()) memcpy(&t, body.data(), std::min(sizeof t, body.size()));
  return t;
}

template <class T, class F>
void FuseHost::ask_of(Opcode opcode, uint64_t node, Call<T> call, Parts parts, Size size, F then, size_t extension) {
  class Asked final : public Connection::Waiter {
   public:
    Asked(FuseHost& h, Opcode o, Call<T> c, F f) : host(h), opcode(o), call(std::move(c)), then(std::move(f)) {}
    void answered(Errno e, Bytes body) noexcept override {
      if (e == err(ENOSYS)) host.note_absent(opcode);
      then(std::move(call), e == Errno{} ? Result<Bytes>(body) : Result<Bytes>(e));
    }
    FuseHost& host;
    const Opcode opcode;
    Call<T> call;
    F then;
  };
  const Context& ctx = call.context();  // lives until the call is answered
  size_t length = sizeof(wire::fuse::InHeader);
  for (Bytes p : parts) length += p.size();
  if (const Errno e = refusal(opcode, ctx, length); e != Errno{}) return then(std::move(call), Result<Bytes>(e));
  const Connection::Request request{.opcode = opcode,
                                    .node = node,
                                    .least = size.least,
                                    .most = size.most,
                                    .extension = static_cast<uint16_t>(extension / 8)};
  auto waiter = std::make_unique<Asked>(*this, opcode, std::move(call), std::move(then));
  connection_.ask(request, ctx, std::span(parts.begin(), parts.size()), std::move(waiter));
}

template <class T, class F>
void FuseHost::ask(Opcode opcode, NodeId node, Call<T> call, Parts parts, Size size, F then) {
  auto n = nodes_.get(node, T::id);
  if (!n) return then(std::move(call), Result<Bytes>(n.error()));
  ask_of(opcode, (*n)->id, std::move(call), parts, size, std::move(then));
}

template <class T>
void FuseHost::ask_unit(Opcode opcode, NodeId node, Call<T> call, Parts parts) {
  ask(opcode, node, std::move(call), parts, {},
      [](Call<T> c, Result<Bytes> r) { c.finish(r ? Status(Unit{}) : Status(r.error())); });
}

template <class T>
void FuseHost::ask_optional(Opcode opcode, NodeId node, Call<T> call, Parts parts) {
  ask(opcode, node, std::move(call), parts, {}, [this](Call<T> c, Result<Bytes> r) {
    if (r) return c.reply({});
    if (r.error() == err(ENOSYS)) return drop_to_default(std::move(c));
    c.fail(r.error());
  });
}

}  // namespace isthmus::fuse_host
