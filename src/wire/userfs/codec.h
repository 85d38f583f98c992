#pragma once
#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "base/endian.h"
#include "wire/userfs/protocol.h"

/// Bodies have one description for both directions, for people and for print: `fields(c, body)` calls
/// c("name", body.member, "what it means") for each field in the order of the wire.
namespace isthmus::wire::userfs {

/// A name in a request. The decoder takes no other than valid ones.
struct Name {
  std::string_view text;
};

template <class T>
concept Compound = requires(T& t, int& c) {
  &T::template fields<int, T>;
};

/// Bytes of the smallest encoding, against which a count is checked before memory is taken for it.
template <class T>
constexpr size_t least_size() {
  if constexpr (std::integral<T>)
    return sizeof(T);
  else
    return 4;
}

class Encoder {
 public:
  explicit Encoder(std::string& to) : to_(to) {}
  /// What remains to be sent behind the body: a Bytes field that is the last one and not small, which is not copied.
  Bytes tail() const { return tail_; }

  void operator()(std::string_view, const std::unsigned_integral auto& v, std::string_view = {}) { number(v); }
  void operator()(std::string_view, const std::signed_integral auto& v, std::string_view = {}) {
    number(static_cast<std::make_unsigned_t<std::remove_cvref_t<decltype(v)>>>(v));
  }
  void operator()(std::string_view, const std::string_view& v, std::string_view = {}) {
    number(static_cast<uint32_t>(v.size()));
    to_ += v;
  }
  void operator()(std::string_view, const Name& v, std::string_view = {}) { (*this)({}, v.text); }
  void operator()(std::string_view, const Bytes& v, std::string_view = {}) {
    number(static_cast<uint32_t>(v.size()));
    if (v.size() > kSmall)
      tail_ = v;
    else
      to_ += as_text(v);
  }
  template <class T>
  void operator()(std::string_view, const std::vector<T>& v, std::string_view = {}) {
    number(static_cast<uint32_t>(v.size()));
    for (const T& e : v) (*this)({}, e);
  }
  template <Compound T>
  void operator()(std::string_view, const T& v, std::string_view = {}) {
    T::fields(*this, v);
  }

 private:
  static constexpr size_t kSmall = 2048;
  template <class T>
  void number(T v) {
    append_be<T>(to_, v);
  }
  std::string& to_;
  Bytes tail_;
};

/// What it reads views the packet. Once something is missing, what follows is left as it is and ok() is false.
class Decoder {
 public:
  explicit Decoder(Bytes body) : left_(body) {}
  /// Everything was there, and nothing more.
  bool done() const { return ok_ && left_.empty(); }

  template <std::integral T>
  void operator()(std::string_view, T& v, std::string_view = {}) {
    const auto n = load_be<std::make_unsigned_t<T>>(left_, 0);
    if (!ok_ || !n) return fail();
    v = static_cast<T>(*n);
    left_ = left_.subspan(sizeof(T));
  }
  void operator()(std::string_view, Bytes& v, std::string_view = {}) {
    uint32_t size = 0;
    (*this)({}, size);
    if (!ok_ || size > left_.size()) return fail();
    v = left_.first(size);
    left_ = left_.subspan(size);
  }
  void operator()(std::string_view, std::string_view& v, std::string_view = {}) {
    Bytes b;
    (*this)({}, b);
    if (ok_) v = as_text(b);
  }
  void operator()(std::string_view, Name& v, std::string_view = {}) {
    (*this)({}, v.text);
    if (ok_ && !valid_name(v.text)) fail();
  }
  template <class T>
  void operator()(std::string_view, std::vector<T>& v, std::string_view = {}) {
    uint32_t count = 0;
    (*this)({}, count);
    if (!ok_ || count > left_.size() / least_size<T>()) return fail();
    for (uint32_t i = 0; i < count && ok_; i++) (*this)({}, v.emplace_back());
  }
  template <Compound T>
  void operator()(std::string_view, T& v, std::string_view = {}) {
    T::fields(*this, v);
  }

 private:
  void fail() { ok_ = false; }
  Bytes left_;
  bool ok_ = true;
};

/// EIO: shorter or longer than the fields, or a name that is none.
template <class B>
Result<B> read_body(Bytes body) {
  B b;
  Decoder d(body);
  B::fields(d, b);
  if (!d.done()) return err(EIO);
  return b;
}

}  // namespace isthmus::wire::userfs
