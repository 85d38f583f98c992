#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/bytes.h"
#include "base/endian.h"

/// NDR 2.0 (C706 chapter 14), little-endian: the parameters of a call, aligned from where they begin.
namespace isthmus::dcerpc {

class NdrReader {
 public:
  explicit NdrReader(Bytes stub) : stub_(stub) {}

  /// False once something was missing or wrong; all that is read from then on is zero or empty.
  bool ok() const { return ok_; }

  template <std::unsigned_integral T>
  T number() {
    align(sizeof(T));
    return load_le<T>(bytes(sizeof(T)), 0).value_or(0);
  }
  /// Of a unique pointer or one inside of something: whether there is a pointee, which may follow later.
  bool pointer() { return number<uint32_t>() != 0; }
  /// A conformant varying string of 16-bit characters as UTF-8, up to its NUL if it has one.
  std::string text();
  /// A unique pointer to a string, and the string; empty: none.
  std::string unique_text() { return pointer() ? text() : std::string(); }
  /// RPC_UNICODE_STRING without what it points to, which is text() later: whether it points to something.
  bool unicode_string();
  /// The pointee PRPC_SID: what windows/sid.h reads.
  Bytes sid();
  Bytes bytes(size_t size);
  /// All that is left.
  Bytes rest() { return bytes(stub_.size() - at_); }

 private:
  void align(size_t to);

  Bytes stub_;
  size_t at_ = 0;
  bool ok_ = true;
};

class NdrWriter {
 public:
  template <std::unsigned_integral T>
  void number(std::type_identity_t<T> value) {
    align(sizeof(T));
    append_le<T>(stub_, value);
  }
  void pointer(bool has_pointee = true);
  /// Pointers whose pointees are put off until pointees(), as those inside of structures and arrays are. What is not
  /// UTF-8 becomes the empty string.
  void text_pointer(std::string_view utf8);
  void unicode_string(std::string_view utf8);
  void sid_pointer(Bytes sid);
  void pointees();
  void bytes(Bytes value) { stub_ += as_text(value); }

  std::string take() { return std::move(stub_); }

 private:
  void align(size_t to) { stub_.append(round_up(stub_.size(), to) - stub_.size(), '\0'); }

  std::string stub_;
  uint32_t referents_ = 0;
  std::vector<std::string> later_;  // each aligned to 4
};

}  // namespace isthmus::dcerpc
