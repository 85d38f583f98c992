#include "ctl/net/net_schemes.h"

#include <array>

namespace isthmus::ctl {

std::span<const Scheme> net_schemes() {
  static const std::array kAll{kMailScheme, kFtpScheme, kFtpsScheme};
  return kAll;
}

}  // namespace isthmus::ctl
