#pragma once
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zstd.h>

#include <map>
#include <string>
#include <vector>

#include "fs/compress/compress_fs.h"
#include "fs/fault/fault.h"
#include "fs/mem/mem_fs.h"
#include "vfs/test_fs.h"

/// What the tests of this room share: a mirror over a tree in memory, both seen by short forms of operations.
namespace isthmus::fs::compress {

constexpr NodeId kRoot = NodeId::root;

/// One of the two trees.
class View {
 public:
  explicit View(FileSystem& f) : fs(f) {}
  template <class T>
  Result<typename T::Reply> run(T args) {
    return call_and_wait(fs, std::move(args), ctx);
  }
  Result<Entry> lookup(std::string_view name, NodeId dir = kRoot) {
    auto e = run(op::Lookup{{}, dir, name});
    return e && e->node == NodeId::none ? Result<Entry>(err(ENOENT)) : e;
  }
  bool has(std::string_view name, NodeId dir = kRoot) { return lookup(name, dir).ok(); }
  NodeId node(std::string_view name, NodeId dir = kRoot) {
    auto e = lookup(name, dir);
    EXPECT_TRUE(e) << name;
    return e ? e->node : NodeId::none;
  }
  Attr stat(NodeId n) {
    auto a = run(op::Getattr{{}, n, {}});
    EXPECT_TRUE(a);
    return a ? a->attr : Attr{};
  }
  Attr stat(std::string_view name) { return stat(node(name)); }
  Result<Opened> open(NodeId n, uint32_t flags = O_RDWR) { return run(op::Open{{}, n, flags, 7, false}); }
  Result<Created> create(std::string_view name, NodeId dir = kRoot, uint32_t mode = 0644) {
    return run(op::Create{{}, dir, name, mode, O_RDWR | O_CREAT | O_EXCL, 7, false, {}});
  }
  Result<size_t> write(NodeId n, HandleId h, uint64_t offset, std::string_view data) {
    Buffer b = Buffer::view(as_bytes(data));
    op::Write w;
    w.node = n;
    w.handle = h;
    w.offset = offset;
    w.data = &b;
    return run(w);
  }
  Result<std::string> read(NodeId n, HandleId h, uint64_t offset, size_t size) {
    op::Read r;
    r.node = n;
    r.handle = h;
    r.offset = offset;
    r.size = size;
    auto b = run(r);
    if (!b) return b.error();
    std::string s(b->size(), '\0');
    EXPECT_TRUE(b->copy_to(std::as_writable_bytes(std::span(s))));
    return s;
  }
  int flush(NodeId n, HandleId h) { return run(op::Flush{{}, n, h}).code(); }
  int fsync(NodeId n, HandleId h) { return run(op::Fsync{{}, n, h, false}).code(); }
  void release(NodeId n, HandleId h) {
    op::Release r;
    r.node = n;
    r.handle = h;
    EXPECT_TRUE(run(r));
  }
  int close(NodeId n, HandleId h) {
    const int e = flush(n, h);
    release(n, h);
    return e;
  }
  /// A file with this content, made or rewritten as `cat >name` does.
  int put(std::string_view name, std::string_view content, NodeId dir = kRoot) {
    auto made = run(op::Create{{}, dir, name, 0644, O_WRONLY | O_CREAT, 7, false, {}});
    if (!made) return made.code();
    SetAttr s;
    s.mask = kSetSize;
    auto cut = run(op::Setattr{{}, made->entry.node, made->opened.handle, s, 0});
    auto wrote = content.empty() ? Result<size_t>(size_t{0}) : write(made->entry.node, made->opened.handle, 0, content);
    const int closed = close(made->entry.node, made->opened.handle);
    forget(made->entry.node);
    return cut.code() ? cut.code() : wrote.code() ? wrote.code() : closed;
  }
  Result<std::string> get(std::string_view name, NodeId dir = kRoot) {
    auto e = lookup(name, dir);
    if (!e) return e.error();
    auto o = open(e->node, O_RDONLY);
    if (!o) return o.error();
    std::string all;
    Result<std::string> part = std::string();
    do {
      part = read(e->node, o->handle, all.size(), 100'000);
      if (part) all += *part;
    } while (part && !part->empty());
    release(e->node, o->handle);
    forget(e->node);
    return part ? Result<std::string>(all) : part;
  }
  int unlink(std::string_view name, NodeId dir = kRoot) { return run(op::Unlink{{}, dir, name}).code(); }
  int rename(std::string_view from, std::string_view to, uint32_t flags = 0) {
    return run(op::Rename{{}, kRoot, from, kRoot, to, flags}).code();
  }
  int link(std::string_view from, std::string_view to) { return run(op::Link{{}, node(from), kRoot, to}).code(); }
  int set(NodeId n, const SetAttr& s, HandleId h = HandleId::none) { return run(op::Setattr{{}, n, h, s, 0}).code(); }
  int truncate(NodeId n, uint64_t size, HandleId h = HandleId::none) {
    SetAttr s;
    s.mask = kSetSize;
    s.to.size = size;
    return set(n, s, h);
  }
  void forget(NodeId n) { (void)run(op::Forget{{}, n, 1}); }
  std::vector<std::string> list(NodeId dir = kRoot) {
    testing::NameSink sink;
    op::ReadDir r;
    r.node = dir;
    r.sink = &sink;
    EXPECT_TRUE(run(r));
    std::erase_if(sink.names, [](auto& n) { return n == "." || n == ".."; });
    std::sort(sink.names.begin(), sink.names.end());
    return sink.names;
  }

  FileSystem& fs;
  Context ctx;
};

struct Quiet final : Upcalls {};

/// The mirror, what lies below it, and perhaps rules of faults between them.
class Rig {
 public:
  explicit Rig(Options options = {}, mem::MemOptions memory = {}, std::string_view faults = {})
      : mem_(new mem::MemFs(std::move(memory))) {
    std::unique_ptr<FileSystem> tree(mem_);
    if (!faults.empty()) {
      fault::Options o;
      std::string why;
      EXPECT_TRUE(fault::parse_rules(faults, o.rules, why)) << why;
      o.seed = 1;
      tree = std::make_unique<fault::Fault>(std::move(tree), std::move(o));
    }
    fs_ = std::make_unique<CompressFs>(std::move(tree), std::move(options));
    EXPECT_TRUE(fs_->start(up_));
    shown.emplace(*fs_);
    stored.emplace(*mem_);
  }
  ~Rig() {
    if (fs_) fs_->stop();
  }
  /// What zstd(1) makes of a stored file.
  std::string unpacked(std::string_view name) {
    auto bytes = stored->get(name);
    EXPECT_TRUE(bytes) << name;
    if (!bytes) return {};
    std::string out;
    std::vector<char> piece(100'000);
    ZSTD_DStream* z = ZSTD_createDStream();
    ZSTD_inBuffer in{bytes->data(), bytes->size(), 0};
    size_t left = 0;
    while (in.pos < in.size) {
      ZSTD_outBuffer o{piece.data(), piece.size(), 0};
      left = ZSTD_decompressStream(z, &o, &in);
      EXPECT_FALSE(ZSTD_isError(left)) << name << ": " << ZSTD_getErrorName(left);
      if (ZSTD_isError(left)) break;
      out.append(piece.data(), o.pos);
    }
    EXPECT_EQ(left, 0u) << name << " ends in the middle of a frame";
    ZSTD_freeDStream(z);
    return out;
  }

 private:
  Quiet up_;
  mem::MemFs* mem_;
  std::unique_ptr<CompressFs> fs_;

 public:
  std::optional<View> shown, stored;
};

inline std::string pattern(size_t size, unsigned seed = 1) {
  std::string s;
  while (s.size() < size) s += std::to_string((seed = seed * 1103515245 + 12345) >> 8) + "\n";
  s.resize(size);
  return s;
}

inline std::string packed(std::string_view plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 3));
  return out;
}

}  // namespace isthmus::fs::compress
