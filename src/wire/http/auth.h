#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "base/clock.h"

namespace isthmus::http {

/// RFC 7617.
struct BasicCredentials {
  std::string user, password;
};

enum class DigestAlgorithm : uint8_t { md5, sha256 };
/// RFC 7616 with qop=auth, which is the only one that we offer. Texts are without their quotes and escapes.
struct DigestCredentials {
  DigestAlgorithm algorithm = DigestAlgorithm::md5;
  std::string user, realm, nonce, uri, cnonce, opaque;
  std::string nc;        ///< 8 hexadecimal digits as sent
  std::string response;  ///< lower case
  uint32_t count() const;
};

/// monostate: malformed, another scheme, or a form that we never offer (auth-int, -sess, userhash, username*, no qop).
using Credentials = std::variant<std::monostate, BasicCredentials, DigestCredentials>;
Credentials parse_authorization(std::string_view value);

/// H(user:realm:password) in lower case hexadecimal: what a server keeps in place of the password.
std::string digest_ha1(DigestAlgorithm algorithm, std::string_view user, std::string_view realm,
                       std::string_view password);
/// The response that a client with that HA1 sends (section 3.4.1).
std::string digest_response(const DigestCredentials& given, std::string_view ha1, std::string_view method);
/// Whether the response is right, in a time that does not tell how wrong it is. The caller has still to compare user,
/// realm and uri, check the nonce, and see that its count grows.
bool digest_matches(const DigestCredentials& given, std::string_view ha1, std::string_view method);

/// Compares in a time that depends on the lengths only.
bool constant_time_equal(std::string_view a, std::string_view b);

/// A nonce holds the time it was made, a salt and a MAC over both by a key that only the server knows, so that no list
/// of nonces is kept. `key`: 32 random bytes; `salt`: random, so that no two nonces are equal.
std::string make_nonce(Bytes key, Time now, uint64_t salt);
enum class NonceState : uint8_t { good, stale, foreign };
/// stale: ours, but older than `lifetime_s` seconds (answer 401 with stale=true). foreign: not made with this key.
NonceState check_nonce(Bytes key, std::string_view nonce, Time now, uint32_t lifetime_s);

/// Value of a WWW-Authenticate header. `realm` has printable ASCII only.
std::string basic_challenge(std::string_view realm);
std::string digest_challenge(DigestAlgorithm algorithm, std::string_view realm, std::string_view nonce, bool stale);

}  // namespace isthmus::http
