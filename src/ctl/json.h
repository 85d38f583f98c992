#pragma once
#include <string>
#include <vector>

#include "ctl/doctor.h"

namespace isthmus::ctl {

/// For `isthmus doctor --json`: indented, with a newline at the end.
std::string doctor_json(const std::vector<Finding>& findings);

}  // namespace isthmus::ctl
