/// INIT, and what follows from it: layouts of each minor, sizes, the beginning and the end.
#include <fcntl.h>

#include "providers/fuse_host/device.h"
#include "providers/fuse_host/test_daemon.h"

namespace isthmus::fuse_host {
namespace {

using namespace wire::fuse;

using FuseHostInit = HostTest;

/// A device that is nobody's yet.
struct Pair {
  Pair() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ours.reset(ends[0]);
    daemons.reset(ends[1]);
  }
  Fd ours, daemons;
};

Answer none_such(const Asked&) { return {.error = ENOSYS}; }

TEST_F(FuseHostInit, TellsWhatWeAreAndKnowsWhoServes) {
  daemon.agree_on(kInitDoReaddirplus | kInitHasResend | kInitWritebackCache | kInitPassthrough);
  serve(none_such);
  const auto asked = daemon.asked(Opcode::Init);
  ASSERT_EQ(asked.size(), 1u);
  const auto in = asked[0].in<InitIn>();
  EXPECT_EQ(in.major, 7u);
  EXPECT_EQ(in.minor, kMinor);
  EXPECT_TRUE(in.flags & kInitInitExt);
  EXPECT_EQ(host->pid(), getpid());
  EXPECT_TRUE(host->traits().dir_attr);
  // Flags that were not offered mean nothing.
  EXPECT_EQ(host->flags(), kInitDoReaddirplus | kInitHasResend | kInitInitExt);
}

TEST_F(FuseHostInit, TheHighFlagsCountOnlyWhereTheLowOnesSaySo) {
  daemon.init.flags = kInitDoReaddirplus;
  daemon.init.flags2 = UINT32_MAX;
  serve(none_such);
  EXPECT_EQ(host->flags(), kInitDoReaddirplus);
}

struct Old {
  uint32_t minor;
  size_t init_size, entry, attr, write_in, mknod_in, create_in;
};
class FuseHostMinor : public HostTest, public testing::WithParamInterface<Old> {};

// Each length of an answer to INIT, and the layouts of the structs that grew later.
TEST_P(FuseHostMinor, SpeaksAsOldAsTheDaemonIs) {
  const Old old = GetParam();
  daemon.init.minor = old.minor;
  daemon.init_size = old.init_size;
  daemon.init.flags = kInitBigWrites;
  daemon.init.max_write = 8192;
  serve([&](const Asked& a) -> Answer {
    const std::string entry = text_of_struct(an_entry(7)).substr(0, old.entry);
    switch (a.opcode()) {
      case Opcode::Lookup:
      case Opcode::Mknod:
        return {.body = entry};
      case Opcode::Create:
        return {.body = entry + text_of_struct(OpenOut{5, 0, 0})};
      case Opcode::Getattr:
        return {.body = text_of_struct(attributes_of(7)).substr(0, old.attr)};
      case Opcode::Write:
        return answer_of(WriteOut{3, 0});
      default:
        return {.error = ENOSYS};
    }
  });
  EXPECT_EQ(host->minor(), std::min(old.minor, kMinor));
  const NodeId n = node();
  ASSERT_NE(n, NodeId::none);
  auto attr = call(op::Getattr{{}, n});
  ASSERT_TRUE(attr);
  EXPECT_EQ(attr->attr.size, 5u);
  EXPECT_EQ(attr->attr.block_size, 4096u);
  EXPECT_TRUE(call(op::Mknod{{}, NodeId::root, "x", S_IFREG | 0600, 0}));
  EXPECT_EQ(daemon.asked(Opcode::Mknod)[0].name(old.mknod_in), "x");
  op::Create create;
  create.dir = NodeId::root;
  create.name = "y";
  auto created = call(create);
  ASSERT_TRUE(created);
  EXPECT_EQ(daemon.asked(Opcode::Create)[0].name(old.create_in), "y");
  EXPECT_TRUE(write(n, created->opened.handle, 0, "abc"));
  EXPECT_EQ(daemon.asked(Opcode::Write)[0].body.substr(old.write_in), "abc");
  // What came later: only where the daemon knows it.
  EXPECT_EQ(call(op::Fallocate{{}, n, created->opened.handle, 0, 0, 1}).code(), ENOSYS);
  EXPECT_EQ(daemon.count(Opcode::Fallocate), old.minor < 19 ? 0u : 1u);
  EXPECT_EQ(call(op::Rename{{}, NodeId::root, "a", NodeId::root, "b", 1}).code(), EINVAL);
  EXPECT_EQ(daemon.count(Opcode::Rename2), old.minor < 23 ? 0u : 1u);
  for (int i = 0; i < 3; i++) call(op::Forget{{}, n, 1}).ok();
  EXPECT_TRUE(soon([&] { return daemon.forgotten(7) == 3; }));
  if (old.minor < 16) {
    EXPECT_EQ(daemon.count(Opcode::BatchForget), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, FuseHostMinor,
                         testing::Values(Old{8, 24, 120, 96, 24, 8, 8}, Old{8, 8, 120, 96, 24, 8, 8},
                                         Old{11, 24, 128, 104, 40, 8, 8}, Old{12, 24, 128, 104, 40, 16, 16},
                                         Old{15, 22, 128, 104, 40, 16, 16}, Old{18, 24, 128, 104, 40, 16, 16},
                                         Old{19, 24, 128, 104, 40, 16, 16}, Old{23, 64, 128, 104, 40, 16, 16},
                                         Old{27, 64, 128, 104, 40, 16, 16}, Old{31, 64, 128, 104, 40, 16, 16},
                                         Old{36, 64, 128, 104, 40, 16, 16}, Old{45, 64, 128, 104, 40, 16, 16},
                                         Old{99, 64, 128, 104, 40, 16, 16}),
                         [](auto& p) { return fmt::format("m{}_{}", p.param.minor, p.param.init_size); });

// A major number that is not ours, a minor older than everything known, an error, an answer of a length that none has.
TEST_F(FuseHostInit, RefusesWhatItCannotSpeakTo) {
  auto refused = [](auto change) {
    Daemon d;
    change(d);
    d.serve(none_such);
    auto made = FuseHost::connect(d.device(), {}, [] { return false; });
    return made ? 0 : static_cast<int>(made.problem().code);
  };
  EXPECT_EQ(refused([](Daemon& d) { d.init.major = 6; }), EPROTO);
  EXPECT_EQ(refused([](Daemon& d) { d.init.major = 8; }), EPROTO);
  EXPECT_EQ(refused([](Daemon& d) { d.init.minor = 7; }), EPROTO);
  EXPECT_EQ(refused([](Daemon& d) { d.init_size = 4; }), EPROTO);
  EXPECT_EQ(refused([](Daemon& d) { d.init_size = 0; }), EPROTO);
  EXPECT_EQ(refused([](Daemon&) {}), 0);
}

// Whatever is said before INIT is answered is no answer to it; the wait ends when it is to, or the daemon does.
TEST_F(FuseHostInit, WaitsForItsAnswerAndNoLonger) {
  Pair device;
  int looks = 0;
  auto stopped = FuseHost::connect(std::move(device.ours), {}, [&] { return ++looks == 2; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.problem().code, err(EINTR));

  device = Pair();
  std::thread daemon_thread([&] {
    InHeader h{};
    ASSERT_GT(recv(device.daemons.get(), &h, sizeof h, 0), 0);
    EXPECT_EQ(h.opcode, static_cast<uint32_t>(Opcode::Init));
    for (const OutHeader bad : {OutHeader{16, 0, h.unique + 2}, OutHeader{99, 0, h.unique}, OutHeader{16, 1, 0}})
      ASSERT_GT(send(device.daemons.get(), &bad, sizeof bad, 0), 0);
    ASSERT_GT(send(device.daemons.get(), "x", 1, 0), 0);
    device.daemons.reset();
  });
  auto gone = FuseHost::connect(std::move(device.ours), {}, [] { return false; });
  daemon_thread.join();
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.problem().code, err(ENOTCONN));
}

// max_write below a page is a page; no more than max_pages, the daemon's wish and the socket allow; max_read as
// mounted.
TEST_F(FuseHostInit, SizesAreWhatBothCanDo) {
  struct Case {
    uint32_t max_write;
    uint16_t max_pages;
    size_t max_read, most_answer, write, read;
  };
  constexpr size_t kK = 1024;
  for (const Case c :
       {Case{1, 0, 0, 300 * kK, 4 * kK, 128 * kK}, Case{64 * kK, 0, 0, 300 * kK, 64 * kK, 128 * kK},
        Case{1024 * kK, 0, 0, 300 * kK, 128 * kK, 128 * kK}, Case{1024 * kK, 40, 0, 300 * kK, 160 * kK, 160 * kK},
        Case{1024 * kK, 16, 0, 300 * kK, 64 * kK, 64 * kK}, Case{UINT32_MAX, 1, 0, 300 * kK, 4 * kK, 4 * kK},
        Case{128 * kK, 40, 8 * kK, 300 * kK, 128 * kK, 8 * kK}, Case{128 * kK, 40, 0, 100 * kK, 128 * kK, 96 * kK}}) {
    Daemon d;
    d.agree_on(kInitBigWrites | (c.max_pages != 0 ? kInitMaxPages : 0));
    d.init.max_write = c.max_write;
    d.init.max_pages = c.max_pages;
    d.serve(none_such);
    Options options;
    options.max_read = c.max_read;
    options.most_answer = c.most_answer;
    auto made = FuseHost::connect(d.device(), options, [] { return false; });
    ASSERT_TRUE(made);
    EXPECT_EQ((*made)->most_write(), c.write) << c.max_write << ' ' << c.max_pages;
    EXPECT_EQ((*made)->most_read(), c.read) << c.max_read << ' ' << c.max_pages;
  }
  EXPECT_GE(usual_message_size(), 100 * kK);
  // However much is agreed on, a socket that takes less decides.
  Pair small;
  const int room = 20'000;
  ASSERT_EQ(setsockopt(small.daemons.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
  EXPECT_EQ(message_size(small.daemons.get()), 2 * size_t{room} - 32);
}

TEST_F(FuseHostInit, TheGranularityOfTimesIsTheDaemons) {
  daemon.init.time_gran = 1'000'000;
  serve(none_such);
  EXPECT_EQ(host->traits().time_granularity_ns, 1'000'000u);
  Daemon odd;
  odd.init.time_gran = 7;
  odd.serve(none_such);
  auto made = FuseHost::connect(odd.device(), {}, [] { return false; });
  ASSERT_TRUE(made);
  EXPECT_EQ((*made)->traits().time_granularity_ns, 1u);
}

// All lookups are given back before DESTROY, which comes once and last.
TEST_F(FuseHostInit, EndsInOrder) {
  serve([](const Asked& a) -> Answer {
    return a.opcode() == Opcode::Lookup ? answer_of(an_entry(7)) : Answer{.error = ENOSYS};
  });
  const NodeId n = node();
  call(op::Forget{{}, n, 1}).ok();
  host->stop();
  const auto asked = daemon.asked();
  ASSERT_EQ(daemon.count(Opcode::Destroy), 1u);
  EXPECT_EQ(asked.back().opcode(), Opcode::Destroy);
  EXPECT_EQ(daemon.forgotten(7), 1u);
  EXPECT_EQ(look("f").code(), ENOTCONN);
}

// A daemon that does not answer DESTROY is not waited for without end; one that was never started hears none.
TEST_F(FuseHostInit, EndsWithoutTheDaemonToo) {
  daemon.answers_destroy = false;
  Options options;
  options.destroy_wait = std::chrono::milliseconds(20);
  serve([](const Asked&) { return kSilence; }, options);
  host->stop();
  EXPECT_EQ(look("f").code(), ENOTCONN);
  Daemon unused;
  unused.serve(none_such);
  {
    auto made = FuseHost::connect(unused.device(), {}, [] { return false; });
  }
  unused.end();
  EXPECT_EQ(unused.count(Opcode::Destroy), 0u);
}

}  // namespace
}  // namespace isthmus::fuse_host
