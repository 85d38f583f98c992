/// Parsing of options: the same in libfuse 2 and 3. C and C++.
#pragma once
#include "../fuse3/fuse_opt.h"
