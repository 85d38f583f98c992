#include "vfs/context.h"

#include <utility>

namespace isthmus {

void Cancel::on_request(std::function<void()> f) {
  {
    std::lock_guard lock(m_);
    if (!requested()) {
      f_ = std::move(f);
      return;
    }
  }
  f();
}

void Cancel::clear() {
  std::lock_guard lock(m_);
  f_ = nullptr;
}

void Cancel::request() {
  std::function<void()> f;
  {
    std::lock_guard lock(m_);
    if (set_.exchange(true, std::memory_order_acq_rel)) return;
    f = std::exchange(f_, nullptr);
  }
  if (f) f();
}

void Cancel::reset() {
  std::lock_guard lock(m_);
  set_.store(false, std::memory_order_release);
  f_ = nullptr;
}

}  // namespace isthmus
