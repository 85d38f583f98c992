#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "vfs/upcalls.h"

namespace isthmus::volume {

/// The doors of a volume as far as they hear news. Any thread; the mutex is a leaf, and not held while a door hears.
class Hub {
 public:
  void join(uint32_t port, Upcalls& up);
  /// Returns when no news is under way to the port any more; not to be called by a door that is hearing some.
  void leave(uint32_t port);

  /// Runs f(Upcalls&) for every door but one (0: all).
  template <class F>
  void others(uint32_t but, F f) const {
    for (auto& link : *links())
      if (link->port != but) link->tell(f);
  }
  /// Whether there is no other door.
  bool only(uint32_t port) const {
    auto all = links();
    return all->empty() || (all->size() == 1 && all->front()->port == port);
  }
  template <class F>
  void one(uint32_t port, F f) const {
    for (auto& link : *links())
      if (link->port == port) link->tell(f);
  }

 private:
  struct Link {
    Link(uint32_t p, Upcalls& u) : port(p), up(u) {}
    template <class F>
    void tell(F& f) {
      if (users.fetch_add(1, std::memory_order_acquire) >= 0) f(up);
      if (users.fetch_sub(1, std::memory_order_release) == kClosed + 1) users.notify_all();
    }
    // Whoever closes adds kClosed; no news is under way when just that is left.
    static constexpr int64_t kClosed = INT64_MIN / 2;
    const uint32_t port;
    Upcalls& up;
    std::atomic<int64_t> users{0};
  };
  using Links = std::vector<std::shared_ptr<Link>>;
  std::shared_ptr<const Links> links() const {
    std::lock_guard lock(m_);
    return links_;
  }

  mutable std::mutex m_;
  std::shared_ptr<const Links> links_ = std::make_shared<const Links>();
};

}  // namespace isthmus::volume
