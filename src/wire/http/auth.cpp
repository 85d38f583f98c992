#include "wire/http/auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "wire/http/token.h"

namespace isthmus::http {
namespace {

constexpr size_t kMaxHeader = 8 << 10;  // bytes

bool control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string lowered(std::string_view s) {
  std::string out(s);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

bool is_hex(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (char c : bytes) {
    auto u = static_cast<unsigned char>(c);
    out += kDigits[u >> 4];
    out += kDigits[u & 15];
  }
  return out;
}

std::optional<std::string> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0 || !is_hex(hex)) return std::nullopt;
  auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string out;
  for (size_t i = 0; i < hex.size(); i += 2) out += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  return out;
}

/// RFC 4648 section 4, padding required, nothing around it.
std::optional<std::string> from_base64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string out;
  uint32_t bits = 0;
  for (size_t i = 0; i < text.size(); i++) {
    size_t value = i < text.size() - padding ? kDigits.find(text[i]) : 0;
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (i % 4 != 3) continue;
    for (int shift : {16, 8, 0}) out += static_cast<char>(bits >> shift & 0xff);
    bits = 0;
  }
  out.resize(out.size() - padding);
  return out;
}

/// Empty if OpenSSL has not this digest, as in a FIPS mode.
std::string hash(DigestAlgorithm algorithm, std::initializer_list<std::string_view> parts) {
  std::string joined;
  for (auto part : parts) joined.append(part).append(":");
  joined.pop_back();
  std::array<unsigned char, EVP_MAX_MD_SIZE> out;
  unsigned size = 0;
  const EVP_MD* md = algorithm == DigestAlgorithm::md5 ? EVP_md5() : EVP_sha256();
  if (EVP_Digest(joined.data(), joined.size(), out.data(), &size, md, nullptr) != 1) return {};
  OPENSSL_cleanse(joined.data(), joined.size());
  return to_hex({reinterpret_cast<char*>(out.data()), size});
}

struct Parameter {
  std::string name, value;  // name in lower case
};

/// auth-param list of RFC 9110 section 11.2: each name once.
std::optional<std::vector<Parameter>> parameters(std::string_view rest) {
  std::vector<Parameter> found;
  auto skip = [&rest] { rest = trimmed(rest); };
  auto token = [&rest] {
    size_t n = 0;
    while (n < rest.size() && is_token_char(rest[n])) n++;
    std::string_view t = rest.substr(0, n);
    rest.remove_prefix(n);
    return t;
  };
  auto quoted = [&rest]() -> std::optional<std::string> {
    std::string value;
    for (size_t i = 1; i < rest.size(); i++) {
      if (rest[i] == '"') {
        rest.remove_prefix(i + 1);
        return value;
      }
      if (rest[i] == '\\' && ++i == rest.size()) break;
      if (control(rest[i]) && rest[i] != '\t') break;
      value += rest[i];
    }
    return std::nullopt;
  };
  for (skip(); !rest.empty(); skip()) {
    if (rest.front() == ',') {
      rest.remove_prefix(1);
      continue;
    }
    Parameter p{.name = lowered(token()), .value = {}};
    skip();
    if (p.name.empty() || !rest.starts_with('=')) return std::nullopt;
    rest.remove_prefix(1);
    skip();
    if (rest.starts_with('"')) {
      auto value = quoted();
      if (!value) return std::nullopt;
      p.value = std::move(*value);
    } else {
      p.value = token();
      if (p.value.empty()) return std::nullopt;
    }
    skip();
    if (!rest.empty() && rest.front() != ',') return std::nullopt;
    if (std::any_of(found.begin(), found.end(), [&](auto& f) { return f.name == p.name; })) return std::nullopt;
    found.push_back(std::move(p));
  }
  return found;
}

Credentials parse_basic(std::string_view rest) {
  auto text = from_base64(rest);
  if (!text || std::any_of(text->begin(), text->end(), control)) return {};
  size_t colon = text->find(':');
  if (colon == std::string::npos) return {};
  return BasicCredentials{.user = text->substr(0, colon), .password = text->substr(colon + 1)};
}

Credentials parse_digest(std::string_view rest) {
  auto all = parameters(rest);
  if (!all) return {};
  auto get = [&all](std::string_view name) -> std::optional<std::string> {
    for (auto& p : *all)
      if (p.name == name) return p.value;
    return std::nullopt;
  };
  DigestCredentials d;
  struct Needed {
    std::string_view name;
    std::string* to;
  };
  for (auto [name, to] :
       {Needed{"username", &d.user}, Needed{"realm", &d.realm}, Needed{"nonce", &d.nonce}, Needed{"uri", &d.uri},
        Needed{"cnonce", &d.cnonce}, Needed{"nc", &d.nc}, Needed{"response", &d.response}}) {
    auto value = get(name);
    if (!value) return {};
    *to = std::move(*value);
  }
  d.opaque = get("opaque").value_or("");
  std::string algorithm = lowered(get("algorithm").value_or("md5"));
  if (algorithm == "sha-256")
    d.algorithm = DigestAlgorithm::sha256;
  else if (algorithm != "md5")
    return {};
  if (lowered(get("qop").value_or("")) != "auth") return {};
  if (get("username*") || lowered(get("userhash").value_or("false")) != "false") return {};
  d.response = lowered(d.response);
  if (d.response.size() != (d.algorithm == DigestAlgorithm::md5 ? 32 : 64) || !is_hex(d.response)) return {};
  if (d.nc.size() != 8 || !is_hex(lowered(d.nc))) return {};
  return d;
}

constexpr size_t kStamp = 16, kMac = 16;  // bytes of a nonce: time and salt; MAC

std::string nonce_mac(Bytes key, std::string_view stamp) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out;
  size_t size = 0;
  if (!EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA256", nullptr, key.data(), key.size(),
                 reinterpret_cast<const unsigned char*>(stamp.data()), stamp.size(), out.data(), out.size(), &size) ||
      size < kMac)
    return {};
  return {reinterpret_cast<char*>(out.data()), kMac};
}

std::string quoted_string(std::string_view s) {
  std::string out = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out += '"';
}

}  // namespace

uint32_t DigestCredentials::count() const {
  uint32_t n = 0;
  for (char c : nc) n = n << 4 | static_cast<uint32_t>(c <= '9' ? c - '0' : lower(c) - 'a' + 10);
  return n;
}

Credentials parse_authorization(std::string_view value) {
  value = trimmed(value);
  size_t space = value.find(' ');
  if (value.size() > kMaxHeader || space == std::string_view::npos) return {};
  std::string scheme = lowered(value.substr(0, space));
  std::string_view rest = trimmed(value.substr(space));
  if (scheme == "basic") return parse_basic(rest);
  if (scheme == "digest") return parse_digest(rest);
  return {};
}

std::string digest_ha1(DigestAlgorithm algorithm, std::string_view user, std::string_view realm,
                       std::string_view password) {
  return hash(algorithm, {user, realm, password});
}

std::string digest_response(const DigestCredentials& given, std::string_view ha1, std::string_view method) {
  return hash(given.algorithm,
              {ha1, given.nonce, given.nc, given.cnonce, "auth", hash(given.algorithm, {method, given.uri})});
}

bool digest_matches(const DigestCredentials& given, std::string_view ha1, std::string_view method) {
  return constant_time_equal(digest_response(given, ha1, method), given.response);
}

bool constant_time_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string make_nonce(Bytes key, Time now, uint64_t salt) {
  std::string stamp;
  for (uint64_t n : {static_cast<uint64_t>(now.sec), salt})
    for (int shift = 56; shift >= 0; shift -= 8) stamp += static_cast<char>(n >> shift & 0xff);
  return to_hex(stamp + nonce_mac(key, stamp));
}

NonceState check_nonce(Bytes key, std::string_view nonce, Time now, uint32_t lifetime_s) {
  auto bytes = nonce.size() == 2 * (kStamp + kMac) ? from_hex(nonce) : std::nullopt;
  if (!bytes) return NonceState::foreign;
  std::string_view stamp = std::string_view(*bytes).substr(0, kStamp);
  if (!constant_time_equal(nonce_mac(key, stamp), std::string_view(*bytes).substr(kStamp))) return NonceState::foreign;
  uint64_t made = 0;
  for (char c : stamp.substr(0, 8)) made = made << 8 | static_cast<unsigned char>(c);
  // As unsigned: a clock that was set back makes nonces of the future, which are stale.
  return static_cast<uint64_t>(now.sec) - made <= lifetime_s ? NonceState::good : NonceState::stale;
}

std::string basic_challenge(std::string_view realm) {
  return "Basic realm=" + quoted_string(realm) + ", charset=\"UTF-8\"";
}

std::string digest_challenge(DigestAlgorithm algorithm, std::string_view realm, std::string_view nonce, bool stale) {
  return "Digest realm=" + quoted_string(realm) +
         ", qop=\"auth\", algorithm=" + (algorithm == DigestAlgorithm::md5 ? "MD5" : "SHA-256") +
         ", nonce=" + quoted_string(nonce) + (stale ? ", stale=true" : "");
}

}  // namespace isthmus::http
