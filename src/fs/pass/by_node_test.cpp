// Without handles: what a door does that leaves opens out.
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "base/text.h"
#include "fs/pass/pass_test.h"

namespace isthmus::fs::pass::test {

using namespace std::chrono_literals;

class ByNode : public OnStores {
 protected:
  Result<Entry> mknod(std::string_view name, uint32_t mode = S_IFREG | 0644) {
    op::Mknod a;
    a.dir = kRoot;
    a.name = name;
    a.mode = mode;
    return f.run(a);
  }
  static int number_of(const std::filesystem::directory_entry& fd) {
    return static_cast<int>(parse_number(fd.path().filename().string()).value_or(0));
  }
  /// Descriptors of this process that lead to `name`, which others may have removed; with `flags` among theirs.
  size_t open_to(const std::string& name, int flags = 0) {
    size_t n = 0;
    for (auto& e : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code ec;
      auto to = std::filesystem::read_symlink(e.path(), ec).string();
      if (!to.starts_with(f.path(name))) continue;
      int have = ::fcntl(number_of(e), F_GETFL);
      if (have >= 0 && (have & flags) == flags) n++;
    }
    return n;
  }
  template <class F>
  static bool soon(F done) {
    for (int i = 0; i < 6000; i++, std::this_thread::sleep_for(10ms))
      if (done()) return true;
    return false;
  }
};
INSTANTIATE_TEST_SUITE_P(Stores, ByNode, kStores, where_name);

TEST_P(ByNode, PromisedToRootThatHears) {
  EXPECT_EQ(f.fs->traits().inode_addressed, f.fs->watching() != nullptr && ::geteuid() == 0);
  EXPECT_EQ(f.fs->traits().flush_for_locks, f.fs->traits().inode_addressed);
  PassOptions o = options();
  o.watch = Watching::off;
  f.begin(o);
  EXPECT_FALSE(f.fs->traits().inode_addressed);
  EXPECT_FALSE(f.fs->traits().flush_for_locks);
}

TEST_P(ByNode, DataOfOneFile) {
  ::close(::open(f.path("a").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  auto e = f.look(kRoot, "a");
  ASSERT_TRUE(e);
  NodeId n = e->node;
  EXPECT_EQ(*f.read(n, HandleId::none, 0, 10), "");
  EXPECT_EQ(*f.write(n, HandleId::none, 0, "text"), 4u);  // opened for reading before
  EXPECT_EQ(*f.write(n, HandleId::none, 0, "more", true), 4u);
  EXPECT_EQ(*f.read(n, HandleId::none, 2, 10), "xtmore");
  op::Fsync sync;
  sync.node = n;
  EXPECT_TRUE(f.run(sync));
  SetAttr s;
  s.mask = kSetSize;
  s.to.size = 3;
  EXPECT_EQ(f.set(n, s)->attr.size, 3u);
  s.to.size = 0;
  ASSERT_TRUE(f.set(n, s));
  EXPECT_EQ(f.attr(n)->size, 0u);
  op::Fallocate room;
  room.node = n;
  room.length = 8192;
  EXPECT_TRUE(f.run(room));
  EXPECT_EQ(f.attr(n)->size, 8192u);
  EXPECT_EQ(open_to("a"), 1u);
  EXPECT_TRUE(f.unlink(kRoot, "a"));
  f.forget(n);
  EXPECT_EQ(open_to("a"), 0u);
}

TEST_P(ByNode, NewFiles) {
  auto e = mknod("a", S_IFREG | 0440);
  ASSERT_TRUE(e);
  EXPECT_EQ(e->attr.mode, S_IFREG | 0440u);
  EXPECT_EQ(e->attr.nlink, 1u);
  EXPECT_EQ(*f.write(e->node, HandleId::none, 0, "text"), 4u);  // as the root who made it
  EXPECT_EQ(mknod("a").code(), EEXIST);
  ASSERT_EQ(::symlink("nowhere", f.path("link").c_str()), 0);
  EXPECT_EQ(mknod("link").code(), EEXIST);
  EXPECT_FALSE(std::filesystem::exists(f.path("nowhere")));
  auto none = mknod("no type", 0600);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->attr.mode, S_IFREG | 0600u);
  op::Mknod labelled;
  labelled.dir = kRoot;
  labelled.name = "labelled";
  labelled.mode = S_IFREG | 0600;
  std::string big(100'000, 'x');  // more than any store takes
  std::vector<op::Label> labels{{"user.label", as_bytes(big)}};
  labelled.labels = labels;
  EXPECT_FALSE(f.run(labelled));
  EXPECT_FALSE(std::filesystem::exists(f.path("labelled")));
}

TEST_P(ByNode, NewFilesAreClosedSoon) {
  if (!f.fs->traits().inode_addressed) GTEST_SKIP() << "opens are asked for";
  const auto before = std::chrono::steady_clock::now();
  ASSERT_TRUE(mknod("a"));
  const size_t open = open_to("a", O_RDWR);
  // On a busy machine "soon" may be over by now.
  EXPECT_TRUE(open == 1 || std::chrono::steady_clock::now() - before > 50ms);
  EXPECT_TRUE(soon([&] { return open_to("a", O_RDWR) == 0; }));
}

/// Kernels ask for it before they write.
TEST_P(ByNode, CapabilitiesAreSeenWhoeverSetsThem) {
  ISTHMUS_NEEDS_ROOT();
  auto ask = [&](NodeId n) { return f.run(op::GetXattr{{}, n, "security.capability"}); };
  std::string_view value("\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  const std::string others = "setfattr -n security.capability -v 0sAQAAAgAgAAAAAAAAAAAAAAAAAAA= ";
  NodeId a = mknod("a")->node;
  EXPECT_EQ(ask(a).code(), ENODATA);
  EXPECT_EQ(ask(a).code(), ENODATA);
  op::SetXattr set;
  set.node = a;
  set.name = "security.capability";
  set.value = as_bytes(value);
  ASSERT_TRUE(f.run(set));
  EXPECT_EQ(*ask(a), value);
  ASSERT_TRUE(f.run(op::RemoveXattr{{}, a, "security.capability"}));
  EXPECT_EQ(ask(a).code(), ENODATA);
  ASSERT_EQ(std::system((others + f.path("a")).c_str()), 0);
  EXPECT_TRUE(soon([&] { return ask(a).ok(); }));
  ASSERT_TRUE(f.write(a, HandleId::none, 0, "x"));  // takes it away
  EXPECT_EQ(ask(a).code(), ENODATA);

  ASSERT_EQ(std::system((": >" + f.path("b") + "; " + others + f.path("b")).c_str()), 0);
  NodeId b = f.look(kRoot, "b")->node;
  EXPECT_EQ(*ask(b), value);
}

/// What a file was found not to have is remembered, until somebody changes its attributes.
TEST_P(ByNode, AttributesOfUsersAreSeenWhoeverSetsThem) {
  ISTHMUS_NEEDS_ROOT();
  auto ask = [&](NodeId n, const char* name = "user.one", Context ctx = as(0, 0, true)) {
    return f.run(op::GetXattr{{}, n, name}, ctx);
  };
  NodeId a = mknod("a")->node;
  if (ask(a).code() != ENODATA) GTEST_SKIP() << "the store keeps no attributes of users";
  EXPECT_EQ(ask(a).code(), ENODATA);
  NodeId b = mknod("b")->node;  // made when the name was known already
  EXPECT_EQ(ask(b).code(), ENODATA);
  for (NodeId n : {a, b}) {
    EXPECT_EQ(ask(n, "user.two").code(), ENODATA);
    ASSERT_TRUE(f.run(op::SetXattr{{}, n, "user.one", as_bytes("1")}));
    EXPECT_EQ(*ask(n), "1");
    EXPECT_EQ(ask(n, "user.two").code(), ENODATA);
    ASSERT_TRUE(f.run(op::RemoveXattr{{}, n, "user.one"}));
    EXPECT_EQ(ask(n).code(), ENODATA);
  }
  ASSERT_EQ(std::system(("setfattr -n user.one -v 2 " + f.path("a")).c_str()), 0);
  EXPECT_TRUE(soon([&] { return ask(a).ok(); }));
  // Whom nobody has checked hears what the store tells him.
  ASSERT_EQ(::chmod(f.path("b").c_str(), 0600), 0);
  EXPECT_EQ(ask(b, "user.one", as(1234, 1234)).code(), EACCES);
  // More names than are remembered.
  for (int i = 0; i < 100; i++) {
    const std::string name = "user.n" + std::to_string(i);
    EXPECT_EQ(ask(b, name.c_str()).code(), ENODATA);
    EXPECT_EQ(ask(b, name.c_str()).code(), ENODATA);
    ASSERT_TRUE(f.run(op::SetXattr{{}, b, name, as_bytes("x")}));
    EXPECT_EQ(*ask(b, name.c_str()), "x");
    ASSERT_TRUE(f.run(op::RemoveXattr{{}, b, name}));
  }
}

TEST_P(ByNode, OnlyFilesHaveData) {
  for (auto [mode, error] : {std::pair{S_IFIFO, ENXIO}, {S_IFSOCK, ENXIO}}) {
    auto e = mknod("special" + std::to_string(mode), static_cast<uint32_t>(mode) | 0666);
    ASSERT_TRUE(e);
    EXPECT_EQ(f.read(e->node, HandleId::none, 0, 1).code(), error);
    EXPECT_EQ(f.write(e->node, HandleId::none, 0, "x").code(), error);
  }
  auto d = f.mkdir(kRoot, "d");
  EXPECT_EQ(f.read(d->node, HandleId::none, 0, 1).code(), EISDIR);
  EXPECT_EQ(f.write(d->node, HandleId::none, 0, "x").code(), EISDIR);
}

TEST_P(ByNode, ServesWithoutAName) {
  PassOptions few = options();
  few.max_fds = 256;
  f.begin(few);
  auto e = mknod("a");
  ASSERT_TRUE(e);
  ASSERT_TRUE(f.write(e->node, HandleId::none, 0, "text"));
  ASSERT_TRUE(f.unlink(kRoot, "a"));
  for (int i = 0; i < 600; i++) ASSERT_TRUE(mknod("n" + std::to_string(i)));  // whatever was kept has to go
  for (int i = 0; i < 600; i++) ASSERT_TRUE(f.run(op::Getattr{{}, f.look(kRoot, "n" + std::to_string(i))->node, {}}));
  EXPECT_EQ(*f.read(e->node, HandleId::none, 0, 10), "text");
  EXPECT_EQ(*f.write(e->node, HandleId::none, 4, "more"), 4u);
  EXPECT_EQ(f.attr(e->node)->nlink, 0u);
  EXPECT_EQ(f.attr(e->node)->size, 8u);
  f.forget(e->node);
  EXPECT_EQ(open_to("a"), 0u);
}

TEST_P(ByNode, TmpfileOutlivesItsHandle) {
  op::Tmpfile t;
  t.dir = kRoot;
  t.mode = 0600;
  t.flags = O_RDWR;
  auto c = f.run(t);
  if (c.code() == EOPNOTSUPP) GTEST_SKIP() << "no O_TMPFILE here";
  ASSERT_TRUE(c);
  NodeId n = c->entry.node;
  f.close(n, c->opened.handle);
  EXPECT_EQ(*f.write(n, HandleId::none, 0, "text"), 4u);
  EXPECT_EQ(*f.read(n, HandleId::none, 0, 9), "text");
  ASSERT_TRUE(f.run(op::Link{{}, n, kRoot, "named"}));
  EXPECT_EQ(f.look(kRoot, "named")->node, n);
  EXPECT_EQ(*f.read(n, HandleId::none, 0, 9), "text");
}

TEST_P(ByNode, AnOpenFileIsNotSharedWithThoseWhoMayNot) {
  ISTHMUS_NEEDS_ROOT();
  auto e = mknod("secret", S_IFREG | 0600);
  ASSERT_TRUE(e);
  ASSERT_TRUE(f.write(e->node, HandleId::none, 0, "text"));
  op::Read a;
  a.node = e->node;
  a.size = 4;
  EXPECT_EQ(f.run(a, as(1000, 1000)).code(), EACCES);
  EXPECT_TRUE(f.run(a, as(1000, 1000, true)));  // opened before its mode changed, says the door
  EXPECT_TRUE(f.run(a, as(0, 0)));
  auto d = f.mkdir(kRoot, "closed", 0700);
  Names names;
  op::ReadDir list;
  list.node = d->node;
  list.sink = &names;
  EXPECT_TRUE(f.run(list));
  EXPECT_EQ(f.run(list, as(1000, 1000)).code(), EACCES);
}

TEST_P(ByNode, WhatWasWrittenCanBeRunSoon) {
  if (!f.fs->traits().inode_addressed) GTEST_SKIP() << "opens are asked for";
  auto e = mknod("program", S_IFREG | 0755);
  ASSERT_TRUE(e);
  ASSERT_TRUE(f.write(e->node, HandleId::none, 0, "#!/bin/true\n"));
  EXPECT_TRUE(soon([&] { return open_to("program", O_RDWR) == 0; }));
  std::string path = f.path("program");
  char* argv[] = {path.data(), nullptr};
  pid_t child = 0;
  EXPECT_EQ(::posix_spawn(&child, path.c_str(), nullptr, nullptr, argv, nullptr), 0);
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_P(ByNode, WhatOthersRemoveIsLetGo) {
  if (!f.fs->traits().inode_addressed) GTEST_SKIP() << "opens are asked for";
  auto e = mknod("big");
  ASSERT_TRUE(f.write(e->node, HandleId::none, 0, "text"));
  EXPECT_EQ(*f.read(e->node, HandleId::none, 0, 9), "text");
  ASSERT_EQ(std::system(("rm " + f.path("big")).c_str()), 0);
  EXPECT_TRUE(soon([&] { return open_to("big") == 0; }));
}

TEST_P(ByNode, NothingStaysOpenWhenTheNewsHasEnded) {
  if (!f.fs->traits().inode_addressed) GTEST_SKIP() << "opens are asked for";
  ASSERT_TRUE(mknod("before"));
  // A directory in the place of the fanotify descriptor cannot be read.
  Fd folder(::open(f.dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (auto& e : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ec;
    if (std::filesystem::read_symlink(e.path(), ec) != "anon_inode:[fanotify]") continue;
    ASSERT_GE(::dup3(folder.get(), number_of(e), O_CLOEXEC), 0);
  }
  std::ofstream wakes(f.path("wakes it"));
  EXPECT_TRUE(soon([&] { return !f.fs->watching()->works() && open_to("before") == 0; }));
  ASSERT_TRUE(mknod("after"));
  EXPECT_TRUE(soon([&] { return open_to("after") == 0; }));
}

TEST_P(ByNode, RenamingAllThatIsSeenEnds) {
  for (int i = 0; i < 50; i++) ASSERT_TRUE(mknod("f" + std::to_string(i)));
  uint64_t cookie = 0;
  int seen = 0;
  for (; seen < 2000; seen++) {
    Names names;
    names.room = 1;
    op::ReadDir a;
    a.node = kRoot;
    a.cookie = cookie;
    a.sink = &names;
    ASSERT_TRUE(f.run(a));
    if (names.order.empty()) break;
    cookie = names.last;
    if (names.order[0][0] == '.') continue;
    ASSERT_TRUE(f.rename(kRoot, names.order[0], kRoot, "r" + std::to_string(seen))) << names.order[0];
  }
  EXPECT_GE(seen, 52);
  EXPECT_LT(seen, 2000);
}

TEST(FdCache, KeepsTheBetterOne) {
  FdCache c;
  c.set_limit(8);
  NodeId n{8};
  auto open = [](int flags) { return share(::open("/dev/null", flags | O_CLOEXEC)); };
  auto path = open(O_PATH), read = open(O_RDONLY), write = open(O_RDWR);
  c.put(n, path);
  EXPECT_EQ(c.get(n), path);
  EXPECT_EQ(c.get(n, Use::read), nullptr);
  c.put(n, read, Use::read);
  EXPECT_EQ(c.get(n), read);
  EXPECT_EQ(c.get(n, Use::write), nullptr);
  c.put(n, write, Use::write);
  c.put(n, read, Use::read);
  EXPECT_EQ(c.get(n), write);
  EXPECT_EQ(c.size(), 1u);
  EXPECT_TRUE(c.has_writers());
  c.drop_idle_writers();
  EXPECT_EQ(c.get(n, Use::write), write);  // used again
  c.drop_idle_writers();
  EXPECT_EQ(c.size(), 1u);
  c.drop_idle_writers();
  EXPECT_EQ(c.size(), 0u);
  EXPECT_FALSE(c.has_writers());
  c.put(n, write, Use::write);
  c.put(NodeId{16}, path);  // the same part, which holds one
  EXPECT_EQ(c.get(n), nullptr);
  EXPECT_FALSE(c.has_writers());
}

}  // namespace isthmus::fs::pass::test
