#include "ctl/addon.h"
#include "ctl/schemes.h"

namespace isthmus::ctl {
namespace {

constexpr OptionHelp kAddonOptions[] = {
    {"args=TEXT", "arguments in front of the mountpoint, split at blanks; a backslash keeps the blank behind it"},
    {"KEY[=VALUE]", "any other: an option of the program, behind -o"},
};

}  // namespace

const Scheme kAddonScheme{"addon", true,
                          "a FUSE program, an executable or a shared object with a main(), on our libfuse in a process "
                          "of its own",
                          kAddonOptions, host_addon};

}  // namespace isthmus::ctl
