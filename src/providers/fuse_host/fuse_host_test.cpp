#include "providers/fuse_host/fuse_host.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "providers/fuse_host/ask.h"
#include "vfs/sync.h"
#include "wire/fuse/reply.h"

namespace isthmus::fuse_host {
namespace {

using namespace wire::fuse;

/// Plays the daemon: each request is answered by a function of the test.
class Daemon {
 public:
  struct Answer {
    int error = 0;
    std::string body;
    bool say_nothing = false;
  };
  using Handler = std::function<Answer(const InHeader&, std::string_view body)>;

  explicit Daemon(Handler handler) : handler_(std::move(handler)) {
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ours_.reset(pair[0]);
    theirs_.reset(pair[1]);
    thread_ = std::thread([this] { run(); });
  }
  ~Daemon() { end(); }
  /// Its thread has ended, which may use this object until then.
  void end() {
    hang_up();
    if (thread_.joinable()) thread_.join();
  }
  Fd device() { return std::move(theirs_); }
  void hang_up() { shutdown(ours_.get(), SHUT_RDWR); }
  void say(const OutHeader& h, const std::string& body) {
    std::string message(reinterpret_cast<const char*>(&h), sizeof h);
    message += body;
    const ssize_t sent = ::send(ours_.get(), message.data(), message.size(), MSG_NOSIGNAL);
    // The host may have what it wanted, and be gone.
    if (sent < 0 && errno == EPIPE) return;
    ASSERT_EQ(sent, static_cast<ssize_t>(message.size()));
  }
  void answer(uint64_t unique, const Answer& a) {
    OutHeader h{static_cast<uint32_t>(sizeof(OutHeader) + a.body.size()), -a.error, unique};
    say(h, a.body);
  }

 private:
  void run() {
    std::string room(size_t{256} << 10, '\0');
    for (ssize_t n; (n = recv(ours_.get(), room.data(), room.size(), 0)) > 0;) {
      InHeader h{};
      memcpy(&h, room.data(), sizeof h);
      EXPECT_EQ(h.len, n);
      const auto opcode = static_cast<Opcode>(h.opcode);
      if (opcode == Opcode::Forget) continue;
      if (opcode == Opcode::Init) {
        InitOut out{};
        out.major = 7;
        out.minor = 31;
        out.max_write = 64 << 10;
        out.flags = static_cast<uint32_t>(kInitDoReaddirplus | kInitAtomicOTrunc);
        answer(h.unique, {0, text_of_struct(out)});
        continue;
      }
      const Answer a = handler_(h, std::string_view(room).substr(sizeof h, static_cast<size_t>(n) - sizeof h));
      if (!a.say_nothing) answer(h.unique, a);
    }
  }

 public:
  template <class T>
  static std::string text_of_struct(const T& t) {
    return std::string(reinterpret_cast<const char*>(&t), sizeof t);
  }

 private:
  const Handler handler_;
  Fd ours_, theirs_;
  std::thread thread_;
};

EntryOut an_entry(uint64_t node) {
  EntryOut e{};
  e.nodeid = node;
  e.entry_valid = 1;
  e.attr.ino = node;
  e.attr.mode = S_IFREG | 0644;
  e.attr.size = 5;
  return e;
}

class FuseHostTest : public testing::Test {
 protected:
  void serve(Daemon::Handler handler) {
    daemon = std::make_unique<Daemon>(std::move(handler));
    auto made = FuseHost::connect(daemon->device(), {}, [] { return false; });
    ASSERT_TRUE(made) << made.problem().text();
    host = std::move(*made);
    ASSERT_TRUE(host->start(up));
  }
  void TearDown() override {
    if (host) host->stop();
    host.reset();
    if (daemon) daemon->end();
    daemon.reset();
  }
  Result<Entry> look(std::string_view name) { return call_and_wait(*host, op::Lookup{{}, NodeId::root, name}); }

  Upcalls up;
  std::unique_ptr<Daemon> daemon;
  std::unique_ptr<FuseHost> host;
};

TEST_F(FuseHostTest, KnowsWhoServes) {
  serve([](auto&, auto) { return Daemon::Answer{ENOSYS, {}}; });
  EXPECT_EQ(host->pid(), getpid());
  EXPECT_TRUE(host->traits().dir_attr);
}

TEST_F(FuseHostTest, LooksNamesUp) {
  serve([](const InHeader& h, std::string_view body) -> Daemon::Answer {
    EXPECT_EQ(h.opcode, static_cast<uint32_t>(Opcode::Lookup));
    if (body == std::string_view("there\0", 6)) return {0, Daemon::text_of_struct(an_entry(7))};
    EntryOut none{};
    none.entry_valid = 3;
    if (body == std::string_view("negative\0", 9)) return {0, Daemon::text_of_struct(none)};
    return {ENOENT, {}};
  });
  auto e = look("there");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->node, NodeId{7});
  EXPECT_EQ(e->entry_ttl, 1000u);
  auto none = look("negative");
  ASSERT_TRUE(none);
  EXPECT_EQ(none->node, NodeId::none);
  EXPECT_EQ(none->entry_ttl, 3000u);
  EXPECT_EQ(look("other").code(), ENOENT);
}

// A daemon may say anything.
TEST_F(FuseHostTest, BelievesNothing) {
  serve([this](const InHeader& h, std::string_view body) -> Daemon::Answer {
    body = body.substr(0, body.find('\0'));
    if (body == "short") return {0, "few bytes"};
    if (body == "type") {
      EntryOut e = an_entry(7);
      e.attr.mode = 0644;
      return {0, Daemon::text_of_struct(e)};
    }
    if (body == "errno") return {70000, {}};
    // To nobody, twice, and with a wrong length; then rightly.
    daemon->answer(h.unique + 1000, {0, Daemon::text_of_struct(an_entry(8))});
    daemon->say({4, 0, h.unique}, Daemon::text_of_struct(an_entry(9)));
    daemon->answer(h.unique, {0, Daemon::text_of_struct(an_entry(10))});
    daemon->answer(h.unique, {0, Daemon::text_of_struct(an_entry(11))});
    daemon->say({sizeof(OutHeader), 99, 0}, "");
    return {.error = 0, .body = {}, .say_nothing = true};
  });
  EXPECT_EQ(look("short").code(), EIO);
  EXPECT_EQ(look("type").code(), EIO);
  EXPECT_EQ(look("errno").code(), EIO);
  for (int i = 0; i < 3; i++) {
    auto e = look("rightly");
    ASSERT_TRUE(e);
    EXPECT_EQ(e->node, NodeId{10});
  }
}

TEST_F(FuseHostTest, ReadsAndWritesInPieces) {
  std::string content;
  serve([&](const InHeader& h, std::string_view body) -> Daemon::Answer {
    if (h.opcode == static_cast<uint32_t>(Opcode::Write)) {
      WriteIn in{};
      memcpy(&in, body.data(), sizeof in);
      EXPECT_LE(in.size, 64u << 10);
      EXPECT_EQ(in.offset, content.size());
      content += body.substr(sizeof in);
      return {0, Daemon::text_of_struct(WriteOut{in.size, 0})};
    }
    ReadIn in{};
    memcpy(&in, body.data(), sizeof in);
    return {0, content.substr(std::min<size_t>(in.offset, content.size()), in.size)};
  });
  std::string data;
  for (int i = 0; data.size() < 300'000; i++) data += std::to_string(i);
  const Buffer buffer = Buffer::view(as_bytes(data));
  op::Write w;
  w.node = NodeId{7};
  w.data = &buffer;
  auto written = call_and_wait(*host, w);
  ASSERT_TRUE(written);
  EXPECT_EQ(*written, data.size());
  op::Read r;
  r.node = NodeId{7};
  r.size = data.size() + 1000;
  auto got = call_and_wait(*host, r);
  ASSERT_TRUE(got);
  std::string room;
  auto bytes = got->in_one_piece(room);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(as_text(*bytes), data);
}

struct Names final : DirSink {
  bool add(const DirEntry& e) override {
    if (names.size() >= most) return false;
    names.emplace_back(e.name);
    nodes.push_back(e.with ? raw(e.with->node) : 0);
    return true;
  }
  size_t most = 1000;
  std::vector<std::string> names;
  std::vector<uint64_t> nodes;
};

TEST_F(FuseHostTest, ListsBlockByBlockWithoutNamesThatCannotBe) {
  serve([](const InHeader& h, std::string_view body) -> Daemon::Answer {
    EXPECT_EQ(h.opcode, static_cast<uint32_t>(Opcode::Readdirplus));
    ReadIn in{};
    memcpy(&in, body.data(), sizeof in);
    std::string block(4096, '\0');
    DirentWriter writer(std::as_writable_bytes(std::span(block)));
    if (in.offset == 0) {
      writer.add_plus({}, 1, 1, 4, ".");
      writer.add_plus(an_entry(7), 7, 2, 8, "a");
      block.resize(writer.size());
      // "x/y", which the writer refuses.
      std::string bad = Daemon::text_of_struct(an_entry(8)) + Daemon::text_of_struct(Dirent{8, 3, 3, 8}) + "x/y";
      bad.resize((bad.size() + 7) / 8 * 8);
      return {0, block + bad};
    }
    if (in.offset == 3) {
      writer.add_plus(an_entry(9), 9, 4, 8, "b");
      block.resize(writer.size());
      return {0, block + "cut off"};
    }
    return {0, {}};
  });
  Names all;
  op::ReadDir a;
  a.node = NodeId::root;
  a.with_attr = true;
  a.sink = &all;
  ASSERT_TRUE(call_and_wait(*host, a));
  EXPECT_EQ(all.names, (std::vector<std::string>{".", "a", "b"}));
  EXPECT_EQ(all.nodes, (std::vector<uint64_t>{0, 7, 9}));
  Names few;
  few.most = 2;
  a.sink = &few;
  ASSERT_TRUE(call_and_wait(*host, a));
  EXPECT_EQ(few.names.size(), 2u);
}

TEST_F(FuseHostTest, WhatIsNotImplementedIsNotAskedAgain) {
  std::atomic<int> asked{0};
  serve([&](auto&, auto) -> Daemon::Answer {
    ++asked;
    return {ENOSYS, {}};
  });
  op::Fsync a;
  a.node = NodeId{7};
  for (int i = 0; i < 3; i++) EXPECT_TRUE(call_and_wait(*host, a));
  EXPECT_EQ(asked, 1);
}

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

TEST_F(FuseHostTest, InterruptsWhatIsNotWantedAnyMore) {
  std::atomic<uint64_t> slow{0};
  std::atomic<int> interrupts{0};
  serve([&](const InHeader& h, std::string_view body) -> Daemon::Answer {
    if (h.opcode == static_cast<uint32_t>(Opcode::Interrupt)) {
      InterruptIn in{};
      memcpy(&in, body.data(), sizeof in);
      EXPECT_EQ(in.unique, slow);
      EXPECT_EQ(h.unique, in.unique | 1);
      if (++interrupts < 3) return {EAGAIN, {}};
      daemon->answer(in.unique, {EINTR, {}});
      return {.error = 0, .body = {}, .say_nothing = true};
    }
    if (body != std::string_view("slow\0", 5)) return {ENOENT, {}};
    slow = h.unique;
    return {.error = 0, .body = {}, .say_nothing = true};
  });
  Stoppable asked(*host);
  while (slow == 0) std::this_thread::yield();
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
  EXPECT_EQ(call_and_wait(*host, op::Lookup{{}, NodeId::root, "slow"}, ctx).code(), EINTR);
  EXPECT_EQ(interrupts, 4);
}

TEST_F(FuseHostTest, InterruptsADaemonSoOftenAndNoMore) {
  std::atomic<uint64_t> slow{0};
  std::atomic<int> interrupts{0}, error{EAGAIN};
  serve([&](const InHeader& h, std::string_view body) -> Daemon::Answer {
    if (h.opcode == static_cast<uint32_t>(Opcode::Interrupt)) {
      ++interrupts;
      return {error, {}};
    }
    const bool last = body == std::string_view("last\0", 5);
    if (body == std::string_view("slow\0", 5))
      slow = h.unique;
    else if (last)
      daemon->answer(slow, {ENOENT, {}});
    return {.error = ENOENT, .body = {}, .say_nothing = !last};
  });
  {
    Stoppable asked(*host);
    while (slow == 0) std::this_thread::yield();
    asked.cancel.request();
    while (interrupts < 16) std::this_thread::yield();
    EXPECT_EQ(look("last").code(), ENOENT);
    EXPECT_EQ(asked.code(), ENOENT);
    EXPECT_EQ(interrupts, 16);
  }
  // One that does not know them hears of no more.
  error = ENOSYS;
  for (int i = 0; i < 2; i++) {
    slow = 0;
    Stoppable asked(*host);
    while (slow == 0) std::this_thread::yield();
    asked.cancel.request();
    while (interrupts < 17) std::this_thread::yield();
    EXPECT_EQ(look("last").code(), ENOENT);
    EXPECT_EQ(look("last").code(), ENOENT);
    EXPECT_EQ(asked.code(), ENOENT);
  }
  EXPECT_EQ(interrupts, 17);
}

TEST_F(FuseHostTest, TheEndOfTheDaemonAnswersAll) {
  std::atomic<int> ended{0};
  daemon = std::make_unique<Daemon>(
      [](auto&, auto) -> Daemon::Answer { return {.error = 0, .body = {}, .say_nothing = true}; });
  Options options;
  options.ended = [&] { ++ended; };
  auto made = FuseHost::connect(daemon->device(), std::move(options), [] { return false; });
  ASSERT_TRUE(made);
  host = std::move(*made);
  ASSERT_TRUE(host->start(up));
  std::thread waits([&] { EXPECT_EQ(look("a").code(), ENOTCONN); });
  daemon->hang_up();
  waits.join();
  EXPECT_EQ(look("b").code(), ENOTCONN);
  // Said by a thread that may have answered us first.
  for (int i = 0; i < 1000 && ended == 0; i++) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  host->stop();
  EXPECT_EQ(ended, 1);
}

}  // namespace
}  // namespace isthmus::fuse_host
