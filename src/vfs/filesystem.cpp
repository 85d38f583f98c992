#include "vfs/filesystem.h"

namespace isthmus {

FileSystem::~FileSystem() = default;

Status FileSystem::start(Upcalls& up) {
  up_ = &up;
  return Unit{};
}

uint64_t Counters::get(Op op) const {
  uint64_t n = 0;
  for (auto& r : rows_) n += r.n[index_of(op)].load(std::memory_order_relaxed);
  return n;
}

uint64_t Counters::total() const {
  uint64_t n = 0;
  for (size_t i = 0; i < kOpCount; i++) n += get(static_cast<Op>(i));
  return n;
}

}  // namespace isthmus
