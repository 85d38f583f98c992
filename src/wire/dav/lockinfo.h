#pragma once
#include <string>
#include <string_view>

#include "wire/dav/xml_error.h"

namespace isthmus::dav {

/// Body of a LOCK that makes a lock (RFC 4918 section 14.11); always a write lock. A refresh has no body.
struct LockInfo {
  bool exclusive = true;
  std::string owner;  ///< inner XML of the owner element, self-contained as PropChange::value
};

/// Bytes of an owner. It is kept as long as the lock, and written into each listing of locks.
inline constexpr size_t kMaxOwner = 8 << 10;

Parsed<LockInfo> parse_lockinfo(std::string_view body, size_t max_body = kMaxBody);

}  // namespace isthmus::dav
