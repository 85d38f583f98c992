#pragma once
#include <span>
#include <string_view>

namespace isthmus::ctl {

/// Exit statuses of every sub-command.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailure = 1,
  kExitUsage = 2,
  kExitMount = 3,
  kExitUnsupported = 4,
  kExitSource = 5,
  kExitBusy = 6,
  kExitNoLibfuse = 7,
  // As env(1) and shells have them, beside the program's own.
  kExitCannotRun = 126,
  kExitNoProgram = 127,
};

struct ExitCodeInfo {
  ExitCode code;
  std::string_view meaning;
};

/// For --help and the man page.
inline constexpr ExitCodeInfo kExitCodes[] = {
    {kExitOk, "done; a mount was served and unmounted, or serves in the background"},
    {kExitFailure, "failed; a served mount had to be cut off"},
    {kExitUsage, "wrong usage: an unknown or malformed argument or option"},
    {kExitMount, "the mountpoint could not be mounted on, or unmounted"},
    {kExitUnsupported, "this machine lacks something (`isthmus doctor` says what)"},
    {kExitSource, "the source could not be opened"},
    {kExitBusy, "the mount is in use"},
    {kExitNoLibfuse, "run: the program that was to be checked loads no libfuse"},
    {kExitCannotRun, "run: the program cannot be run on our libfuse"},
    {kExitNoProgram, "run: there is no such program"},
};

}  // namespace isthmus::ctl
