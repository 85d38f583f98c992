/// A daemon that says anything: what /dev/fuse would refuse has no effect, or is EIO for who asked, and the session
/// lives. What dies or hangs answers all.
#include <fcntl.h>

#include "providers/fuse_host/test_daemon.h"

namespace isthmus::fuse_host {
namespace {

using namespace wire::fuse;

using FuseHostHostile = HostTest;

std::string of_length(size_t n) {
  std::string s;
  for (size_t i = 0; s.size() < n; i++) s += fmt::format("{},", i);
  s.resize(n);
  return s;
}

// An answer with an unknown number, shorter than its header, of another length than it says, and twice.
TEST_F(FuseHostHostile, OnlyTheFirstGoodAnswerCounts) {
  serve([this](const Asked& a) -> Answer {
    const uint64_t u = a.header.unique;
    daemon.answer(u + 1000, answer_of(an_entry(8)));
    daemon.say("short");
    daemon.say({4, 0, u}, text_of_struct(an_entry(9)));
    daemon.say({60'000, 0, u}, text_of_struct(an_entry(9)));
    daemon.answer(u, answer_of(an_entry(10)));
    daemon.answer(u, answer_of(an_entry(11)));
    daemon.say({sizeof(OutHeader), 99, 0}, "");
    return kSilence;
  });
  for (uint64_t i = 1; i <= 3; i++) {
    auto e = look("rightly");
    ASSERT_TRUE(e);
    EXPECT_EQ(e->attr.ino, 10u);
    EXPECT_TRUE(soon([&] { return host->refused() == i * 6; })) << host->refused();
  }
}

// An error with data behind it, one that is positive, one out of range.
TEST_F(FuseHostHostile, AnErrorIsANumberAndNothingElse) {
  serve([this](const Asked& a) -> Answer {
    const std::string name = a.name();
    if (name == "data") return {.error = ENOENT, .body = text_of_struct(an_entry(7))};
    if (name == "positive") return {.error = -5};
    if (name == "far") return {.error = 70'000};
    if (name == "edge") return {.error = 512};
    return {.error = 511};
  });
  for (const char* name : {"data", "positive", "far", "edge"}) EXPECT_EQ(look(name).code(), EIO) << name;
  EXPECT_EQ(host->refused(), 4u);
  EXPECT_EQ(look("highest").code(), 511);
}

// Answers that are shorter or longer than what they answer, for each fixed struct.
TEST_F(FuseHostHostile, AnAnswerHasTheLengthOfItsKind) {
  opens = true;
  int by = 0;
  bool right = true;
  daemon.agree_on(kInitPosixLocks);
  serve([&](const Asked& a) -> Answer {
    std::string body;
    switch (a.opcode()) {
      case Opcode::Lookup:
      case Opcode::Mknod:
        body = text_of_struct(an_entry(7));
        break;
      case Opcode::Mkdir:
        body = text_of_struct(an_entry(8, S_IFDIR | 0755));
        break;
      case Opcode::Getattr:
      case Opcode::Setattr:
        body = text_of_struct(attributes_of(7));
        break;
      case Opcode::Open:
      case Opcode::Opendir:
        body = text_of_struct(OpenOut{});
        break;
      case Opcode::Create:
        body = text_of_struct(an_entry(7)) + text_of_struct(OpenOut{});
        break;
      case Opcode::Write:
        body = text_of_struct(WriteOut{1, 0});
        break;
      case Opcode::Statfs:
        body = text_of_struct(StatfsOut{});
        break;
      case Opcode::Lseek:
        body = text_of_struct(LseekOut{});
        break;
      case Opcode::Getlk:
        body = text_of_struct(LkOut{{0, 0, F_UNLCK, 0}});
        break;
      case Opcode::Poll:
        body = text_of_struct(PollOut{});
        break;
      default:
        break;
    }
    if (!right) body.resize(body.size() + static_cast<size_t>(by));
    return {.body = body};
  });
  const NodeId n = node();
  const HandleId h = open(n)->handle;
  auto all = [&] {
    std::vector<int> codes;
    codes.push_back(look("f").code());
    codes.push_back(call(op::Mknod{{}, NodeId::root, "x", S_IFREG | 0600, 0}).code());
    codes.push_back(call(op::Mkdir{{}, NodeId::root, "x", 0700}).code());
    codes.push_back(call(op::Getattr{{}, n}).code());
    op::Setattr set;
    set.node = n;
    set.set.mask = kSetMode;
    codes.push_back(call(set).code());
    codes.push_back(open(n).code());
    codes.push_back(call(op::OpenDir{{}, NodeId::root, 0}).code());
    op::Create create;
    create.dir = NodeId::root;
    create.name = "y";
    codes.push_back(call(create).code());
    codes.push_back(write(n, h, 0, "a").code());
    codes.push_back(call(op::Statfs{}).code());
    codes.push_back(call(op::SeekHole{{}, n, h, 0, SEEK_DATA}).code());
    codes.push_back(call(op::GetLock{{}, n, h, {}}).code());
    codes.push_back(call(op::Poll{{}, n, h, 1, false}).code());
    // Those without a body.
    codes.push_back(call(op::Unlink{{}, NodeId::root, "f"}).code());
    codes.push_back(call(op::Fsync{{}, n, h, false}).code());
    codes.push_back(call(op::Access{{}, n, 4}).code());
    return codes;
  };
  for (int code : all()) EXPECT_EQ(code, 0);
  right = false;
  by = 8;
  for (int code : all()) EXPECT_EQ(code, EIO);
}

// More than was asked for: of READ, READDIR, GETXATTR, LISTXATTR, READLINK, WRITE, COPY_FILE_RANGE.
TEST_F(FuseHostHostile, MoreThanWasAskedForIsAnError) {
  daemon.agree_on(kInitBigWrites);
  serve([&](const Asked& a) -> Answer {
    switch (a.opcode()) {
      case Opcode::Lookup:
        return answer_of(an_entry(7));
      case Opcode::Write:
      case Opcode::CopyFileRange:
        return answer_of(WriteOut{1000, 0});
      case Opcode::CopyFileRange64:
        return answer_of(CopyFileRangeOut{UINT64_MAX});
      default:
        return {.body = std::string(100'000, 'x')};
    }
  });
  const NodeId n = node();
  EXPECT_EQ(read(n, HandleId::none, 0, 100).code(), EIO);
  EXPECT_EQ(write(n, HandleId::none, 0, "abc").code(), EIO);
  // Who has never shown one is taken to have no extended attributes.
  EXPECT_EQ(call(op::GetXattr{{}, n, "user.a"}).code(), ENOTSUP);
  EXPECT_EQ(call(op::ListXattr{{}, n}).code(), ENOTSUP);
  EXPECT_EQ(call(op::Readlink{{}, n}).code(), EIO);
  op::CopyRange copy;
  copy.from = copy.to = n;
  copy.length = 10;
  EXPECT_EQ(call(copy).code(), EIO);
  struct Sink final : DirSink {
    bool add(const DirEntry&) override { return true; }
  } sink;
  EXPECT_EQ(call(op::ReadDir{{}, NodeId::root, HandleId::none, 0, false, {}, &sink}).code(), EIO);
}

// ---- answers in pieces, as of daemons that splice ----

struct Splicer {
  /// The header and 15 pages, then 64 KiB each.
  static void answer(Daemon& d, uint64_t unique, const std::string& data, const std::function<void()>& between = {}) {
    const OutHeader h{static_cast<uint32_t>(sizeof h + data.size()), 0, unique};
    if (data.size() <= kWholeData) return d.say(h, data);
    d.say(h, data.substr(0, kWholeData));
    for (size_t at = kWholeData; at < data.size(); at += 65536) {
      if (between) between();
      d.say(data.substr(at, 65536));
    }
  }
};

// The first long read comes in pieces, others' answers and news between them; from then on reads are short ones.
TEST_F(FuseHostHostile, PiecesAreReadAndNotAskedForAgain) {
  const std::string file = of_length(400'000);
  daemon.agree_on(kInitMaxPages);
  daemon.init.max_pages = 64;
  std::atomic<uint64_t> other{0};
  serve([&](const Asked& a) -> Answer {
    if (a.opcode() == Opcode::Lookup) {
      if (a.name() == "f") return answer_of(an_entry(7));
      other = a.header.unique;
      return kSilence;
    }
    if (a.opcode() == Opcode::Destroy) return {};
    const auto in = a.in<ReadIn>();
    Splicer::answer(daemon, a.header.unique, file.substr(std::min<size_t>(in.offset, file.size()), in.size), [&] {
      if (const uint64_t u = other.exchange(0)) daemon.answer(u, {.error = ENOENT});
      daemon.tell(NotifyCode::IncEpoch, "");
    });
    return kSilence;
  });
  const NodeId n = node();
  std::thread looks([&] { EXPECT_EQ(look("other").code(), ENOENT); });
  EXPECT_TRUE(soon([&] { return other != 0; }));
  auto got = read(n, HandleId::none, 0, file.size() + 1000);
  looks.join();
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, file);
  EXPECT_TRUE(soon([&] { return up.heard("all"); }));
  size_t longer = 0;
  for (auto& a : daemon.asked(Opcode::Read)) longer += a.in<ReadIn>().size > kWholeData;
  EXPECT_EQ(longer, 1u);
  EXPECT_EQ(host->refused(), 0u);
}

// One that sends all in one message is asked for much at once, after one try.
TEST_F(FuseHostHostile, LongAnswersInOneMessageAreUsed) {
  const std::string file = of_length(300'000);
  serve([&](const Asked& a) -> Answer {
    if (a.opcode() == Opcode::Lookup) return answer_of(an_entry(7));
    const auto in = a.in<ReadIn>();
    return {.body = file.substr(std::min<size_t>(in.offset, file.size()), in.size)};
  });
  const NodeId n = node();
  for (int i = 0; i < 2; i++) {
    auto got = read(n, HandleId::none, 0, file.size());
    ASSERT_TRUE(got);
    EXPECT_EQ(*got, file);
  }
  EXPECT_EQ(daemon.count(Opcode::Read), 6u);
}

// Pieces of two answers at the same time, of a daemon that began with whole ones: both are asked for again.
TEST_F(FuseHostHostile, MixedPiecesAreAskedForAgain) {
  const std::string file = of_length(200'000);
  std::atomic<bool> splices{false};
  std::mutex m;
  std::vector<uint64_t> late;
  daemon.agree_on(kInitMaxPages);
  daemon.init.max_pages = 32;
  serve([&](const Asked& a) -> Answer {
    if (a.opcode() == Opcode::Lookup) return answer_of(an_entry(7));
    const auto in = a.in<ReadIn>();
    const std::string data = file.substr(std::min<size_t>(in.offset, file.size()), in.size);
    if (!splices || data.size() <= kWholeData) return {.body = data};
    late.push_back(a.header.unique);
    if (late.size() < 2) return kSilence;
    for (uint64_t u : late)
      daemon.say({static_cast<uint32_t>(sizeof(OutHeader) + data.size()), 0, u}, data.substr(0, kWholeData));
    for (size_t i = 0; i < late.size(); i++) daemon.say(data.substr(kWholeData));
    late.clear();
    return kSilence;
  });
  const NodeId n = node();
  ASSERT_TRUE(read(n, HandleId::none, 0, 131072));
  splices = true;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; i++)
    readers.emplace_back([&] {
      auto got = read(n, HandleId::none, 0, 131072);
      ASSERT_TRUE(got);
      EXPECT_EQ(*got, file.substr(0, 131072));
    });
  for (auto& r : readers) r.join();
  EXPECT_GT(host->refused(), 0u);
}

// A piece that is too long ends what it belongs to; a first piece that never goes on ends with the daemon.
TEST_F(FuseHostHostile, PiecesThatDoNotFit) {
  std::atomic<bool> begun{false};
  serve([&](const Asked& a) -> Answer {
    if (a.opcode() == Opcode::Lookup) return answer_of(an_entry(7));
    const auto in = a.in<ReadIn>();
    if (in.size <= kWholeData) return {.body = "ok"};
    daemon.say({static_cast<uint32_t>(sizeof(OutHeader) + in.size), 0, a.header.unique}, std::string(kWholeData, 'a'));
    daemon.say(std::string(in.size, 'b'));
    begun = true;
    return kSilence;
  });
  const NodeId n = node();
  auto got = read(n, HandleId::none, 0, 100'000);
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, "ok");
  EXPECT_TRUE(begun);
}

// ---- the end ----

TEST_F(FuseHostHostile, TheEndOfTheDaemonAnswersAll) {
  std::atomic<int> ended{0};
  Options options;
  options.ended = [&] { ++ended; };
  serve([](const Asked&) { return kSilence; }, options);
  std::vector<std::thread> waiting;
  for (int i = 0; i < 8; i++) waiting.emplace_back([&] { EXPECT_EQ(look("a").code(), ENOTCONN); });
  EXPECT_TRUE(soon([&] { return daemon.count(Opcode::Lookup) == 8; }));
  daemon.hang_up();
  for (auto& w : waiting) w.join();
  EXPECT_EQ(look("b").code(), ENOTCONN);
  EXPECT_EQ(call(op::Statfs{}).code(), ENOTCONN);
  EXPECT_TRUE(soon([&] { return ended == 1; }));
  host->stop();
  EXPECT_EQ(ended, 1);
}

// Requests that wait because the daemon does not read are answered as well.
TEST_F(FuseHostHostile, SoAreThoseThatHaveNotBeenSent) {
  std::atomic<bool> go{false};
  serve([&](const Asked& a) -> Answer {
    if (a.opcode() == Opcode::Lookup) return answer_of(an_entry(7));
    while (!go) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return kSilence;
  });
  const NodeId n = node();
  const std::string data(60'000, 'x');
  std::vector<std::thread> waiting;
  std::atomic<int> answered{0};
  for (int i = 0; i < 100; i++)
    waiting.emplace_back([&] {
      EXPECT_EQ(write(n, HandleId::none, 0, data).code(), ENOTCONN);
      ++answered;
    });
  EXPECT_TRUE(soon([&] { return daemon.count(Opcode::Write) == 1; }));
  daemon.hang_up();
  for (auto& w : waiting) w.join();
  EXPECT_EQ(answered, 100);
  go = true;
  daemon.end();  // its thread looks at what is ours
}

// A daemon that lets a request wait too long is taken for dead; both sides may say how long that is.
TEST_F(FuseHostHostile, AHungDaemonIsTakenForDead) {
  std::atomic<int> ended{0};
  Options options;
  options.request_timeout = std::chrono::milliseconds(50);
  options.ended = [&] { ++ended; };
  daemon.agree_on(kInitRequestTimeout | kInitPosixLocks);
  daemon.init.request_timeout = 1000;
  serve(
      [](const Asked& a) -> Answer {
        return a.opcode() == Opcode::Lookup && a.name() == "f" ? answer_of(an_entry(7)) : kSilence;
      },
      options);
  const NodeId n = node();
  // Who waits for a lock may wait.
  std::thread locks([&] {
    op::SetLock lock{{}, n, HandleId::none, {.owner = 1, .type = LockType::exclusive}, true, false};
    EXPECT_EQ(call(lock).code(), ENOTCONN);
  });
  EXPECT_TRUE(soon([&] { return daemon.count(Opcode::Setlkw) == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(ended, 0);
  EXPECT_EQ(look("never").code(), ENOTCONN);
  locks.join();
  EXPECT_TRUE(soon([&] { return ended == 1; }));
}

// ---- interrupts ----

/// A lookup of "slow" by whom `cancel` stops.
class Stoppable {
 public:
  explicit Stoppable(FuseHost& host) {
    ctx_.cancel = &cancel;
    thread_ = std::thread([&] { code_ = call_and_wait(host, op::Lookup{{}, NodeId::root, "slow"}, ctx_).code(); });
  }
  ~Stoppable() {
    if (thread_.joinable()) thread_.join();
  }
  int code() {
    thread_.join();
    return code_;
  }
  Cancel cancel;

 private:
  Context ctx_;
  int code_ = 0;
  std::thread thread_;
};

// INTERRUPT carries the number; EAGAIN has it sent again; EINTR is the caller's; a late answer wins.
TEST_F(FuseHostHostile, InterruptsWhatIsNotWantedAnyMore) {
  std::atomic<uint64_t> slow{0};
  std::atomic<int> interrupts{0};
  serve([&](const Asked& a) -> Answer {
    if (a.opcode() == Opcode::Interrupt) {
      const auto in = a.in<InterruptIn>();
      EXPECT_EQ(in.unique, slow);
      EXPECT_EQ(a.header.unique, in.unique | 1);
      if (++interrupts < 3) return {.error = EAGAIN};
      daemon.answer(in.unique, {.error = EINTR});
      return kSilence;
    }
    if (a.name() != "slow") return {.error = ENOENT};
    slow = a.header.unique;
    return kSilence;
  });
  Stoppable asked(*host);
  EXPECT_TRUE(soon([&] { return slow != 0; }));
  EXPECT_EQ(look("other").code(), ENOENT);
  asked.cancel.request();
  EXPECT_EQ(asked.code(), EINTR);
  EXPECT_EQ(interrupts, 3);
  // Before it is asked, too.
  slow = 0;
  Context ctx;
  Cancel before;
  before.request();
  ctx.cancel = &before;
  EXPECT_EQ(call(op::Lookup{{}, NodeId::root, "slow"}, ctx).code(), EINTR);
  EXPECT_EQ(interrupts, 4);
}

TEST_F(FuseHostHostile, InterruptsADaemonSoOftenAndNoMore) {
  std::atomic<uint64_t> slow{0};
  std::atomic<int> interrupts{0}, error{EAGAIN};
  serve([&](const Asked& a) -> Answer {
    if (a.opcode() == Opcode::Interrupt) {
      ++interrupts;
      return {.error = error};
    }
    if (a.name() == "slow") {
      slow = a.header.unique;
      return kSilence;
    }
    daemon.answer(slow, {.error = ENOENT});
    return {.error = ENOENT};
  });
  {
    Stoppable asked(*host);
    EXPECT_TRUE(soon([&] { return slow != 0; }));
    asked.cancel.request();
    EXPECT_TRUE(soon([&] { return interrupts == 16; }));
    EXPECT_EQ(look("last").code(), ENOENT);
    EXPECT_EQ(asked.code(), ENOENT);
    EXPECT_EQ(interrupts, 16);
  }
  // One that does not know them hears of no more.
  error = ENOSYS;
  for (int i = 0; i < 2; i++) {
    slow = 0;
    Stoppable asked(*host);
    EXPECT_TRUE(soon([&] { return slow != 0; }));
    asked.cancel.request();
    EXPECT_TRUE(soon([&] { return interrupts == 17; }));
    EXPECT_EQ(look("last").code(), ENOENT);
    EXPECT_EQ(look("last").code(), ENOENT);
    EXPECT_EQ(asked.code(), ENOENT);
  }
  EXPECT_EQ(interrupts, 17);
}

// What has not been sent is given up without a word.
TEST_F(FuseHostHostile, WhatHasNotBeenSentIsNotInterruptedButDropped) {
  std::atomic<bool> go{false};
  serve([&](const Asked& a) -> Answer {
    if (a.opcode() == Opcode::Lookup && a.name() == "f") return answer_of(an_entry(7));
    if (a.opcode() == Opcode::Write) {
      while (!go) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return answer_of(WriteOut{static_cast<uint32_t>(a.body.size() - sizeof(WriteIn)), 0});
    }
    return {.error = ENOENT};
  });
  daemon.agree_on(kInitBigWrites);
  const NodeId n = node();
  // More than sockets hold.
  const std::string data(4096, 'x');
  std::vector<std::thread> writers;
  for (int i = 0; i < 1000; i++) writers.emplace_back([&] { EXPECT_TRUE(write(n, HandleId::none, 0, data)); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  Stoppable asked(*host);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  asked.cancel.request();
  const bool dropped = soon([&] { return asked.cancel.requested(); });
  EXPECT_TRUE(dropped);
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    go = true;
  });
  EXPECT_EQ(asked.code(), EINTR);
  later.join();
  for (auto& w : writers) w.join();
  for (auto& a : daemon.asked()) {
    EXPECT_NE(a.opcode(), Opcode::Interrupt);
    EXPECT_FALSE(a.opcode() == Opcode::Lookup && a.name() == "slow");
  }
}

}  // namespace
}  // namespace isthmus::fuse_host
