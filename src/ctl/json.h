#pragma once
#include <string>
#include <vector>

#include "ctl/doctor.h"
#include "ctl/status.h"

/// Everything that is JSON, in one place.
namespace isthmus::ctl {

/// One line, no newline. Bytes that are not UTF-8 become U+FFFD.
std::string to_json(const Status& status);
/// From what another process sent: anything may be wrong with it.
Expected<Status> status_from_json(std::string_view text);
/// For `isthmus list --json` and `isthmus doctor --json`: indented, with a newline at the end.
std::string list_json(const std::vector<Status>& mounts);
std::string doctor_json(const std::vector<Finding>& findings);

}  // namespace isthmus::ctl
