#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "vfs/volume/places.h"
#include "vfs/volume/watch.h"

namespace isthmus::volume {

/// Who did something: a door (VolumePort::id()) and its client there. All 0: nobody of ours.
struct Actor {
  uint32_t port = 0;
  uint64_t client = 0;
  uint64_t lease_key = 0, parent_lease_key = 0;
};

/// All watches of a volume. Events are matched and queued by whoever changes something, and the watcher is woken by the
/// same thread with no lock held. Any thread. Locks: the list's, then a queue's; leaves.
class Watches {
 public:
  explicit Watches(const Places& places) : places_(places) {}

  /// Ends when the Watching is destroyed; then `ended` runs. The Watches outlive it.
  std::unique_ptr<Watching> add(const WatchWish& wish, std::function<void()> wake, std::function<void()> ended);
  bool any() const { return count_.load(std::memory_order_relaxed) != 0; }

  /// Something happened to a name: who watches `dir` or above hears.
  void name_event(NodeId dir, std::string_view name, uint32_t what, const Actor& who);
  /// The first event of a rename, of which nobody is woken before the second, so that watchers get both at once.
  void renamed_from(NodeId dir, std::string_view name, const Actor& who, uint32_t cookie);
  void renamed_to(NodeId dir, std::string_view name, const Actor& who, uint32_t cookie);
  /// Something happened to a node: who watches it hears, and who watches where it was seen last.
  void node_event(NodeId node, uint32_t what, const Actor& who);
  /// News was lost.
  void overflow();
  /// Of a new rename; never 0.
  uint32_t next_cookie();

 private:
  class Queue;
  class Handle;
  using Queues = std::vector<std::shared_ptr<Queue>>;

  void end(const std::shared_ptr<Queue>& q);
  /// `later`: nobody is woken.
  void tell(NodeId dir, std::string_view name, NodeId itself, const WatchEvent& e, bool later = false);
  std::shared_ptr<const Queues> queues();

  const Places& places_;
  std::atomic<size_t> count_{0};
  std::atomic<uint32_t> cookie_{0};
  std::mutex m_;
  std::shared_ptr<const Queues> all_ = std::make_shared<const Queues>();
};

}  // namespace isthmus::volume
