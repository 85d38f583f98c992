// Packets of userfs, from either side: a header and what follows it as the body of that operation's request or reply.
// What was understood is written and must be understood as the same; and printed, whatever it is.
#include <string>

#include "tests/fuzz/check.h"
#include "wire/userfs/print.h"

using namespace isthmus;
using namespace isthmus::wire::userfs;

namespace {

template <class B>
void body_of(Bytes body) {
  const auto b = read_body<B>(body);
  if (!b) return;
  std::string again;
  Encoder e(again);
  B::fields(e, *b);
  again += as_text(e.tail());
  check(again == as_text(body));
}

void body_of(const Header& h, Bytes body) {
  switch (h.op) {
#define X(number, name, Request, Reply, what, otherwise)          \
  case Opcode::name:                                              \
    if (h.type == PacketType::reply) return body_of<Reply>(body); \
    return body_of<Request>(body);
#include "wire/userfs/packets.def"
#undef X
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes input = std::as_bytes(std::span(data, size));
  const auto h = read_header(input);
  if (!h) return 0;
  std::string again;
  append_header(again, *h);
  check(as_text(input.first(h->length())) == again);
  Bytes body = input.subspan(h->length());
  check(!print(*h, body).empty());
  if (h->type == PacketType::request && h->op != Opcode::mount) {
    // As a request comes, then as if who asks had been left out.
    Cred cred;
    Decoder d(body);
    d({}, cred);
    if (d.done()) body_of<Cred>(body);
  }
  body_of(*h, body);
  return 0;
}
