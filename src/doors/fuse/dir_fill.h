#pragma once
#include <vector>

#include "doors/fuse/listing_advice.h"
#include "doors/fuse/policy.h"
#include "vfs/types.h"
#include "wire/fuse/reply.h"

namespace isthmus::fuse {

/// Encodes the names of a directory as they come, for READDIR or READDIRPLUS.
class DirFill final : public DirSink {
 public:
  /// `policy`, `out` and `advice` outlive the listing. advice: null where all names shall have attributes.
  void begin(MutableBytes out, bool plus, const Policy& policy, NodeId dir, ListingAdvice* advice);
  bool add(const DirEntry& e) override;
  size_t room() const override { return out_size_ - writer_.bytes().size(); }

  Bytes bytes() const { return writer_.bytes(); }
  /// Lookups that came with entries and will not reach the kernel, which neither counts "." and ".." nor names it
  /// refuses or gets without attributes.
  const std::vector<NodeId>& give_back() const { return give_back_; }
  /// Every node whose lookup count is in bytes(): for an answer that nobody got.
  std::vector<NodeId> counted() const;
  void end() { give_back_.clear(); }

 private:
  bool plus_ = false;
  size_t out_size_ = 0, names_ = 0;
  NodeId dir_ = NodeId::none;
  ListingAdvice* advice_ = nullptr;
  const Policy* policy_ = nullptr;
  wire::fuse::DirentWriter writer_{{}};
  std::vector<NodeId> give_back_;
};

}  // namespace isthmus::fuse
