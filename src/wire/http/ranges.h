#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace isthmus::http {

/// What a Range header asks of a representation (RFC 9110 section 14).
struct RangeAnswer {
  enum class Kind : uint8_t {
    whole,         ///< 200: no range, several, or malformed, which all may be ignored
    part,          ///< 206
    unsatisfiable  ///< 416 with Content-Range: bytes */size
  } kind = Kind::whole;
  uint64_t offset = 0;
  uint64_t length = 0;  ///< of whole: all of it; of part: at least 1, within the size
};
RangeAnswer parse_range(std::optional<std::string_view> value, uint64_t size);

/// Strong and weak comparison of two entity tags (section 8.8.3.2), each as sent: "abc" or W/"abc".
bool strong_match(std::string_view a, std::string_view b);
bool weak_match(std::string_view a, std::string_view b);

enum class EtagMatch : uint8_t { none, listed, any, bad };
/// Looks for an entity tag in the list of If-Match or If-None-Match; `any` is `*`.
EtagMatch find_etag(std::string_view list, std::string_view etag, bool strong);

/// The request's conditional headers; nullopt: absent.
struct Conditionals {
  std::optional<std::string_view> if_match, if_none_match, if_modified_since, if_unmodified_since;
};
/// The resource as it is now.
struct Current {
  bool exists = false;
  std::string_view etag;      ///< as sent; empty: it has none
  std::optional<Time> mtime;  ///< Last-Modified; compared by whole seconds
};
enum class Verdict : uint8_t { go_on, not_modified, precondition_failed };
/// RFC 9110 section 13.2.2 without If-Range. `get_or_head`: those methods are answered 304 where others get 412. Dates
/// that are none are ignored. A malformed If-Match fails; a malformed If-None-Match lists nothing.
Verdict preconditions(const Conditionals& headers, const Current& now, bool get_or_head);

/// Whether If-Range lets the Range header count (section 13.1.5): a strong entity tag that is the current one, or the
/// very date that we send as Last-Modified.
bool if_range_holds(std::optional<std::string_view> value, const Current& now);

}  // namespace isthmus::http
