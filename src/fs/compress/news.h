#pragma once
#include "fs/compress/compress_fs.h"

namespace isthmus::fs::compress {

/// What the tree below tells, in the words of what is shown.
class CompressFs::News final : public Upcalls {
 public:
  News(CompressFs& fs, Upcalls& up) : fs_(fs), up_(up) {}

  /// Nothing is passed on from now on: the nodes end.
  void close();
  void invalidate_node(NodeId n, uint64_t offset, uint64_t length) override;
  void invalidate_attr(NodeId n) override;
  void invalidate_entry(NodeId dir, std::string_view name) override;
  void invalidate_all_names() override { up_.invalidate_all_names(); }
  void deleted(NodeId dir, NodeId child, std::string_view name) override;
  void store(NodeId n, uint64_t offset, const Buffer& data) override;
  void when_heard(std::function<void()> done) override { up_.when_heard(std::move(done)); }
  void changed(NodeId dir, std::string_view name, uint32_t what) override;

 private:
  template <class F>
  void each(NodeId inner, F f);

  NodeRef find(NodeId inner, Kind kind);

  CompressFs& fs_;
  Upcalls& up_;
  std::shared_mutex m_;  // before that of the nodes
  bool closed_ = false;
};

}  // namespace isthmus::fs::compress
