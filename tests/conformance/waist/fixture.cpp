#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "conformance/waist/waist.h"

namespace isthmus::conformance {

std::vector<Subject>& subjects() {
  static std::vector<Subject> all;
  return all;
}

Fixture::Fixture(const Subject& subject) : fs_(subject.make()) {
  ctx_.access_checked = true;
  ctx_.cred = {};
  ctx_.cred.known = true;
  EXPECT_TRUE(fs_->start(news_));
}

Fixture::~Fixture() { fs_->stop(); }

Result<Entry> Fixture::lookup(NodeId dir, std::string_view name) {
  auto e = call(op::Lookup{{}, dir, name});
  if (e && e->node == NodeId::none) return err(ENOENT);
  return e;
}

Result<Entry> Fixture::mkdir(NodeId dir, std::string_view name, uint32_t mode) {
  op::Mkdir a;
  a.dir = dir;
  a.name = name;
  a.mode = S_IFDIR | mode;
  return call(a);
}

Result<Created> Fixture::create(NodeId dir, std::string_view name, uint32_t mode) {
  op::Create a;
  a.dir = dir;
  a.name = name;
  a.mode = S_IFREG | mode;
  a.flags = O_CREAT | O_EXCL | O_RDWR;
  return call(a);
}

Result<Entry> Fixture::mknod(NodeId dir, std::string_view name, uint32_t mode, uint64_t rdev) {
  op::Mknod a;
  a.dir = dir;
  a.name = name;
  a.mode = mode;
  a.rdev = rdev;
  return call(a);
}

Result<Entry> Fixture::symlink(NodeId dir, std::string_view name, std::string_view target) {
  op::Symlink a;
  a.dir = dir;
  a.name = name;
  a.target = target;
  return call(a);
}

Result<Entry> Fixture::link(NodeId node, NodeId dir, std::string_view name) {
  return call(op::Link{{}, node, dir, name});
}
Status Fixture::unlink(NodeId dir, std::string_view name) { return call(op::Unlink{{}, dir, name}); }
Status Fixture::rmdir(NodeId dir, std::string_view name) { return call(op::Rmdir{{}, dir, name}); }
Status Fixture::rename(NodeId dir, std::string_view name, NodeId to_dir, std::string_view to_name, uint32_t flags) {
  return call(op::Rename{{}, dir, name, to_dir, to_name, flags});
}

Result<size_t> Fixture::write(NodeId node, HandleId handle, uint64_t offset, std::string_view data) {
  Buffer b = Buffer::view(as_bytes(data));
  op::Write a;
  a.node = node;
  a.handle = handle;
  a.offset = offset;
  a.data = &b;
  return call(a);
}

Result<std::string> Fixture::read(NodeId node, HandleId handle, uint64_t offset, size_t size) {
  std::string into(size, '?'), out(size, '!');
  op::Read a;
  a.node = node;
  a.handle = handle;
  a.offset = offset;
  a.size = size;
  a.into = std::as_writable_bytes(std::span(into));
  auto b = call(a);
  if (!b) return b.error();
  auto n = b->copy_to(std::as_writable_bytes(std::span(out)), a.into);
  if (!n) return n.error();
  out.resize(*n);
  return out;
}

Result<Attr> Fixture::attr(NodeId node, HandleId handle) {
  auto a = call(op::Getattr{{}, node, handle});
  if (!a) return a.error();
  return a->attr;
}

void Fixture::release(NodeId node, HandleId handle, uint64_t lock_owner) {
  op::Release a;
  a.node = node;
  a.handle = handle;
  a.lock_owner = lock_owner;
  a.unlock_flock = lock_owner != 0;
  EXPECT_TRUE(call(a));
}

void Fixture::forget(NodeId node, uint64_t count) { EXPECT_TRUE(call(op::Forget{{}, node, count})); }

std::vector<std::string> Fixture::list(NodeId dir, size_t room) {
  struct Sink final : DirSink {
    bool add(const DirEntry& e) override {
      if (left == 0) return false;
      left--;
      cookie = e.cookie;
      if (e.name != "." && e.name != "..") names.emplace_back(e.name);
      return true;
    }
    size_t left = 0;
    uint64_t cookie = 0;
    std::vector<std::string> names;
  } sink;
  auto opened = call(op::OpenDir{{}, dir, O_RDONLY});
  EXPECT_TRUE(opened);
  if (!opened) return {};
  do {
    sink.left = room;
    op::ReadDir a;
    a.node = dir;
    a.handle = opened->handle;
    a.cookie = sink.cookie;
    a.sink = &sink;
    EXPECT_TRUE(call(a));
  } while (sink.left == 0);
  EXPECT_TRUE(call(op::ReleaseDir{{}, dir, opened->handle}));
  std::sort(sink.names.begin(), sink.names.end());
  return sink.names;
}

}  // namespace isthmus::conformance
