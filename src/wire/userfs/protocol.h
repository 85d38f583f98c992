#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

/// The userfs protocol (docs/userfs-wire.md): a kernel asks, a process answers, over two descriptors of whatever kind.
/// What the 1993 paper says of packets is kept; numbers and fields are ours, as its own are lost. Pure.
namespace isthmus::wire::userfs {

constexpr uint32_t kVersion = 1;
constexpr size_t kHeader = 20, kReplyHeader = 24;  ///< bytes
constexpr size_t kMostData = size_t{1} << 20;      ///< bytes of a file in one packet
constexpr size_t kMostBody = kMostData + (size_t{64} << 10);
constexpr size_t kMostName = 255, kMostXattr = size_t{64} << 10, kMostTarget = 4095;  ///< bytes
constexpr uint32_t kLongest = 4095;                                                   ///< the largest error number

enum class PacketType : uint32_t { request = 1, reply = 2, enquiry = 3 };

enum class Opcode : uint32_t {
#define X(number, name, Request, Reply, what, otherwise) name = number,
#include "wire/userfs/packets.def"
#undef X
};
/// All there are, by number.
constexpr Opcode kOpcodes[] = {
#define X(number, name, Request, Reply, what, otherwise) Opcode::name,
#include "wire/userfs/packets.def"
#undef X
};
/// One more than the largest.
constexpr uint32_t kOpcodeEnd = static_cast<uint32_t>(kOpcodes[std::size(kOpcodes) - 1]) + 1;
/// "lookup"; empty for a number that is no operation's.
std::string_view name_of(Opcode op);

struct Header {
  uint32_t sequence = 0;
  Opcode op{};
  PacketType type{};
  uint32_t size = 0;  ///< of the body, which follows the header
  uint32_t version = kVersion;
  uint32_t error = 0;  ///< replies only: 0, or an errno of Linux

  size_t length() const { return type == PacketType::reply ? kReplyHeader : kHeader; }
};

void append_header(std::string& to, const Header& h);
/// `from` begins with kHeader bytes, or kReplyHeader of a reply. EPROTO: no packet, or more than may be sent; nothing
/// behind it can be understood. The version is the caller's affair.
Result<Header> read_header(Bytes from);

/// A component of a path: 1..255 bytes without '/' and NUL.
bool valid_name(std::string_view name);

}  // namespace isthmus::wire::userfs
