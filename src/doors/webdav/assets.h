#pragma once
#include <span>
#include <string_view>

namespace isthmus::webdav {

/// A file of the page for browsers, of web/, as it was built into the program.
struct Asset {
  std::string_view name, type;
  std::string_view etag;  ///< of its bytes, in quotes
  std::string_view bytes;
};
std::span<const Asset> assets();

}  // namespace isthmus::webdav
