#pragma once
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace isthmus::smb {

class Request;
struct Open;

/// Bytes of an open file, or of its stream; fewer at its end.
Result<size_t> read_some(Request& r, const Open& open, uint64_t offset, MutableBytes into);

}  // namespace isthmus::smb
