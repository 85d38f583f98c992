#pragma once
#include <optional>
#include <string_view>

#include "vfs/capabilities.h"

namespace isthmus {

/// The operations that `list` names as a trace does (lookup, read_dir), with `separator` between the names. Nothing if
/// one is no operation's: `wrong` is then that name, a part of `list`.
std::optional<Capabilities> parse_op_names(std::string_view list, char separator, std::string_view& wrong);

}  // namespace isthmus
