#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace isthmus::dav {

/// Headers of RFC 4918 section 10 that are one value. An absent header is nullopt.

enum class Depth : uint8_t { absent, zero, one, infinity, bad };
Depth parse_depth(std::optional<std::string_view> value);

inline constexpr uint32_t kInfiniteTimeout = UINT32_MAX;
/// Seconds of the first entry that is understood ("Second-3600, Infinite"); none: the server chooses, the header is a
/// wish only. More than 2^32 - 1 seconds are without end.
std::optional<uint32_t> parse_timeout(std::optional<std::string_view> value);

/// T or F in any case; absent means T (section 10.6). None: bad.
std::optional<bool> parse_overwrite(std::optional<std::string_view> value);

/// Lock-Token of UNLOCK: the token without <>, which Windows XP leaves out. None: bad.
std::optional<std::string_view> parse_lock_token(std::string_view value);

/// Points into the header. The path begins with `/` and is as it was sent: percent-encoded, perhaps raw UTF-8.
struct Destination {
  std::string_view scheme;     ///< http or https in any case; empty if a path only was sent
  std::string_view authority;  ///< host and port; empty if a path only was sent
  std::string_view path;
};
/// None if it is no http URL or absolute path, or has user information, a query, a fragment, white space or control
/// characters.
std::optional<Destination> parse_destination(std::string_view value);

}  // namespace isthmus::dav
