// INTERRUPT in every order.
#include "doors/fuse/door_test_kernel.h"

namespace isthmus::fuse::testing {
namespace {

/// SETLKW that waits until it is cancelled or let go.
struct Waiting {
  explicit Waiting(ScriptFs& fs) {
    fs.on_set_lock = [this](auto c) {
      Cancel* cancel = c.context().cancel;
      {
        std::lock_guard lock(m);
        call.emplace(std::move(c));
      }
      asked = true;
      cancel->on_request([this] { take()->fail(EINTR); });
    };
  }
  std::optional<Call<op::SetLock>> take() {
    std::lock_guard lock(m);
    return std::exchange(call, std::nullopt);
  }
  void wait_asked() {
    while (!asked) std::this_thread::sleep_for(1ms);
  }
  std::mutex m;
  std::optional<Call<op::SetLock>> call;
  std::atomic<bool> asked{false};
};

LkIn write_lock() {
  LkIn lk{};
  lk.owner = uint64_t{1} << 60;
  lk.lk.end = INT64_MAX;
  lk.lk.type = 1;
  return lk;
}

TEST(FuseInterrupt, StopsAWaitingOperation) {
  Rig rig({Op::SetLock, Op::Getattr});
  Waiting waiting(rig.fs);
  rig.fs.on_getattr = [](auto c) { c.reply(some_attr(1, S_IFDIR | 0755)); };
  rig.init();
  uint64_t unique = rig.kernel.send(Opcode::Setlkw, 5, write_lock());
  waiting.wait_asked();
  EXPECT_EQ(rig.kernel.call(Opcode::Getattr, 1, GetattrIn{}).code(), 0) << "a waiting lock stops nobody";
  rig.kernel.send(Opcode::Interrupt, 0, InterruptIn{unique});
  EXPECT_EQ(rig.kernel.answer_to(unique).code(), EINTR);
  EXPECT_TRUE(rig.kernel.silent()) << "nothing is said to INTERRUPT itself";
  EXPECT_EQ(rig.door->stats().interrupts, 1u);
}

TEST(FuseInterrupt, TheOperationMayStillSucceed) {
  Rig rig({Op::Read});
  std::optional<Call<op::Read>> held;
  std::atomic<bool> asked{false};
  rig.fs.on_read = [&](auto c) {
    held.emplace(std::move(c));
    asked = true;
  };
  rig.init();
  ReadIn r{};
  r.size = 100;
  uint64_t unique = rig.kernel.send(Opcode::Read, 5, r);
  while (!asked) std::this_thread::sleep_for(1ms);
  rig.kernel.send(Opcode::Interrupt, 0, InterruptIn{unique});
  while (!held->context().cancelled()) std::this_thread::sleep_for(1ms);
  std::exchange(held, std::nullopt)->reply(Buffer::own("late"));
  EXPECT_EQ(rig.kernel.answer_to(unique).body, "late");
}

TEST(FuseInterrupt, AfterTheAnswerIsEagain) {
  Rig rig({Op::Getattr});
  rig.fs.on_getattr = [](auto c) { c.reply(some_attr(1, S_IFDIR | 0755)); };
  rig.init();
  uint64_t unique = rig.kernel.send(Opcode::Getattr, 1, GetattrIn{});
  rig.kernel.answer_to(unique);
  EXPECT_EQ(rig.kernel.call(Opcode::Interrupt, 0, InterruptIn{unique}).code(), EAGAIN);
}

TEST(FuseInterrupt, BeforeTheRequestIsSeenIsRemembered) {
  Rig rig({Op::SetLock});
  Waiting waiting(rig.fs);
  rig.init();
  // The next request's number, which is 2 more than this one's.
  uint64_t mine = rig.kernel.send(Opcode::Interrupt, 0, InterruptIn{6});
  EXPECT_EQ(rig.kernel.answer_to(mine).code(), EAGAIN);
  uint64_t unique = rig.kernel.send(Opcode::Setlkw, 5, write_lock());
  EXPECT_EQ(unique, 6u);
  EXPECT_EQ(rig.kernel.answer_to(unique).code(), EINTR);
}

TEST(FuseInterrupt, ManyUnknownOnesCostNothing) {
  Rig rig({Op::Getattr});
  rig.fs.on_getattr = [](auto c) {
    EXPECT_FALSE(c.context().cancelled());
    c.reply(some_attr(1, S_IFDIR | 0755));
  };
  rig.init();
  for (uint64_t i = 0; i < 300; i++)
    EXPECT_EQ(rig.kernel.call(Opcode::Interrupt, 0, InterruptIn{1'000'001 + 2 * i}).code(), EAGAIN);
  EXPECT_EQ(rig.kernel.call(Opcode::Getattr, 1, GetattrIn{}).code(), 0);
}

TEST(FuseInterrupt, RacesWithTheAnswer) {
  Rig rig({Op::SetLock}, {}, Blocking::may_block);
  std::mutex m;
  std::vector<Call<op::SetLock>> calls;
  std::atomic<bool> stop{false};
  rig.fs.on_set_lock = [&](auto c) {
    std::lock_guard lock(m);
    calls.push_back(std::move(c));
  };
  rig.init();
  std::thread answerer([&] {
    while (!stop) {
      std::vector<Call<op::SetLock>> mine;
      {
        std::lock_guard lock(m);
        mine.swap(calls);
      }
      for (auto& c : mine) c.context().cancelled() ? c.fail(EINTR) : c.reply({});
    }
  });
  for (int i = 0; i < 200; i++) {
    uint64_t unique = rig.kernel.send(Opcode::Setlkw, 5, write_lock());
    rig.kernel.send(Opcode::Interrupt, 0, InterruptIn{unique});
    int answers = 0;
    while (auto a = rig.kernel.receive()) {
      if (a->header.unique != unique) continue;  // EAGAIN to the INTERRUPT
      answers++;
      break;
    }
    ASSERT_EQ(answers, 1);
  }
  stop = true;
  answerer.join();
}

TEST(FuseInterrupt, AResentRequestKeepsItsNumber) {
  Rig rig({Op::Getattr});
  rig.fs.on_getattr = [](auto c) { c.reply(some_attr(1, S_IFDIR | 0755)); };
  rig.init();
  std::string message;
  InHeader h{};
  h.len = sizeof(InHeader) + sizeof(GetattrIn);
  h.opcode = static_cast<uint32_t>(Opcode::Getattr);
  h.unique = kUniqueResend | 40;
  h.nodeid = 1;
  put(message, h);
  put(message, GetattrIn{});
  rig.kernel.send_raw(message);
  EXPECT_EQ(rig.kernel.answer_to(kUniqueResend | 40).code(), 0);
}

}  // namespace
}  // namespace isthmus::fuse::testing
