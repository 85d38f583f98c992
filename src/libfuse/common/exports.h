#pragma once

/// A function of the library's interface: it keeps its C name and is visible (abi/*.syms decide on its version).
#define ISTHMUS_EXPORT extern "C" __attribute__((visibility("default")))

/// `function`, an ISTHMUS_EXPORT of this file, is what `name` was at `version`; programs linked then get it.
#define ISTHMUS_OLD_VERSION(name, function, version) __asm__(".symver " #function "," #name "@" version);
