#include "wire/smb2/header.h"

#include <algorithm>

#include "base/endian.h"

namespace isthmus::smb2 {
namespace {

constexpr uint32_t kSmb1Id = 0x424D53FF, kSmb2Id = 0x424D53FE, kTransformId = 0x424D53FD, kCompressedId = 0x424D53FC;

}  // namespace

std::optional<uint32_t> read_frame_length(Bytes head) {
  const auto length = load_be<uint32_t>(head, 0);
  return length && *length <= kMaxFrame ? length : std::nullopt;
}

std::array<std::byte, kFrameHead> frame_head(uint32_t length) {
  return {std::byte{0}, static_cast<std::byte>(length >> 16 & 0xff), static_cast<std::byte>(length >> 8 & 0xff),
          static_cast<std::byte>(length & 0xff)};
}

Protocol protocol_of(Bytes frame) {
  switch (load_le<uint32_t>(frame, 0).value_or(0)) {
    case kSmb1Id:
      return Protocol::smb1;
    case kSmb2Id:
      return Protocol::smb2;
    case kTransformId:
      return Protocol::transform;
    case kCompressedId:
      return Protocol::compressed;
    default:
      return Protocol::unknown;
  }
}

std::optional<Header> read_header(Bytes message) {
  if (message.size() < kHeader || protocol_of(message) != Protocol::smb2 || load_le<uint16_t>(message, 4) != kHeader)
    return std::nullopt;
  Header h;
  h.credit_charge = *load_le<uint16_t>(message, 6);
  h.status = *load_le<uint32_t>(message, 8);
  h.command = static_cast<Command>(*load_le<uint16_t>(message, 12));
  h.credits = *load_le<uint16_t>(message, 14);
  h.flags = *load_le<uint32_t>(message, kFlagsAt);
  h.next_command = *load_le<uint32_t>(message, kNextCommandAt);
  h.message_id = *load_le<uint64_t>(message, 24);
  if (h.async()) {
    h.async_id = *load_le<uint64_t>(message, 32);
  } else {
    h.process_id = *load_le<uint32_t>(message, 32);
    h.tree_id = *load_le<uint32_t>(message, 36);
  }
  h.session_id = *load_le<uint64_t>(message, 40);
  const Bytes signature = message.subspan(kSignatureAt, h.signature.size());
  std::copy(signature.begin(), signature.end(), h.signature.begin());
  return h;
}

void append_header(std::string& to, const Header& h) {
  append_le<uint32_t>(to, kSmb2Id);
  append_le<uint16_t>(to, kHeader);
  append_le<uint16_t>(to, h.credit_charge);
  append_le<uint32_t>(to, h.status);
  append_le<uint16_t>(to, static_cast<uint16_t>(h.command));
  append_le<uint16_t>(to, h.credits);
  append_le<uint32_t>(to, h.flags);
  append_le<uint32_t>(to, h.next_command);
  append_le<uint64_t>(to, h.message_id);
  if (h.async()) {
    append_le<uint64_t>(to, h.async_id);
  } else {
    append_le<uint32_t>(to, h.process_id);
    append_le<uint32_t>(to, h.tree_id);
  }
  append_le<uint64_t>(to, h.session_id);
  to += as_text(h.signature);
}

Header answer_to(const Header& request, NtStatus status, uint16_t credits) {
  Header h = request;
  h.status = static_cast<uint32_t>(status);
  h.credits = credits;
  h.flags = kFlagResponse | (request.flags & (kFlagPriority | kFlagReplay));
  if (request.async()) h.process_id = h.tree_id = 0;
  h.next_command = 0;
  h.async_id = 0;
  h.signature = {};
  return h;
}

}  // namespace isthmus::smb2
