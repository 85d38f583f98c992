#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "fs/pass/pass_test.h"

namespace isthmus::fs::pass::test {

class Identity : public OnStores {
 protected:
  void SetUp() override {
    ISTHMUS_NEEDS_ROOT();
    for (const char* key : {"Uid:", "Gid:", "Groups:", "CapEff:"}) before_ += status(key);
  }
  void TearDown() override {
    if (::geteuid() != 0) return;
    std::string after;
    for (const char* key : {"Uid:", "Gid:", "Groups:", "CapEff:"}) after += status(key);
    EXPECT_EQ(before_, after) << "the thread is not what it was";
  }
  static std::string status(std::string_view key) {
    std::ifstream in("/proc/thread-self/status");
    for (std::string line; std::getline(in, line);)
      if (line.starts_with(key)) return line;
    return "";
  }
  std::string before_;
};
INSTANTIATE_TEST_SUITE_P(Stores, Identity, kStores, where_name);

TEST_P(Identity, NewFilesBelongToTheCaller) {
  for (bool checked : {false, true}) {
    auto ctx = as(1001, 1002, checked);
    std::string suffix = checked ? "c" : "u";
    auto c = f.make(kRoot, "f" + suffix, 0644, O_RDWR | O_CREAT, ctx);
    ASSERT_TRUE(c) << c.code();
    EXPECT_EQ(c->entry.attr.uid, 1001u);
    EXPECT_EQ(c->entry.attr.gid, 1002u);
    auto d = f.mkdir(kRoot, "d" + suffix, 0755, ctx);
    EXPECT_EQ(d->attr.uid, 1001u);
    std::string name = "s" + suffix;
    op::Symlink s;
    s.dir = kRoot;
    s.name = name;
    s.target = "x";
    EXPECT_EQ(f.run(s, ctx)->attr.uid, 1001u);
    op::Mknod m;
    m.dir = kRoot;
    name = "p" + suffix;
    m.name = name;
    m.mode = S_IFIFO | 0600;
    EXPECT_EQ(f.run(m, ctx)->attr.gid, 1002u);
    op::Tmpfile t;
    t.dir = kRoot;
    t.flags = O_RDWR;
    auto tmp = f.run(t, ctx);
    ASSERT_TRUE(tmp) << tmp.code();
    EXPECT_EQ(tmp->entry.attr.uid, 1001u);
  }
}

TEST_P(Identity, SetgidDirectories) {
  auto d = f.mkdir(kRoot, "d", 0777);
  ASSERT_EQ(::chown(f.path("d").c_str(), 0, 4000), 0);
  ASSERT_EQ(::chmod(f.path("d").c_str(), 02777), 0);
  for (bool checked : {false, true}) {
    auto ctx = as(1001, 1002, checked);
    std::string suffix = checked ? "c" : "u";
    auto c = f.make(d->node, "f" + suffix, 02775, O_RDWR | O_CREAT, ctx);
    ASSERT_TRUE(c);
    EXPECT_EQ(c->entry.attr.gid, 4000u);
    EXPECT_EQ(c->entry.attr.mode & 07777, 0775u) << "S_ISGID of a group that the caller is not in";
    auto sub = f.mkdir(d->node, "d" + suffix, 0755, ctx);
    EXPECT_EQ(sub->attr.gid, 4000u);
    EXPECT_TRUE(sub->attr.mode & S_ISGID);
    uint32_t groups[] = {4000};
    auto member = as(1001, 1002, checked, groups);
    auto mine = f.make(d->node, "m" + suffix, 02775, O_RDWR | O_CREAT, member);
    EXPECT_EQ(mine->entry.attr.mode & 07777, 02775u);
  }
}

TEST_P(Identity, UmaskAndDefaultAcl) {
  Context ctx = as(1001, 1002, true);
  ctx.cred.umask = 027;
  EXPECT_EQ(f.make(kRoot, "a", 0666, O_RDWR | O_CREAT, ctx)->entry.attr.mode & 07777, 0666u);
  ctx.umask_pending = true;
  EXPECT_EQ(f.make(kRoot, "b", 0666, O_RDWR | O_CREAT, ctx)->entry.attr.mode & 07777, 0640u);
  EXPECT_EQ(f.mkdir(kRoot, "bd", 0777, ctx)->attr.mode & 07777, 0750u);
  // user::rwx group::rwx other::rwx, as getfattr shows it (acl(5), linux/posix_acl_xattr.h).
  const unsigned char acl[] = {2, 0, 0,    0,    1,    0,    7,    0, 0xff, 0xff, 0xff, 0xff, 4,    0,
                               7, 0, 0xff, 0xff, 0xff, 0xff, 0x20, 0, 7,    0,    0xff, 0xff, 0xff, 0xff};
  auto d = f.mkdir(kRoot, "d", 0777, as(0, 0));
  if (::setxattr(f.path("d").c_str(), "system.posix_acl_default", acl, sizeof acl, 0) < 0)
    GTEST_SKIP() << "no ACLs on this store";
  EXPECT_TRUE(f.fs->traits().posix_acl);
  auto c = f.make(d->node, "c", 0666, O_RDWR | O_CREAT, ctx);
  ASSERT_TRUE(c);
  EXPECT_EQ(c->entry.attr.mode & 07777, 0666u) << "the default ACL replaces the umask";
}

TEST_P(Identity, PermissionsAreTheCallers) {
  auto d = f.mkdir(kRoot, "d", 0750);
  ASSERT_EQ(::chown(f.path("d").c_str(), 0, 5000), 0);
  auto c = f.make(d->node, "f", 0640);
  ASSERT_EQ(::chown(f.path("d/f").c_str(), 0, 5000), 0);
  auto stranger = as(1001, 1002);
  uint32_t groups[] = {5000};
  auto member = as(1001, 1002, false, groups);
  EXPECT_EQ(f.run(op::Lookup{{}, d->node, "f"}, stranger).code(), EACCES);
  EXPECT_TRUE(f.run(op::Lookup{{}, d->node, "f"}, member));
  EXPECT_EQ(f.open(c->entry.node, O_RDONLY, stranger).code(), EACCES);
  EXPECT_TRUE(f.open(c->entry.node, O_RDONLY, member));
  EXPECT_EQ(f.open(c->entry.node, O_RDWR, member).code(), EACCES);
  EXPECT_EQ(f.make(d->node, "g", 0644, O_RDWR | O_CREAT, member).code(), EACCES);
  EXPECT_EQ(f.mkdir(d->node, "g", 0755, member).code(), EACCES);
  EXPECT_EQ(f.unlink(d->node, "f", member).code(), EACCES);
  EXPECT_EQ(f.rename(d->node, "f", kRoot, "f", 0, member).code(), EACCES);
  EXPECT_EQ(f.set(c->entry.node, {.to = {}, .mask = kSetMode}, member).code(), EPERM);
  EXPECT_EQ(f.run(op::OpenDir{{}, d->node, 0}, stranger).code(), EACCES);
  EXPECT_TRUE(f.run(op::OpenDir{{}, d->node, 0}, member));
  EXPECT_EQ(f.run(op::Access{{}, c->entry.node, R_OK}, stranger).code(), EACCES);
  EXPECT_TRUE(f.run(op::Access{{}, c->entry.node, R_OK}, member));
  EXPECT_EQ(f.run(op::Access{{}, c->entry.node, W_OK}, member).code(), EACCES);
  op::SetXattr x;
  x.node = c->entry.node;
  x.name = "trusted.k";
  EXPECT_EQ(f.run(x, member).code(), EPERM);
  // The door has checked: the server does not stand in the way.
  EXPECT_TRUE(f.make(d->node, "g", 0644, O_RDWR | O_CREAT, as(1001, 1002, true)));
  EXPECT_TRUE(f.open(c->entry.node, O_RDWR, as(1001, 1002, true)));
  // Unknown callers are the server itself.
  EXPECT_TRUE(f.open(c->entry.node, O_RDWR));
}

TEST_P(Identity, ChangesByStrangersCostSetgidWithoutExecution) {
  auto c = f.make(kRoot, "f", 0666);
  auto n = c->entry.node;
  auto h = c->opened.handle;
  auto mode_after = [&](const Context& ctx, uint32_t before, auto change) {
    ::chmod(f.path("f").c_str(), before);
    EXPECT_TRUE(change(ctx));
    return f.attr(n)->mode & 07777;
  };
  auto allocate = [&](const Context& ctx) {
    op::Fallocate a;
    a.node = n;
    a.handle = h;
    a.length = 4096;
    return f.run(a, ctx).ok();
  };
  auto write = [&](const Context& ctx) {
    Buffer b = Buffer::view(as_bytes("x"));
    op::Write a;
    a.node = n;
    a.handle = h;
    a.data = &b;
    a.kill_suidgid = true;
    return f.run(a, ctx).ok();
  };
  ASSERT_EQ(::chown(f.path("f").c_str(), 0, 5000), 0);
  uint32_t groups[] = {5000};
  auto stranger = as(1001, 1002, true), member = as(1001, 1002, true, groups), root = as(0, 0, true);
  for (auto& change : {std::function<bool(const Context&)>(allocate), std::function<bool(const Context&)>(write)}) {
    EXPECT_EQ(mode_after(stranger, 06666, change), 0666u);
    EXPECT_EQ(mode_after(member, 06666, change), 02666u);
    EXPECT_EQ(mode_after(member, 06676, change), 0676u);
  }
  EXPECT_EQ(mode_after(root, 06676, allocate), 06676u);
}

TEST_P(Identity, ListedButNotSearched) {
  auto d = f.mkdir(kRoot, "d", 0744);
  ASSERT_TRUE(f.make(d->node, "f"));
  auto stranger = as(1001, 1002);
  auto o = f.run(op::OpenDir{{}, d->node, 0}, stranger);
  ASSERT_TRUE(o) << o.code();
  Names n;
  op::ReadDir r;
  r.node = d->node;
  r.handle = o->handle;
  r.with_attr = true;
  r.sink = &n;
  ASSERT_TRUE(f.run(r, stranger));
  EXPECT_EQ(n.got.size(), 3u);
  EXPECT_EQ(n.got["f"].node, NodeId::none) << "attributes need the right to search";
  ASSERT_EQ(::chmod(f.path("d").c_str(), 0711), 0);
  EXPECT_EQ(f.run(op::OpenDir{{}, d->node, 0}, stranger).code(), EACCES);
}

TEST_P(Identity, StickyDirectories) {
  auto d = f.mkdir(kRoot, "d", 0777);
  ASSERT_EQ(::chmod(f.path("d").c_str(), 01777), 0);
  ASSERT_TRUE(f.make(d->node, "f", 0666, O_RDWR | O_CREAT, as(1001, 1001)));
  EXPECT_EQ(f.unlink(d->node, "f", as(1002, 1002)).code(), EPERM);
  EXPECT_TRUE(f.unlink(d->node, "f", as(1001, 1001)));
}

TEST_P(Identity, UnreadableProgramsRun) {
  auto c = f.make(kRoot, "prog", 0711);
  EXPECT_EQ(f.open(c->entry.node, O_RDONLY, as(1001, 1001)).code(), EACCES);
  EXPECT_TRUE(f.open(c->entry.node, O_RDONLY | 0x20, as(1001, 1001)));
  ASSERT_EQ(::chmod(f.path("prog").c_str(), 0744), 0);
  EXPECT_EQ(f.open(c->entry.node, O_RDONLY | 0x20, as(1001, 1001)).code(), EACCES);
}

TEST_P(Identity, GroupsOfAProcess) {
  int ready[2], done[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(done), 0);
  pid_t child = ::fork();
  if (child == 0) {
    gid_t g[] = {5000};
    char b = 0;
    if (::syscall(SYS_setgroups, 1, g) < 0 || ::syscall(SYS_setresuid, 1001, 1001, 1001) < 0) ::_exit(1);
    if (::write(ready[1], "x", 1) != 1 || ::read(done[0], &b, 1) < 0) ::_exit(1);
    ::_exit(0);
  }
  char b = 0;
  ASSERT_EQ(::read(ready[0], &b, 1), 1);
  auto c = f.make(kRoot, "f", 0640);
  ASSERT_EQ(::chown(f.path("f").c_str(), 0, 5000), 0);
  Context ctx = as(1001, 0);
  ctx.cred.gid = 1002;
  ctx.cred.groups_known = false;
  EXPECT_EQ(f.open(c->entry.node, O_RDONLY, ctx).code(), EACCES);
  ctx.cred.pid = static_cast<uint32_t>(child);
  EXPECT_TRUE(f.open(c->entry.node, O_RDONLY, ctx));
  ctx.cred.uid = 1003;  // not that process's
  EXPECT_EQ(f.open(c->entry.node, O_RDONLY, ctx).code(), EACCES);
  ASSERT_EQ(::write(done[1], "x", 1), 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  for (int fd : {ready[0], ready[1], done[0], done[1]}) ::close(fd);
}

TEST_P(Identity, ThreadsDoNotMix) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; t++)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; i++) {
        Context ctx = as(2000 + t, 3000 + t, i % 2);
        ctx.umask_pending = true;
        ctx.cred.umask = t;
        auto c = f.make(kRoot, std::to_string(t) + "." + std::to_string(i), 0666, O_RDWR | O_CREAT, ctx);
        if (!c || c->entry.attr.uid != 2000 + t || c->entry.attr.gid != 3000 + t ||
            (c->entry.attr.mode & 0777) != (0666u & ~t))
          wrong++;
        if (c) f.close(c->entry.node, c->opened.handle);
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace isthmus::fs::pass::test
