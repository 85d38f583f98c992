// Which opens the kernel serves by itself.
#include "doors/fuse/backing.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "doors/fuse/door_test_kernel.h"

namespace isthmus::fuse::testing {
namespace {

bool has_fsetid() {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct caps[2]{};
  return ::syscall(SYS_capget, &head, caps) == 0 && (caps[0].effective >> CAP_FSETID & 1);
}

/// Registers files as the kernel does, or fails as told.
class FakeTransport final : public Transport {
 public:
  void open_lane(unsigned) override {}
  Result<size_t> receive(unsigned, MutableBytes) override { return err(ENODEV); }
  bool readable() override { return false; }
  Status send(unsigned, std::span<const iovec>) override { return Unit{}; }
  Result<bool> send_file(unsigned, const OutHeader&, const Buffer::FileRange&) override { return false; }
  Status notify(std::span<const iovec>) override { return Unit{}; }
  void hang_up() override {}
  Result<int32_t> backing_open(int fd) override {
    asked++;
    fsetid = has_fsetid();
    if (fails) return err(fails);
    open[next] = fd;
    return next++;
  }
  void backing_close(int32_t id) override { EXPECT_EQ(open.erase(id), 1u); }

  int fails = 0, asked = 0;
  bool fsetid = false;
  int32_t next = 1;
  std::map<int32_t, int> open;
};

class BackingTest : public ::testing::Test {
 protected:
  BackingTest() {
    Policy p;
    p.flags = kInitPassthrough;
    backing.begin(p);
  }
  OpenOut open(uint64_t node, int fd, uint32_t opened_flags = 0, uint32_t flags = O_RDWR) {
    OpenOut out{};
    out.open_flags = kFopenKeepCache | kFopenNoflush;
    EXPECT_TRUE(backing.opened(NodeId{node}, {HandleId{1}, opened_flags, fd}, flags, out));
    return out;
  }
  FakeTransport kernel;
  Backing backing{kernel};
};

TEST_F(BackingTest, OneRegistrationForAllOpensOfANode) {
  auto a = open(5, 30), b = open(5, 31);
  EXPECT_EQ(a.open_flags, kFopenPassthrough | kFopenNoflush) << "other flags are refused with it";
  EXPECT_EQ(a.backing_id, b.backing_id);
  EXPECT_NE(open(6, 32).backing_id, a.backing_id);
  backing.closed(NodeId{5});
  EXPECT_EQ(kernel.open.size(), 2u);
  backing.closed(NodeId{5});
  EXPECT_EQ(kernel.open.size(), 1u);
  EXPECT_NE(open(5, 33).backing_id, a.backing_id);
  backing.closed(NodeId{5});
  backing.closed(NodeId{6});
  EXPECT_TRUE(kernel.open.empty());
}

TEST_F(BackingTest, TheFirstOpenDecidesForAll) {
  kernel.fails = EMFILE;
  auto a = open(5, 30);
  EXPECT_EQ(a.open_flags, kFopenNoflush) << "pages may be older than writes that passed them by";
  kernel.fails = 0;
  EXPECT_EQ(open(5, 30).backing_id, 0) << "the kernel refuses both kinds at once";
  EXPECT_NE(open(6, 30).backing_id, 0);
  backing.closed(NodeId{5});
  backing.closed(NodeId{5});
  EXPECT_NE(open(5, 30).backing_id, 0);
  EXPECT_NE(open(5, -1).backing_id, 0) << "and this one joins";
}

TEST_F(BackingTest, AsksNoMoreWhereItCannotWork) {
  Logged log;
  for (int e : {EPERM, ELOOP, ENOTTY}) {
    Backing one(kernel);
    Policy p;
    p.flags = kInitPassthrough;
    one.begin(p);
    kernel.fails = e;
    kernel.asked = 0;
    for (uint64_t node = 2; node < 6; node++) {
      OpenOut out{};
      EXPECT_TRUE(one.opened(NodeId{node}, {HandleId{1}, 0, 30}, O_RDONLY, out));
      EXPECT_EQ(out.open_flags | static_cast<uint32_t>(out.backing_id), 0u);
      one.closed(NodeId{node});
    }
    EXPECT_EQ(kernel.asked, 1);
  }
  EXPECT_TRUE(log.has("no passthrough"));
}

TEST_F(BackingTest, OneStackedFileKeepsNoOtherFromIt) {
  EXPECT_NE(open(5, 30).backing_id, 0);
  kernel.fails = ELOOP;
  EXPECT_EQ(open(6, 31).backing_id, 0);
  kernel.fails = 0;
  EXPECT_NE(open(7, 32).backing_id, 0);
}

TEST_F(BackingTest, WhatAProviderHasRegisteredIsItsOwn) {
  OpenOut out{};
  out.open_flags = kFopenNoflush;
  EXPECT_TRUE(backing.opened(NodeId{5}, {HandleId{1}, 0, -1, 77}, O_RDWR, out));
  EXPECT_EQ(out.backing_id, 77);
  EXPECT_EQ(out.open_flags, kFopenNoflush | kFopenPassthrough);
  backing.closed(NodeId{5});
  EXPECT_EQ(kernel.asked, 0) << "neither registered nor ended here";
}

TEST_F(BackingTest, StreamsAndFilesWithoutAStoreAreServedByUs) {
  EXPECT_EQ(open(5, -1).backing_id, 0);
  EXPECT_EQ(open(6, 30, kOpenedStream).backing_id, 0);
  EXPECT_EQ(kernel.asked, 0);
}

TEST_F(BackingTest, SetuidBitsWillNotSurviveWrites) {
  open(5, 30);
  EXPECT_FALSE(kernel.fsetid) << "the kernel writes with the rights of who registers";
  EXPECT_EQ(has_fsetid(), ::geteuid() == 0);
}

TEST_F(BackingTest, DirectOpensOfAStoreWithoutDirectIo) {
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  Fd in(fds[0]), out_end(fds[1]);
  Fd proc(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));  // no direct I/O there
  EXPECT_EQ(open(5, proc.get(), 0, O_RDONLY | O_DIRECT).backing_id, 0);
  EXPECT_NE(open(6, proc.get(), 0, O_RDONLY).backing_id, 0);
  OpenOut out{};
  auto second = backing.opened(NodeId{6}, {HandleId{1}, 0, proc.get()}, O_RDONLY | O_DIRECT, out);
  EXPECT_EQ(second.code(), EINVAL);
  backing.closed(NodeId{6});
  EXPECT_TRUE(kernel.open.empty()) << "the refused one was not counted";
}

TEST(BackingPolicy, AskedForByOption) {
  SessionOptions o;
  o.passthrough = true;
  {
    Rig rig({Op::Read}, o);
    auto init = rig.init();
    EXPECT_TRUE(flags_of(init) & kInitPassthrough);
    EXPECT_EQ(init.max_stack_depth, 1u);
    EXPECT_EQ(rig.kernel.call(Opcode::Open, 5, OpenIn{}).code(), 0) << "opens have to be heard of";
  }
  {
    Rig rig({Op::Read});
    auto init = rig.init();
    EXPECT_FALSE(flags_of(init) & kInitPassthrough);
    EXPECT_EQ(init.max_stack_depth, 0u);
  }
  o.writeback_cache = true;
  Rig rig({Op::Read}, o);
  EXPECT_FALSE(flags_of(rig.init()) & kInitPassthrough);
}

TEST(BackingPolicy, OpensGoOnWhereTheDeviceCannot) {
  SessionOptions o;
  o.passthrough = true;
  Logged log;
  Rig rig({Op::Open, Op::Release}, o);
  rig.fs.on_open = [](auto c) { c.reply({HandleId{1}, 0, 0}); };
  rig.fs.on_release = [](auto c) { c.reply(Unit{}); };
  rig.init();
  for (int i = 0; i < 2; i++) {
    auto out = rig.kernel.call(Opcode::Open, 5, OpenIn{}).as<OpenOut>();
    EXPECT_FALSE(out.open_flags & kFopenPassthrough);
    EXPECT_EQ(rig.kernel.call(Opcode::Release, 5, ReleaseIn{}).code(), 0);
  }
  EXPECT_TRUE(log.has("no passthrough"));
}

}  // namespace
}  // namespace isthmus::fuse::testing
