#pragma once
#include <algorithm>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "vfs/types.h"

/// The numbers of 32 bits that a peer has for nodes and open files.
namespace isthmus::userfs {

namespace detail {
/// The next number from `last` on that `taken` does not have; never 0.
template <class Map>
uint32_t free_number(uint32_t& last, const Map& taken) {
  do last++;
  while (last == 0 || taken.contains(last));
  return last;
}
}  // namespace detail

/// Nodes that the peer knows, each with its lookups. Any thread.
class NodeNumbers {
 public:
  static constexpr uint32_t kRoot = 1;
  /// lasting: handles are the provider's own node numbers, as far as they fit.
  explicit NodeNumbers(bool lasting) : lasting_(lasting) {
    nodes_[kRoot] = {NodeId::root, 0};
    numbers_[NodeId::root] = kRoot;
  }

  /// Counts one lookup more. None: the node's own number is too large (lasting).
  std::optional<uint32_t> give(NodeId node) {
    std::lock_guard lock(m_);
    auto [at, is_new] = numbers_.try_emplace(node, 0);
    if (is_new) {
      if (lasting_ && (raw(node) > UINT32_MAX || raw(node) == 0)) {
        numbers_.erase(at);
        return std::nullopt;
      }
      at->second = lasting_ ? static_cast<uint32_t>(raw(node)) : detail::free_number(last_, nodes_);
      nodes_[at->second].node = node;
    }
    nodes_[at->second].lookups++;
    return at->second;
  }
  /// None: the peer was never given it.
  NodeId node_of(uint32_t number) const {
    std::lock_guard lock(m_);
    const auto found = nodes_.find(number);
    if (found != nodes_.end()) return found->second.node;
    return lasting_ ? NodeId{number} : NodeId::none;
  }
  /// 0: not known.
  uint32_t number_of(NodeId node) const {
    std::lock_guard lock(m_);
    const auto found = numbers_.find(node);
    return found == numbers_.end() ? 0 : found->second;
  }
  struct Taken {
    NodeId node = NodeId::none;
    uint64_t lookups = 0;
  };
  /// Lookups to give back, as many as were given at most.
  Taken take(uint32_t number, uint64_t count) {
    std::lock_guard lock(m_);
    const auto found = nodes_.find(number);
    if (found == nodes_.end()) return {};
    const Taken taken{found->second.node, std::min(count, found->second.lookups)};
    found->second.lookups -= taken.lookups;
    if (found->second.lookups == 0 && number != kRoot) {
      numbers_.erase(found->second.node);
      nodes_.erase(found);
    }
    return taken;
  }
  std::vector<uint32_t> all() const {
    std::lock_guard lock(m_);
    std::vector<uint32_t> numbers;
    for (auto& [number, node] : nodes_) numbers.push_back(number);
    return numbers;
  }

 private:
  struct Node {
    NodeId node = NodeId::none;
    uint64_t lookups = 0;
  };
  struct Hash {
    size_t operator()(NodeId n) const { return std::hash<uint64_t>()(raw(n)); }
  };
  const bool lasting_;
  mutable std::mutex m_;  // a leaf
  uint32_t last_ = kRoot;
  std::unordered_map<uint32_t, Node> nodes_;
  std::unordered_map<NodeId, uint32_t, Hash> numbers_;
};

/// Open files, folders and queries, and watches. Any thread.
class OpenNumbers {
 public:
  enum class Kind : uint8_t { file, folder, query, watch };
  struct Open {
    HandleId handle = HandleId::none;
    NodeId node = NodeId::none;
    Kind kind = Kind::file;
    uint32_t flags = 0;
  };
  uint32_t add(const Open& open) {
    std::lock_guard lock(m_);
    const uint32_t fh = detail::free_number(last_, opens_);
    opens_[fh] = open;
    return fh;
  }
  std::optional<Open> find(uint32_t fh) const {
    std::lock_guard lock(m_);
    const auto found = opens_.find(fh);
    return found == opens_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<Open> take(uint32_t fh) {
    std::lock_guard lock(m_);
    const auto found = opens_.find(fh);
    if (found == opens_.end()) return std::nullopt;
    const Open open = found->second;
    opens_.erase(found);
    return open;
  }
  /// 0: none. For news, which are rare.
  uint32_t number_of(NodeId node, HandleId handle) const {
    std::lock_guard lock(m_);
    for (auto& [fh, open] : opens_)
      if (open.node == node && open.handle == handle) return fh;
    return 0;
  }
  std::vector<uint32_t> all() const {
    std::lock_guard lock(m_);
    std::vector<uint32_t> numbers;
    for (auto& [fh, open] : opens_) numbers.push_back(fh);
    return numbers;
  }

 private:
  mutable std::mutex m_;  // a leaf
  uint32_t last_ = 0;
  std::unordered_map<uint32_t, Open> opens_;
};

}  // namespace isthmus::userfs
