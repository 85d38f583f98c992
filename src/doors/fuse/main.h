#pragma once
#include <string>

#include "vfs/filesystem.h"

namespace isthmus::fuse {

/// A whole main() for a file system: `PROGRAM [-f] [-d] [-s] [-o OPTIONS] MOUNTPOINT`. Mounts `fs` and serves it until
/// it is unmounted (SIGTERM and SIGINT do that too); goes to the background, once the mount answers, unless -f. Prints
/// what is wrong on stderr. Call it before any thread exists; threads belong into FileSystem::start().
/// Returns the exit status: 0 served, 1 failed while serving, 2 wrong usage, 3 could not mount, 5 fs could not start.
int run_main(int argc, char** argv, FileSystem& fs);

/// `-o` options for --help, one or more lines each, at most `width` columns.
std::string options_help(size_t width = 80);

}  // namespace isthmus::fuse
