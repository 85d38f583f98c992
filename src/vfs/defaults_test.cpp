#include "vfs/defaults.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "vfs/test_fs.h"

namespace isthmus {
namespace {

using testing::FlatFs;
using testing::NameSink;

struct Defaults : ::testing::Test {
  FlatFs fs;
  template <class T>
  auto call(T a, const Context& ctx = {}) {
    return call_and_wait(fs, std::move(a), ctx);
  }
  op::Create create(std::string_view name, uint32_t flags) {
    op::Create c;
    c.dir = NodeId::root;
    c.name = name;
    c.mode = S_IFREG | 0600;
    c.flags = flags;
    return c;
  }
};

TEST_F(Defaults, StatelessOperationsSucceed) {
  EXPECT_TRUE(call(op::Forget{{}, NodeId{10}, 1}));
  EXPECT_TRUE(call(op::Flush{{}, NodeId{10}}));
  EXPECT_TRUE(call(op::Release{{}, NodeId{10}}));
  EXPECT_TRUE(call(op::ReleaseDir{{}, NodeId{10}}));
  EXPECT_TRUE(call(op::Fsync{{}, NodeId{10}}));
  EXPECT_TRUE(call(op::FsyncDir{{}, NodeId{10}}));
  EXPECT_TRUE(call(op::Sync{}));
  auto open = call(op::Open{{}, NodeId{10}});
  ASSERT_TRUE(open);
  EXPECT_EQ(open->handle, HandleId::none);
  ASSERT_TRUE(call(op::OpenDir{{}, NodeId::root}));
  auto lease = call(op::SetLease{{}, NodeId{10}, {}, kLeaseRead});
  ASSERT_TRUE(lease);
  EXPECT_EQ(*lease, kLeaseNone);
}

TEST_F(Defaults, StatfsKnowsNameMax) {
  auto s = call(op::Statfs{});
  ASSERT_TRUE(s);
  EXPECT_EQ(s->blocks, 0u);
  EXPECT_EQ(s->name_max, 255u);
}

TEST_F(Defaults, CreateIsMknodAndOpen) {
  auto r = call(create("new", O_CREAT | O_EXCL | O_RDWR));
  ASSERT_TRUE(r);
  EXPECT_EQ(r->entry.attr.mode, uint32_t{S_IFREG | 0600});
  EXPECT_EQ(fs.open_lookups(), 1);
  EXPECT_EQ(call(create("new", O_CREAT | O_EXCL)).code(), EEXIST);
  auto again = call(create("new", O_CREAT));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->entry.node, r->entry.node);
  EXPECT_EQ(fs.open_lookups(), 2);
}

/// Refuses to open.
struct NoOpenFs final : Provider<NoOpenFs> {
  int forgotten = 0;
  Result<Entry> mknod(const Context&, const op::Mknod&) { return testing::entry_of(NodeId{9}); }
  Result<Opened> open(const Context&, const op::Open&) { return err(EMFILE); }
  Result<Unit> forget(const Context&, const op::Forget& a) {
    forgotten += static_cast<int>(a.count);
    return Unit{};
  }
};

TEST(DefaultCreate, FailedOpenGivesTheLookupBack) {
  NoOpenFs fs;
  op::Create c;
  c.dir = NodeId::root;
  c.name = "x";
  EXPECT_EQ(call_and_wait(fs, c).code(), EMFILE);
  EXPECT_EQ(fs.forgotten, 1);
}

/// Has create but no mknod, and answers from another thread.
struct CreateOnlyFs final : Provider<CreateOnlyFs> {
  std::vector<std::thread> threads;
  std::atomic<int> released{0};
  ~CreateOnlyFs() override {
    for (auto& t : threads) t.join();
  }
  void create(Call<op::Create> c) {
    threads.emplace_back([c = std::move(c)]() mutable {
      c.reply({testing::entry_of(NodeId{9}), {HandleId{5}, 0, -1}});
    });
  }
  Result<Unit> release(const Context&, const op::Release& a) {
    released += a.handle == HandleId{5};
    return Unit{};
  }
};

TEST(DefaultMknod, RegularFileIsCreateAndRelease) {
  CreateOnlyFs fs;
  op::Mknod m;
  m.dir = NodeId::root;
  m.name = "x";
  m.mode = S_IFREG | 0644;
  ASSERT_TRUE(call_and_wait(fs, m));
  EXPECT_EQ(fs.released, 1);
  m.mode = S_IFIFO | 0644;
  EXPECT_EQ(call_and_wait(fs, m).code(), EPERM);
}

TEST_F(Defaults, AccessByModeBits) {
  uint64_t id = fs.put("f", "", S_IFREG | 0640);  // owner and group 0
  Context user;
  user.cred.known = true;
  user.cred.uid = 5;
  user.cred.gid = 5;
  EXPECT_EQ(call(op::Access{{}, NodeId{id}, R_OK}, user).code(), EACCES);
  std::vector<uint32_t> groups{0};
  user.cred.groups = groups;
  EXPECT_EQ(call(op::Access{{}, NodeId{id}, R_OK}, user).code(), 0);
  EXPECT_EQ(call(op::Access{{}, NodeId{id}, W_OK}, user).code(), EACCES);
  Context root;
  root.cred.known = true;
  EXPECT_EQ(call(op::Access{{}, NodeId{id}, R_OK | W_OK}, root).code(), 0);
  EXPECT_EQ(call(op::Access{{}, NodeId{id}, X_OK}, root).code(), EACCES);
  EXPECT_EQ(call(op::Access{{}, NodeId{id}, F_OK}, user).code(), 0);
}

TEST_F(Defaults, CopyRangeIsReadAndWrite) {
  std::string big(300'000, 'x');
  for (size_t i = 0; i < big.size(); i++) big[i] = static_cast<char>('a' + i % 26);
  uint64_t from = fs.put("from", big), to = fs.put("to");
  op::CopyRange c;
  c.from = NodeId{from};
  c.to = NodeId{to};
  c.from_offset = 10;
  c.to_offset = 3;
  c.length = 1'000'000;
  auto n = call(c);
  ASSERT_TRUE(n);
  EXPECT_EQ(*n, big.size() - 10);
  EXPECT_EQ(fs.files[to].data, std::string(3, '\0') + big.substr(10));
  c.to = c.from;
  c.length = 100;
  EXPECT_EQ(call(c).code(), EINVAL);
  c.to_offset = UINT64_MAX - 10;
  EXPECT_EQ(call(c).code(), EFBIG);
}

TEST_F(Defaults, SeekHoleSeesOneExtent) {
  uint64_t id = fs.put("f", "12345");
  EXPECT_EQ(*call(op::SeekHole{{}, NodeId{id}, {}, 2, SEEK_DATA}), 2u);
  EXPECT_EQ(*call(op::SeekHole{{}, NodeId{id}, {}, 2, SEEK_HOLE}), 5u);
  EXPECT_EQ(call(op::SeekHole{{}, NodeId{id}, {}, 5, SEEK_DATA}).code(), ENXIO);
  EXPECT_EQ(call(op::SeekHole{{}, NodeId{id}, {}, 0, SEEK_SET}).code(), EINVAL);
}

TEST_F(Defaults, PollAndIoctl) {
  op::Poll p;
  p.events = POLLIN | POLLPRI;
  EXPECT_EQ(*call(p), uint32_t{POLLIN});
  EXPECT_EQ(call(op::Ioctl{}).code(), ENOTTY);
}

struct AclFs final : Provider<AclFs> {
  std::map<std::string, std::string> x;
  Result<std::string> get_xattr(const Context&, const op::GetXattr& a) {
    auto i = x.find(std::string(a.name));
    if (i == x.end()) return err(ENODATA);
    return i->second;
  }
  Result<Unit> set_xattr(const Context&, const op::SetXattr& a) {
    x[std::string(a.name)] = as_text(a.value);
    return Unit{};
  }
  Result<Unit> remove_xattr(const Context&, const op::RemoveXattr& a) {
    x.erase(std::string(a.name));
    return Unit{};
  }
};

TEST(DefaultAcl, PosixKindsAreXattrs) {
  AclFs fs;
  op::SetAcl set{{}, NodeId{9}, AclKind::posix_default, as_bytes("acl")};
  ASSERT_TRUE(call_and_wait(fs, set));
  EXPECT_EQ(fs.x["system.posix_acl_default"], "acl");
  EXPECT_EQ(*call_and_wait(fs, op::GetAcl{{}, NodeId{9}, AclKind::posix_default}), "acl");
  set.acl = {};
  ASSERT_TRUE(call_and_wait(fs, set));
  EXPECT_TRUE(fs.x.empty());
  EXPECT_EQ(call_and_wait(fs, op::GetAcl{{}, NodeId{9}, AclKind::windows}).code(), ENOSYS);
}

struct ReadOnlyFs final : Provider<ReadOnlyFs> {
  Result<Attributes> getattr(const Context&, const op::Getattr& a) { return Attributes{testing::file_attr(a.node), 0}; }
};

TEST(DefaultReadOnly, ChangesAnswerErofs) {
  ReadOnlyFs fs;
  EXPECT_TRUE(is_read_only(fs));
  EXPECT_EQ(call_and_wait(fs, op::Mkdir{}).code(), EROFS);
  EXPECT_EQ(call_and_wait(fs, op::Create{}).code(), EROFS);
  EXPECT_EQ(call_and_wait(fs, op::CopyRange{}).code(), EROFS);
  EXPECT_EQ(call_and_wait(fs, op::Access{{}, NodeId{9}, W_OK}).code(), EROFS);
  EXPECT_EQ(call_and_wait(fs, op::GetReparse{}).code(), ENOSYS);
}

TEST_F(Defaults, UnsupportedIsEnosys) {
  EXPECT_EQ(call(op::Symlink{}).code(), ENOSYS);
  EXPECT_EQ(call(op::Watch{}).code(), ENOSYS);
  EXPECT_EQ(call(op::ListStreams{}).code(), ENOSYS);
}

TEST_F(Defaults, ReadDirWithLookup) {
  for (int i = 0; i < 60; i++) fs.put("f" + std::to_string(i));
  NameSink all;
  op::ReadDir rd;
  rd.node = NodeId::root;
  rd.with_attr = true;
  rd.sink = &all;
  struct Ask final : Pending<op::ReadDir> {
    std::optional<Status> got;
    void answered(Status&& s) noexcept override { got = s; }
  } ask;
  ask.args = rd;
  submit_read_dir_with_lookup(fs, ask);
  ASSERT_TRUE(ask.got && *ask.got);
  EXPECT_EQ(all.names.size(), 60u);
  EXPECT_EQ(fs.open_lookups(), 60);
  EXPECT_EQ(all.with[7], NodeId{17});

  NameSink few(7);
  fs.lookups.clear();
  ask.got.reset();
  ask.args.sink = &few;
  submit_read_dir_with_lookup(fs, ask);
  ASSERT_TRUE(ask.got && *ask.got);
  EXPECT_EQ(few.names.size(), 7u);
  EXPECT_EQ(fs.open_lookups(), 7) << "the entry that did not fit must not stay looked up";
  ask.args.cookie = few.cookie;
  NameSink rest;
  ask.args.sink = &rest;
  submit_read_dir_with_lookup(fs, ask);
  EXPECT_EQ(rest.names.size(), 53u);
}

}  // namespace
}  // namespace isthmus
