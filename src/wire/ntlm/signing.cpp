#include "wire/ntlm/signing.h"

#include <algorithm>
#include <string_view>

#include "base/endian.h"
#include "wire/ntlm/messages.h"

namespace isthmus::ntlm {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kSignMagic[] = {"session key to client-to-server signing key magic constant\0"sv,
                                           "session key to server-to-client signing key magic constant\0"sv};
constexpr std::string_view kSealMagic[] = {"session key to client-to-server sealing key magic constant\0"sv,
                                           "session key to server-to-client sealing key magic constant\0"sv};

size_t sealing_strength(uint32_t flags) { return flags & k128 ? 16 : flags & k56 ? 7 : 5; }

}  // namespace

std::optional<Signing> Signing::start(const Key& exported, uint32_t flags, Sender sender) {
  const auto at = static_cast<size_t>(sender);
  auto sign_key = md5({exported.bytes(), as_bytes(kSignMagic[at])});
  auto seal_key = md5({exported.bytes().first(sealing_strength(flags)), as_bytes(kSealMagic[at])});
  if (!sign_key || !seal_key) return std::nullopt;
  return Signing(*sign_key, seal_key->bytes(), flags & kKeyExchange);
}

std::optional<std::string> Signing::sign(Bytes message) {
  std::string sequence;
  append_le<uint32_t>(sequence, sequence_);
  auto digest = hmac_md5(sign_key_.bytes(), {as_bytes(sequence), message});
  if (!digest) return std::nullopt;
  sequence_++;
  const MutableBytes checksum = digest->bytes().first(8);
  if (encrypts_) cipher_.apply(checksum);
  std::string out;
  append_le<uint32_t>(out, 1);
  out += as_text(checksum);
  return out + sequence;
}

bool Signing::verify(Bytes message, Bytes signature) {
  auto right = sign(message);
  return right && constant_time_equal(as_bytes(*right), signature);
}

}  // namespace isthmus::ntlm
