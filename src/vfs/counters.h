#pragma once
#include <array>
#include <atomic>
#include <cstdint>

#include "vfs/ops.h"

namespace isthmus {

/// How often each operation was asked for. Counting costs one uncontended add: threads spread over a few rows.
class Counters {
 public:
  void count(Op op) { rows_[row()].n[index_of(op)].fetch_add(1, std::memory_order_relaxed); }
  /// Sum over all threads at about this moment.
  uint64_t get(Op op) const;
  uint64_t total() const;

 private:
  static constexpr unsigned kRows = 8;
  struct alignas(64) Row {
    std::array<std::atomic<uint64_t>, kOpCount> n{};
  };
  static unsigned row();
  std::array<Row, kRows> rows_;
};

}  // namespace isthmus
