#include "vfs/call.h"

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <thread>

#include "vfs/decorator.h"
#include "vfs/test_fs.h"
#include "vfs/walk.h"

namespace isthmus {
namespace {

using testing::entry_of;
using testing::LogCatcher;

/// Makes every mistake that a provider can make; the name of the lookup says which.
struct BadFs final : Provider<BadFs> {
  std::optional<Call<op::Lookup>> kept;
  void lookup(Call<op::Lookup> c) {
    if (c->name == "dropped") return;
    if (c->name == "thrown") throw std::runtime_error("boom");
    if (c->name == "odd") throw 7;
    if (c->name == "kept") {
      kept.emplace(std::move(c));
      return;
    }
    if (c->name == "twice") {
      c.reply(entry_of(NodeId{9}));
      return c.reply(entry_of(NodeId{8}));
    }
    if (c->name == "parent") return c.reply(entry_of(c->dir));
    if (c->name == "root") return c.reply(entry_of(NodeId::root));
    if (c->name == "typeless") return c.reply(entry_of(NodeId{9}, 0644));
    if (c->name == "zero") return c.fail(0);
    if (c->name == "negative") return c.fail(-ENOENT);
    if (c->name == "huge") return c.fail(99999);
    if (c->name == "absent") return c.reply(Entry{});
    c.reply(entry_of(NodeId{9}));
  }
  Result<Entry> mkdir(const Context&, const op::Mkdir&) { return Entry{}; }
  Result<Attributes> getattr(const Context&, const op::Getattr& a) {
    if (a.node == NodeId{2}) throw std::bad_alloc();
    if (a.node == NodeId{3}) throw std::runtime_error("boom");
    return Attributes{};
  }
  Result<Buffer> read(const Context&, const op::Read& a) {
    return a.offset ? Buffer::filled(a.size) : Buffer::own("more than asked");
  }
  Result<size_t> write(const Context&, const op::Write& a) { return a.data->size() + 1; }
};

struct Mistakes : ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Mistakes, AreLoggedWithTheOperationAndAnsweredEio) {
  LogCatcher log;
  BadFs fs;
  auto [name, message] = GetParam();
  EXPECT_EQ(call_and_wait(fs, op::Lookup{{}, NodeId{5}, name}).code(), EIO);
  EXPECT_TRUE(log.has("lookup:")) << name;
  EXPECT_TRUE(log.has(message)) << name;
}

INSTANTIATE_TEST_SUITE_P(Lookup, Mistakes,
                         ::testing::Values(std::pair("dropped", "dropped without an answer"),
                                           std::pair("thrown", "boom"), std::pair("odd", "exception"),
                                           std::pair("parent", "its own parent"), std::pair("root", "its own parent"),
                                           std::pair("typeless", "no file type"), std::pair("zero", "error number"),
                                           std::pair("negative", "error number"), std::pair("huge", "error number")),
                         [](auto& i) { return std::string(i.param.first); });

TEST(Call, SecondAnswerIsIgnoredAndLogged) {
  LogCatcher log;
  BadFs fs;
  auto r = call_and_wait(fs, op::Lookup{{}, NodeId{5}, "twice"});
  ASSERT_TRUE(r);
  EXPECT_EQ(r->node, NodeId{9});
  EXPECT_TRUE(log.has("lookup: answered twice"));
}

TEST(Call, NegativeEntryIsFine) {
  BadFs fs;
  auto r = call_and_wait(fs, op::Lookup{{}, NodeId{5}, "absent"});
  ASSERT_TRUE(r);
  EXPECT_EQ(r->node, NodeId::none);
  LogCatcher log;
  EXPECT_EQ(call_and_wait(fs, op::Mkdir{{}, NodeId{5}, "x"}).code(), EIO) << "a new node must be one";
}

TEST(Call, ExceptionsOfPlainMethods) {
  LogCatcher log;
  BadFs fs;
  EXPECT_EQ(call_and_wait(fs, op::Getattr{{}, NodeId{2}}).code(), ENOMEM);
  EXPECT_EQ(call_and_wait(fs, op::Getattr{{}, NodeId{3}}).code(), EIO);
  EXPECT_TRUE(log.has("getattr: the file system threw"));
}

TEST(Call, TooManyBytes) {
  LogCatcher log;
  BadFs fs;
  op::Read r;
  r.size = 4;
  EXPECT_EQ(call_and_wait(fs, r).code(), EIO);
  r.offset = 1;
  EXPECT_EQ(call_and_wait(fs, r).code(), EIO) << "filled more than the buffer that was not even given";
  Buffer data = Buffer::own("abc");
  op::Write w;
  w.data = &data;
  EXPECT_EQ(call_and_wait(fs, w).code(), EIO);
}

TEST(Call, AnswerFromAnotherThreadLater) {
  BadFs fs;
  struct Ask final : Pending<op::Lookup> {
    std::atomic<int> answers{0};
    void answered(Result<Entry>&& r) noexcept override { answers += r.ok(); }
  } ask;
  ask.args = {{}, NodeId{5}, "kept"};
  fs.submit(ask);
  EXPECT_EQ(ask.answers, 0);
  std::thread([&] { fs.kept->reply(entry_of(NodeId{7})); }).join();
  EXPECT_EQ(ask.answers, 1);
  fs.kept.reset();
  EXPECT_EQ(ask.answers, 1);
}

TEST(Cancel, RunsOnceHereOrThere) {
  Cancel c;
  int ran = 0;
  c.on_request([&] { ran++; });
  c.request();
  c.request();
  EXPECT_EQ(ran, 1);
  c.on_request([&] { ran += 10; });
  EXPECT_EQ(ran, 11);
  c.reset();
  c.on_request([&] { ran++; });
  c.clear();
  c.request();
  EXPECT_EQ(ran, 11);
}

struct Shrinks final : Provider<Shrinks> {
  int asked = 0;
  void access(Call<op::Access> c) {
    asked++;
    drop_to_default(std::move(c));
  }
  Result<Attributes> getattr(const Context&, const op::Getattr& a) { return Attributes{testing::file_attr(a.node), 0}; }
};

TEST(Capabilities, ShrinkAndTheDefaultTakesOver) {
  Shrinks fs;
  EXPECT_TRUE(fs.capabilities().has(Op::Access));
  EXPECT_TRUE(call_and_wait(fs, op::Access{{}, NodeId{9}, 4}));
  EXPECT_FALSE(fs.capabilities().has(Op::Access));
  EXPECT_TRUE(call_and_wait(fs, op::Access{{}, NodeId{9}, 4}));
  EXPECT_EQ(fs.asked, 1);
  EXPECT_EQ(fs.counters().get(Op::Access), 2u);
}

struct Doubler final : Decorator<Doubler> {
  explicit Doubler(std::unique_ptr<FileSystem> i) : Decorator(std::move(i)) {}
  int seen = 0;
  template <class T>
  void around(Pending<T>& p) {
    watch(p, [this](const T&, const Context&, Result<typename T::Reply>& r) {
      seen++;
      if constexpr (T::id == Op::SeekHole)
        if (r) *r *= 2;
    });
  }
};

TEST(Decorator, SeesEveryOperationAndMayChangeAnswers) {
  auto flat = std::make_unique<testing::FlatFs>();
  uint64_t id = flat->put("f", "12345");
  auto caps = flat->capabilities();
  Doubler d(std::move(flat));
  EXPECT_EQ(d.capabilities().bits(), caps.bits());
  EXPECT_EQ(*call_and_wait(d, op::SeekHole{{}, NodeId{id}, {}, 1, SEEK_HOLE}), 10u);
  EXPECT_EQ(call_and_wait(d, op::Symlink{}).code(), ENOSYS);
  EXPECT_EQ(d.seen, 2);
}

/// Answers lookups at once or from another thread, in turns; every directory holds every name.
struct TurnsFs final : Provider<TurnsFs> {
  std::vector<std::thread> threads;
  std::atomic<uint64_t> turn{0};
  std::atomic<int64_t> lookups{0};
  ~TurnsFs() override { join(); }
  void join() {
    for (auto& t : threads)
      if (t.joinable()) t.join();
  }
  void lookup(Call<op::Lookup> c) {
    if (c->name == "missing") return c.fail(ENOENT);
    lookups++;
    Entry e = entry_of(c->name == "." ? c->dir : NodeId{raw(c->dir) + 1}, S_IFDIR | 0755);
    if (turn++ % 3) return c.reply(e);
    threads.emplace_back([c = std::move(c), e]() mutable { c.reply(e); });
  }
  Result<Unit> forget(const Context&, const op::Forget& a) {
    lookups -= static_cast<int64_t>(a.count);
    return Unit{};
  }
};

Result<Entry> walk(FileSystem& fs, std::vector<std::string> names) {
  std::mutex m;
  std::condition_variable cv;
  std::optional<Result<Entry>> got;
  Walk w(fs, NodeId::root, std::move(names), {}, [&](Result<Entry> r) {
    std::lock_guard lock(m);
    got.emplace(std::move(r));
    cv.notify_one();
  });
  w.run();
  std::unique_lock lock(m);
  cv.wait(lock, [&] { return got.has_value(); });
  return *got;
}

TEST(Walk, StepsAtOnceAndLaterAndGivesLookupsBack) {
  TurnsFs fs;
  auto r = walk(fs, std::vector<std::string>(300, "a"));
  fs.join();
  ASSERT_TRUE(r);
  EXPECT_EQ(r->node, NodeId{301});
  EXPECT_EQ(fs.lookups, 1);
  EXPECT_EQ(walk(fs, {"a", "missing", "b"}).code(), ENOENT);
  fs.join();
  EXPECT_EQ(fs.lookups, 1);
  auto self = walk(fs, {});
  fs.join();
  ASSERT_TRUE(self);
  EXPECT_EQ(self->node, NodeId::root);
}

}  // namespace
}  // namespace isthmus
