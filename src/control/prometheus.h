#pragma once
#include <string>
#include <vector>

#include "control/status.h"

namespace isthmus::control {

/// In Prometheus' text format 0.0.4. Labels: pid and source of the process, and the door.
std::string to_prometheus(const std::vector<Status>& all);

}  // namespace isthmus::control
