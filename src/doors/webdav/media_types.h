#pragma once
#include <string_view>

namespace isthmus::webdav {

/// Media type by the name's ending; application/octet-stream for others.
std::string_view media_type(std::string_view name);

}  // namespace isthmus::webdav
