#include <unistd.h>

#include "fs/mem/test_mem.h"

/// Who may do what, where the door leaves checks to us; what new files get; ACLs.
namespace isthmus::fs::mem {
namespace {

class MemRights : public ::testing::Test {
 protected:
  MemRights() { EXPECT_EQ(m.chmod(kRoot, 01777), 0); }
  /// Acts as this user from now on.
  void become(uint32_t uid, uint32_t gid) { m.ctx = as_user(uid, gid); }
  void become_server() { m.ctx = {}; }
  NodeId dir(std::string_view name, uint32_t mode, uint32_t uid = 1, uint32_t gid = 1) {
    become_server();
    NodeId d = m.mkdir(kRoot, name, 0)->node;
    EXPECT_EQ(m.chown(d, uid, gid), 0);
    EXPECT_EQ(m.chmod(d, mode), 0);
    return d;
  }
  Mem m;
};

TEST_F(MemRights, NewFilesBelongToTheCaller) {
  become(1000, 2000);
  Attr a = m.mknod(kRoot, "f")->attr;
  EXPECT_EQ(a.uid, 1000u);
  EXPECT_EQ(a.gid, 2000u);
  m.ctx.access_checked = true;
  EXPECT_EQ(m.create(kRoot, "g")->entry.attr.uid, 1000u);
  EXPECT_EQ(m.mkdir(kRoot, "d")->attr.gid, 2000u);
  EXPECT_EQ(m.symlink(kRoot, "s", "x")->attr.uid, 1000u);
  become_server();
  EXPECT_EQ(m.mknod(kRoot, "own")->attr.uid, ::geteuid());
}

TEST_F(MemRights, SetgidDirectories) {
  NodeId d = dir("d", 02777, 1, 500);
  become(1000, 1000);
  Attr f = m.mknod(d, "f", S_IFREG | 02755)->attr;
  EXPECT_EQ(f.gid, 500u);
  EXPECT_EQ(f.mode & 07777, 0755u);  // not of the group 500
  EXPECT_EQ(m.mknod(d, "f2", S_IFREG | 02745)->attr.mode & 07777, 02745u);
  Attr sub = m.mkdir(d, "sub", 0700)->attr;
  EXPECT_EQ(sub.gid, 500u);
  EXPECT_EQ(sub.mode & 07777, 02700u);
  become(1000, 500);
  EXPECT_EQ(m.mknod(d, "f3", S_IFREG | 02755)->attr.mode & 07777, 02755u);
}

TEST_F(MemRights, Umask) {
  m.ctx.cred.umask = 027;
  EXPECT_EQ(m.mknod(kRoot, "a", S_IFREG | 0666)->attr.mode & 0777, 0666u);
  m.ctx.umask_pending = true;
  EXPECT_EQ(m.mknod(kRoot, "b", S_IFREG | 0666)->attr.mode & 0777, 0640u);
  EXPECT_EQ(m.mkdir(kRoot, "c", 0777)->attr.mode & 0777, 0750u);
}

TEST_F(MemRights, SearchAndWrite) {
  NodeId d = dir("d", 0711);
  EXPECT_TRUE(m.mknod(d, "f"));
  become(2, 2);
  EXPECT_TRUE(m.lookup(d, "f"));
  EXPECT_EQ(m.mknod(d, "g").code(), EACCES);
  EXPECT_EQ(m.mknod(d, "f").code(), EEXIST);
  EXPECT_EQ(m.create(d, "g").code(), EACCES);
  EXPECT_EQ(m.unlink(d, "f"), EACCES);
  EXPECT_EQ(m.rename(d, "f", kRoot, "f"), EACCES);
  EXPECT_EQ(m.run(op::OpenDir{{}, d, 0}).code(), EACCES);
  EXPECT_EQ(m.run(op::Tmpfile{{}, d, 0600, O_RDWR, {}}).code(), EACCES);
  become_server();
  EXPECT_EQ(m.chmod(d, 0744), 0);
  become(2, 2);
  EXPECT_EQ(m.lookup(d, "f").code(), EACCES);
  EXPECT_TRUE(m.run(op::OpenDir{{}, d, 0}));
  m.ctx.access_checked = true;
  EXPECT_TRUE(m.lookup(d, "f"));
  EXPECT_EQ(m.unlink(d, "f"), 0);
}

TEST_F(MemRights, Sticky) {
  become(1, 1);
  NodeId f = m.mknod(kRoot, "f")->node;
  EXPECT_TRUE(m.mkdir(kRoot, "d"));
  become(2, 2);
  EXPECT_TRUE(m.mknod(kRoot, "g"));
  EXPECT_EQ(m.unlink(kRoot, "f"), EPERM);
  EXPECT_EQ(m.rmdir(kRoot, "d"), EPERM);
  EXPECT_EQ(m.rename(kRoot, "f", kRoot, "h"), EPERM);
  EXPECT_EQ(m.rename(kRoot, "g", kRoot, "f"), EPERM);
  EXPECT_EQ(m.unlink(kRoot, "g"), 0);
  become(1, 1);
  EXPECT_EQ(m.rename(kRoot, "f", kRoot, "h"), 0);
  EXPECT_EQ(m.stat(f).nlink, 1u);
}

TEST_F(MemRights, MovingADirectoryWritesIt) {
  NodeId a = dir("a", 0777), b = dir("b", 0777), sub = m.mkdir(a, "sub")->node;
  EXPECT_EQ(m.chown(sub, 1, 1), 0);
  become(2, 2);
  EXPECT_EQ(m.rename(a, "sub", b, "sub"), EACCES);
  EXPECT_EQ(m.rename(a, "sub", a, "sub2"), 0);
}

TEST_F(MemRights, OwnersOnly) {
  become(1, 1);
  NodeId f = m.mknod(kRoot, "f", S_IFREG | 0666)->node;
  become(2, 2);
  EXPECT_EQ(m.chmod(f, 0600), EPERM);
  EXPECT_EQ(m.chown(f, 2, -1), EPERM);
  EXPECT_EQ(m.truncate(f, 1), 0);
  SetAttr now, given;
  now.mask = kSetAtimeNow | kSetMtimeNow;
  given.mask = kSetAtime | kSetMtime;
  EXPECT_TRUE(m.set(f, now));
  EXPECT_EQ(m.set(f, given).code(), EPERM);
  become(1, 1);
  EXPECT_EQ(m.chown(f, 2, -1), EPERM);
  EXPECT_EQ(m.chown(f, -1, 3), EPERM);
  EXPECT_EQ(m.chmod(f, 02644), 0);
  EXPECT_EQ(m.stat(f).mode & 07777, 02644u);
  become_server();
  EXPECT_EQ(m.chown(f, 1, 7), 0);
  become(1, 1);
  EXPECT_EQ(m.chmod(f, 02644), 0);
  EXPECT_EQ(m.stat(f).mode & 07777, 0644u);  // not of the file's group
  EXPECT_EQ(m.chmod(f, 0444), 0);
  EXPECT_EQ(m.truncate(f, 0), EACCES);
  EXPECT_EQ(m.mknod(kRoot, "dev", S_IFBLK | 0600, 5).code(), EPERM);
}

TEST_F(MemRights, AWritableHandleOutlivesTheMode) {
  become(1, 1);
  auto c = m.create(kRoot, "f", O_RDWR, 0);
  ASSERT_TRUE(c);
  SetAttr s;
  s.mask = kSetSize;
  s.to.size = 9;
  EXPECT_TRUE(m.set(c->entry.node, s, c->opened.handle));
  EXPECT_EQ(m.open(c->entry.node, O_RDONLY).code(), EACCES);
  become(2, 2);
  EXPECT_EQ(m.read(c->entry.node, 0, 1).code(), EACCES);
  EXPECT_EQ(m.write(c->entry.node, 0, "x").code(), EACCES);
}

TEST_F(MemRights, Access) {
  become(1, 1);
  NodeId f = m.mknod(kRoot, "f", S_IFREG | 0640)->node;
  auto access = [&](int mask) { return m.run(op::Access{{}, f, mask}).code(); };
  EXPECT_EQ(access(R_OK | W_OK), 0);
  EXPECT_EQ(access(X_OK), EACCES);
  become(2, 1);
  EXPECT_EQ(access(R_OK), 0);
  EXPECT_EQ(access(W_OK), EACCES);
  become(2, 2);
  EXPECT_EQ(access(R_OK), EACCES);
  EXPECT_EQ(access(F_OK), 0);
  become(0, 0);
  EXPECT_EQ(access(R_OK | W_OK), 0);
  EXPECT_EQ(access(X_OK), EACCES);
  EXPECT_EQ(access(64), EINVAL);
}

// user::rwx user:100:rw- group::r-x mask::rwx other::---
constexpr std::string_view kAcl(
    "\2\0\0\0\1\0\7\0\xff\xff\xff\xff\2\0\6\0\x64\0\0\0\4\0\5\0\xff\xff\xff\xff\x10\0\7\0\xff\xff\xff\xff "
    "\0\0\0\xff\xff"
    "\xff\xff",
    44);

TEST_F(MemRights, AclsGrantAndMoveWithTheMode) {
  become(1, 1);
  NodeId f = m.mknod(kRoot, "f", S_IFREG | 0600)->node;
  EXPECT_EQ(m.get_xattr(f, kAccessAclName).code(), ENODATA);
  EXPECT_EQ(m.set_xattr(f, kAccessAclName, kAcl), 0);
  EXPECT_EQ(m.stat(f).mode & 0777, 0770u);
  EXPECT_EQ(*m.get_xattr(f, kAccessAclName), kAcl);
  become(100, 9);
  EXPECT_TRUE(m.open(f, O_RDWR));
  EXPECT_EQ(m.set_xattr(f, kAccessAclName, kAcl), EPERM);
  become(101, 9);
  EXPECT_EQ(m.open(f, O_RDONLY).code(), EACCES);
  become(1, 1);
  EXPECT_EQ(m.chmod(f, 0640), 0);
  EXPECT_EQ(m.get_xattr(f, kAccessAclName)->substr(30, 2), std::string("\4\0", 2));  // the mask
  become(100, 9);
  EXPECT_EQ(m.open(f, O_RDWR).code(), EACCES);
  EXPECT_TRUE(m.open(f, O_RDONLY));
  become(1, 1);
  // As much as the mode says: not kept.
  EXPECT_EQ(m.set_xattr(f, kAccessAclName, PosixAcl::from_mode(0604).serialise()), 0);
  EXPECT_EQ(m.get_xattr(f, kAccessAclName).code(), ENODATA);
  EXPECT_EQ(m.stat(f).mode & 0777, 0604u);
  EXPECT_EQ(m.set_xattr(f, kAccessAclName, "junk"), EOPNOTSUPP);
  EXPECT_EQ(m.set_xattr(f, kAccessAclName, kAcl.substr(0, 12)), EINVAL);
}

TEST_F(MemRights, DefaultAclsAreInherited) {
  NodeId d = dir("d", 0777);
  NodeId f0 = m.mknod(kRoot, "f")->node;
  EXPECT_EQ(m.set_xattr(f0, kDefaultAclName, kAcl), EACCES);
  EXPECT_EQ(m.set_xattr(d, kDefaultAclName, kAcl), 0);
  become(1, 1);
  m.ctx.cred.umask = 077;
  m.ctx.umask_pending = true;
  auto f = m.mknod(d, "f", S_IFREG | 0666);
  EXPECT_EQ(f->attr.mode & 0777, 0660u);
  EXPECT_TRUE(m.get_xattr(f->node, kAccessAclName));
  EXPECT_EQ(m.get_xattr(f->node, kDefaultAclName).code(), ENODATA);
  auto sub = m.mkdir(d, "sub", 0750);
  EXPECT_EQ(sub->attr.mode & 0777, 0750u);
  EXPECT_EQ(*m.get_xattr(sub->node, kDefaultAclName), kAcl);
  EXPECT_EQ(m.symlink(d, "s", "x")->attr.mode & 0777, 0777u);
  EXPECT_EQ(m.run(op::RemoveXattr{{}, sub->node, kDefaultAclName}).code(), 0);
  EXPECT_EQ(m.mknod(sub->node, "g", S_IFREG | 0666)->attr.mode & 0777, 0600u);
}

}  // namespace
}  // namespace isthmus::fs::mem
