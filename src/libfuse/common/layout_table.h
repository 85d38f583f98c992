#pragma once
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

/// layout.def, evaluated: name and value.
using LayoutTable = std::vector<std::pair<std::string, long>>;

/// Where the bits of a bit field are, as a number: byte and bit of the lowest, and how many.
template <class T, class Set>
long bits_of(Set set) {
  T object;
  memset(&object, 0, sizeof object);
  set(object);
  unsigned char bytes[sizeof object];
  memcpy(bytes, &object, sizeof object);
  long first = -1, count = 0;
  for (size_t i = 0; i < 8 * sizeof object; i++)
    if (bytes[i / 8] & (1u << i % 8)) {
      if (first < 0) first = static_cast<long>(i);
      count++;
    }
  return first * 100 + count;
}

LayoutTable layout_of_ours();
/// Empty: the system has no headers of that version.
LayoutTable layout_of_systems();
