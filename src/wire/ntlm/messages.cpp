#include "wire/ntlm/messages.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "base/endian.h"
#include "base/file_time.h"
#include "base/utf16.h"

namespace isthmus::ntlm {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kSignature = "NTLMSSP\0"sv;
constexpr uint32_t kNegotiateType = 1, kChallengeType = 2, kAuthenticateType = 3;
// Windows 7, NTLMSSP revision 15: clients show it at most.
constexpr std::string_view kOurVersion = "\x06\x01\0\0\0\0\0\x0f"sv;

constexpr size_t kTypeOffset = 8;
constexpr size_t kNegotiateSize = 16, kNegotiateDomain = 16, kNegotiateWorkstation = 24;
constexpr size_t kChallengeSize = 56;
constexpr size_t kAuthenticateSize = 64;
constexpr size_t kBlobSize = 28;  // before the attributes
constexpr size_t kProofSize = 16;

bool has_type(Bytes message, uint32_t type) {
  return is_ntlmssp(message) && load_le<uint32_t>(message, kTypeOffset) == type;
}

/// A field is its length, the space for it, and its offset in the message. An offset of an empty one means nothing.
std::optional<Bytes> field(Bytes message, size_t at) {
  auto size = load_le<uint16_t>(message, at);
  auto offset = load_le<uint32_t>(message, at + 4);
  if (!size || !offset) return std::nullopt;
  if (*size == 0) return Bytes();
  if (*offset > message.size() || message.size() - *offset < *size) return std::nullopt;
  return message.subspan(*offset, *size);
}

void append_field(std::string& to, size_t size, size_t offset) {
  append_le<uint16_t>(to, static_cast<uint16_t>(size));
  append_le<uint16_t>(to, static_cast<uint16_t>(size));
  append_le<uint32_t>(to, static_cast<uint32_t>(offset));
}

constexpr size_t kMaxField = std::numeric_limits<uint16_t>::max();

void append_pair(std::string& to, Av id, std::string_view value) {
  append_le<uint16_t>(to, static_cast<uint16_t>(id));
  append_le<uint16_t>(to, static_cast<uint16_t>(value.size()));
  to += value;
}

std::optional<std::string> target_info(const Challenge& challenge) {
  struct Name {
    Av id;
    const std::string& text;
  };
  const Names& names = challenge.names;
  std::string info;
  for (auto [id, text] :
       {Name{Av::netbios_domain, names.netbios_domain}, Name{Av::netbios_computer, names.netbios_computer},
        Name{Av::dns_domain, names.dns_domain}, Name{Av::dns_computer, names.dns_computer}}) {
    if (text.empty()) continue;
    auto wide = utf16_of(text);
    if (!wide || wide->size() > kMaxField) return std::nullopt;
    append_pair(info, id, *wide);
  }
  std::string time;
  append_le<uint64_t>(time, file_time(challenge.now));
  append_pair(info, Av::timestamp, time);
  append_pair(info, Av::end, {});
  if (info.size() > kMaxField) return std::nullopt;
  return info;
}

}  // namespace

bool is_ntlmssp(Bytes token) { return as_text(token).starts_with(kSignature); }

std::optional<Negotiate> read_negotiate(Bytes message) {
  if (message.size() < kNegotiateSize || !has_type(message, kNegotiateType)) return std::nullopt;
  Negotiate negotiate{*load_le<uint32_t>(message, kTypeOffset + 4)};
  if ((negotiate.flags & kOemDomainSupplied) && !field(message, kNegotiateDomain)) return std::nullopt;
  if ((negotiate.flags & kOemWorkstationSupplied) && !field(message, kNegotiateWorkstation)) return std::nullopt;
  return negotiate;
}

uint32_t challenge_flags(uint32_t client_flags) {
  const uint32_t as_asked = kUnicode | kRequestTarget | kSign | kSeal | kAlwaysSign | kExtendedSessionSecurity |
                            kVersion | k128 | kKeyExchange | k56;
  uint32_t flags = (client_flags & as_asked) | kNtlm | kTargetInfo;
  if (flags & kRequestTarget) flags |= kTargetTypeServer;
  return flags;
}

std::optional<std::string> to_bytes(const Challenge& challenge) {
  auto target = utf16_of(challenge.names.netbios_computer);
  auto info = target_info(challenge);
  if (!target || !info || target->size() > kMaxField) return std::nullopt;
  if (!(challenge.flags & kRequestTarget)) target->clear();
  std::string out(kSignature);
  append_le<uint32_t>(out, kChallengeType);
  append_field(out, target->size(), kChallengeSize);
  append_le<uint32_t>(out, challenge.flags);
  out += as_text(challenge.challenge);
  out.append(8, '\0');
  append_field(out, info->size(), kChallengeSize + target->size());
  out += kOurVersion;
  return out + *target + *info;
}

std::optional<Authenticate> read_authenticate(Bytes message) {
  if (message.size() < kAuthenticateSize || !has_type(message, kAuthenticateType)) return std::nullopt;
  Authenticate a;
  struct Field {
    size_t at;
    Bytes* to;
  };
  for (auto [at, to] : {Field{12, &a.lm_response}, Field{20, &a.nt_response}, Field{28, &a.domain}, Field{36, &a.user},
                        Field{44, &a.workstation}, Field{52, &a.encrypted_session_key}}) {
    auto found = field(message, at);
    if (!found) return std::nullopt;
    *to = *found;
  }
  a.flags = *load_le<uint32_t>(message, 60);
  return a;
}

std::optional<Ntlmv2Response> read_ntlmv2_response(Bytes response) {
  if (response.size() < kProofSize + kBlobSize) return std::nullopt;
  Ntlmv2Response out{response.first(kProofSize), response.subspan(kProofSize)};
  if (out.blob[0] != std::byte{1} || out.blob[1] != std::byte{1}) return std::nullopt;
  for (Bytes rest = out.blob.subspan(kBlobSize);;) {
    auto id = load_le<uint16_t>(rest, 0), size = load_le<uint16_t>(rest, 2);
    if (!id || !size || rest.size() - 4 < *size) return std::nullopt;
    if (static_cast<Av>(*id) == Av::end) return out;
    if (static_cast<Av>(*id) == Av::flags) {
      if (*size != sizeof out.av_flags) return std::nullopt;
      out.av_flags |= *load_le<uint32_t>(rest, 4);
    }
    rest = rest.subspan(size_t{4} + *size);
  }
}

}  // namespace isthmus::ntlm
