#pragma once
#include <atomic>
#include <memory>
#include <string>

#include "fs/compress/source.h"
#include "vfs/sync.h"
#include "vfs/then.h"

namespace isthmus::fs::compress {

/// The server's own requests to the tree below: nobody in particular asks.
inline const Context& own() {
  static const Context ctx;
  return ctx;
}

/// A node of the tree below with the lookups that are counted for us; gives them back at its end, which must come when
/// no lock is held.
class Inner {
 public:
  Inner(FileSystem& tree, NodeId id, uint64_t lookups) : fs(tree), node(id), lookups_(lookups) {}
  Inner(const Inner&) = delete;
  Inner& operator=(const Inner&) = delete;
  ~Inner() {
    if (uint64_t n = lookups_.load()) forget(fs, own(), node, n);
  }
  void count(uint64_t n) { lookups_.fetch_add(n, std::memory_order_relaxed); }

  FileSystem& fs;
  const NodeId node;

 private:
  std::atomic<uint64_t> lookups_;
};
using InnerRef = std::shared_ptr<Inner>;

/// A file of the tree below, open for ourselves; closed at its end (likewise without locks). Any thread.
class OpenBelow final : public Source {
 public:
  /// flags: O_RDONLY or O_RDWR.
  static Result<std::shared_ptr<OpenBelow>> open(InnerRef node, uint32_t flags);
  /// Takes over what create answered.
  OpenBelow(InnerRef node, HandleId handle);
  OpenBelow(const OpenBelow&) = delete;
  OpenBelow& operator=(const OpenBelow&) = delete;
  ~OpenBelow() override;

  Result<size_t> read_at(uint64_t offset, MutableBytes to) override;
  Status write_at(uint64_t offset, Bytes data);
  /// `length` bytes of another file, by the tree's own means (a reflink perhaps) where it has some.
  Status copy_from(OpenBelow& from, uint64_t from_offset, uint64_t offset, uint64_t length);
  Status truncate(uint64_t size);
  Status fsync();
  Result<Attr> attr();

  const InnerRef& node() const { return node_; }
  /// Differs for every object of a process: what was read through it is cached under this number.
  uint64_t number() const { return number_; }

 private:
  const InnerRef node_;
  const HandleId handle_;
  const uint64_t number_;
};

/// The waist's attributes of a node below.
inline Result<Attr> attr_below(const Inner& n) {
  auto a = call_and_wait(n.fs, op::Getattr{{}, n.node, HandleId::none}, own());
  if (!a) return a.error();
  return a->attr;
}

}  // namespace isthmus::fs::compress
