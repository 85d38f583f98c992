#include "vfs/volume/watches.h"

#include <algorithm>
#include <condition_variable>
#include <unordered_map>
#include <utility>

namespace isthmus::volume {

class Watches::Queue {
 public:
  Queue(const WatchWish& w, std::function<void()> wake) : wish(w), wake_(std::move(wake)) {}

  /// `later`: wakes nobody before wake_late().
  void put(WatchEvent e, bool later) {
    std::unique_lock lock(m_);
    if (closed_) return;
    bool was_empty = events_.empty();
    if (!was_empty && events_.back().overflow) return;
    if (e.overflow || events_.size() >= wish.most) {
      events_.clear();
      newest_.clear();
      e = {};
      e.overflow = true;
    } else {
      // Only a repetition of the newest event of a name is left out: "created, removed, created" are three.
      std::string k = key(e);
      auto [it, fresh] = newest_.try_emplace(e.path, k);
      if (!fresh && it->second == k) return;
      it->second = std::move(k);
    }
    events_.push_back(std::move(e));
    if (was_empty && later) owes_wake_ = true;
    if (was_empty && !later) wake(lock);
  }
  void wake_late() {
    std::unique_lock lock(m_);
    if (std::exchange(owes_wake_, false) && !closed_) wake(lock);
  }
  std::vector<WatchEvent> take() {
    std::lock_guard lock(m_);
    std::vector<WatchEvent> out(std::make_move_iterator(events_.begin()), std::make_move_iterator(events_.end()));
    events_.clear();
    newest_.clear();
    return out;
  }
  /// Afterwards nobody is woken any more.
  void close() {
    std::unique_lock lock(m_);
    closed_ = true;
    idle_.wait(lock, [&] { return waking_ == 0; });
  }

  const WatchWish wish;

 private:
  void wake(std::unique_lock<std::mutex>& lock) {
    waking_++;
    lock.unlock();
    wake_();
    lock.lock();
    if (--waking_ == 0) idle_.notify_all();
  }
  static std::string key(const WatchEvent& e) {
    return std::to_string(e.what) + ':' + std::to_string(e.port) + ':' + std::to_string(e.client) + ':' +
           std::to_string(e.cookie);
  }

  const std::function<void()> wake_;
  std::mutex m_;
  std::condition_variable idle_;
  std::vector<WatchEvent> events_;
  std::unordered_map<std::string, std::string> newest_;  // path -> key of its newest event
  unsigned waking_ = 0;
  bool closed_ = false, owes_wake_ = false;
};

class Watches::Handle final : public Watching {
 public:
  Handle(Watches& all, std::shared_ptr<Queue> q, std::function<void()> ended)
      : all_(all), queue_(std::move(q)), ended_(std::move(ended)) {}
  ~Handle() override {
    all_.end(queue_);
    queue_->close();
    if (ended_) ended_();
  }
  std::vector<WatchEvent> take() override { return queue_->take(); }

 private:
  Watches& all_;
  const std::shared_ptr<Queue> queue_;
  const std::function<void()> ended_;
};

std::unique_ptr<Watching> Watches::add(const WatchWish& wish, std::function<void()> wake, std::function<void()> ended) {
  auto q = std::make_shared<Queue>(wish, std::move(wake));
  auto handle = std::make_unique<Handle>(*this, q, std::move(ended));
  std::lock_guard lock(m_);
  auto more = std::make_shared<Queues>(*all_);
  more->push_back(std::move(q));
  all_ = std::move(more);
  count_.store(all_->size(), std::memory_order_relaxed);
  return handle;
}

void Watches::end(const std::shared_ptr<Queue>& q) {
  std::lock_guard lock(m_);
  auto fewer = std::make_shared<Queues>(*all_);
  std::erase(*fewer, q);
  all_ = std::move(fewer);
  count_.store(all_->size(), std::memory_order_relaxed);
}

// The way up is walked once, for all watches: path[k] is what a watcher of above[k] sees.
void Watches::tell(NodeId dir, std::string_view name, NodeId itself, const WatchEvent& e, bool later) {
  const auto all = queues();
  bool subtrees = std::any_of(all->begin(), all->end(), [](auto& q) { return q->wish.subtree; });
  struct Above {
    NodeId node;
    std::string path;
  };
  std::vector<Above> ways;
  bool lost = dir == NodeId::none;  // nobody knows where it is
  if (!lost) {
    ways.push_back({dir, std::string(name)});
    // A bound, as news of moves may come in another order than they were made.
    for (int depth = 0; subtrees && ways.back().node != NodeId::root; depth++) {
      auto place = places_.find(ways.back().node);
      if (!place || depth == 4096) {
        lost = true;
        break;
      }
      ways.push_back({place->dir, place->name + '/' + ways.back().path});
    }
  }
  for (auto& q : *all) {
    const WatchWish& w = q->wish;
    if (!(w.what & e.what)) continue;
    WatchEvent mine = e;
    mine.what &= w.what;
    if (w.node == itself) {
      q->put(std::move(mine), later);
      continue;
    }
    auto way = std::find_if(ways.begin(), ways.end(), [&](auto& a) { return a.node == w.node; });
    if (way != ways.end() && (way == ways.begin() || w.subtree)) {
      mine.path = way->path;
      q->put(std::move(mine), later);
    } else if (way == ways.end() && lost && (w.subtree || ways.empty())) {
      mine.overflow = true;
      q->put(std::move(mine), later);
    }
  }
}

void Watches::name_event(NodeId dir, std::string_view name, uint32_t what, const Actor& who) {
  if (!any()) return;
  tell(dir, name, NodeId::none, {what, false, {}, 0, who.port, who.client});
}

void Watches::renamed_from(NodeId dir, std::string_view name, const Actor& who, uint32_t cookie) {
  if (!any()) return;
  tell(dir, name, NodeId::none, {kWatchRenamedFrom, false, {}, cookie, who.port, who.client}, true);
}

void Watches::renamed_to(NodeId dir, std::string_view name, const Actor& who, uint32_t cookie) {
  if (!any()) return;
  tell(dir, name, NodeId::none, {kWatchRenamedTo, false, {}, cookie, who.port, who.client}, true);
  for (const auto& q : *queues()) q->wake_late();
}

std::shared_ptr<const Watches::Queues> Watches::queues() {
  std::lock_guard lock(m_);
  return all_;
}

void Watches::node_event(NodeId node, uint32_t what, const Actor& who) {
  if (!any()) return;
  WatchEvent e{what, false, {}, 0, who.port, who.client};
  if (node == NodeId::root) return tell(NodeId::root, {}, node, e);
  auto place = places_.find(node);
  tell(place ? place->dir : NodeId::none, place ? std::string_view(place->name) : std::string_view{}, node, e);
}

void Watches::overflow() {
  for (const auto& q : *queues()) {
    WatchEvent e;
    e.overflow = true;
    q->put(std::move(e), false);
  }
}

uint32_t Watches::next_cookie() {
  uint32_t c = 0;
  while (c == 0) c = cookie_.fetch_add(1, std::memory_order_relaxed) + 1;
  return c;
}

}  // namespace isthmus::volume
