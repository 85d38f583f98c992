#pragma once
#include <string>

#include "base/clock.h"

namespace isthmus::dav {

/// RFC 3339 in UTC, whole seconds, for creationdate: "1994-11-06T08:49:37Z".
void append_rfc3339(std::string& out, Time t);
std::string format_rfc3339(Time t);

}  // namespace isthmus::dav
