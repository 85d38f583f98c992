// Requests of a hostile kernel (or of whoever is at the other end of a socket that plays the kernel): whatever is
// accepted refers to nothing outside the message, and its names are names. Input: one byte of modes (below), then the
// message; for a ring entry UringReqHeader, then the payload.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "wire/fuse/request.h"

namespace {

using namespace isthmus::wire::fuse;
using Bytes = std::span<const std::byte>;

constexpr uint8_t kModeSetxattrExt = 1;
constexpr uint8_t kModeImpliedContexts = 2;
constexpr uint8_t kModeRing = 4;
constexpr uint8_t kModeFixLength = 8;  // sets InHeader.len, which the fuzzer would seldom guess

void require(bool holds) {
  if (!holds) std::abort();
}

bool inside(Bytes whole, const void* at, size_t size) {
  if (size == 0) return true;
  const auto begin = reinterpret_cast<uintptr_t>(whole.data());
  const auto first = reinterpret_cast<uintptr_t>(at);
  return first >= begin && first - begin <= whole.size() && size <= whole.size() - (first - begin);
}

void check_name(Bytes whole, std::string_view name, bool component) {
  if (name.empty()) return;
  require(inside(whole, name.data(), name.size() + 1));
  require(name.data()[name.size()] == 0 && name.find('\0') == std::string_view::npos && name.size() <= kNameMax);
  if (component) require(name.find('/') == std::string_view::npos);
}

// `fixed` holds header and struct, `rest` everything else; NOTIFY_REPLY may have its struct there, too.
void check(const Parsed& parsed, Bytes fixed, Bytes rest) {
  if (const auto* failure = std::get_if<ParseFailure>(&parsed)) {
    require(!failure->describe().empty());
    require(static_cast<int>(failure->answer()) > 0);
    static_cast<void>(failure->wants_answer());
    return;
  }
  const Request& r = std::get<Request>(parsed);
  require(inside(fixed, r.header, sizeof(InHeader)));
  require(inside(fixed, r.body.data(), r.body.size()) ||
          (r.opcode() == Opcode::NotifyReply && inside(rest, r.body.data(), r.body.size())));
  require(r.body.size() >= r.info->in_size);
  const Trail trail = r.info->trail;
  const bool components = trail == Trail::Name || trail == Trail::TwoNames || trail == Trail::NameTarget;
  require(!components || !r.name.empty());
  require((trail != Trail::TwoNames && trail != Trail::NameTarget) || !r.name2.empty());
  check_name(rest, r.name, components);
  check_name(rest, r.name2, trail == Trail::TwoNames);
  require(r.opcode() == Opcode::Lookup || (r.name != "." && r.name != "..") || !components);
  require(inside(rest, r.data.data(), r.data.size()));
  require(inside(rest, r.forgets.data(), r.forgets.size_bytes()));
  uint64_t sum = 0;
  for (const ForgetOne& one : r.forgets) sum += one.nlookup;
  for (const std::byte b : r.data) sum += static_cast<uint8_t>(b);
  for (uint32_t i = 0; i < r.extensions.context_count(); ++i) {
    const SecurityContext context = r.extensions.context(i);
    require(!context.name.empty());
    check_name(rest, context.name, false);
    require(inside(rest, context.value.data(), context.value.size()));
  }
  for (uint32_t i = 0; i < r.extensions.group_count(); ++i) sum += r.extensions.group(i);
  if (r.opcode() == Opcode::Init) sum += r.init_flags();
  if (r.opcode() == Opcode::Setxattr) sum += r.setxattr_flags();
  require(describe(r).size() + sum > 0);
  require(visit(r, [](auto tag, const Request&) { return decltype(tag)::value; }) == r.opcode());
}

void fix_length(std::byte* header, size_t length) {
  const auto value = static_cast<uint32_t>(length);
  std::memcpy(header, &value, sizeof(value));
}

void try_message(std::vector<std::byte> message, uint8_t modes, const Negotiated& negotiated) {
  if ((modes & kModeFixLength) != 0 && message.size() >= sizeof(InHeader)) fix_length(message.data(), message.size());
  check(parse_request(message, negotiated), message, message);
}

void try_ring(Bytes input, uint8_t modes, const Negotiated& negotiated) {
  UringReqHeader ring;
  if (input.size() < sizeof(ring)) return;
  std::memcpy(&ring, input.data(), sizeof(ring));
  const std::vector<std::byte> payload(input.begin() + sizeof(ring), input.end());
  if ((modes & kModeFixLength) != 0) {
    ring.ring_ent_in_out.payload_sz = static_cast<uint32_t>(payload.size());
    InHeader header;
    std::memcpy(&header, ring.in_out, sizeof(header));
    if (const OpcodeInfo* info = find_opcode(header.opcode)) {
      const bool extended = info->opcode == Opcode::Setxattr && (negotiated.flags & kInitSetxattrExt) != 0;
      const size_t fixed = extended ? sizeof(SetxattrIn) : info->in_size;
      header.len = static_cast<uint32_t>(sizeof(header) + fixed + payload.size());
      std::memcpy(ring.in_out, &header, sizeof(header));
    }
  }
  check(parse_ring_request(ring, payload, negotiated), std::as_bytes(std::span(&ring, 1)), payload);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint8_t modes = data[0];
  Negotiated negotiated;
  if ((modes & kModeSetxattrExt) != 0) negotiated.flags |= kInitSetxattrExt;
  if ((modes & kModeImpliedContexts) != 0) negotiated = {37, negotiated.flags | kInitSecurityCtx};
  const Bytes input = std::as_bytes(std::span(data + 1, size - 1));
  if ((modes & kModeRing) != 0) {
    try_ring(input, modes, negotiated);
  } else {
    try_message({input.begin(), input.end()}, modes, negotiated);
  }
  return 0;
}
