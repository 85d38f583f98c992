#pragma once
#include "base/result.h"

namespace isthmus::webdav {

/// The status of an operation that failed. macOS takes 5xx other than 507 for "no such file", so what is not a fault of
/// the server is 4xx.
int status_of(Errno e);

}  // namespace isthmus::webdav
