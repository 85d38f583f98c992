#pragma once
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fs/mem/mem_fs.h"
#include "vfs/sync.h"

// g++ and clang++ say in different ways that a sanitizer is on.
#if defined(__SANITIZE_THREAD__)
#define ISTHMUS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ISTHMUS_TSAN 1
#endif
#endif
#if defined(ISTHMUS_TSAN) || defined(__SANITIZE_ADDRESS__)
#define ISTHMUS_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ISTHMUS_SLOW 1
#endif
#endif

/// What the tests of this room share: short forms of operations, as some user.
namespace isthmus::fs::mem {

inline Context as_user(uint32_t uid, uint32_t gid, std::span<const uint32_t> groups = {}) {
  Context c;
  c.cred = {.known = true, .uid = uid, .gid = gid, .groups = groups, .groups_known = true};
  return c;
}

struct Listed {
  uint64_t cookie;
  uint32_t type;
  NodeId with;
};
/// Takes up to `room` entries.
struct ListSink final : DirSink {
  bool add(const DirEntry& e) override {
    if (seen.size() >= room) return false;
    EXPECT_FALSE(seen.contains(std::string(e.name))) << e.name;
    seen[std::string(e.name)] = {e.cookie, e.type, e.with ? e.with->node : NodeId::none};
    order.push_back(std::string(e.name));
    last = e.cookie;
    return true;
  }
  size_t room = SIZE_MAX;
  uint64_t last = 0;
  std::map<std::string, Listed> seen;
  std::vector<std::string> order;
};

/// A MemFs and short forms of its operations.
class Mem {
 public:
  explicit Mem(MemOptions o = {}) : fs(std::move(o)) {}

  template <class T>
  Result<typename T::Reply> run(T args) {
    return call_and_wait(fs, std::move(args), ctx);
  }
  Result<Entry> lookup(NodeId dir, std::string_view name) { return run(op::Lookup{{}, dir, name}); }
  Result<Entry> mkdir(NodeId dir, std::string_view name, uint32_t mode = 0755) {
    return run(op::Mkdir{{}, dir, name, mode, {}});
  }
  Result<Entry> mknod(NodeId dir, std::string_view name, uint32_t mode = S_IFREG | 0644, uint64_t rdev = 0) {
    return run(op::Mknod{{}, dir, name, mode, rdev, {}});
  }
  Result<Entry> symlink(NodeId dir, std::string_view name, std::string_view target) {
    return run(op::Symlink{{}, dir, name, target, {}});
  }
  Result<Entry> link(NodeId node, NodeId dir, std::string_view name) { return run(op::Link{{}, node, dir, name}); }
  int unlink(NodeId dir, std::string_view name) { return run(op::Unlink{{}, dir, name}).code(); }
  int rmdir(NodeId dir, std::string_view name) { return run(op::Rmdir{{}, dir, name}).code(); }
  int rename(NodeId a, std::string_view from, NodeId b, std::string_view to, uint32_t flags = 0) {
    return run(op::Rename{{}, a, from, b, to, flags}).code();
  }
  Result<Created> create(NodeId dir, std::string_view name, uint32_t flags = O_RDWR, uint32_t mode = 0644) {
    return run(op::Create{{}, dir, name, mode, flags, 7, false, {}});
  }
  Result<Opened> open(NodeId n, uint32_t flags = O_RDWR) { return run(op::Open{{}, n, flags, 7, false}); }
  Attr stat(NodeId n) {
    auto r = run(op::Getattr{{}, n, {}});
    EXPECT_TRUE(r) << name_of(r ? Errno{} : r.error());
    return r ? r->attr : Attr{};
  }
  Result<size_t> write(NodeId n, uint64_t offset, std::string_view data, bool append = false) {
    Buffer b = Buffer::view(as_bytes(data));
    op::Write w;
    w.node = n;
    w.offset = offset;
    w.data = &b;
    w.append = append;
    return run(w);
  }
  Result<std::string> read(NodeId n, uint64_t offset, size_t size) {
    op::Read r;
    r.node = n;
    r.offset = offset;
    r.size = size;
    auto b = run(r);
    if (!b) return b.error();
    std::string s(b->size(), '\0');
    auto got = b->copy_to(std::as_writable_bytes(std::span(s)));
    EXPECT_TRUE(got && *got == s.size());
    return s;
  }
  Result<Attributes> set(NodeId n, SetAttr s, HandleId h = HandleId::none) { return run(op::Setattr{{}, n, h, s, 0}); }
  int chmod(NodeId n, uint32_t mode) {
    SetAttr s;
    s.mask = kSetMode;
    s.to.mode = mode;
    return set(n, s).code();
  }
  int chown(NodeId n, int64_t uid, int64_t gid) {
    SetAttr s;
    if (uid >= 0) s.mask |= kSetUid, s.to.uid = static_cast<uint32_t>(uid);
    if (gid >= 0) s.mask |= kSetGid, s.to.gid = static_cast<uint32_t>(gid);
    return set(n, s).code();
  }
  int truncate(NodeId n, uint64_t size) {
    SetAttr s;
    s.mask = kSetSize;
    s.to.size = size;
    return set(n, s).code();
  }
  int fallocate(NodeId n, int mode, uint64_t offset, uint64_t length) {
    return run(op::Fallocate{{}, n, {}, mode, offset, length}).code();
  }
  int set_xattr(NodeId n, std::string_view name, std::string_view value, int flags = 0) {
    return run(op::SetXattr{{}, n, name, as_bytes(value), flags, false}).code();
  }
  Result<std::string> get_xattr(NodeId n, std::string_view name) { return run(op::GetXattr{{}, n, name}); }
  void forget(NodeId n, uint64_t count = 1) { (void)run(op::Forget{{}, n, count}); }
  ListSink list(NodeId dir, uint64_t cookie = 0, size_t room = SIZE_MAX, HandleId h = HandleId::none) {
    ListSink sink;
    sink.room = room;
    op::ReadDir r;
    r.node = dir;
    r.handle = h;
    r.cookie = cookie;
    r.sink = &sink;
    EXPECT_TRUE(run(r));
    return sink;
  }

  MemFs fs;
  Context ctx;
};

constexpr NodeId kRoot = NodeId::root;

}  // namespace isthmus::fs::mem
