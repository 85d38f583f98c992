#pragma once
#include <span>

#include "ctl/registry.h"

namespace isthmus::ctl {

extern const Scheme kMailScheme, kFtpScheme, kFtpsScheme;

/// Sources behind libraries for the network and for mail, some forty of them (libcurl, GMime and what those load). The
/// program `isthmus` does without; `isthmus-net` has them (docs/decisions/0029).
std::span<const Scheme> net_schemes();

}  // namespace isthmus::ctl
