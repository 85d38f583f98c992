#include "vfs/volume/volume_test.h"

/// Share modes and leases, over two doors that know nothing of each other.
namespace isthmus::volume::testing {
namespace {

constexpr uint8_t kR = kLeaseRead, kRH = kLeaseRead | kLeaseHandle, kRW = kLeaseRead | kLeaseWrite,
                  kRWH = kLeaseRead | kLeaseWrite | kLeaseHandle;
using std::chrono::milliseconds;

struct OpensTest : ::testing::Test {
  void SetUp() override {
    rig.begin();
    smb = std::make_unique<Door>(rig.v, PortOptions{.door = DoorKind::smb});
    fuse = std::make_unique<Door>(rig.v, PortOptions{.door = DoorKind::fuse, .has_kernel = true});
    auto c = smb->create(kRoot, "f");
    f = c->entry.node;
    EXPECT_EQ(smb->release(f, c->opened.handle), 0);
  }
  void TearDown() override {
    smb.reset();
    fuse.reset();
    rig.end();
  }
  HandleId open(Door& d, uint32_t flags = O_RDWR, uint32_t share = 7) {
    auto o = d.open(f, flags, share);
    EXPECT_TRUE(o);
    return o ? o->handle : HandleId::none;
  }
  Result<uint8_t> lease(Door& d, HandleId h, uint8_t bits) { return d.run(op::SetLease{{}, f, h, bits}); }
  op::Open opening(uint32_t flags) { return {{}, f, flags, 7, false, 0}; }
  op::Write writing(HandleId h = HandleId::none) {
    op::Write w;
    w.node = f;
    w.handle = h;
    w.data = &text;
    return w;
  }
  std::string broken(uint8_t to) { return fmt::format("break {} {}", raw(f), int{to}); }

  Rig rig{VolumeOptions{.break_time = milliseconds(300)}};
  Buffer text = Buffer::view(as_bytes("text"));
  std::unique_ptr<Door> smb, fuse;
  NodeId f{};
};

TEST_F(OpensTest, ShareModes) {
  HandleId h = open(*smb, O_RDONLY, 1);  // others may read
  EXPECT_EQ(fuse->open(f, O_RDWR).code(), EBUSY);
  EXPECT_EQ(smb->open(f, O_WRONLY).code(), EBUSY) << "also through the same door";
  EXPECT_EQ(fuse->run(writing()).code(), EBUSY);
  EXPECT_EQ(fuse->unlink(kRoot, "f"), EBUSY);
  EXPECT_EQ(fuse->rename(kRoot, "f", kRoot, "g"), EBUSY);
  ASSERT_TRUE(fuse->run(op::Mknod{{}, kRoot, "other", S_IFREG | 0644, 0, {}}));
  EXPECT_EQ(fuse->rename(kRoot, "other", kRoot, "f"), EBUSY);
  auto r = fuse->open(f, O_RDONLY);
  ASSERT_TRUE(r);
  EXPECT_EQ(smb->open(f, O_RDONLY, 6).code(), EBUSY) << "it denies what is open already";
  EXPECT_EQ(smb->release(f, h), 0);
  HandleId w = open(*fuse, O_RDWR);
  EXPECT_EQ(fuse->release(f, w), 0);
  EXPECT_EQ(fuse->release(f, r->handle), 0);
  EXPECT_EQ(fuse->unlink(kRoot, "f"), 0);
}

TEST_F(OpensTest, OpensWithoutDataAreTheVolumesOwn) {
  const uint64_t asked = rig.gate.asked(Op::Open), released = rig.gate.asked(Op::Release);
  HandleId h = open(*smb, O_PATH, 3);  // nobody may delete
  EXPECT_EQ(rig.gate.asked(Op::Open), asked) << "the provider does not hear of it";
  EXPECT_EQ(fuse->unlink(kRoot, "f"), EBUSY);
  EXPECT_EQ(*lease(*smb, h, kRWH), kRWH);
  EXPECT_EQ(*lease(*smb, h, kLeaseNone), kLeaseNone);
  const NodeId dir = smb->mkdir(kRoot, "d");
  auto d = smb->open(dir, O_PATH, 0);
  ASSERT_TRUE(d);
  EXPECT_EQ(fuse->rmdir(kRoot, "d"), EBUSY);
  EXPECT_EQ(smb->release(dir, d->handle), 0);
  EXPECT_EQ(smb->release(f, h), 0);
  EXPECT_EQ(rig.gate.asked(Op::Release), released);
  EXPECT_EQ(fuse->unlink(kRoot, "f"), 0);
}

TEST_F(OpensTest, ItsOwnShareModeDoesNotHinderWhoRemovesThroughIt) {
  HandleId h = open(*smb, O_PATH, 0);
  EXPECT_EQ(smb->rename(kRoot, "f", kRoot, "g"), EBUSY);
  EXPECT_EQ(smb->run(op::Rename{{}, kRoot, "f", kRoot, "g", 0, h}).code(), 0);
  EXPECT_EQ(smb->run(op::Unlink{{}, kRoot, "g", h}).code(), 0);
  EXPECT_EQ(smb->release(f, h), 0);
}

TEST_F(OpensTest, AFailedOpenLeavesNothing) {
  smb->ctx = as_user(7, 7);
  EXPECT_EQ(smb->open(f, O_RDWR, 0).code(), EACCES);
  rig.gate.without.set(Op::Setattr);
  smb->ctx = {};
  EXPECT_NE(smb->open(f, O_RDWR | O_TRUNC, 0).code(), 0) << "it cannot be cut";
  rig.gate.without.clear(Op::Setattr);
  EXPECT_EQ(fuse->release(f, open(*fuse)), 0);
}

TEST_F(OpensTest, WhoMayHaveALease) {
  HandleId a = open(*smb);
  EXPECT_EQ(*lease(*smb, a, kRWH), kRWH);
  EXPECT_EQ(*lease(*smb, a, kRH), kRH) << "given back in part";
  EXPECT_EQ(*lease(*smb, a, kLeaseWrite), kLeaseNone) << "nothing without reading";
  HandleId b = open(*fuse);
  EXPECT_EQ(*lease(*smb, a, kRWH), kRH) << "another has it open";
  EXPECT_EQ(lease(*smb, b, kR).code(), EBADF) << "another's open";
  EXPECT_EQ(fuse->release(f, b), 0);
  EXPECT_EQ(*lease(*smb, a, kRWH), kRWH);
  smb->ctx.lease_key = 0;
  EXPECT_EQ(smb->release(f, a), 0);
  EXPECT_EQ(lease(*smb, a, kR).code(), EBADF);
}

TEST_F(OpensTest, AnOpenTakesTheWriteLeaseAndWaits) {
  HandleId a = open(*smb);
  ASSERT_EQ(*lease(*smb, a, kRWH), kRWH);
  auto other = fuse->begin(opening(O_RDONLY));
  EXPECT_FALSE(other->done());
  EXPECT_TRUE(smb->ears.heard(broken(kRH)));
  // The holder writes back what it kept, and says so.
  ASSERT_TRUE(smb->run(writing(a)));
  EXPECT_FALSE(other->done());
  EXPECT_EQ(*lease(*smb, a, kRWH), kRWH) << "asking for more is no answer";
  EXPECT_FALSE(other->done());
  EXPECT_EQ(*lease(*smb, a, kRH), kRH);
  ASSERT_TRUE(other->wait());
  EXPECT_EQ(fuse->read(f, (*other->result)->handle), "text");
  EXPECT_EQ(fuse->release(f, (*other->result)->handle), 0);
  EXPECT_EQ(smb->release(f, a), 0);
}

TEST_F(OpensTest, AttributesSetBySmbTakeNoLease) {
  HandleId a = open(*smb);
  ASSERT_EQ(*lease(*smb, a, kRWH), kRWH);
  op::Setattr s{};
  s.node = f;
  s.set.mask = kSetMode;
  s.set.to.mode = 0600;
  const uint64_t own = std::exchange(smb->ctx.lease_key, 77);
  ASSERT_TRUE(smb->run(s));
  ASSERT_TRUE(smb->run(op::SetXattr{{}, f, "user.x", as_bytes("y"), 0, false}));
  EXPECT_FALSE(smb->ears.heard(broken(kRH)));
  // Another door's show in what the holder believes.
  auto other = fuse->begin(s);
  EXPECT_FALSE(other->done());
  EXPECT_TRUE(smb->ears.heard(broken(kRH)));
  smb->ctx.lease_key = own;
  EXPECT_EQ(*lease(*smb, a, kRH), kRH);
  EXPECT_TRUE(other->wait());
  EXPECT_EQ(smb->release(f, a), 0);
}

TEST_F(OpensTest, ClosingAnswersABreak) {
  HandleId a = open(*smb);
  ASSERT_EQ(*lease(*smb, a, kRW), kRW);
  auto other = fuse->begin(opening(O_RDWR));
  EXPECT_FALSE(other->done());
  EXPECT_EQ(smb->release(f, a), 0);
  ASSERT_TRUE(other->wait());
  EXPECT_EQ(fuse->release(f, (*other->result)->handle), 0);
}

TEST_F(OpensTest, AHolderThatDoesNotAnswerLosesIt) {
  HandleId a = open(*smb);
  ASSERT_EQ(*lease(*smb, a, kRW), kRW);
  auto from = std::chrono::steady_clock::now();
  auto o = fuse->open(f, O_RDONLY);
  ASSERT_TRUE(o);
  EXPECT_GE(std::chrono::steady_clock::now() - from, milliseconds(290));
  EXPECT_TRUE(rig.log.has("lease"));
  EXPECT_TRUE(smb->ears.heard(broken(kLeaseNone)));
  EXPECT_EQ(*lease(*smb, a, kRW), kR) << "a new one";
  EXPECT_EQ(fuse->release(f, o->handle), 0);
  EXPECT_EQ(smb->release(f, a), 0);
}

TEST_F(OpensTest, AGoneClientGivesBack) {
  smb->ctx.client = 5;
  HandleId a = open(*smb);
  ASSERT_EQ(*lease(*smb, a, kRW), kRW);
  auto other = fuse->begin(opening(O_RDWR));
  EXPECT_FALSE(other->done());
  smb->port->client_gone(4);
  EXPECT_FALSE(other->done());
  smb->port->client_gone(5);
  ASSERT_TRUE(other->wait());
  EXPECT_EQ(smb->release(f, a), EBADF);
  EXPECT_EQ(fuse->release(f, (*other->result)->handle), 0);
}

TEST_F(OpensTest, ReadLeasesGoWithoutWaitingWhenSomebodyWrites) {
  HandleId a = open(*smb, O_RDONLY), b = open(*fuse);
  ASSERT_EQ(*lease(*smb, a, kR), kR);
  ASSERT_TRUE(fuse->run(writing(b)));
  EXPECT_TRUE(smb->ears.heard(broken(kLeaseNone)));
  smb->ears.take();
  ASSERT_TRUE(fuse->run(writing(b)));
  auto lines = smb->ears.take();
  EXPECT_TRUE(std::none_of(lines.begin(), lines.end(), [](auto& l) { return l.starts_with("break"); }))
      << "there is none any more";
  ASSERT_EQ(*lease(*smb, a, kR), kR);
  Attr to;
  ASSERT_TRUE(fuse->set(f, kSetSize, to));
  EXPECT_TRUE(smb->ears.heard(broken(kLeaseNone)));
  smb->ears.take();
  ASSERT_EQ(*lease(*smb, a, kR), kR);
  ASSERT_TRUE(fuse->run(op::SetLock{{}, f, b, {1, 0, 9, LockType::exclusive, 0}, false, false}));
  EXPECT_TRUE(smb->ears.heard(broken(kLeaseNone))) << "cached reads do not know of locks";
  EXPECT_EQ(fuse->release(f, b), 0);
  EXPECT_EQ(smb->release(f, a), 0);
}

TEST_F(OpensTest, OnesOwnLeaseIsNotBroken) {
  smb->ctx.lease_key = 77;
  HandleId a = open(*smb);
  ASSERT_EQ(*lease(*smb, a, kRWH), kRWH);
  HandleId b = open(*smb);
  ASSERT_TRUE(smb->run(writing(b)));
  EXPECT_TRUE(smb->ears.take().empty());
  EXPECT_EQ(smb->release(f, a), 0);
  EXPECT_EQ(*lease(*smb, b, kRWH), kRWH) << "it lives on with the other handle";
  smb->ctx.lease_key = 78;
  auto other = smb->begin(opening(O_RDWR));
  EXPECT_FALSE(other->done()) << "another key of the same client is another";
  EXPECT_EQ(smb->release(f, b), 0);
  ASSERT_TRUE(other->wait());
  EXPECT_EQ(smb->release(f, (*other->result)->handle), 0);
}

TEST_F(OpensTest, HandleLeasesMakeRoomForUnlinkAndForSharing) {
  HandleId a = open(*smb, O_RDONLY, 1);
  ASSERT_EQ(*lease(*smb, a, kRH), kRH);
  auto gone = fuse->begin(op::Unlink{{}, kRoot, "f"});
  EXPECT_FALSE(gone->done()) << "the client may have closed it already";
  EXPECT_TRUE(smb->ears.heard(broken(kR)));
  EXPECT_EQ(smb->release(f, a), 0);
  EXPECT_TRUE(gone->wait());

  ASSERT_TRUE(smb->run(op::Mknod{{}, kRoot, "f", S_IFREG | 0644, 0, {}}));
  f = smb->node(kRoot, "f");
  a = open(*smb, O_RDONLY, 1);
  ASSERT_EQ(*lease(*smb, a, kRH), kRH);
  auto opened = fuse->begin(opening(O_RDWR));
  EXPECT_FALSE(opened->done());
  EXPECT_EQ(*lease(*smb, a, kR), kR) << "it is in use indeed";
  EXPECT_EQ(opened->wait().code(), EBUSY);
  EXPECT_EQ(smb->release(f, a), 0);
}

TEST_F(OpensTest, WaitingCanBeCancelled) {
  HandleId a = open(*smb);
  ASSERT_EQ(*lease(*smb, a, kRW), kRW);
  Cancel cancel;
  fuse->ctx.cancel = &cancel;
  auto other = fuse->begin(opening(O_RDONLY));
  EXPECT_FALSE(other->done());
  cancel.request();
  EXPECT_EQ(other->wait().code(), EINTR);
  fuse->ctx.cancel = nullptr;
  EXPECT_EQ(*lease(*smb, a, kRW), kRW) << "the break stands";
  EXPECT_EQ(*lease(*smb, a, kR), kR);
  EXPECT_EQ(smb->release(f, a), 0);
}

TEST_F(OpensTest, DirectoryLeases) {
  auto d = smb->run(op::OpenDir{{}, kRoot, O_RDONLY});
  ASSERT_TRUE(d);
  auto get = [&] { return *smb->run(op::SetLease{{}, kRoot, d->handle, kRWH}); };
  EXPECT_EQ(get(), kRH);
  auto made = fuse->begin(op::Mknod{{}, kRoot, "new", S_IFREG | 0644, 0, {}});
  EXPECT_TRUE(smb->ears.heard("break 1 0"));
  ASSERT_EQ(smb->run(op::SetLease{{}, kRoot, d->handle, 0}).code(), 0);
  ASSERT_TRUE(made->wait());
  EXPECT_EQ(smb->run(op::ReleaseDir{{}, kRoot, d->handle}).code(), 0);
}

/// One door holds a lease of a directory, and is asked for it by what others do.
struct DirectoryLeaseTest : OpensTest {
  void SetUp() override {
    OpensTest::SetUp();
    dir = smb->mkdir(kRoot, "d");
    smb->ctx.lease_key = 5;
    auto o = smb->open(dir, O_PATH);
    ASSERT_TRUE(o);
    held = o->handle;
    smb->ctx.lease_key = 0;
    ASSERT_TRUE(fuse->run(op::Mknod{{}, dir, "x", S_IFREG | 0644, 0, {}}));
    x = fuse->node(dir, "x");
  }
  void TearDown() override {
    EXPECT_EQ(smb->release(dir, held), 0);
    OpensTest::TearDown();
  }
  /// What is left of R and H after something was done; all is given back then.
  template <class Do>
  int left(Do something) {
    EXPECT_EQ(*smb->run(op::SetLease{{}, dir, held, kRWH | kLeaseDirectory}), kRH);
    (void)smb->ears.take();
    something();
    uint8_t now = kRH;
    for (const std::string& line : smb->ears.take())
      for (uint8_t to : {uint8_t{kLeaseNone}, kR})
        if (line == fmt::format("break {} {}", raw(dir), int{to})) now = to;
    EXPECT_EQ(*smb->run(op::SetLease{{}, dir, held, kLeaseNone}), kLeaseNone);
    return now;
  }
  NodeId dir{}, x{};
  HandleId held{};
};

TEST_F(DirectoryLeaseTest, GoWithWhatAListingShows) {
  Attr to;
  to.mode = 0600;
  EXPECT_EQ(left([&] { EXPECT_TRUE(fuse->run(op::Mknod{{}, dir, "new", S_IFREG | 0644, 0, {}})); }), 0);
  EXPECT_EQ(left([&] { EXPECT_TRUE(fuse->run(op::Mkdir{{}, dir, "sub", 0755, {}})); }), 0);
  EXPECT_EQ(left([&] { EXPECT_TRUE(fuse->run(op::Symlink{{}, dir, "link", "x", {}})); }), 0);
  const auto other = fuse->run(op::Mknod{{}, kRoot, "other", S_IFREG | 0644, 0, {}});
  ASSERT_TRUE(other);
  EXPECT_EQ(left([&] { EXPECT_TRUE(fuse->run(op::Link{{}, other->node, dir, "hard"})); }), 0);
  EXPECT_EQ(left([&] { EXPECT_EQ(fuse->unlink(dir, "hard"), 0); }), 0);
  EXPECT_EQ(left([&] { EXPECT_EQ(fuse->rename(dir, "new", kRoot, "away"), 0); }), 0);
  EXPECT_EQ(left([&] { EXPECT_EQ(fuse->rename(kRoot, "away", dir, "back"), 0); }), 0);
  EXPECT_EQ(left([&] { EXPECT_EQ(fuse->rmdir(dir, "sub"), 0); }), 0);
  EXPECT_EQ(left([&] { EXPECT_TRUE(fuse->write(x, HandleId::none, 0, "more")); }), 0);
  EXPECT_EQ(left([&] { EXPECT_TRUE(fuse->set(x, kSetSize, to)); }), 0);
  EXPECT_EQ(left([&] { EXPECT_TRUE(fuse->set(x, kSetMode, to)); }), 0);
  EXPECT_EQ(left([&] { EXPECT_TRUE(fuse->run(op::SetXattr{{}, x, "user.a", as_bytes("b"), 0, false})); }), 0);
  to.mode = 0700;
  EXPECT_EQ(left([&] { EXPECT_TRUE(fuse->set(dir, kSetMode, to)); }), 0) << "of itself";
  // What it does not show, or what has not happened.
  EXPECT_EQ(left([&] { EXPECT_EQ(fuse->run(op::Mkdir{{}, dir, "x", 0755, {}}).code(), EEXIST); }), kRH);
  EXPECT_EQ(left([&] { EXPECT_TRUE(fuse->write(f, HandleId::none, 0, "elsewhere")); }), kRH);
  EXPECT_EQ(left([&] { EXPECT_TRUE(fuse->lookup(dir, "x")); }), kRH);
  fuse->forget(x);
  for (const char* name : {"x", "back", "link"}) EXPECT_EQ(fuse->unlink(dir, name), 0);
}

TEST_F(DirectoryLeaseTest, WhoNamesItLeavesItAlone) {
  smb->ctx.lease_key = 9;
  EXPECT_EQ(left([&] {
              EXPECT_TRUE(smb->run(op::Mknod{{}, dir, "a", S_IFREG | 0644, 0, {}}));
            }),
            0)
      << "it does not say";
  smb->ctx.parent_lease_key = 5;
  EXPECT_EQ(left([&] {
              EXPECT_TRUE(smb->run(op::Mknod{{}, dir, "b", S_IFREG | 0644, 0, {}}));
              EXPECT_TRUE(smb->write(x, HandleId::none, 0, "more"));
              EXPECT_EQ(smb->unlink(dir, "b"), 0);
            }),
            kRH);
  fuse->ctx.parent_lease_key = 5;
  EXPECT_EQ(left([&] { EXPECT_EQ(fuse->unlink(dir, "a"), 0); }), 0) << "another door's key of that number is another";
  fuse->ctx.parent_lease_key = 0;
  EXPECT_EQ(fuse->unlink(dir, "x"), 0);
}

TEST_F(DirectoryLeaseTest, WhatIsWrittenThroughSmbIsToldOfAtTheClose) {
  smb->ctx.door = DoorKind::smb;
  auto o = smb->open(x);
  ASSERT_TRUE(o);
  EXPECT_EQ(left([&] { EXPECT_TRUE(smb->write(x, o->handle, 0, "more")); }), kRH);
  EXPECT_EQ(left([&] { EXPECT_EQ(smb->release(x, o->handle), 0); }), 0);
  o = smb->open(x);
  ASSERT_TRUE(o);
  EXPECT_EQ(left([&] { EXPECT_EQ(smb->release(x, o->handle), 0); }), kRH) << "nothing was written";
  EXPECT_EQ(fuse->unlink(dir, "x"), 0);
}

TEST_F(DirectoryLeaseTest, WhatHasNoNameIsInNoListing) {
  fuse->ctx = {};
  auto o = fuse->open(x);
  ASSERT_TRUE(o);
  EXPECT_EQ(fuse->unlink(dir, "x"), 0);
  EXPECT_EQ(left([&] { EXPECT_TRUE(fuse->write(x, o->handle, 0, "unseen")); }), kRH);
  EXPECT_EQ(fuse->release(x, o->handle), 0);
}

TEST_F(DirectoryLeaseTest, TheProvidersNewsTakesIt) {
  Upcalls& news = *rig.gate.told();
  EXPECT_EQ(left([&] { news.invalidate_entry(dir, "y"); }), 0);
  EXPECT_EQ(left([&] { news.changed(dir, "y", kWatchModified); }), 0);
  EXPECT_EQ(left([&] { news.invalidate_node(x, 0, 0); }), 0);
  EXPECT_EQ(left([&] { news.invalidate_attr(x); }), 0);
  EXPECT_EQ(left([&] { news.invalidate_attr(f); }), kRH) << "elsewhere";
  EXPECT_EQ(left([&] { news.invalidate_attr(NodeId{12345}); }), 0) << "nobody knows where";
  EXPECT_EQ(left([&] { news.invalidate_all_names(); }), 0);
  EXPECT_EQ(left([&] { news.deleted(dir, x, "x"); }), 0);
  EXPECT_EQ(fuse->unlink(dir, "x"), 0);
}

TEST_F(DirectoryLeaseTest, HandlesGoBeforeTheName) {
  EXPECT_EQ(fuse->unlink(dir, "x"), 0);
  EXPECT_EQ(left([&] {
              auto moved = fuse->begin(op::Rename{{}, kRoot, "d", kRoot, "e", 0, HandleId::none});
              EXPECT_FALSE(moved->done()) << "the client may have closed it already";
              EXPECT_EQ(*smb->run(op::SetLease{{}, dir, held, kR}), kR);
              EXPECT_TRUE(moved->wait());
            }),
            kR);
}

TEST_F(OpensTest, WhoIsToTakeANameHasHandlesClosedFirst) {
  HandleId a = open(*smb, O_RDWR, 1);
  ASSERT_EQ(*lease(*smb, a, kRH), kRH);
  op::Open asking = opening(O_PATH);
  asking.access = kAccessDetach;
  auto other = fuse->begin(asking);
  EXPECT_FALSE(other->done());
  EXPECT_TRUE(smb->ears.heard(broken(kR)));
  EXPECT_EQ(*lease(*smb, a, kR), kR) << "it is in use indeed";
  ASSERT_TRUE(other->wait()) << "which share modes do not forbid";
  EXPECT_EQ(fuse->release(f, (*other->result)->handle), 0);
  EXPECT_EQ(smb->release(f, a), 0);
}

TEST_F(OpensTest, LeasesSayNothingOfStreams) {
  HandleId a = open(*smb);
  ASSERT_EQ(*lease(*smb, a, kRWH), kRWH);
  const op::SetXattr set{{}, f, "user.a", as_bytes("b"), 0, false};
  fuse->ctx.of_stream = true;
  EXPECT_TRUE(fuse->run(set));
  EXPECT_TRUE(fuse->run(op::RemoveXattr{{}, f, "user.a"}));
  EXPECT_FALSE(smb->ears.heard(broken(kRH)));
  fuse->ctx.of_stream = false;
  auto other = fuse->begin(set);
  EXPECT_TRUE(smb->ears.heard(broken(kRH)));
  EXPECT_EQ(*lease(*smb, a, kRH), kRH);
  EXPECT_TRUE(other->wait());
  EXPECT_EQ(smb->release(f, a), 0);
}

TEST_F(OpensTest, TheProvidersNewsBreaksWithoutWaiting) {
  HandleId a = open(*smb);
  ASSERT_EQ(*lease(*smb, a, kRWH), kRWH);
  rig.gate.told()->invalidate_node(f, 0, 0);
  EXPECT_TRUE(smb->ears.heard(broken(kLeaseNone)));
  EXPECT_EQ(*lease(*smb, a, kRWH), kRWH) << "it has not answered";
  EXPECT_EQ(*lease(*smb, a, kLeaseNone), kLeaseNone);
  EXPECT_EQ(smb->release(f, a), 0);
}

TEST_F(OpensTest, BreaksGoStepByStep) {
  HandleId a = open(*smb);
  ASSERT_EQ(*lease(*smb, a, kRWH), kRWH);
  auto reader = fuse->begin(opening(O_RDONLY));
  EXPECT_TRUE(smb->ears.heard(broken(kRH)));
  (void)smb->ears.take();
  auto eraser = fuse->begin(opening(O_RDWR | O_TRUNC));
  EXPECT_FALSE(smb->ears.heard(broken(kLeaseNone))) << "the last one is not answered";
  EXPECT_EQ(*lease(*smb, a, kRH), kRH);
  EXPECT_TRUE(smb->ears.heard(broken(kR)));
  EXPECT_FALSE(reader->done());
  EXPECT_EQ(*lease(*smb, a, kR), kLeaseNone);
  EXPECT_TRUE(smb->ears.heard(broken(kLeaseNone)));
  ASSERT_TRUE(reader->wait());
  ASSERT_TRUE(eraser->wait());
  EXPECT_EQ(fuse->release(f, (*reader->result)->handle), 0);
  EXPECT_EQ(fuse->release(f, (*eraser->result)->handle), 0);
  EXPECT_EQ(smb->release(f, a), 0);
}

TEST_F(OpensTest, HandleLeasesDoNotHinderOpens) {
  HandleId a = open(*smb);
  ASSERT_EQ(*lease(*smb, a, kRH), kRH);
  HandleId b = open(*fuse, O_RDWR | O_TRUNC);
  EXPECT_TRUE(smb->ears.heard(broken(kLeaseNone)));
  EXPECT_EQ(*lease(*smb, a, kRH), kRH) << "until it has answered";
  EXPECT_EQ(*lease(*smb, a, kLeaseNone), kLeaseNone);
  EXPECT_EQ(fuse->release(f, b), 0);
  EXPECT_EQ(smb->release(f, a), 0);
}

TEST_F(OpensTest, OplocksAndHandleLeasesDoNotGoTogether) {
  HandleId a = open(*smb), b = open(*smb);
  ASSERT_EQ(*lease(*smb, a, kRH), kRH);
  EXPECT_EQ(*lease(*smb, b, kR | kLeaseOplock), kLeaseNone);
  ASSERT_EQ(*lease(*smb, a, kLeaseNone), kLeaseNone);
  ASSERT_EQ(*lease(*smb, b, kR | kLeaseOplock), kR);
  EXPECT_EQ(*lease(*smb, a, kRWH), kR);
  EXPECT_EQ(smb->release(f, a), 0);
  EXPECT_EQ(smb->release(f, b), 0);
}

TEST_F(OpensTest, NoLeaseWhereNobodyTellsOfOthers) {
  rig.gate.change = [](Traits& t) { t.changes_outside = true; };
  Volume again(rig.gate);
  ASSERT_TRUE(again.start());
  {
    Door d(again, {});
    NodeId n = d.node(kRoot, "f");
    auto o = d.open(n);
    ASSERT_TRUE(o);
    EXPECT_EQ(*d.run(op::SetLease{{}, n, o->handle, kRWH}), kLeaseNone);
    EXPECT_EQ(d.release(n, o->handle), 0);
  }
}

// Many threads open, lease, break and close; nothing is left, nobody waits for ever.
TEST_F(OpensTest, Storm) {
  auto work = [&](Door& d, unsigned seed) {
    d.ears.on_break = nullptr;
    for (int i = 0; i < 200; i++) {
      seed = seed * 1103515245 + 12345;
      auto o = d.open(f, (seed >> 16) % 2 ? O_RDWR : O_RDONLY);
      ASSERT_TRUE(o) << o.code();
      auto l = d.run(op::SetLease{{}, f, o->handle, static_cast<uint8_t>((seed >> 20) % 8)});
      EXPECT_TRUE(l);
      EXPECT_EQ(d.release(f, o->handle), 0);
    }
  };
  Door third(rig.v, {});
  std::thread a([&] { work(*smb, 1); }), b([&] { work(*fuse, 2); }), c([&] { work(third, 3); });
  a.join();
  b.join();
  c.join();
}

}  // namespace
}  // namespace isthmus::volume::testing
