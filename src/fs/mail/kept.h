#pragma once
#include <chrono>
#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "base/result.h"
#include "vfs/context.h"

namespace isthmus::fs::mail {

/// What was read of messages, the latest used, up to a number and a weight (bytes). Each is made once, also when
/// several ask at the same time. Any thread; nothing is made under the lock.
template <class V>
class Kept {
 public:
  using Key = std::pair<uint64_t, uint64_t>;  ///< a message's serial number and version
  using Value = std::shared_ptr<const V>;

  Kept(size_t most, size_t most_weight) : most_(most), most_weight_(most_weight) {}

  Value find(Key key) {
    std::lock_guard lock(m_);
    return find_locked(key);
  }

  void put(Key key, Value value, size_t weight) {
    std::lock_guard lock(m_);
    if (const auto old = places_.find(key); old != places_.end()) drop(old->second);
    items_.push_front({key, std::move(value), weight});
    places_[key] = items_.begin();
    weight_ += weight;
    while (items_.size() > 1 && (items_.size() > most_ || weight_ > most_weight_)) drop(std::prev(items_.end()));
  }

  /// What is kept, or what make() answers; make() puts it here itself. EINTR: cancelled while another made it.
  template <class F>
  Result<Value> get(Key key, const Cancel* cancel, F make) {
    {
      std::unique_lock lock(m_);
      for (;;) {
        if (Value found = find_locked(key)) return found;
        if (making_.insert(key).second) break;
        if (cancel && cancel->requested()) return err(EINTR);
        // A cancellation has no way to end a wait for another's work.
        made_.wait_for(lock, std::chrono::milliseconds(50));
      }
    }
    struct Done {
      ~Done() {
        std::lock_guard lock(kept.m_);
        kept.making_.erase(key);
        kept.made_.notify_all();
      }
      Kept& kept;
      Key key;
    } done{*this, key};
    return make();
  }

 private:
  struct Item {
    Key key;
    Value value;
    size_t weight;
  };
  using Items = std::list<Item>;

  Value find_locked(Key key) {
    const auto it = places_.find(key);
    if (it == places_.end()) return nullptr;
    items_.splice(items_.begin(), items_, it->second);
    return it->second->value;
  }
  void drop(typename Items::iterator it) {
    weight_ -= it->weight;
    places_.erase(it->key);
    items_.erase(it);
  }

  const size_t most_, most_weight_;
  std::mutex m_;
  std::condition_variable made_;
  Items items_;  // the latest used first
  std::map<Key, typename Items::iterator> places_;
  std::set<Key> making_;
  size_t weight_ = 0;
};

}  // namespace isthmus::fs::mail
