#pragma once
/// All that a program needs that becomes a file system by answering packets on its descriptors (docs/userfs.md): derive
/// from Provider, as for any other mount, and give it to userfs::run_main(). `isthmus mount userfs:PROGRAM MOUNTPOINT`
/// runs it, here or behind `ssh HOST`; examples/counter.cpp is one.
#include "doors/userfs/main.h"
#include "vfs/provider.h"
#include "vfs/upcalls.h"
