#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "wire/smb2/codes.h"
#include "wire/smb2/status.h"

namespace isthmus::smb2 {

/// Direct TCP transport (section 2.1): a zero byte, then the length of what follows in 24 bits, network order.
constexpr size_t kFrameHead = 4;
constexpr uint32_t kMaxFrame = 0xFFFFFF;  // bytes
/// None: not four bytes, or not the kind of frame that carries SMB 2 (NetBIOS' keep-alives and calls).
std::optional<uint32_t> read_frame_length(Bytes head);
/// `length`: kMaxFrame at most.
std::array<std::byte, kFrameHead> frame_head(uint32_t length);

constexpr size_t kHeader = 64;  // bytes
constexpr size_t kFlagsAt = 16, kNextCommandAt = 20, kSignatureAt = 48;
using Signature = std::array<std::byte, 16>;

/// A message's header (sections 2.2.1.1 and 2.2.1.2). ProtocolId and StructureSize are checked and not kept.
struct Header {
  uint16_t credit_charge = 0;
  /// Of requests: ChannelSequence in the low 16 bits (3.x).
  uint32_t status = 0;
  /// May be one that we do not know: kCommands or more.
  Command command = Command::negotiate;
  uint16_t credits = 0;  ///< asked for or granted
  uint32_t flags = 0;
  uint32_t next_command = 0;  ///< bytes from this header to the next; 0: the last
  uint64_t message_id = 0;
  uint64_t async_id = 0;    ///< with kFlagAsync
  uint32_t process_id = 0;  ///< without, as is tree_id; reserved, echoed
  uint32_t tree_id = 0;
  uint64_t session_id = 0;
  Signature signature{};

  bool async() const { return (flags & kFlagAsync) != 0; }
  bool related() const { return (flags & kFlagRelated) != 0; }
  bool is_replay() const { return (flags & kFlagReplay) != 0; }
  /// Of a request, from 3.0 on (section 2.2.1).
  uint16_t channel_sequence() const { return static_cast<uint16_t>(status); }
  bool is_signed() const { return (flags & kFlagSigned) != 0; }
  bool operator==(const Header&) const = default;
};

/// None: shorter than a header, or not SMB 2's.
std::optional<Header> read_header(Bytes message);
void append_header(std::string& to, const Header& h);

/// Header of the answer: the request's ids and command, with status and credits, nothing related and nothing signed.
Header answer_to(const Header& request, NtStatus status, uint16_t credits);

/// What the first four bytes of a frame announce.
enum class Protocol { unknown, smb1, smb2, transform, compressed };
Protocol protocol_of(Bytes frame);

}  // namespace isthmus::smb2
