#include "vfs/volume/rights.h"

#include <sys/xattr.h>

#include "vfs/defaults.h"
#include "vfs/posix_acl.h"
#include "vfs/volume/volume_test.h"

namespace isthmus::volume::testing {
namespace {

TEST(RightsTable, NamesEveryChange) {
  for (size_t i = 0; i < kOpCount; i++) {
    Op op = static_cast<Op>(i);
    EXPECT_EQ(kNeeds[i].op, op);
    EXPECT_TRUE(!kChanges.has(op) || kNeeds[i].on != On::nobody) << name_of(op);
  }
}

/// Owner 1000:1000 has a directory and files; others come as 2000. The file system below must not be asked to check:
/// it would say the same, and hide that the port did not.
struct RightsTest : ::testing::Test {
  RightsTest() {
    m.mode = 0777;
    rig = std::make_unique<Rig>(VolumeOptions{}, m);
    rig->begin();
    owner = std::make_unique<Door>(rig->v, PortOptions{});
    owner->ctx = as_user(1000, 1000);
    other = std::make_unique<Door>(rig->v, PortOptions{});
    other->ctx = as_user(2000, 2000);
    root = std::make_unique<Door>(rig->v, PortOptions{});
    root->ctx = as_user(0, 0);
    dir = owner->mkdir(kRoot, "dir", 0755);
    auto c = owner->create(dir, "f", O_RDWR, 0644);
    f = c->entry.node;
    owner->release(f, c->opened.handle);
  }
  Result<Attributes> chmod(Door& d, NodeId n, uint32_t mode) {
    Attr to;
    to.mode = mode;
    return d.set(n, kSetMode, to);
  }
  Result<Attributes> chown(Door& d, NodeId n, std::optional<uint32_t> uid, std::optional<uint32_t> gid) {
    Attr to;
    to.uid = uid.value_or(0);
    to.gid = gid.value_or(0);
    return d.set(n, (uid ? uint32_t{kSetUid} : 0) | (gid ? uint32_t{kSetGid} : 0), to);
  }
  int open(Door& d, NodeId n, uint32_t flags) {
    auto o = d.open(n, flags);
    if (o) d.release(n, o->handle);
    return o.code();
  }
  fs::mem::MemOptions m;
  std::unique_ptr<Rig> rig;
  std::unique_ptr<Door> owner, other, root;
  NodeId dir{}, f{};
  void TearDown() override {
    owner.reset();
    other.reset();
    root.reset();
    rig->end();
  }
};

TEST_F(RightsTest, OpenReadWrite) {
  EXPECT_EQ(open(*other, f, O_RDONLY), 0);
  EXPECT_EQ(open(*other, f, O_WRONLY), EACCES);
  EXPECT_EQ(open(*other, f, O_RDONLY | O_TRUNC), EACCES);
  EXPECT_EQ(open(*root, f, O_RDWR), 0);
  ASSERT_TRUE(chmod(*owner, f, 0600));
  EXPECT_EQ(open(*other, f, O_RDONLY), EACCES);
  EXPECT_EQ(other->read(f, HandleId::none), "error 13") << "without a handle, as over NFS";
  EXPECT_EQ(other->write(f, HandleId::none, 0, "x").code(), EACCES);
  auto o = owner->open(f, O_RDONLY);
  ASSERT_TRUE(o);
  EXPECT_EQ(owner->write(f, o->handle, 0, "x").code(), EBADF);
  EXPECT_EQ(other->read(f, o->handle), "error 9") << "another door's handle";
  owner->release(f, o->handle);
}

TEST_F(RightsTest, Names) {
  EXPECT_EQ(other->create(dir, "x").code(), EACCES);
  EXPECT_EQ(other->run(op::Mkdir{{}, dir, "x", 0755, {}}).code(), EACCES);
  EXPECT_EQ(other->run(op::Symlink{{}, dir, "x", "y", {}}).code(), EACCES);
  EXPECT_EQ(other->run(op::Link{{}, f, dir, "x"}).code(), EACCES);
  EXPECT_EQ(other->unlink(dir, "f"), EACCES);
  EXPECT_EQ(other->rename(dir, "f", kRoot, "f"), EACCES);
  EXPECT_EQ(other->create(dir, "f", O_RDONLY).code(), 0) << "it exists, and may be read";
  EXPECT_EQ(other->create(dir, "f", O_RDWR).code(), EACCES);
  EXPECT_EQ(other->create(dir, "f", O_RDWR | O_EXCL).code(), EACCES);
  EXPECT_EQ(owner->create(dir, "f", O_RDWR | O_EXCL).code(), EEXIST);
  ASSERT_TRUE(chmod(*owner, dir, 0744));
  EXPECT_EQ(other->create(dir, "f", O_RDONLY).code(), EACCES) << "a cached name needs the right to search, too";
  EXPECT_EQ(other->lookup(dir, "f").code(), EACCES);
  EXPECT_EQ(owner->run(op::Mknod{{}, dir, "dev", S_IFCHR | 0644, 5, {}}).code(), EPERM);
}

TEST_F(RightsTest, StickyDirectories) {
  ASSERT_TRUE(chmod(*owner, dir, 01777));
  EXPECT_EQ(other->unlink(dir, "f"), EPERM);
  EXPECT_EQ(other->rename(dir, "f", dir, "g"), EPERM);
  auto c = other->create(dir, "mine");
  ASSERT_TRUE(c);
  other->release(c->entry.node, c->opened.handle);
  EXPECT_EQ(other->rename(dir, "mine", dir, "f"), EPERM) << "it would replace another's";
  EXPECT_EQ(other->unlink(dir, "mine"), 0);
  EXPECT_EQ(owner->unlink(dir, "f"), 0);
}

TEST_F(RightsTest, ADirectoryThatMovesMustBeWritable) {
  ASSERT_TRUE(chmod(*owner, dir, 0777));
  NodeId d = owner->mkdir(dir, "d", 0755);
  EXPECT_EQ(other->rename(dir, "d", dir, "e"), 0);
  EXPECT_EQ(other->rename(dir, "e", kRoot, "e"), EACCES);
  EXPECT_EQ(owner->rename(dir, "e", kRoot, "e"), 0);
  owner->forget(d);
}

TEST_F(RightsTest, ModeOwnerTimes) {
  EXPECT_EQ(chmod(*other, f, 0777).code(), EPERM);
  EXPECT_EQ(chown(*other, f, 2000, {}).code(), EPERM);
  EXPECT_EQ(chown(*owner, f, 2000, {}).code(), EPERM);
  uint32_t groups[] = {3000};
  owner->ctx = as_user(1000, 1000, groups);
  EXPECT_EQ(chown(*owner, f, {}, 2000).code(), EPERM);
  EXPECT_EQ(chown(*owner, f, {}, 3000).code(), 0);
  Attr to;
  EXPECT_EQ(other->set(f, kSetAtimeNow | kSetMtimeNow, to).code(), EACCES);
  EXPECT_EQ(other->set(f, kSetMtime, to).code(), EPERM);
  ASSERT_TRUE(chmod(*owner, f, 0666));
  EXPECT_EQ(other->set(f, kSetAtimeNow | kSetMtimeNow, to).code(), 0);
  EXPECT_EQ(other->set(f, kSetMtime, to).code(), EPERM);
  EXPECT_EQ(other->set(f, kSetSize, to).code(), 0);
}

TEST_F(RightsTest, SetuidGoes) {
  auto set = [&] { ASSERT_TRUE(chmod(*root, f, 06777)); };
  set();
  auto o = other->open(f, O_RDWR);
  ASSERT_TRUE(o);
  ASSERT_TRUE(other->write(f, o->handle, 0, "x"));
  EXPECT_EQ(other->stat(f).mode & 07777, 0777u);
  set();
  Attr to;
  ASSERT_TRUE(other->set(f, kSetSize, to));
  EXPECT_EQ(other->stat(f).mode & 07777, 0777u);
  set();
  ASSERT_TRUE(chown(*root, f, 1001, {}));
  EXPECT_EQ(other->stat(f).mode & 07777, 0777u);
  set();
  ASSERT_TRUE(root->write(f, HandleId::none, 0, "x"));
  EXPECT_EQ(other->stat(f).mode & 07777, 06777u);
  auto t = other->open(f, O_RDWR | O_TRUNC);
  ASSERT_TRUE(t);
  EXPECT_EQ(other->stat(f).mode & 07777, 0777u);
  EXPECT_EQ(other->stat(f).size, 0u);
  other->release(f, o->handle);
  other->release(f, t->handle);
  // Setgid of a group that one is not of.
  ASSERT_TRUE(chown(*root, f, 2000, 1000));
  ASSERT_TRUE(chmod(*other, f, 02755));
  EXPECT_EQ(other->stat(f).mode & 07777, 0755u);
}

// Over a provider that does not know of setuid and write(2), the port takes it away itself.
TEST_F(RightsTest, SetuidGoesWithoutTheProvidersHelp) {
  rig->gate.change = [](Traits& t) { t.kills_suidgid = false; };
  Volume again(rig->gate);
  ASSERT_TRUE(again.start());
  Door d(again, {});
  d.ctx = as_user(2000, 2000);
  ASSERT_TRUE(chmod(*root, f, 04777));
  NodeId same = d.node(d.node(kRoot, "dir"), "f");
  ASSERT_EQ(same, f);
  auto before = rig->gate.asked(Op::Setattr);
  ASSERT_TRUE(d.write(f, HandleId::none, 0, "x"));
  EXPECT_EQ(rig->gate.asked(Op::Setattr), before + 1);
  EXPECT_EQ(d.stat(f).mode & 07777, 0777u);
  ASSERT_TRUE(d.write(f, HandleId::none, 0, "x"));
  EXPECT_EQ(rig->gate.asked(Op::Setattr), before + 1);
  d.port.reset();
}

TEST_F(RightsTest, Xattrs) {
  auto value = as_bytes("v");
  EXPECT_EQ(other->run(op::SetXattr{{}, f, "user.x", value, 0, false}).code(), EACCES);
  EXPECT_EQ(owner->run(op::SetXattr{{}, f, "user.x", value, 0, false}).code(), 0);
  EXPECT_EQ(*other->run(op::GetXattr{{}, f, "user.x"}), "v");
  ASSERT_TRUE(chmod(*owner, f, 0600));
  EXPECT_EQ(other->run(op::GetXattr{{}, f, "user.x"}).code(), EACCES);
  EXPECT_EQ(owner->run(op::SetXattr{{}, f, "trusted.x", value, 0, false}).code(), EPERM);
  EXPECT_EQ(other->run(op::RemoveXattr{{}, f, "user.x"}).code(), EACCES);
}

TEST_F(RightsTest, AccessControlLists) {
  using A = PosixAcl;
  auto acl =
      A::of({{A::kUserObj, 6, 0}, {A::kUser, 6, 2000}, {A::kGroupObj, 0, 0}, {A::kMask, 7, 0}, {A::kOther, 0, 0}});
  ASSERT_TRUE(acl);
  std::string bytes = acl->serialise();
  EXPECT_EQ(other->run(op::SetXattr{{}, f, kAccessAclName, as_bytes(bytes), 0, false}).code(), EPERM);
  ASSERT_TRUE(owner->run(op::SetXattr{{}, f, kAccessAclName, as_bytes(bytes), 0, false}));
  EXPECT_EQ(open(*other, f, O_RDWR), 0);
  other->ctx = as_user(2001, 2001);
  EXPECT_EQ(open(*other, f, O_RDONLY), EACCES);
  // A default list passes to what is made, in place of the umask.
  auto dflt =
      A::of({{A::kUserObj, 7, 0}, {A::kUser, 7, 2001}, {A::kGroupObj, 5, 0}, {A::kMask, 7, 0}, {A::kOther, 0, 0}});
  bytes = dflt->serialise();
  ASSERT_TRUE(owner->run(op::SetXattr{{}, dir, kDefaultAclName, as_bytes(bytes), 0, false}));
  owner->ctx.umask_pending = true;
  owner->ctx.cred.umask = 077;
  auto c = owner->create(dir, "born", O_RDWR, 0666);
  ASSERT_TRUE(c);
  EXPECT_EQ(open(*other, c->entry.node, O_RDWR), 0);
  EXPECT_EQ(owner->stat(c->entry.node).mode & 0777, 0660u);
  owner->release(c->entry.node, c->opened.handle);
  auto plain = owner->create(kRoot, "plain", O_RDWR, 0666);
  ASSERT_TRUE(plain);
  EXPECT_EQ(owner->stat(plain->entry.node).mode & 0777, 0600u);
  owner->release(plain->entry.node, plain->opened.handle);
}

TEST_F(RightsTest, AccessAndListing) {
  ASSERT_TRUE(chmod(*owner, dir, 0744));
  EXPECT_EQ(other->run(op::Access{{}, dir, R_OK}).code(), 0);
  EXPECT_EQ(other->run(op::Access{{}, dir, X_OK}).code(), EACCES);
  auto o = other->run(op::OpenDir{{}, dir, O_RDONLY});
  ASSERT_TRUE(o);
  isthmus::testing::NameSink sink;
  ASSERT_TRUE(other->run(op::ReadDir{{}, dir, o->handle, 0, true, {}, &sink}));
  size_t at = std::find(sink.names.begin(), sink.names.end(), "f") - sink.names.begin();
  ASSERT_LT(at, sink.names.size());
  EXPECT_EQ(sink.with[at], NodeId::none) << "attributes need the right to search";
  EXPECT_EQ(other->run(op::ReleaseDir{{}, dir, o->handle}).code(), 0);
  ASSERT_TRUE(chmod(*owner, dir, 0711));
  EXPECT_EQ(other->run(op::OpenDir{{}, dir, O_RDONLY}).code(), EACCES);
}

TEST_F(RightsTest, CheckedByNobodyWhereTheServerMayAll) {
  Door d(rig->v, {.check_access = false});
  d.ctx = as_user(2000, 2000);
  ASSERT_TRUE(chmod(*owner, f, 0600));
  EXPECT_EQ(open(d, f, O_RDWR), 0);
}

}  // namespace
}  // namespace isthmus::volume::testing
