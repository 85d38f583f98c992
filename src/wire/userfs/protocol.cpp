#include "wire/userfs/protocol.h"

#include "base/endian.h"

namespace isthmus::wire::userfs {

std::string_view name_of(Opcode op) {
  switch (op) {
#define X(number, name, Request, Reply, what, otherwise) \
  case Opcode::name:                                     \
    return #name;
#include "wire/userfs/packets.def"
#undef X
  }
  return {};
}

void append_header(std::string& to, const Header& h) {
  append_be<uint32_t>(to, h.sequence);
  append_be<uint32_t>(to, static_cast<uint32_t>(h.op));
  append_be<uint32_t>(to, static_cast<uint32_t>(h.type));
  append_be<uint32_t>(to, h.size);
  append_be<uint32_t>(to, h.version);
  if (h.type == PacketType::reply) append_be<uint32_t>(to, h.error);
}

Result<Header> read_header(Bytes from) {
  const auto number = [&](size_t i) { return load_be<uint32_t>(from, 4 * i); };
  if (!number(4)) return err(EPROTO);
  Header h;
  h.sequence = *number(0);
  h.op = Opcode{*number(1)};
  h.type = PacketType{*number(2)};
  h.size = *number(3);
  h.version = *number(4);
  if (*number(2) < 1 || *number(2) > 3 || h.size > kMostBody || h.sequence == 0) return err(EPROTO);
  if (h.type != PacketType::reply)
    return h.type == PacketType::enquiry && h.size != 0 ? Result<Header>(err(EPROTO)) : h;
  if (!number(5)) return err(EPROTO);
  h.error = *number(5);
  if (h.error > kLongest || (h.error != 0 && h.size != 0)) return err(EPROTO);
  return h;
}

bool valid_name(std::string_view name) {
  return !name.empty() && name.size() <= kMostName && name.find('/') == name.npos && name.find('\0') == name.npos;
}

}  // namespace isthmus::wire::userfs
