#include "vfs/volume/volume_test.h"

/// Byte-range locks of all doors, in the volume's table and in a provider's. The same tests for both.
namespace isthmus::volume::testing {
namespace {

struct LocksTest : ::testing::TestWithParam<bool> {
  void SetUp() override {
    if (!GetParam()) {
      rig.gate.without.set(Op::SetLock);
      rig.gate.without.set(Op::GetLock);
    }
    rig.begin();
    smb = std::make_unique<Door>(rig.v, PortOptions{.door = DoorKind::smb});
    fuse = std::make_unique<Door>(rig.v, PortOptions{.door = DoorKind::fuse, .has_kernel = true});
    auto c = smb->create(kRoot, "f");
    f = c->entry.node;
    a = c->opened.handle;
    b = fuse->open(f)->handle;
  }
  void TearDown() override {
    smb.reset();
    fuse.reset();
    EXPECT_EQ(rig.mem.locks().held(), 0u);
    rig.end();
  }
  op::SetLock lock(HandleId h, uint64_t owner, LockType type, uint64_t start = 0, uint64_t end = 9, bool wait = false) {
    return {{}, f, h, {owner, start, end, type, 0}, wait, false};
  }
  int set(Door& d, const op::SetLock& l) { return d.run(l).code(); }
  Rig rig;
  std::unique_ptr<Door> smb, fuse;
  NodeId f{};
  HandleId a{}, b{};
};

TEST_P(LocksTest, OwnersOfTwoDoorsAreTwo) {
  EXPECT_EQ(set(*smb, lock(a, 1, LockType::exclusive)), 0);
  EXPECT_EQ(set(*smb, lock(a, 1, LockType::exclusive)), 0);
  EXPECT_EQ(set(*fuse, lock(b, 1, LockType::shared)), EAGAIN) << "the same number, another door";
  smb->ctx.client = 9;
  EXPECT_EQ(set(*smb, lock(a, 1, LockType::shared)), EAGAIN) << "another client";
  smb->ctx.client = 0;
  auto got = fuse->run(op::GetLock{{}, f, b, {1, 5, 20, LockType::exclusive, 0}});
  ASSERT_TRUE(got);
  EXPECT_EQ(got->type, LockType::exclusive);
  EXPECT_EQ(got->end, 9u);
  EXPECT_EQ(set(*fuse, lock(b, 1, LockType::exclusive, 10, 19)), 0);
  EXPECT_EQ(set(*smb, lock(a, 1, LockType::unlock)), 0);
  EXPECT_EQ(set(*fuse, lock(b, 1, LockType::shared)), 0);
  EXPECT_EQ(set(*smb, lock(b, 1, LockType::shared)), EBADF) << "another door's handle";
}

TEST_P(LocksTest, WaitingAndCancelling) {
  EXPECT_EQ(set(*smb, lock(a, 1, LockType::exclusive)), 0);
  auto waits = fuse->begin(lock(b, 1, LockType::exclusive, 0, 9, true));
  EXPECT_FALSE(waits->done());
  Cancel cancel;
  fuse->ctx.cancel = &cancel;
  auto gives_up = fuse->begin(lock(b, 2, LockType::shared, 0, 9, true));
  fuse->ctx.cancel = nullptr;
  EXPECT_FALSE(gives_up->done());
  cancel.request();
  EXPECT_EQ(gives_up->wait().code(), EINTR);
  EXPECT_EQ(set(*smb, lock(a, 1, LockType::unlock)), 0);
  EXPECT_TRUE(waits->wait());
  EXPECT_EQ(set(*fuse, lock(b, 1, LockType::unlock)), 0);
}

TEST_P(LocksTest, TheLastCloseLetsGo) {
  EXPECT_EQ(set(*smb, lock(a, 1, LockType::exclusive)), 0);
  EXPECT_EQ(set(*smb, lock(a, 2, LockType::exclusive, 20, 29)), 0);
  auto waits = fuse->begin(lock(b, 1, LockType::exclusive, 0, 40, true));
  EXPECT_FALSE(waits->done());
  EXPECT_EQ(smb->release(f, a), 0);
  EXPECT_TRUE(waits->wait());
}

TEST_P(LocksTest, AGoneClientLetsGo) {
  smb->ctx.client = 3;
  HandleId mine = smb->open(f)->handle;
  EXPECT_EQ(set(*smb, lock(mine, 1, LockType::exclusive)), 0);
  EXPECT_EQ(set(*fuse, lock(b, 1, LockType::exclusive)), EAGAIN);
  smb->port->client_gone(3);
  EXPECT_EQ(set(*fuse, lock(b, 1, LockType::exclusive)), 0);
}

TEST_P(LocksTest, FlushIsAProcessesClose) {
  EXPECT_EQ(set(*fuse, lock(b, 7, LockType::exclusive)), 0);
  EXPECT_EQ(set(*smb, lock(a, 7, LockType::exclusive)), EAGAIN);
  EXPECT_EQ(fuse->run(op::Flush{{}, f, b, 8}).code(), 0);
  EXPECT_EQ(set(*smb, lock(a, 7, LockType::exclusive)), EAGAIN);
  EXPECT_EQ(fuse->run(op::Flush{{}, f, b, 7}).code(), 0);
  EXPECT_EQ(set(*smb, lock(a, 7, LockType::exclusive)), 0);
}

INSTANTIATE_TEST_SUITE_P(Tables, LocksTest, ::testing::Bool(),
                         [](auto& p) { return p.param ? "TheProviders" : "TheVolumes"; });

}  // namespace
}  // namespace isthmus::volume::testing
