#pragma once
#include "doors/userfs/userfs_door.h"

namespace isthmus::userfs {

/// A whole main() for a file system that is mounted by somebody else: answers the packets of standard input on standard
/// output until that ends the session, or SIGTERM, SIGINT or SIGHUP comes. Both are taken away from the program before:
/// what it prints goes to standard error. Call it before any thread exists; threads belong into FileSystem::start().
/// Returns the exit status: 0 served, 1 the peer was lost or spoke nonsense, 5 fs could not start.
int run_main(FileSystem& fs, const Options& options = {});

/// The same over other descriptors, which it takes over, and without a look at signals: until the session ends.
Status serve(FileSystem& fs, Fd in, Fd out, const Options& options = {});

}  // namespace isthmus::userfs
