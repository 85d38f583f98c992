#pragma once
#include <string>

namespace isthmus {

/// The running kernel, by uname(2).
struct KernelVersion {
  unsigned major = 0, minor = 0;
  std::string release;  ///< "6.1.0-13-amd64"
  bool at_least(unsigned a, unsigned b) const { return major > a || (major == a && minor >= b); }
};

/// 0.0 for a release that does not begin with two numbers.
KernelVersion kernel_version();

}  // namespace isthmus
