#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Names of files for clients that cannot take every one of ours.
namespace isthmus::windows {

enum class NameRules : uint8_t {
  text,     ///< UTF-8 without '\' and controls: what any URL can carry
  windows,  ///< besides, none of < > : " | ? * and no dot or space at the end, which make a folder unlistable there
  sfm,      ///< the same names, written as Services for Macintosh did: what macOS and Linux's cifs write and read
};

/// How a client sees a name: bytes that it cannot take, and those of ill-formed UTF-8, are U+F000 + byte, as Cygwin and
/// SFU write them; of sfm the printable ones are U+F020 to U+F029. Characters of U+F000..U+F0FF that the name itself
/// has are written so byte by byte, which makes it a bijection.
std::string to_client(std::string_view name, NameRules rules);
/// The way back. A name that to_client() never gives is taken as it stands. None: not UTF-8.
std::optional<std::string> from_client(std::string_view name, NameRules rules);

}  // namespace isthmus::windows
