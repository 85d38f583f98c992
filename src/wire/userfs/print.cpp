#include "wire/userfs/print.h"

#include <fmt/format.h>

namespace isthmus::wire::userfs {
namespace {

constexpr size_t kMostShown = 16;  // elements of a list

void append_quoted(std::string& to, std::string_view text) {
  to += '"';
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 0x20 || u >= 0x7f || c == '"' || c == '\\')
      fmt::format_to(std::back_inserter(to), "\\x{:02x}", u);
    else
      to += c;
  }
  to += '"';
}

/// A codec: c("name", value, meaning).
class Printer {
 public:
  explicit Printer(std::string& to) : to_(to) {}

  void operator()(std::string_view name, const std::integral auto& v, std::string_view = {}) {
    begin(name);
    fmt::format_to(std::back_inserter(to_), "{}", v);
  }
  void operator()(std::string_view name, const std::string_view& v, std::string_view = {}) {
    begin(name);
    append_quoted(to_, v);
  }
  void operator()(std::string_view name, const Name& v, std::string_view = {}) { (*this)(name, v.text); }
  void operator()(std::string_view name, const Bytes& v, std::string_view = {}) {
    begin(name);
    fmt::format_to(std::back_inserter(to_), "<{} bytes>", v.size());
  }
  template <class T>
  void operator()(std::string_view name, const std::vector<T>& v, std::string_view = {}) {
    begin(name);
    to_ += '[';
    for (size_t i = 0; i < v.size() && i < kMostShown; i++) {
      if (i > 0) to_ += ',';
      (*this)({}, v[i]);
    }
    if (v.size() > kMostShown) fmt::format_to(std::back_inserter(to_), ",... {} in all", v.size());
    to_ += ']';
  }
  template <Compound T>
  void operator()(std::string_view name, const T& v, std::string_view = {}) {
    begin(name);
    to_ += '{';
    T::fields(*this, v);
    to_ += '}';
  }

 private:
  void begin(std::string_view name) {
    if (name.empty()) return;
    if (!to_.empty() && to_.back() != '{') to_ += ' ';
    to_ += name;
    to_ += '=';
  }
  std::string& to_;
};

template <class B>
void print_body(std::string& to, Bytes body) {
  B b;
  Decoder d(body);
  B::fields(d, b);
  Printer p(to);
  if (d.done())
    B::fields(p, b);
  else
    fmt::format_to(std::back_inserter(to), " malformed, {} bytes", body.size());
}

template <class B>
struct WithCred {
  Cred cred;
  B body;
  template <class C, class T>
  static void fields(C& c, T& b) {
    c("cred", b.cred);
    B::fields(c, b.body);
  }
};

}  // namespace

std::string print(const Header& h, Bytes body) {
  std::string to = fmt::format("#{} {}", h.sequence, name_of(h.op));
  if (h.version != kVersion) fmt::format_to(std::back_inserter(to), " version {}", h.version);
  if (h.type == PacketType::enquiry) return to + "?";
  if (h.type == PacketType::reply) to += " =";
  if (h.error != 0) return fmt::format("{} {}", to, name_of(err(static_cast<int>(h.error))));
  switch (h.op) {
#define X(number, name, Request, Reply, what, otherwise) \
  case Opcode::name:                                     \
    if (h.type == PacketType::reply)                     \
      print_body<Reply>(to, body);                       \
    else if (Opcode::name == Opcode::mount)              \
      print_body<Request>(to, body);                     \
    else                                                 \
      print_body<WithCred<Request>>(to, body);           \
    return to;
#include "wire/userfs/packets.def"
#undef X
  }
  return fmt::format("{} operation {}, {} bytes", to, static_cast<uint32_t>(h.op), body.size());
}

}  // namespace isthmus::wire::userfs
