#include "doors/webdav/guard.h"

#include <fmt/format.h>

#include <algorithm>

#include "doors/common/secret.h"
#include "wire/dav/headers.h"
#include "wire/http/auth.h"

namespace isthmus::webdav {
namespace {

constexpr std::string_view kRealm = "isthmus";
constexpr uint32_t kNonceSeconds = 3600;
constexpr size_t kMostNonces = 10'000;

bool is_options(const http::Request& r) { return r.method == "OPTIONS"; }

}  // namespace

Guard::Guard(const Options& options, const Endpoint& bound)
    : options_(options), hosts_(options.hosts), nonce_key_(random_bytes<32>()) {
  if (!options.secret.empty()) prefix_ = "/" + options.secret;
  const std::string address = bound.address.find(':') == std::string::npos ? bound.address : "[" + bound.address + "]";
  for (const std::string& name : {address, std::string("localhost")}) {
    hosts_.push_back(fmt::format("{}:{}", name, bound.port));
    if (bound.port == (options.tls ? 443 : 80)) hosts_.push_back(name);
  }
}

bool Guard::is_our_host(std::string_view authority) const {
  return std::any_of(hosts_.begin(), hosts_.end(),
                     [&](const std::string& h) { return http::same_token(h, authority); });
}

std::optional<http::Path> Guard::without_secret(http::Path path) const {
  if (options_.secret.empty()) return path;
  if (path.names.empty() || !http::constant_time_equal(path.names.front(), options_.secret)) return std::nullopt;
  path.names.erase(path.names.begin());
  return path;
}

std::optional<http::Path> Guard::path_of(std::string_view url) const {
  auto where = dav::parse_destination(url);
  if (!where || (!where->authority.empty() && !is_our_host(where->authority))) return std::nullopt;
  auto path = http::parse_path(where->path);
  return path ? without_secret(std::move(*path)) : std::nullopt;
}

std::variant<http::Path, Answer> Guard::check(const http::Request& r) {
  // A page of another site whose name was made to lead here has its own name in Host (DNS rebinding).
  if (r.count("Host") > 1 || (r.minor == 1 && !r.has("Host"))) return plain_answer(400, "one Host field is wanted");
  if (r.has("Host") && !is_our_host(r.field("Host"))) return plain_answer(421, "this server has another name");
  std::string_view target = r.target;
  if (target == "*" && is_options(r)) target = "/";
  if (!target.empty() && target[0] != '/') {
    auto where = dav::parse_destination(target.substr(0, target.find('?')));
    if (!where || where->authority.empty()) return plain_answer(400, "the target is neither a path nor a URL");
    if (!is_our_host(where->authority)) return plain_answer(421, "this server has another name");
    target = where->path;
  }
  if (auto refused = check_origin(r)) return std::move(*refused);
  auto path = http::parse_path(target);
  if (!path) return plain_answer(400, "the path is malformed");
  if (auto refused = check_password(r)) return std::move(*refused);
  // Windows asks its way down from "/", which tells nothing but that a server is here.
  const bool above = !options_.secret.empty() && path->names.empty();
  if (above && is_options(r)) return http::Path{};
  if (above && r.method == "PROPFIND") {
    Answer answer(207);
    answer.xml().body =
        R"(<?xml version="1.0" encoding="utf-8"?><D:multistatus xmlns:D="DAV:"><D:response><D:href>/</D:href>)"
        R"(<D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype></D:prop>)"
        R"(<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>)";
    return answer;
  }
  auto below = without_secret(std::move(*path));
  if (!below) return plain_answer(404);
  return std::move(*below);
}

std::optional<Answer> Guard::check_origin(const http::Request& r) const {
  if (is_options(r) && r.has("Access-Control-Request-Method")) return plain_answer(403, "not for pages of other sites");
  if (r.has("Origin")) {
    std::string_view origin = r.field("Origin");
    const size_t scheme = origin.find("://");
    if (r.count("Origin") > 1 || scheme == std::string_view::npos || !is_our_host(origin.substr(scheme + 3)))
      return plain_answer(403, "not for pages of other sites");
  }
  std::string_view site = r.field("Sec-Fetch-Site");
  if (!site.empty() && site != "same-origin" && site != "none")
    return plain_answer(403, "not for pages of other sites");
  return std::nullopt;
}

bool Guard::Counts::take(uint32_t n) {
  if (n > last) {
    const uint32_t by = n - last;
    taken = by < kWindow ? taken << by | 1 : 1;
    last = n;
    return true;
  }
  const uint32_t back = last - n;
  if (n == 0 || back >= kWindow || taken >> back & 1) return false;
  taken |= uint64_t{1} << back;
  return true;
}

bool Guard::digest_ok(const http::Request& r, std::string_view value, bool& stale) {
  auto given = http::parse_authorization(value);
  auto* digest = std::get_if<http::DigestCredentials>(&given);
  if (!digest || digest->user != options_.user || digest->realm != kRealm || digest->uri != r.target) return false;
  const std::string ha1 = http::digest_ha1(digest->algorithm, options_.user, kRealm, options_.password);
  if (!http::digest_matches(*digest, ha1, r.method)) return false;
  const auto state = http::check_nonce(std::as_bytes(std::span(nonce_key_)), digest->nonce, now(), kNonceSeconds);
  if (state == http::NonceState::foreign) return false;
  if (state == http::NonceState::stale) {
    stale = true;
    return false;
  }
  std::lock_guard lock(m_);
  if (counts_.size() >= kMostNonces) counts_.clear();  // nonces that are still in use are counted from anew
  if (counts_[digest->nonce].take(digest->count())) return true;
  stale = true;  // the client asks again with a new nonce
  return false;
}

std::optional<Answer> Guard::check_password(const http::Request& r) {
  if (options_.auth == Options::Auth::none) return std::nullopt;
  bool stale = false;
  if (r.count("Authorization") == 1) {
    std::string_view value = r.field("Authorization");
    if (options_.auth == Options::Auth::digest) {
      if (digest_ok(r, value, stale)) return std::nullopt;
    } else {
      auto given = http::parse_authorization(value);
      auto* basic = std::get_if<http::BasicCredentials>(&given);
      if (basic && http::constant_time_equal(basic->user, options_.user) &&
          http::constant_time_equal(basic->password, options_.password))
        return std::nullopt;
    }
  }
  Answer answer = plain_answer(401);
  if (options_.auth == Options::Auth::digest) {
    uint64_t salt = 0;
    fill_random(std::as_writable_bytes(std::span(&salt, 1)));
    const std::string nonce = http::make_nonce(std::as_bytes(std::span(nonce_key_)), now(), salt);
    // The stronger one first, for clients that take the first they know.
    for (auto algorithm : {http::DigestAlgorithm::sha256, http::DigestAlgorithm::md5})
      answer.field("WWW-Authenticate", http::digest_challenge(algorithm, kRealm, nonce, stale));
  } else {
    answer.field("WWW-Authenticate", http::basic_challenge(kRealm));
  }
  return answer;
}

}  // namespace isthmus::webdav
