#pragma once
#include <string>
#include <vector>

namespace isthmus {

/// The names in a folder that do not begin with a dot, sorted; none if it cannot be read.
std::vector<std::string> names_in(const std::string& folder);

}  // namespace isthmus
