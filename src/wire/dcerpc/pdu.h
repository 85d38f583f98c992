#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

/// PDUs of connections (C706 chapter 12, MS-RPCE section 2.2.2) as a server reads and writes them. Little-endian
/// clients only: there are no others of SMB.
namespace isthmus::dcerpc {

enum class PduType : uint8_t {
  request = 0,
  response = 2,
  fault = 3,
  bind = 11,
  bind_ack = 12,
  bind_nak = 13,
  alter_context = 14,
  alter_context_response = 15,
  cancel = 18,
  orphaned = 19,
};

constexpr uint8_t kFirst = 0x01, kLast = 0x02, kDidNotExecute = 0x20, kMaybe = 0x40, kObject = 0x80;
constexpr size_t kPduHead = 16;       // bytes
constexpr size_t kResponseHead = 24;  // of a response's fragment, before its part of the stub

struct PduHead {
  PduType type{};  ///< may be none of the above
  uint8_t flags = 0;
  uint16_t length = 0;  ///< of the whole PDU, kPduHead at least
  uint16_t auth_length = 0;
  uint32_t call_id = 0;
};
/// None: too short, or not version 5 with little-endian numbers.
std::optional<PduHead> read_pdu_head(Bytes pdu);

/// The status of a fault: C706 appendix E, and MS-RPCE section 2.2.2.5 with Windows' own numbers.
enum class Fault : uint32_t {
  none = 0,
  access_denied = 5,
  ndr = 0x000006f7,  ///< bad stub data
  invalid_tag = 0x1c000006,
  context_mismatch = 0x1c00001a,
  no_such_operation = 0x1c010002,
  unknown_interface = 0x1c010003,
};

/// UUID and version of an interface or a transfer syntax, as on the wire.
using Syntax = std::array<std::byte, 20>;
/// 4b324fc8-1670-01d3-1278-5a47bf6ee188 is 0x4b324fc8, 0x1670, 0x01d3, 0x12785a47bf6ee188.
constexpr Syntax syntax(uint32_t low, uint16_t mid, uint16_t high, uint64_t node, uint32_t version) {
  Syntax s{};
  auto put = [&s](size_t at, size_t size, uint64_t n) {
    for (size_t i = 0; i < size; i++) s[at + i] = static_cast<std::byte>(n >> 8 * i & 0xff);
  };
  put(0, 4, low);
  put(4, 2, mid);
  put(6, 2, high);
  for (size_t i = 0; i < 8; i++) put(8 + i, 1, node >> 8 * (7 - i));
  put(16, 4, version);
  return s;
}
inline constexpr Syntax kNdr20 = syntax(0x8a885d04, 0x1ceb, 0x11c9, 0x9fe808002b104860, 2);
/// Bind time feature negotiation (MS-RPCE section 3.3.1.5.3): the bits asked for, if it is that.
std::optional<uint64_t> features_of(const Syntax& transfer);

/// BIND and ALTER_CONTEXT.
struct Bind {
  struct Context {
    uint16_t id = 0;
    Syntax interface {};
    std::vector<Syntax> transfers;
  };
  uint16_t max_send = 0, max_receive = 0;  ///< bytes of a fragment, of the client
  uint32_t group = 0;
  std::vector<Context> contexts;
};
/// `pdu` begins at its head.
std::optional<Bind> read_bind(Bytes pdu);

struct BindResult {
  enum class Outcome : uint16_t { accepted = 0, refused = 2, features = 3 };
  /// Reasons of `refused`.
  static constexpr uint16_t kNoSuchInterface = 1, kNoSuchTransfer = 2, kLimit = 3;
  Outcome outcome = Outcome::refused;
  uint16_t reason = 0;  ///< of `features`: those we have as well
};
/// `type`: bind_ack or alter_context_response, whose address is empty.
std::string write_bind_ack(PduType type, uint32_t call_id, uint16_t max_fragment, uint32_t group,
                           std::string_view address, const std::vector<BindResult>& results);

enum class NakReason : uint16_t { not_specified = 0, authentication_type = 8 };
std::string write_bind_nak(uint32_t call_id, NakReason reason);

/// One fragment of an answer; `left`: bytes of the stub from here to its end.
std::string write_response(uint32_t call_id, uint8_t flags, uint16_t context, size_t left, std::string_view part);
std::string write_fault(uint32_t call_id, uint16_t context, Fault fault);

}  // namespace isthmus::dcerpc
