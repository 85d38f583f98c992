#pragma once
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "bench/fuse/measure/meter.h"

namespace isthmus::bench {

constexpr size_t kMiB = 1 << 20;

/// Memory that O_DIRECT takes.
class AlignedBuffer {
 public:
  /// `size` bytes, a multiple of a page, filled so that their pages exist.
  AlignedBuffer(size_t size, char fill) : data_(static_cast<char*>(std::aligned_alloc(4096, size)), &std::free) {
    need(data_ != nullptr, "memory");
    std::memset(data_.get(), fill, size);
  }
  char* data() const { return data_.get(); }

 private:
  std::unique_ptr<char, void (*)(void*)> data_;
};

/// Writes `mib` MiB from the beginning of a file in pieces of `piece` bytes; `sync` by fsync at the end.
void write_stream(const std::string& path, int flags, long mib, size_t piece, bool sync = false);
/// Reads them.
void read_stream(const std::string& path, int flags, long mib, size_t piece);

}  // namespace isthmus::bench
