#pragma once

/// A function of the library's interface: it keeps its C name and is visible (abi/*.syms decide on its version).
#define ISTHMUS_EXPORT extern "C" __attribute__((visibility("default")))
