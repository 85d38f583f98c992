#pragma once
#include <array>
#include <span>
#include <string_view>

#include "ctl/registry.h"

namespace isthmus::ctl {

inline constexpr std::string_view kMail = "mail", kFtp = "ftp", kFtps = "ftps";
/// Of net_schemes(), for whoever does without them.
inline constexpr std::array kNetSchemeNames{kMail, kFtp, kFtps};
extern const Scheme kMailScheme, kFtpScheme, kFtpsScheme;

/// Sources behind libraries for the network and for mail, some forty of them (libcurl, GMime and what those load). The
/// program `isthmus` does without; `isthmus-net` has them (docs/decisions/0029).
std::span<const Scheme> net_schemes();

}  // namespace isthmus::ctl
