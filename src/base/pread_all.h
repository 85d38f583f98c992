#pragma once
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace isthmus {

/// pread(2) until `to` is full or the file ends, whatever signals come: how many bytes there were.
Result<size_t> pread_all(int fd, MutableBytes to, uint64_t offset);
/// pwrite(2) of all bytes.
Status pwrite_all(int fd, Bytes bytes, uint64_t offset);

}  // namespace isthmus
