#pragma once
/// All that a program with a file system of its own needs: derive from Provider, give it to fuse::run_main().
/// docs/providers.md says how; the same line works in this tree and installed.
#include "doors/fuse/main.h"
#include "vfs/provider.h"
#include "vfs/upcalls.h"
