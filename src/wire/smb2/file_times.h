#pragma once
#include <cstdint>

namespace isthmus::smb2 {

/// Each a FILETIME: 100 ns since 1601; 0: not known.
struct FileTimes {
  uint64_t creation = 0, access = 0, write = 0, change = 0;

  bool operator==(const FileTimes&) const = default;
  template <class C, class M>
  static void fields(C& c, M& m) {
    c.number(m.creation);
    c.number(m.access);
    c.number(m.write);
    c.number(m.change);
  }
};

}  // namespace isthmus::smb2
