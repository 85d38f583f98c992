#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "control/status.h"

namespace isthmus::control {

/// One line, no newline. Bytes that are not UTF-8 become U+FFFD.
std::string to_json(const Status& status);
/// From what another process sent: anything may be wrong with it.
Expected<Status> status_from_json(std::string_view text);
/// For `isthmus list --json`: indented, with a newline at the end.
std::string list_json(const std::vector<Status>& mounts);

}  // namespace isthmus::control
