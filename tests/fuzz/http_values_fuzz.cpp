#include <cstdint>
#include <cstdlib>
#include <string>

#include "wire/http/auth.h"
#include "wire/http/dates.h"
#include "wire/http/ranges.h"

// Values of HTTP headers: Authorization, Range, entity tags and dates. What is checked beside crashes: a range lies
// inside of the file, a date that was understood is written and understood as the same, and no made up nonce is ours.

namespace isthmus::http {
namespace {

void require(bool holds) {
  if (!holds) abort();
}

void authorization(std::string_view value) {
  auto given = parse_authorization(value);
  auto* d = std::get_if<DigestCredentials>(&given);
  if (!d) return;
  d->count();
  require(!digest_matches(*d, digest_ha1(d->algorithm, d->user, d->realm, "a password nobody found"), "GET"));
  require(check_nonce(as_bytes("a key nobody knows"), d->nonce, {}, 60) == NonceState::foreign);
}

void ranges(std::string_view value) {
  for (uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{1000}, UINT64_MAX}) {
    auto r = parse_range(value, size);
    if (r.kind == RangeAnswer::Kind::part) require(r.length > 0 && r.offset < size && r.length <= size - r.offset);
    if (r.kind == RangeAnswer::Kind::whole) require(r.offset == 0 && r.length == size);
  }
}

void validators(std::string_view value) {
  Current now{.exists = true, .etag = "\"a\"", .mtime = Time{784111777, 0}};
  for (bool get : {false, true}) {
    preconditions({.if_match = value, .if_none_match = value, .if_modified_since = {}, .if_unmodified_since = {}}, now,
                  get);
    preconditions({.if_match = {}, .if_none_match = {}, .if_modified_since = value, .if_unmodified_since = value}, now,
                  get);
  }
  if_range_holds(value, now);
  if (find_etag(value, now.etag, true) == EtagMatch::listed)
    require(find_etag(value, now.etag, false) == EtagMatch::listed);
  if (auto t = parse_date(value)) require(parse_date(format_date(*t)) == t);
}

}  // namespace
}  // namespace isthmus::http

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view value(reinterpret_cast<const char*>(data), size);
  isthmus::http::authorization(value);
  isthmus::http::ranges(value);
  isthmus::http::validators(value);
  return 0;
}
