#pragma once
#include <algorithm>
#include <string>
#include <string_view>

#include "base/endian.h"
#include "base/utf16.h"
#include "wire/ntlm/messages.h"
#include "wire/ntlm/rc4.h"
#include "wire/ntlm/server.h"

/// The client's part of NTLMv2, for tests.
namespace isthmus::ntlm::test {

constexpr uint32_t kClientFlags = kUnicode | kRequestTarget | kSign | kNtlm | kAlwaysSign | kExtendedSessionSecurity |
                                  kVersion | k128 | kKeyExchange | k56;

inline Key key_of(std::string_view bytes) {
  Key key;
  std::transform(bytes.begin(), bytes.end(), key.bytes().begin(), [](char c) { return static_cast<std::byte>(c); });
  return key;
}

inline std::string negotiate(uint32_t flags = kClientFlags) {
  std::string out("NTLMSSP\0\x01\0\0\0", 12);
  append_le<uint32_t>(out, flags);
  return out.append(16, '\0') + std::string("\x0a\0\x61\x4a\0\0\0\x0f", 8);
}

struct Client {
  std::string user = "User", domain = "Domain", workstation = "COMPUTER", password = "Password";
  uint32_t flags = kClientFlags;
  bool mic = true;
  Key session_key = key_of(std::string(16, '\x55'));

  /// Fields of AUTHENTICATE, as bytes of the message.
  std::string lm = std::string(24, '\0'), nt = {}, encrypted_key = {};

  /// The blob of a response behind the server's attributes (section 2.2.2.7).
  static std::string blob(std::string_view time, std::string_view challenge, std::string_view attributes) {
    std::string out("\x01\x01\0\0\0\0\0\0", 8);
    out += time;
    out += challenge;
    return out.append(4, '\0').append(attributes).append(4, '\0');
  }

  void respond(std::string_view server_challenge, std::string_view made_blob) {
    const std::string wide_user = *utf16_of(user), wide_domain = *utf16_of(domain);
    const Key key = *ntowfv2(*nt_hash(password), as_bytes(wide_user), as_bytes(wide_domain), upper_case_ascii);
    const Key proof = *hmac_md5(key.bytes(), {as_bytes(server_challenge), as_bytes(made_blob)});
    nt = std::string(as_text(proof.bytes())) + std::string(made_blob);
    const Key base = *hmac_md5(key.bytes(), {proof.bytes()});
    if (flags & kKeyExchange) {
      Key wrapped = session_key;
      Rc4(base.bytes()).apply(wrapped.bytes());
      encrypted_key = as_text(wrapped.bytes());
    } else {
      session_key = base;
    }
  }

  std::string message() const {
    std::string out("NTLMSSP\0\x03\0\0\0", 12), payload;
    for (const std::string& field :
         {lm, nt, *utf16_of(domain), *utf16_of(user), *utf16_of(workstation), encrypted_key}) {
      append_le<uint16_t>(out, static_cast<uint16_t>(field.size()));
      append_le<uint16_t>(out, static_cast<uint16_t>(field.size()));
      append_le<uint32_t>(out, static_cast<uint32_t>(kMicOffset + kMicSize + payload.size()));
      payload += field;
    }
    append_le<uint32_t>(out, flags);
    out += std::string("\x0a\0\x61\x4a\0\0\0\x0f", 8);
    return out.append(kMicSize, '\0') + payload;
  }

  /// AUTHENTICATE for a challenge that answered `negotiate_text`.
  std::string authenticate(std::string_view negotiate_text, std::string_view challenge) {
    const Bytes bytes = as_bytes(challenge);
    const size_t size = *load_le<uint16_t>(bytes, 40), offset = *load_le<uint32_t>(bytes, 44);
    std::string attributes(challenge.substr(offset, size - 4));  // without the end
    if (mic) attributes += std::string("\x06\0\x04\0\x02\0\0\0", 8);
    attributes.append(4, '\0');
    respond(challenge.substr(24, 8), blob(std::string(8, '\x07'), std::string(8, '\xaa'), attributes));
    std::string out = message();
    if (!mic) return out;
    const Key made = *hmac_md5(session_key.bytes(), {as_bytes(negotiate_text), bytes, as_bytes(out)});
    return out.replace(kMicOffset, kMicSize, as_text(made.bytes()));
  }
};

}  // namespace isthmus::ntlm::test
