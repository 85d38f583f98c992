/// How the library was built, for programs that ask. C and C++.
#pragma once

#define LIBFUSE_BUILT_WITH_VERSIONED_SYMBOLS 1
