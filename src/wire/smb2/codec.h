#pragma once
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/endian.h"
#include "wire/smb2/file_id.h"
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
  /// `message` begins at its header: offsets in bodies count from there. Data inside of a message begins `at` 0.
  explicit Decoder(Bytes message, size_t at = kHeader) : message_(message), at_(at) {}

  bool ok() const { return ok_; }
  bool at_end() const { return at_ >= message_.size(); }

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
  void id(FileId& value) {
    number(value.persistent);
    number(value.temporary);
  }
  /// Offset and length of bytes behind the fixed part, which `value` then views. Without a length the offset says
  /// nothing. Gap: reserved bytes between the two.
  template <class Offset, class Length = Offset, size_t gap = 0>
  void buffer(Bytes& value) {
    const auto offset = next<Offset>();
    reserved(gap);
    const auto length = next<Length>();
    if (ok_) view(*offset, *length, value);
  }
  /// As buffer(); the length comes first.
  template <class Length, class Offset>
  void sized_buffer(Bytes& value) {
    const auto length = next<Length>();
    const auto offset = next<Offset>();
    if (ok_) view(*offset, *length, value);
  }
  /// As buffer(); written at a multiple of 8, and with no offset if it is empty.
  void aligned_buffer(Bytes& value) { buffer<uint32_t>(value); }
  /// How many elements items() reads.
  template <class E>
  void count(std::vector<E>&) {
    number(count_);
  }
  /// At least one element, of `size` bytes each.
  template <class E>
  void items(std::vector<E>& list, size_t size) {
    if (!ok_ || count_ == 0 || count_ > (message_.size() - at_) / size) {
      ok_ = false;
      return;
    }
    list.resize(count_);
    for (E& e : list) E::fields(*this, e);
  }

 private:
  void view(size_t offset, size_t length, Bytes& value) {
    value = {};
    if (length == 0) return;
    if (offset < kHeader || offset > message_.size() || length > message_.size() - offset)
      ok_ = false;
    else
      value = message_.subspan(offset, length);
  }
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
  size_t at_;
  uint16_t count_ = 0;
  bool ok_ = true;
};

/// Writes a body, without the header before it.
class Encoder {
 public:
  Encoder() = default;
  /// Goes on behind what is there; for what has no buffer().
  explicit Encoder(std::string begun) : body_(std::move(begun)) {}

  template <class T>
  void number(const T& value) {
    append_le<internal::NumberOf<T>>(body_, static_cast<internal::NumberOf<T>>(value));
  }
  void structure_size(uint16_t size) {
    variable_ = size % 2 != 0;
    number(size);
  }
  void reserved(size_t size) { body_.append(size, '\0'); }
  void bytes(std::string_view value) { body_ += value; }
  void id(const Guid& value) { body_ += as_text(value); }
  void id(const FileId& value) {
    number(value.persistent);
    number(value.temporary);
  }
  /// The bytes follow the fixed part, in the order of these calls. `value` must be valid until finish().
  template <class Offset, class Length = Offset, size_t gap = 0>
  void buffer(Bytes value) {
    offset_of<Offset>(value, 1);
    reserved(gap);
    append_le<Length>(body_, static_cast<Length>(value.size()));
  }
  template <class Length, class Offset>
  void sized_buffer(Bytes value) {
    append_le<Length>(body_, static_cast<Length>(value.size()));
    offset_of<Offset>(value, 1);
  }
  void aligned_buffer(Bytes value) {
    if (value.empty()) return number<uint64_t>(0);
    offset_of<uint32_t>(value, 8);
    append_le<uint32_t>(body_, static_cast<uint32_t>(value.size()));
  }
  template <class E>
  void count(const std::vector<E>& list) {
    append_le<uint16_t>(body_, static_cast<uint16_t>(list.size()));
  }
  template <class E>
  void items(const std::vector<E>& list, size_t) {
    for (const E& e : list) E::fields(*this, e);
  }
  std::string finish() {
    const size_t fixed = body_.size();
    for (const Later& l : later_) {
      body_.resize(round_up(body_.size(), l.align));
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
    size_t at, width, align;
    Bytes value;
  };
  template <class T>
  void offset_of(Bytes value, size_t align) {
    later_.push_back({body_.size(), sizeof(T), align, value});
    append_le<T>(body_, 0);
  }
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

/// The same for data inside of messages, whose offsets nobody counts from a header. Bytes behind it are not looked at.
template <class M>
std::optional<M> read_data(Bytes data) {
  M m;
  Decoder d(data, 0);
  M::fields(d, m);
  if (!d.ok()) return std::nullopt;
  return m;
}

/// None: longer, too.
template <class M>
std::optional<M> read_exactly(Bytes data) {
  M m;
  Decoder d(data, 0);
  M::fields(d, m);
  if (!d.ok() || !d.at_end()) return std::nullopt;
  return m;
}

template <class M>
std::string write_data(const M& m) {
  return write_message(m);
}

}  // namespace isthmus::smb2
