#pragma once
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "base/result.h"
#include "vfs/types.h"
#include "vfs/volume/sip_hash.h"

namespace isthmus::volume {

/// Export handles as clients get them: a kind, a check of 8 bytes that only this volume's key makes, then the
/// provider's handle, or, for a provider that has none, the node's number and the volume's, which dies with the server.
/// Nodes named so are pinned, a bounded number of them: the ones used least recently become stale. Any thread; the
/// mutex is a leaf.
class Exports {
 public:
  explicit Exports(std::optional<SipKey> key);

  /// EOVERFLOW: the provider's handle is too long.
  Result<ExportHandle> seal(const ExportHandle& inner) const;
  ExportHandle seal(NodeId node) const;
  struct Opened {
    NodeId node = NodeId::none;  ///< none: `inner` says which
    ExportHandle inner;
  };
  /// ESTALE: not ours, changed on the way, or of an earlier run of a provider without handles.
  Result<Opened> open(const ExportHandle& sealed) const;

  /// A node that a client knows by its number. `fresh`: it was not pinned yet, and the caller gives it a user. Answers
  /// the node that is pinned no more, whose user the caller gives back, or none.
  NodeId pin(NodeId node, bool& fresh);
  bool pinned(NodeId node);

 private:
  static constexpr size_t kMostPinned = size_t{1} << 16;
  ExportHandle with_check(uint8_t kind, Bytes body) const;

  const SipKey key_;
  const uint64_t run_;  // of this server
  std::mutex m_;
  std::list<NodeId> recent_;
  std::unordered_map<NodeId, std::list<NodeId>::iterator> pins_;
};

}  // namespace isthmus::volume
