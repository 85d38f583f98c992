#pragma once
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/bytes.h"
#include "base/result.h"

namespace isthmus::fs::compress {

/// Decoded bytes; without memory: zeros.
struct Plain {
  std::unique_ptr<std::byte[]> bytes;
  size_t size = 0;
  /// Copies [at, at + to.size()), which must lie in it.
  void copy(size_t at, MutableBytes to) const;
};
using PlainRef = std::shared_ptr<const Plain>;

/// The frames decoded last, `most` bytes of them. Who asks for one that another thread is decoding waits for that. Any
/// thread; `make` runs without the cache's lock.
class FrameCache {
 public:
  explicit FrameCache(uint64_t most) : most_(most) {}

  struct Key {
    uint64_t file = 0;   ///< OpenBelow::number()
    uint64_t at = 0;     ///< of the frame in it
    uint64_t piece = 0;  ///< of a large frame
    bool operator==(const Key&) const = default;
  };
  Result<PlainRef> get(const Key& key, const std::function<Result<PlainRef>()>& make);
  uint64_t size() const;

 private:
  struct KeyHash {
    size_t operator()(const Key& k) const {
      return k.at * 0x9e3779b97f4a7c15 ^ k.file * 0xc2b2ae3d27d4eb4f ^ k.piece * 0x165667b19e3779f9;
    }
  };
  struct Slot {
    std::mutex making;  // before m_
    PlainRef plain;     // under making
  };
  struct Entry {
    std::shared_ptr<Slot> slot;
    size_t size = 0;
    std::list<Key>::iterator place;
  };
  void account(const Key& key, const std::shared_ptr<Slot>& slot, size_t size, std::list<std::shared_ptr<Slot>>& gone);
  void forget(const Key& key, const std::shared_ptr<Slot>& slot);

  const uint64_t most_;
  mutable std::mutex m_;  // a leaf
  uint64_t size_ = 0;
  std::list<Key> used_;  // the latest first
  std::unordered_map<Key, Entry, KeyHash> entries_;
};

}  // namespace isthmus::fs::compress
