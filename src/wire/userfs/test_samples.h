#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "wire/userfs/packets.h"

/// A packet of each kind with something in every field, for tests.
namespace isthmus::wire::userfs {

/// A codec that fills what it is shown: numbers count up from 1, so that no two fields hold the same.
class Filler {
 public:
  template <std::integral T>
  void operator()(std::string_view, T& v, std::string_view = {}) {
    v = static_cast<T>(++last_);
  }
  void operator()(std::string_view, std::string_view& v, std::string_view = {}) { v = "text"; }
  void operator()(std::string_view, Name& v, std::string_view = {}) { v.text = "name"; }
  void operator()(std::string_view, Bytes& v, std::string_view = {}) { v = as_bytes("data"); }
  template <class T>
  void operator()(std::string_view, std::vector<T>& v, std::string_view = {}) {
    (*this)({}, v.emplace_back());
  }
  template <Compound T>
  void operator()(std::string_view, T& v, std::string_view = {}) {
    T::fields(*this, v);
  }

 private:
  uint32_t last_ = 0;
};

template <class B>
std::string encoded(const B& b) {
  std::string to;
  Encoder e(to);
  B::fields(e, b);
  to += as_text(e.tail());
  return to;
}

template <class B>
B filled() {
  B b;
  Filler f;
  B::fields(f, b);
  return b;
}

inline Cred sample_cred() { return {3, 1000, 1000, 42, 022, {1000}}; }

/// A whole packet: #5, by user 1000.
template <class B>
std::string sample_packet(Opcode op, PacketType type) {
  std::string body = type == PacketType::request && op != Opcode::mount ? encoded(sample_cred()) : std::string();
  body += encoded(filled<B>());
  std::string to;
  append_header(to, {.sequence = 5, .op = op, .type = type, .size = static_cast<uint32_t>(body.size())});
  return to + body;
}

inline std::string hex(std::string_view bytes) {
  std::string to;
  for (size_t i = 0; i < bytes.size(); i++) {
    if (i > 0 && i % 4 == 0) to += ' ';
    constexpr char kDigits[] = "0123456789abcdef";
    to += kDigits[static_cast<unsigned char>(bytes[i]) >> 4];
    to += kDigits[bytes[i] & 15];
  }
  return to;
}

}  // namespace isthmus::wire::userfs
