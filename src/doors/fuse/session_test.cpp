// INIT, the life of a session, requests that are not what they should be.
#include "doors/fuse/door_test_kernel.h"

namespace isthmus::fuse::testing {
namespace {

TEST(FuseInit, AnswersOnlyWhatIsOffered) {
  Rig rig({Op::Lookup, Op::Getattr});
  InitOut out = rig.init(kInitAsyncRead | kInitMaxPages | kInitBigWrites);
  EXPECT_EQ(out.major, 7u);
  EXPECT_EQ(out.minor, kMinor);
  EXPECT_EQ(flags_of(out), kInitAsyncRead | kInitMaxPages | kInitBigWrites);
  EXPECT_TRUE(rig.door->wait_ready(1s));
  EXPECT_EQ(rig.door->stats().minor, kMinor);
}

TEST(FuseInit, UpperFlagsNeedInitExt) {
  Rig rig({Op::Lookup});
  InitOut out = rig.init(kInitHasExpireOnly | kInitCreateSuppGroup);
  EXPECT_EQ(flags_of(out), 0u);
  Rig with({Op::Lookup});
  EXPECT_TRUE(flags_of(with.init()) & kInitHasExpireOnly);
}

TEST(FuseInit, NewerMajorIsAskedToComeBack) {
  Rig rig({Op::Lookup});
  rig.start();
  InitIn in{};
  in.major = 8;
  in.minor = 2;
  InitOut first = rig.kernel.call(Opcode::Init, 0, in).as<InitOut>();
  EXPECT_EQ(first.major, 7u);
  EXPECT_EQ(rig.door->wait_ready(20ms).code(), ETIMEDOUT);
  rig.kernel.init();
  EXPECT_TRUE(rig.door->wait_ready(1s));
}

TEST(FuseInit, TooOldIsRefused) {
  Logged log;
  Rig rig({Op::Lookup});
  rig.start();
  InitCompatIn in{7, 22, 0, 0};
  EXPECT_EQ(rig.kernel.call(Opcode::Init, 0, in).code(), EPROTO);
  EXPECT_EQ(rig.door->wait_ready(5s).code(), EPROTO);
  EXPECT_TRUE(log.has("7.22"));
}

TEST(FuseInit, AnOlderMinorAndAShortRequestAreFine) {
  for (uint32_t minor : {23u, 27u, 31u, 36u, 44u}) {
    Rig rig({Op::Lookup, Op::Getattr});
    rig.start();
    InitCompatIn in{7, minor, 65536, static_cast<uint32_t>(kInitAsyncRead)};
    Answer a = rig.kernel.call(Opcode::Init, 0, in);
    EXPECT_EQ(a.body.size(), init_out_size(minor));
    EXPECT_EQ(a.as<InitOut>().minor, minor);
    EXPECT_EQ(a.as<InitOut>().max_write, 32u * 4096) << "without MAX_PAGES";
    EXPECT_EQ(a.as<InitOut>().max_readahead, 65536u);
  }
}

TEST(FuseInit, ANewerMinorThanOursGetsOurs) {
  Rig rig({Op::Lookup});
  rig.start();
  EXPECT_EQ(rig.kernel.init(TestKernel::kAll, kMinor + 5).minor, kMinor);
}

TEST(FuseInit, LimitsAreApplied) {
  SessionOptions o;
  o.max_write = 300'000;
  o.max_readahead = 4096;
  o.max_background = 40;
  Rig rig({Op::Lookup}, o);
  rig.fs.t.time_granularity_ns = 1000;
  InitOut out = rig.init();
  EXPECT_EQ(out.max_write, 300'000u);
  EXPECT_EQ(out.max_pages, 74u);
  EXPECT_EQ(out.max_readahead, 4096u);
  EXPECT_EQ(out.max_background, 40u);
  EXPECT_EQ(out.congestion_threshold, 30u);
  EXPECT_EQ(out.time_gran, 1000u);
}

TEST(FuseSession, NothingBeforeInit) {
  Logged log;
  Rig rig({Op::Getattr});
  rig.start();
  EXPECT_EQ(rig.kernel.call(Opcode::Getattr, 1, GetattrIn{}).code(), EIO);
  rig.kernel.send(Opcode::Forget, 1, ForgetIn{1});
  EXPECT_TRUE(rig.kernel.silent());
  rig.kernel.init();
}

TEST(FuseSession, ASecondInitIsRefused) {
  Logged log;
  Rig rig({Op::Getattr});
  rig.init();
  InitIn in{};
  in.major = 7;
  in.minor = 45;
  EXPECT_EQ(rig.kernel.call(Opcode::Init, 0, in).code(), EIO);
}

TEST(FuseSession, UnknownOpcodeIsEnosysAndTheSessionLives) {
  Rig rig({Op::Getattr});
  rig.fs.on_getattr = [](auto c) { c.reply(some_attr(1, S_IFDIR | 0755)); };
  rig.init();
  EXPECT_EQ(rig.kernel.call(static_cast<Opcode>(999), 1, Raw{"whatever"}).code(), ENOSYS);
  EXPECT_EQ(rig.kernel.call(Opcode::Setupmapping, 1, SetupmappingIn{}).code(), ENOSYS);
  EXPECT_EQ(rig.kernel.call(Opcode::Getattr, 1, GetattrIn{}).code(), 0);
}

TEST(FuseSession, MalformedRequestsAreAnsweredAndTheSessionLives) {
  Logged log;
  Rig rig({Op::Lookup, Op::Getattr, Op::Write, Op::Mkdir});
  rig.fs.on_getattr = [](auto c) { c.reply(some_attr(1, S_IFDIR | 0755)); };
  rig.init();
  auto& k = rig.kernel;
  EXPECT_EQ(k.call(Opcode::Lookup, 1, Raw{"no end"}).code(), EPROTO);
  EXPECT_EQ(k.call(Opcode::Lookup, 1, Raw{""}).code(), EPROTO);
  EXPECT_EQ(k.call(Opcode::Lookup, 1, "a/b").code(), EINVAL);
  EXPECT_EQ(k.call(Opcode::Mkdir, 1, MkdirIn{0755, 022}, "..").code(), EINVAL);
  EXPECT_EQ(k.call(Opcode::Getattr, 1, Raw{"short"}).code(), EPROTO);
  WriteIn w{};
  w.size = 100;
  EXPECT_EQ(k.call(Opcode::Write, 5, w, Raw{"ten bytes."}).code(), EPROTO);
  // A length that is not the message's.
  std::string message;
  InHeader h{};
  h.len = 4096;
  h.opcode = static_cast<uint32_t>(Opcode::Getattr);
  h.unique = 1000;
  put(message, h);
  put(message, GetattrIn{});
  k.send_raw(message);
  EXPECT_EQ(k.answer_to(1000).code(), EPROTO);
  // Not even a header: nobody to answer.
  k.send_raw("xx");
  k.send(Opcode::Forget, 1, Raw{"x"});
  BatchForgetIn many{1'000'000, 0};
  k.send(Opcode::BatchForget, 0, many, ForgetOne{5, 1});
  EXPECT_TRUE(k.silent());
  EXPECT_EQ(k.call(Opcode::Getattr, 1, GetattrIn{}).code(), 0);
  EXPECT_GE(rig.door->stats().malformed, 10u);
}

TEST(FuseSession, ReadBeyondWhatWasAgreedOnIsRefused) {
  Logged log;
  Rig rig({Op::Read});
  rig.init();
  ReadIn r{};
  r.size = UINT32_MAX;
  EXPECT_EQ(rig.kernel.call(Opcode::Read, 5, r).code(), EINVAL);
  r.size = 1;
  r.offset = uint64_t{1} << 63;
  EXPECT_EQ(rig.kernel.call(Opcode::Read, 5, r).code(), EINVAL);
}

TEST(FuseSession, DestroyIsAnsweredAndClosingEndsIt) {
  Rig rig({Op::Getattr});
  rig.init();
  EXPECT_EQ(rig.kernel.call(Opcode::Destroy, 0).code(), 0);
  rig.kernel.close();
  EXPECT_EQ(rig.door->wait(), EndReason::unmounted);
  EXPECT_TRUE(rig.door->ended());
}

TEST(FuseSession, AbortCancelsWhatIsUnderWayAndWaitsForIt) {
  Rig rig({Op::SetLock});
  std::optional<Call<op::SetLock>> held;
  std::atomic<bool> asked{false};
  rig.fs.on_set_lock = [&](auto c) {
    Cancel* cancel = c.context().cancel;
    held.emplace(std::move(c));
    cancel->on_request([&] { std::exchange(held, std::nullopt)->fail(EINTR); });
    asked = true;
  };
  rig.init();
  LkIn lk{};
  lk.lk.type = 1;  // F_WRLCK
  rig.kernel.send(Opcode::Setlkw, 5, lk);
  while (!asked) std::this_thread::sleep_for(1ms);
  rig.door->abort();
  EXPECT_EQ(rig.door->wait(), EndReason::aborted);
  EXPECT_FALSE(held);
}

TEST(FuseSession, EndBeforeInit) {
  Rig rig({Op::Getattr});
  rig.start();
  rig.kernel.close();
  EXPECT_EQ(rig.door->wait_ready(5s).code(), ENODEV);
}

TEST(FuseSession, ADoorThatWasNeverStartedEndsQuietly) {
  ScriptFs fs({Op::Getattr});
  TestKernel kernel;
  Door door(fs, kernel.take_door_end(), {});
  door.abort();
  door.wait();
}

TEST(FuseSession, AnswersAfterTheKernelHasGoneAreDropped) {
  Rig rig({Op::Getattr});
  std::optional<Call<op::Getattr>> held;
  std::atomic<bool> asked{false};
  rig.fs.on_getattr = [&](auto c) {
    held.emplace(std::move(c));
    asked = true;
  };
  rig.init();
  rig.kernel.send(Opcode::Getattr, 1, GetattrIn{});
  while (!asked) std::this_thread::sleep_for(1ms);
  rig.kernel.close();
  std::this_thread::sleep_for(20ms);
  EXPECT_FALSE(rig.door->ended());
  std::exchange(held, std::nullopt)->fail(ENOENT);
  rig.door->wait();
}

TEST(FuseSession, AnotherUserIsRefusedUnderAllowRoot) {
  SessionOptions o;
  o.only_uid = 1000;
  Rig rig({Op::Getattr, Op::Read}, o);
  rig.fs.on_getattr = [](auto c) { c.reply(some_attr(1, S_IFDIR | 0755)); };
  rig.fs.on_read = [](auto c) { c.reply(Buffer::own("x")); };
  rig.init();
  EXPECT_EQ(rig.kernel.call(Opcode::Getattr, 1, GetattrIn{}).code(), 0);
  rig.kernel.uid = 1001;
  EXPECT_EQ(rig.kernel.call(Opcode::Getattr, 1, GetattrIn{}).code(), EACCES);
  ReadIn r{};
  r.size = 10;
  EXPECT_EQ(rig.kernel.call(Opcode::Read, 5, r).code(), 0);
  rig.kernel.uid = 0;
  EXPECT_EQ(rig.kernel.call(Opcode::Getattr, 1, GetattrIn{}).code(), 0);
}

TEST(FuseSession, WhatAFunctionWasGivenStaysUntilItReturns) {
  Rig rig({Op::Lookup, Op::Write}, {}, Blocking::may_block);
  std::atomic<int> others{0};
  std::atomic<bool> same{true}, through{false};
  rig.fs.on_lookup = [&](auto c) {
    if (c->name != "first") return others++, c.fail(ENOENT);
    std::string_view name = c->name;
    c.fail(ENOENT);
    // Whoever reads the next requests must not read them to where this one still is.
    for (int i = 0; i < 5000 && others < 3; i++) std::this_thread::sleep_for(1ms);
    same = name == "first";
    through = true;
  };
  rig.init();
  EXPECT_EQ(rig.kernel.call(Opcode::Lookup, 1, "first").code(), ENOENT);
  for (auto name : {"other", "another", "third"}) EXPECT_EQ(rig.kernel.call(Opcode::Lookup, 1, name).code(), ENOENT);
  for (int i = 0; i < 5000 && !through; i++) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(through);
  EXPECT_TRUE(same);
}

TEST(FuseSession, BlockedOperationsDoNotStopOthers) {
  Rig rig({Op::Getattr, Op::Lookup}, {}, Blocking::may_block);
  std::mutex m;
  std::condition_variable cv;
  bool go = false;
  rig.fs.on_lookup = [&](auto c) {
    std::unique_lock lock(m);
    cv.wait(lock, [&] { return go; });
    c.fail(ENOENT);
  };
  rig.fs.on_getattr = [](auto c) { c.reply(some_attr(1, S_IFDIR | 0755)); };
  rig.init();
  for (int i = 0; i < 5; i++) rig.kernel.send(Opcode::Lookup, 1, "blocked");
  EXPECT_EQ(rig.kernel.call(Opcode::Getattr, 1, GetattrIn{}).code(), 0);
  {
    std::lock_guard lock(m);
    go = true;
    cv.notify_all();
  }
  for (int i = 0; i < 5; i++) EXPECT_EQ(rig.kernel.receive()->code(), ENOENT);
}

}  // namespace
}  // namespace isthmus::fuse::testing
