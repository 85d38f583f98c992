#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// How names of the tree below and names shown belong together. Pure functions.
///   stored NAME.zst   shown NAME     a regular file is decoded; of anything else the ending is taken off all the same,
///                                    so that every stored name has one shown name whatever it names
///   stored NAME       shown NAME     as it is
/// Where both are there below, NAME is NAME and NAME.zst is shown under its own name, as it is.
namespace isthmus::fs::compress {

constexpr std::string_view kSuffix = ".zst";
constexpr size_t kNameMost = 255;
/// How long a shown name may be where stored ones may be this long.
constexpr uint32_t shown_name_max(uint32_t stored) {
  return stored > kSuffix.size() ? stored - static_cast<uint32_t>(kSuffix.size()) : stored;
}
/// Names of files being written, which nobody is shown.
constexpr std::string_view kTemporary = ".~isthmus-zst-";

inline bool has_suffix(std::string_view name) { return name.size() > kSuffix.size() && name.ends_with(kSuffix); }
inline std::string_view without_suffix(std::string_view name) { return name.substr(0, name.size() - kSuffix.size()); }
inline std::string with_suffix(std::string_view name) { return std::string(name).append(kSuffix); }
inline bool is_temporary(std::string_view name) { return name.starts_with(kTemporary); }

/// The stored name of a compressed file; none where it would be too long.
inline std::optional<std::string> packed_name(std::string_view shown) {
  if (shown.size() + kSuffix.size() > kNameMost) return {};
  return with_suffix(shown);
}
/// The stored name of anything else: an ending of its own must not be taken off. None where a file's would be too long,
/// so that all names may be as long as one another.
inline std::optional<std::string> other_name(std::string_view shown) {
  auto packed = packed_name(shown);
  return packed && !has_suffix(shown) ? std::optional(std::string(shown)) : packed;
}

/// ".~isthmus-zst-", when it was made (seconds since 1970, hexadecimal), and a random part.
std::string temporary_name();
/// The whole new content of a file with several names, which is being copied over it: by its inode number.
std::string redo_name(uint64_t ino);
/// A temporary file that a server left which was killed: older than a day. False for other names, and for what
/// redo_name() makes.
bool is_left_behind(std::string_view name);

}  // namespace isthmus::fs::compress
