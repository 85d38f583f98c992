// News for the kernel, polls, ioctls, locks.
#include <fcntl.h>
#include <poll.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "doors/fuse/door_test_kernel.h"
#include "doors/fuse/news.h"

namespace isthmus::fuse::testing {
namespace {

NotifyCode code_of(const Answer& a) {
  EXPECT_EQ(a.header.unique, 0u);
  return static_cast<NotifyCode>(a.header.error);
}

TEST(FuseNotify, EachKindInOrder) {
  Rig rig({Op::Lookup});
  rig.init();
  Upcalls& up = rig.door->upcalls();
  up.invalidate_entry(NodeId{1}, "name");
  up.invalidate_node(NodeId{5}, 4096, 0);
  up.invalidate_attr(NodeId{5});
  up.deleted(NodeId{1}, NodeId{5}, "gone");
  up.store(NodeId{5}, 8192, Buffer::own("data"));

  Answer a = *rig.kernel.receive();
  EXPECT_EQ(code_of(a), NotifyCode::InvalEntry);
  auto entry = a.as<NotifyInvalEntryOut>();
  EXPECT_EQ(entry.parent, 1u);
  EXPECT_EQ(entry.namelen, 4u);
  EXPECT_EQ(entry.flags, kExpireOnly);
  EXPECT_EQ(a.body.substr(sizeof(entry)), std::string("name\0", 5));

  a = *rig.kernel.receive();
  EXPECT_EQ(code_of(a), NotifyCode::InvalInode);
  EXPECT_EQ(a.as<NotifyInvalInodeOut>().off, 4096);
  a = *rig.kernel.receive();
  EXPECT_LT(a.as<NotifyInvalInodeOut>().off, 0) << "attributes only";
  a = *rig.kernel.receive();
  EXPECT_EQ(code_of(a), NotifyCode::Delete);
  EXPECT_EQ(a.as<NotifyDeleteOut>().child, 5u);
  a = *rig.kernel.receive();
  EXPECT_EQ(code_of(a), NotifyCode::Store);
  EXPECT_EQ(a.as<NotifyStoreOut>().offset, 8192u);
  EXPECT_EQ(a.body.substr(sizeof(NotifyStoreOut)), "data");
  EXPECT_TRUE(rig.kernel.silent());
  EXPECT_EQ(rig.door->stats().notifications, 5u);
}

TEST(FuseNotify, TellsWhenItHasBeenHeard) {
  Rig rig({Op::Lookup});
  rig.init();
  Upcalls& up = rig.door->upcalls();
  std::mutex m;
  std::condition_variable told;
  int heard = 0;
  auto note = [&] {
    std::lock_guard lock(m);
    heard++;
    told.notify_all();
  };
  auto wait_for = [&](int n) {
    std::unique_lock lock(m);
    return told.wait_for(lock, std::chrono::seconds(10), [&] { return heard == n; });
  };
  up.when_heard(note);
  EXPECT_EQ(heard, 1) << "there is no news";
  for (int i = 0; i < 100; i++) up.invalidate_entry(NodeId{1}, "name" + std::to_string(i));
  up.when_heard([&] {
    EXPECT_GE(rig.door->stats().notifications, 100u);
    note();
  });
  for (int i = 0; i < 100; i++) ASSERT_TRUE(rig.kernel.receive());
  EXPECT_TRUE(wait_for(2));
  up.when_heard(note);
  EXPECT_TRUE(wait_for(3));
}

TEST(FuseNotify, NobodyWaitsForADoorThatHasEnded) {
  Rig rig({Op::Lookup});
  rig.init();
  for (int i = 0; i < 1000; i++) rig.door->upcalls().invalidate_entry(NodeId{1}, "name" + std::to_string(i));
  std::atomic<bool> heard{false};
  rig.door->upcalls().when_heard([&] { heard = true; });
  rig.door->abort();
  rig.door->wait();
  for (int i = 0; i < 500 && !heard; i++) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(heard);
}

TEST(FuseNotify, AllNamesExpireWhereTheKernelCan) {
  Rig rig({Op::Lookup});
  rig.init();
  rig.door->upcalls().invalidate_all_names();
  rig.door->upcalls().invalidate_node(NodeId{5}, 0, 0);
  EXPECT_EQ(code_of(*rig.kernel.receive()), NotifyCode::IncEpoch);
  EXPECT_EQ(code_of(*rig.kernel.receive()), NotifyCode::InvalInode);

  Rig old({Op::Lookup});
  old.start();
  old.kernel.init(TestKernel::kAll, 43);
  old.door->upcalls().invalidate_all_names();
  old.door->upcalls().invalidate_node(NodeId{5}, 0, 0);
  EXPECT_EQ(code_of(*old.kernel.receive()), NotifyCode::InvalInode);
}

TEST(FuseNotify, ToldAtOnceWhereTheKernelCan) {
  Rig rig({Op::Lookup});
  rig.init();
  News& news = rig.door->news();
  const uint64_t nodes[] = {5, 7};
  EXPECT_TRUE(news.tell_epoch());
  EXPECT_EQ(code_of(*rig.kernel.receive()), NotifyCode::IncEpoch);
  EXPECT_TRUE(news.tell_unused(nodes));
  Answer a = *rig.kernel.receive();
  EXPECT_EQ(code_of(a), NotifyCode::Prune);
  EXPECT_EQ(a.as<NotifyPruneOut>().count, 2u);
  EXPECT_EQ(a.body.size(), sizeof(NotifyPruneOut) + sizeof nodes);

  Rig old({Op::Lookup});
  old.start();
  old.kernel.init(TestKernel::kAll, 43);
  EXPECT_EQ(old.door->news().tell_epoch().code(), ENOSYS);
  EXPECT_EQ(old.door->news().tell_unused(nodes).code(), ENOSYS);
}

TEST(FuseNotify, BadNamesAndRangesAreDropped) {
  Logged log;
  Rig rig({Op::Lookup});
  rig.init();
  Upcalls& up = rig.door->upcalls();
  up.invalidate_entry(NodeId{1}, "");
  up.invalidate_entry(NodeId{1}, "a/b");
  up.invalidate_entry(NodeId{1}, std::string(5000, 'x'));
  up.invalidate_node(NodeId{5}, uint64_t{1} << 63, 1);
  EXPECT_TRUE(rig.kernel.silent());
}

TEST(FuseNotify, NothingBeforeInit) {
  Rig rig({Op::Lookup});
  rig.start();
  rig.door->upcalls().invalidate_attr(NodeId{1});
  EXPECT_TRUE(rig.kernel.silent());
  EXPECT_EQ(rig.door->upcalls().retrieve(NodeId{1}, 0, 1, nullptr, nullptr).code(), ENOTCONN);
}

TEST(FuseNotify, FromInsideAnOperation) {
  Rig rig({Op::Unlink});
  rig.fs.on_unlink = [&](auto c) {
    // The kernel holds the directory's lock now; the door must not wait for it here.
    for (int i = 0; i < 100; i++) rig.door->upcalls().invalidate_entry(c->dir, "name" + std::to_string(i));
    c.reply({});
  };
  rig.init();
  uint64_t unique = rig.kernel.send(Opcode::Unlink, 1, "x");
  int news = 0;
  bool answered = false;
  while (news < 100 || !answered) {
    auto a = rig.kernel.receive();
    ASSERT_TRUE(a);
    if (a->header.unique == unique)
      answered = true;
    else
      news++;
  }
}

struct Taken {
  std::mutex m;
  std::condition_variable cv;
  int times = 0;
  std::string data;
  static void take(void* self, NodeId node, uint64_t offset, Bytes bytes) {
    auto& t = *static_cast<Taken*>(self);
    EXPECT_EQ(node, NodeId{5});
    EXPECT_EQ(offset, 100u);
    std::lock_guard lock(t.m);
    t.times++;
    t.data = as_text(bytes);
    t.cv.notify_all();
  }
  void wait() {
    std::unique_lock lock(m);
    cv.wait_for(lock, 10s, [&] { return times > 0; });
  }
};

TEST(FuseNotify, Retrieve) {
  Rig rig({Op::Lookup});
  rig.init();
  Taken taken;
  ASSERT_TRUE(rig.door->upcalls().retrieve(NodeId{5}, 100, 50, &Taken::take, &taken));
  Answer a = *rig.kernel.receive();
  EXPECT_EQ(code_of(a), NotifyCode::Retrieve);
  auto out = a.as<NotifyRetrieveOut>();
  EXPECT_EQ(out.size, 50u);
  NotifyRetrieveIn in{};
  in.offset = 100;
  in.size = 4;
  std::string message;
  InHeader h{};
  h.opcode = static_cast<uint32_t>(Opcode::NotifyReply);
  h.unique = out.notify_unique;
  h.nodeid = 5;
  h.len = sizeof(h) + sizeof(in) + 4;
  put(message, h);
  put(message, in);
  message += "kept";
  rig.kernel.send_raw(message);
  taken.wait();
  EXPECT_EQ(taken.data, "kept");
  rig.kernel.send_raw(message);  // nobody asked again
  EXPECT_TRUE(rig.kernel.silent());
  EXPECT_EQ(taken.times, 1);
}

TEST(FuseNotify, RetrieveHearsOfTheEnd) {
  Taken taken;
  {
    Rig rig({Op::Lookup});
    rig.init();
    ASSERT_TRUE(rig.door->upcalls().retrieve(NodeId{5}, 100, 50, &Taken::take, &taken));
    rig.kernel.receive();
  }
  EXPECT_EQ(taken.times, 1);
  EXPECT_EQ(taken.data, "");
}

TEST(FusePoll, ArmedOnceAndWokenOnce) {
  Rig rig({Op::Poll, Op::Open, Op::Release});
  rig.fs.on_poll = [](auto c) {
    EXPECT_TRUE(c->arm);
    c.reply(c->events & POLLOUT);
  };
  rig.init();
  PollIn in{3, 77, kPollScheduleNotify, POLLIN | POLLOUT};
  EXPECT_EQ(rig.kernel.call(Opcode::Poll, 5, in).as<PollOut>().revents, uint32_t{POLLOUT});
  EXPECT_EQ(rig.kernel.call(Opcode::Poll, 5, in).code(), 0);
  rig.door->upcalls().poll_ready(NodeId{5}, HandleId{3}, POLLIN);
  Answer a = *rig.kernel.receive();
  EXPECT_EQ(code_of(a), NotifyCode::Poll);
  EXPECT_EQ(a.as<NotifyPollWakeupOut>().kh, 77u);
  rig.door->upcalls().poll_ready(NodeId{5}, HandleId{3}, POLLIN);
  EXPECT_TRUE(rig.kernel.silent());
  rig.kernel.call(Opcode::Poll, 5, in);
  rig.kernel.call(Opcode::Release, 5, ReleaseIn{3, 0, 0, 0});
  rig.door->upcalls().poll_ready(NodeId{5}, HandleId{3}, POLLIN);
  EXPECT_TRUE(rig.kernel.silent());
}

TEST(FuseIoctl, RestrictedAndUnrestricted) {
  Logged log;
  Rig rig({Op::Ioctl});
  rig.fs.on_ioctl = [](auto c) {
    IoctlReply r;
    if (c->command == 1) {
      EXPECT_EQ(as_text(c->in), "in");
      EXPECT_EQ(c->arg, 0xabcu);
      r.result = -7;
      r.out = "output";
    } else if (c->command == 2) {
      r.out = std::string(100, 'x');  // more than there is room for
    } else if (c->command == 3) {
      r.retry = true;
      r.retry_in = {{0x1000, 10}};
      r.retry_out = {{0x2000, 20}};
    } else {
      r.retry = true;
      r.retry_in.resize(200);
      r.retry_out.resize(57);
    }
    EXPECT_EQ(c->compat32, c->command == 1);
    c.reply(std::move(r));
  };
  rig.init();
  auto call = [&](uint32_t cmd, uint32_t flags, const char* in = "", uint32_t out = 16) {
    std::string data = in;
    IoctlIn i{3, flags, cmd, 0xabc, static_cast<uint32_t>(data.size()), out};
    return rig.kernel.call(Opcode::Ioctl, 5, i, Raw{data});
  };
  Answer a = call(1, kIoctlCompat, "in");
  EXPECT_EQ(a.as<IoctlOut>().result, -7);
  EXPECT_EQ(a.body.substr(sizeof(IoctlOut)), "output");
  EXPECT_EQ(call(2, 0).code(), EIO);
  EXPECT_EQ(call(3, 0).code(), EIO) << "a restricted one cannot be tried again";
  a = call(3, kIoctlUnrestricted);
  EXPECT_EQ(a.as<IoctlOut>().flags, kIoctlRetry);
  EXPECT_EQ(a.as<IoctlOut>().in_iovs, 1u);
  EXPECT_EQ(a.as<IoctlIovec>(sizeof(IoctlOut) + sizeof(IoctlIovec)).len, 20u);
  EXPECT_EQ(call(4, kIoctlUnrestricted).code(), EIO);
}

TEST(FuseLock, GetSetAndWhole) {
  Rig rig({Op::GetLock, Op::SetLock, Op::Bmap});
  rig.fs.t.locks_shared = true;
  op::SetLock set;
  rig.fs.on_set_lock = [&](auto c) {
    set = *c;
    c->lock.type == LockType::exclusive && !c->wait ? c.fail(EAGAIN) : c.reply({});
  };
  rig.fs.on_get_lock = [](auto c) {
    Lock l = c->lock;
    if (c->lock.type == LockType::shared) {
      l.type = LockType::unlock;
    } else {
      l.type = LockType::exclusive;
      l.start = 10;
      l.end = kLockEof;
      l.pid = 99;
    }
    c.reply(l);
  };
  rig.fs.on_bmap = [](auto c) { c.reply(c->block * c->block_size); };
  uint64_t flags = flags_of(rig.init());
  EXPECT_TRUE((flags & kInitPosixLocks) && (flags & kInitFlockLocks));
  LkIn lk{};
  lk.fh = 3;
  lk.owner = uint64_t{1} << 63;
  lk.lk.start = 5;
  lk.lk.end = INT64_MAX;
  lk.lk.type = F_WRLCK;
  EXPECT_EQ(rig.kernel.call(Opcode::Setlk, 5, lk).code(), EAGAIN);
  EXPECT_EQ(set.lock.owner, uint64_t{1} << 63);
  EXPECT_EQ(set.lock.end, kLockEof);
  EXPECT_FALSE(set.whole_file);
  EXPECT_EQ(rig.kernel.call(Opcode::Setlkw, 5, lk).code(), 0);
  EXPECT_TRUE(set.wait);
  auto got = rig.kernel.call(Opcode::Getlk, 5, lk).as<LkOut>();
  EXPECT_EQ(got.lk.type, uint32_t{F_WRLCK});
  EXPECT_EQ(got.lk.end, uint64_t{INT64_MAX});
  EXPECT_EQ(got.lk.pid, 99u);
  lk.lk.type = F_RDLCK;
  EXPECT_EQ(rig.kernel.call(Opcode::Getlk, 5, lk).as<LkOut>().lk.type, uint32_t{F_UNLCK});
  lk.lk.type = F_UNLCK;
  lk.lk_flags = kLkFlock;
  EXPECT_EQ(rig.kernel.call(Opcode::Setlkw, 5, lk).code(), 0);
  EXPECT_TRUE(set.whole_file);
  EXPECT_FALSE(set.wait);
  lk.lk.type = 17;
  EXPECT_EQ(rig.kernel.call(Opcode::Setlk, 5, lk).code(), EINVAL);
  lk.lk.type = F_RDLCK;
  lk.lk.end = 1;
  EXPECT_EQ(rig.kernel.call(Opcode::Setlk, 5, lk).code(), EINVAL) << "ends before it starts";
  EXPECT_EQ(rig.kernel.call(Opcode::Bmap, 5, BmapIn{3, 512, 0}).as<BmapOut>().block, 1536u);
}

TEST(FuseLock, ComeHereWhereOthersSeeThemOrTheUserSays) {
  auto agreed = [](std::initializer_list<Op> ops, bool shared, const SessionOptions& o) {
    Rig rig(ops, o);
    rig.fs.t.locks_shared = shared;
    return flags_of(rig.init()) & (kInitPosixLocks | kInitFlockLocks);
  };
  SessionOptions asked, refused, flock_only;
  asked.remote_posix_lock = asked.remote_flock = true;
  refused.remote_posix_lock = refused.remote_flock = false;
  flock_only.remote_flock = true;
  EXPECT_EQ(agreed({Op::SetLock}, false, {}), 0u);
  EXPECT_EQ(agreed({Op::SetLock}, true, {}), kInitPosixLocks | kInitFlockLocks);
  EXPECT_EQ(agreed({Op::SetLock}, true, refused), 0u);
  EXPECT_EQ(agreed({Op::SetLock}, false, asked), kInitPosixLocks | kInitFlockLocks);
  EXPECT_EQ(agreed({Op::SetLock}, false, flock_only), kInitFlockLocks);
  EXPECT_EQ(agreed({Op::Lookup}, true, asked), 0u) << "there is nobody to keep them";
}

TEST(FuseMisc, Statfs) {
  Rig rig({Op::Statfs});
  rig.fs.on_statfs = [](auto c) { c.reply({10, 9, 8, 7, 6, 5, 4, 3}); };
  rig.init();
  auto st = rig.kernel.call(Opcode::Statfs, 1).as<StatfsOut>().st;
  EXPECT_EQ(st.blocks, 10u);
  EXPECT_EQ(st.bavail, 8u);
  EXPECT_EQ(st.ffree, 6u);
  EXPECT_EQ(st.bsize, 5u);
  EXPECT_EQ(st.frsize, 4u);
  EXPECT_EQ(st.namelen, 3u);
}

}  // namespace
}  // namespace isthmus::fuse::testing
