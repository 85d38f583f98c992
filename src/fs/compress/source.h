#pragma once
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace isthmus::fs::compress {

/// The bytes of a stored file, as they are. Any thread.
class Source {
 public:
  virtual ~Source() = default;
  /// Fewer bytes than `to` holds: the file ends there. May block.
  virtual Result<size_t> read_at(uint64_t offset, MutableBytes to) = 0;
};

}  // namespace isthmus::fs::compress
