#pragma once
#include <cstring>
#include <vector>

#include "providers/fuse_host/ask.h"
#include "vfs/permissions.h"

namespace isthmus::fuse_host {

/// The records at the end of a request that makes a node: its labels, and the caller's supplementary group that
/// matters, which is the directory's (get_create_ext() in fs/fuse/dir.c). As far as they were agreed on.
class FuseHost::Extension {
 public:
  Extension(const FuseHost& host, NodeId dir, const Context& ctx, std::span<const op::Label> labels) {
    if (host.has(wire::fuse::kInitSecurityCtx)) add_labels(labels);
    const Node* d = host.has(wire::fuse::kInitCreateSuppGroup) && ctx.cred.known ? host.nodes_.find(dir) : nullptr;
    const uint32_t gid = d ? d->gid.load(std::memory_order_relaxed) : ctx.cred.gid;
    if (gid != ctx.cred.gid && in_group(ctx.cred, gid)) add_group(gid);
  }
  Bytes bytes() const { return bytes_; }

 private:
  template <class T>
  void add(const T& t) {
    add_bytes(bytes_of(t));
  }
  void add_bytes(Bytes b) { bytes_.insert(bytes_.end(), b.begin(), b.end()); }
  void pad() { bytes_.resize((bytes_.size() + 7) & ~size_t{7}); }

  void add_labels(std::span<const op::Label> labels) {
    labels = labels.first(std::min<size_t>(labels.size(), wire::fuse::kMaxNrSecctx));
    const size_t at = bytes_.size();
    add(wire::fuse::SecctxHeader{});
    for (auto& label : labels) {
      add(wire::fuse::Secctx{static_cast<uint32_t>(label.value.size()), 0});
      add_bytes(text(label.name));
      add_bytes(kNul);
      add_bytes(label.value);
      pad();
    }
    const wire::fuse::SecctxHeader header{static_cast<uint32_t>(bytes_.size() - at),
                                          static_cast<uint32_t>(labels.size())};
    memcpy(bytes_.data() + at, &header, sizeof header);
  }
  void add_group(uint32_t gid) {
    constexpr uint32_t kSize = sizeof(wire::fuse::ExtHeader) + sizeof(wire::fuse::SuppGroups) + sizeof gid;
    static_assert(kSize % 8 == 0);
    add(wire::fuse::ExtHeader{kSize, wire::fuse::kExtGroups});
    add(wire::fuse::SuppGroups{1});
    add(gid);
  }

  std::vector<std::byte> bytes_;
};

}  // namespace isthmus::fuse_host
