#pragma once
#include <cstdlib>

/// What must hold whatever the input is: libFuzzer keeps the input where it does not.
inline void check(bool holds) {
  if (!holds) abort();
}
