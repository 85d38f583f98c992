#pragma once
#include <array>
#include <atomic>
#include <cstdint>

#include "base/thread_number.h"
#include "vfs/ops.h"

namespace isthmus {

/// How often each operation was asked for. Each thread counts in a row of its own, by a load and a store: no line of
/// memory is written by two processors, and no instruction locks one. Threads beyond the rows share the last.
class Counters {
 public:
  void count(Op op) {
    unsigned n = thread_number();
    if (n < kRows) [[likely]] {
      auto& c = rows_[n].n[index_of(op)];
      c.store(c.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    } else {
      rows_[kRows].n[index_of(op)].fetch_add(1, std::memory_order_relaxed);
    }
  }
  /// Sum over all threads at about this moment.
  uint64_t get(Op op) const;
  uint64_t total() const;

 private:
  static constexpr unsigned kRows = 64;
  struct alignas(64) Row {
    std::array<std::atomic<uint64_t>, kOpCount> n{};
  };
  std::array<Row, kRows + 1> rows_;
};

}  // namespace isthmus
