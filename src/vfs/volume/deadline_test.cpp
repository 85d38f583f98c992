#include "fs/fault/fault.h"
#include "vfs/volume/volume_test.h"

/// A provider that answers late, or never.
namespace isthmus::volume::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct DeadlineTest : ::testing::Test {
  void SetUp() override {
    rig.begin();
    inodes = rig.mem.inodes();
    d = std::make_unique<Door>(rig.v, PortOptions{.deadline = milliseconds(50)});
  }
  /// Everything that the provider gave too late has been given back.
  void finish() {
    rig.gate.let_go();
    d.reset();
    rig.end();
    EXPECT_EQ(rig.mem.inodes(), inodes + named);
  }
  Rig rig{VolumeOptions{.most_hung = 3}};
  std::unique_ptr<Door> d;
  size_t inodes = 0, named = 0;
};

TEST_F(DeadlineTest, ALateLookupIsGivenBack) {
  NodeId f = d->run(op::Mknod{{}, kRoot, "f", S_IFREG | 0644, 0, {}})->node;
  d->forget(f);
  rig.gate.told()->invalidate_all_names();
  rig.gate.hold(Op::Lookup, Gate::Hold::answer);
  auto from = steady_clock::now();
  EXPECT_EQ(d->lookup(kRoot, "f").code(), ETIMEDOUT);
  EXPECT_GE(steady_clock::now() - from, milliseconds(49));
  rig.gate.let_go();
  EXPECT_EQ(d->unlink(kRoot, "f"), 0);
  finish();
}

TEST_F(DeadlineTest, ALateCreateIsClosedAndHeardOf) {
  Door other(rig.v, {.has_kernel = true});
  rig.gate.hold(Op::Create, Gate::Hold::before);
  EXPECT_EQ(d->create(kRoot, "late").code(), ETIMEDOUT);
  EXPECT_EQ(other.lookup(kRoot, "late").code(), 0);  // a negative entry
  EXPECT_TRUE(other.ears.take().empty());
  rig.gate.let_go();
  EXPECT_TRUE(other.ears.heard("entry 1 late")) << "it has happened after all";
  EXPECT_NE(d->node(kRoot, "late"), NodeId::none);
  named = 1;
  other.port.reset();
  finish();
}

TEST_F(DeadlineTest, ALateOpenIsClosed) {
  auto c = d->create(kRoot, "f");
  ASSERT_TRUE(c);
  rig.gate.hold(Op::Open, Gate::Hold::answer);
  EXPECT_EQ(d->open(c->entry.node, O_RDWR, 0).code(), EBUSY);
  EXPECT_EQ(d->open(c->entry.node).code(), ETIMEDOUT);
  uint64_t released = rig.gate.asked(Op::Release);
  rig.gate.let_go();
  EXPECT_EQ(rig.gate.asked(Op::Release), released + 1);
  EXPECT_EQ(d->release(c->entry.node, c->opened.handle), 0);
  auto alone = d->open(c->entry.node, O_RDWR, 0);
  EXPECT_TRUE(alone) << "no open is left behind";
  EXPECT_EQ(d->release(c->entry.node, alone->handle), 0);
  EXPECT_EQ(d->unlink(kRoot, "f"), 0);
  d->forget(c->entry.node);
  finish();
}

// What the request lent is gone long before the provider uses it.
TEST_F(DeadlineTest, NothingBorrowedIsUsedAfterwards) {
  auto c = d->create(kRoot, "f");
  ASSERT_TRUE(c);
  NodeId f = c->entry.node;
  HandleId h = c->opened.handle;
  rig.gate.hold(Op::Write, Gate::Hold::before);
  {
    auto text = std::make_unique<std::string>(5000, 'w');
    EXPECT_EQ(d->write(f, h, 0, *text).code(), ETIMEDOUT);
  }
  rig.gate.let_go();
  EXPECT_EQ(d->read(f, h, 0, 5000), std::string(5000, 'w'));
  rig.gate.hold(Op::Read, Gate::Hold::before);
  EXPECT_EQ(d->read(f, h), "error 110");
  // The handle and the last lookup go while the provider is at it.
  EXPECT_EQ(d->release(f, h), 0);
  uint64_t released = rig.gate.asked(Op::Release), forgot = rig.gate.asked(Op::Forget);
  EXPECT_EQ(d->unlink(kRoot, "f"), 0);
  d->forget(f);
  EXPECT_EQ(rig.gate.asked(Op::Forget), forgot);
  rig.gate.let_go();
  EXPECT_EQ(rig.gate.asked(Op::Release), released + 1);
  EXPECT_EQ(rig.gate.asked(Op::Forget), forgot + 1);
  finish();
}

TEST_F(DeadlineTest, AListingEndsAndItsLateEntriesAreNotCounted) {
  for (auto name : {"a", "b"}) d->forget(d->run(op::Mknod{{}, kRoot, name, S_IFREG | 0644, 0, {}})->node);
  named = 2;
  rig.gate.hold(Op::ReadDir, Gate::Hold::before);
  {
    isthmus::testing::NameSink sink;
    EXPECT_EQ(d->run(op::ReadDir{{}, kRoot, HandleId::none, 0, true, {}, &sink}).code(), ETIMEDOUT);
  }
  finish();
}

TEST_F(DeadlineTest, ADeadProviderIsNotAskedAgain) {
  rig.gate.hold(Op::Statfs, Gate::Hold::before);
  for (int i = 0; i < 3; i++) EXPECT_EQ(d->run(op::Statfs{}).code(), ETIMEDOUT);
  auto from = steady_clock::now();
  for (int i = 0; i < 100; i++) EXPECT_EQ(d->run(op::Statfs{}).code(), ETIMEDOUT);
  EXPECT_LT(steady_clock::now() - from, milliseconds(50)) << "at once";
  rig.gate.let_go();
  EXPECT_TRUE(d->run(op::Statfs{}));
  finish();
}

TEST_F(DeadlineTest, TheProviderHearsOfIt) {
  // A delay of fault+ ends when the operation is cancelled.
  fs::fault::Options o;
  std::string why;
  ASSERT_TRUE(fs::fault::parse_rules("statfs:delay=20s", o.rules, why)) << why;
  fs::fault::Fault slow(std::make_unique<fs::mem::MemFs>(), o);
  Volume v(slow);
  ASSERT_TRUE(v.start());
  auto from = steady_clock::now();
  {
    Door door(v, {.deadline = milliseconds(50)});
    EXPECT_EQ(door.run(op::Statfs{}).code(), ETIMEDOUT);
    // A client's own wish passes through as well.
    Door patient(v, {.deadline = std::chrono::seconds(30)});
    Cancel cancel;
    patient.ctx.cancel = &cancel;
    std::thread impatient([&] {
      std::this_thread::sleep_for(milliseconds(20));
      cancel.request();
    });
    static_cast<void>(patient.run(op::Statfs{}));
    impatient.join();
  }
  v.stop();
  EXPECT_LT(steady_clock::now() - from, std::chrono::seconds(5));
}

// Answers and deadlines at the same moment, from many threads.
TEST_F(DeadlineTest, Races) {
  d = std::make_unique<Door>(rig.v, PortOptions{.deadline = milliseconds(1)});
  std::atomic<bool> stop{false};
  std::thread later([&] {
    while (!stop) {
      rig.gate.hold(Op::Lookup, Gate::Hold::answer);
      std::this_thread::sleep_for(std::chrono::microseconds(900));
      rig.gate.let_go();
    }
  });
  std::vector<std::thread> all;
  for (int t = 0; t < 3; t++)
    all.emplace_back([&, t] {
      for (int i = 0; i < 100; i++) {
        std::string name = fmt::format("n{}-{}", t, i);
        auto e = d->run(op::Mknod{{}, kRoot, name, S_IFREG | 0644, 0, {}});
        if (e) d->forget(e->node);
        rig.gate.told()->invalidate_entry(kRoot, name);
        if (auto l = d->lookup(kRoot, name); l && l->node != NodeId::none) d->forget(l->node);
      }
    });
  for (auto& t : all) t.join();
  stop = true;
  later.join();
  rig.gate.let_go();
  named = 0;
  d.reset();
  rig.end();
  isthmus::testing::NameSink sink;
  ASSERT_TRUE(call_and_wait(rig.mem, op::ReadDir{{}, kRoot, HandleId::none, 0, false, {}, &sink}));
  EXPECT_EQ(rig.mem.inodes(), inodes + sink.names.size() - 2);
}

TEST(Timers, FireOnceAndNotAfterRemoval) {
  struct Item final : TimerItem {
    void fire() noexcept override { fired++; }
    std::atomic<int> fired{0};
  };
  Timers t("test", milliseconds(20));
  auto a = std::make_shared<Item>(), b = std::make_shared<Item>();
  t.add(*a);
  t.add(*b);
  EXPECT_TRUE(t.remove(*b));
  EXPECT_FALSE(t.remove(*b));
  for (int i = 0; i < 500 && !a->fired; i++) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(a->fired, 1);
  EXPECT_EQ(b->fired, 0);
  EXPECT_FALSE(t.remove(*a));
  std::this_thread::sleep_for(milliseconds(10));
  t.add(*b);  // after it went to sleep
  for (int i = 0; i < 500 && !b->fired; i++) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(b->fired, 1);
}

}  // namespace
}  // namespace isthmus::volume::testing
