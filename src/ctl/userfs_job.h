#pragma once
#include <string>

#include "ctl/served.h"

namespace isthmus::ctl {

/// What a command line says of a userfs door.
struct UserfsJob {
  std::string at;  ///< "-", or "READ,WRITE": open descriptors
  bool read_only = false;
};

/// Takes the descriptors. Of "-": standard input and output are /dev/null and standard error from then on, as nothing
/// but packets may get there.
Expected<UserfsEnd> userfs_end(const UserfsJob& job);

}  // namespace isthmus::ctl
