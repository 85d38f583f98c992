#pragma once
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/endian.h"
#include "wire/smb2/header.h"

/// A message has one description for both directions: `fields(codec, message)` names its fields in the order of the
/// wire, and the codec reads or writes them.
namespace isthmus::smb2 {

namespace internal {
template <class T>
using NumberOf = typename std::conditional_t<std::is_enum_v<T>, std::underlying_type<T>, std::type_identity<T>>::type;
}  // namespace internal

/// Lists of 16-bit numbers without their count: dialects, algorithms. None: `from` has fewer.
std::optional<std::vector<uint16_t>> read_numbers(Bytes from, size_t offset, size_t count);
void append_numbers(std::string& to, const std::vector<uint16_t>& numbers);

/// Reads the body of a message. Once something is missing, what follows is left as it is and ok() is false.
class Decoder {
 public:
  /// `message` begins at its header: offsets in bodies count from there.
  explicit Decoder(Bytes message) : message_(message) {}

  bool ok() const { return ok_; }

  template <class T>
  void number(T& value) {
    if (const auto n = next<internal::NumberOf<T>>()) value = static_cast<T>(*n);
  }
  /// The two bytes StructureSize, which must have this value.
  void structure_size(uint16_t size) {
    if (next<uint16_t>() != size) ok_ = false;
  }
  void reserved(size_t size) { take(size); }
  void id(Guid& value) {
    const Bytes from = take(value.size());
    if (ok_) std::copy(from.begin(), from.end(), value.begin());
  }
  /// Offset and length, each a T, of bytes behind the fixed part, which `value` then views. Without a length the offset
  /// says nothing.
  template <class T>
  void buffer(Bytes& value) {
    const auto offset = next<T>(), length = next<T>();
    if (!ok_) return;
    value = {};
    if (*length == 0) return;
    if (*offset < kHeader || *offset > message_.size() || *length > message_.size() - *offset)
      ok_ = false;
    else
      value = message_.subspan(*offset, *length);
  }

 private:
  Bytes take(size_t size) {
    if (!ok_ || at_ > message_.size() || message_.size() - at_ < size) {
      ok_ = false;
      return {};
    }
    at_ += size;
    return message_.subspan(at_ - size, size);
  }
  template <class T>
  std::optional<T> next() {
    const Bytes from = take(sizeof(T));
    return ok_ ? load_le<T>(from, 0) : std::nullopt;
  }

  Bytes message_;
  size_t at_ = kHeader;
  bool ok_ = true;
};

/// Writes a body, without the header before it.
class Encoder {
 public:
  template <class T>
  void number(const T& value) {
    append_le<internal::NumberOf<T>>(body_, static_cast<internal::NumberOf<T>>(value));
  }
  void structure_size(uint16_t size) {
    variable_ = size % 2 != 0;
    number(size);
  }
  void reserved(size_t size) { body_.append(size, '\0'); }
  void id(const Guid& value) { body_ += as_text(value); }
  /// The bytes follow the fixed part, in the order of these calls. `value` must be valid until finish().
  template <class T>
  void buffer(Bytes value) {
    later_.push_back({body_.size(), sizeof(T), value});
    append_le<T>(body_, 0);
    append_le<T>(body_, static_cast<T>(value.size()));
  }
  std::string finish() {
    const size_t fixed = body_.size();
    for (const Later& l : later_) {
      for (size_t i = 0; i < l.width; i++)
        body_[l.at + i] = static_cast<char>((kHeader + body_.size()) >> 8 * i & 0xff);
      body_ += as_text(l.value);
    }
    // An odd StructureSize counts one byte of the variable part, which must be there.
    if (variable_ && body_.size() == fixed) body_ += '\0';
    return std::move(body_);
  }

 private:
  struct Later {
    size_t at, width;
    Bytes value;
  };
  std::string body_;
  std::vector<Later> later_;
  bool variable_ = false;
};

/// `message` begins at its header, which is not looked at. None: malformed, to be answered by invalid_parameter. What
/// the result views is `message`.
template <class M>
std::optional<M> read_message(Bytes message) {
  M m;
  Decoder d(message);
  M::fields(d, m);
  if (!d.ok()) return std::nullopt;
  return m;
}

/// The body, which follows a header. Buffers that are longer than their length's type can say are the caller's error.
template <class M>
std::string write_message(const M& m) {
  Encoder e;
  M::fields(e, m);
  return e.finish();
}

}  // namespace isthmus::smb2
