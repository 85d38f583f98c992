/// What a daemon tells unasked, at any time.
#include "providers/fuse_host/test_daemon.h"

namespace isthmus::fuse_host {
namespace {

using namespace wire::fuse;

class FuseHostNews : public HostTest {
 protected:
  void serve_two() {
    serve([](const Asked& a) -> Answer {
      if (a.opcode() != Opcode::Lookup) return {.error = ENOSYS};
      return a.name() == "d" ? answer_of(an_entry(70, S_IFDIR | 0755)) : answer_of(an_entry(77));
    });
    dir = node("d");
    file = node("f");
  }
  static std::string entry_news(uint64_t parent, std::string_view name, uint32_t flags = 0) {
    return text_of_struct(NotifyInvalEntryOut{parent, static_cast<uint32_t>(name.size()), flags}) + std::string(name) +
           '\0';
  }
  static std::string delete_news(uint64_t parent, uint64_t child, std::string_view name) {
    return text_of_struct(NotifyDeleteOut{parent, child, static_cast<uint32_t>(name.size()), 0}) + std::string(name) +
           '\0';
  }
  /// All that was told is heard.
  std::vector<std::string> told() {
    daemon.tell(NotifyCode::IncEpoch, "");
    EXPECT_TRUE(soon([&] { return up.heard("all"); }));
    std::lock_guard lock(up.m);
    EXPECT_EQ(up.lines.back(), "all");
    up.lines.pop_back();
    return std::exchange(up.lines, {});
  }
  using Lines = std::vector<std::string>;
  NodeId dir{}, file{};
};

TEST_F(FuseHostNews, BecomesUpcalls) {
  serve_two();
  const uint64_t d = raw(dir), f = raw(file);
  daemon.tell(NotifyCode::InvalInode, text_of_struct(NotifyInvalInodeOut{77, -1, 0}));
  daemon.tell(NotifyCode::InvalInode, text_of_struct(NotifyInvalInodeOut{77, 10, 20}));
  daemon.tell(NotifyCode::InvalInode, text_of_struct(NotifyInvalInodeOut{77, 0, -5}));
  daemon.tell(NotifyCode::InvalEntry, entry_news(1, "x"));
  daemon.tell(NotifyCode::InvalEntry, entry_news(70, "y", kExpireOnly));
  daemon.tell(NotifyCode::Delete, delete_news(70, 77, "z"));
  daemon.tell(NotifyCode::Store, text_of_struct(NotifyStoreOut{77, 5, 4, 0}) + "data");
  EXPECT_EQ(told(), (Lines{fmt::format("attr {}", f), fmt::format("node {} 10 20", f), fmt::format("node {} 0 0", f),
                           "entry 1 x", "attr 1", fmt::format("entry {} y", d), fmt::format("attr {}", d),
                           fmt::format("deleted {} {} z", d, f), fmt::format("attr {}", d), fmt::format("attr {}", f),
                           fmt::format("store {} 5 data", f)}));
  EXPECT_EQ(host->refused(), 0u);
}

// Of what nobody has: right, and nothing happens. A child that is not known leaves the name.
TEST_F(FuseHostNews, OfUnknownNodesMeansNothing) {
  serve_two();
  daemon.tell(NotifyCode::InvalInode, text_of_struct(NotifyInvalInodeOut{999, 0, 0}));
  daemon.tell(NotifyCode::InvalEntry, entry_news(999, "x"));
  daemon.tell(NotifyCode::Delete, delete_news(999, 77, "x"));
  daemon.tell(NotifyCode::Store, text_of_struct(NotifyStoreOut{999, 0, 0, 0}));
  daemon.tell(NotifyCode::Retrieve, text_of_struct(NotifyRetrieveOut{5, 999, 0, 10, 0}));
  EXPECT_EQ(told(), Lines{});
  daemon.tell(NotifyCode::Delete, delete_news(70, 999, "x"));
  EXPECT_EQ(told(), (Lines{fmt::format("entry {} x", raw(dir)), fmt::format("attr {}", raw(dir))}));
  EXPECT_EQ(host->refused(), 0u);
  EXPECT_EQ(daemon.count(Opcode::NotifyReply), 0u);
}

// Lengths that are not those of the struct, names that cannot be, data that is not there, codes that nobody knows.
TEST_F(FuseHostNews, ThatMakesNoSenseIsRefused) {
  serve_two();
  const std::string inode = text_of_struct(NotifyInvalInodeOut{77, -1, 0});
  std::vector<std::pair<NotifyCode, std::string>> bad = {
      {NotifyCode::InvalInode, inode + "x"},
      {NotifyCode::InvalInode, inode.substr(1)},
      {NotifyCode::Poll, "1234"},
      {NotifyCode::InvalEntry, ""},
      {NotifyCode::InvalEntry, entry_news(1, "a/b")},
      {NotifyCode::InvalEntry, entry_news(1, "")},
      {NotifyCode::InvalEntry, entry_news(1, std::string(2000, 'x'))},
      {NotifyCode::InvalEntry, entry_news(1, "name").substr(0, sizeof(NotifyInvalEntryOut) + 4)},
      {NotifyCode::InvalEntry, entry_news(1, "name") + "more"},
      {NotifyCode::InvalEntry, text_of_struct(NotifyInvalEntryOut{1, UINT32_MAX, 0}) + "name"},
      {NotifyCode::Delete, delete_news(1, 77, "name").substr(0, 26)},
      {NotifyCode::Store, text_of_struct(NotifyStoreOut{77, 0, 5, 0}) + "four"},
      {NotifyCode::Store, text_of_struct(NotifyStoreOut{77, UINT64_MAX, 4, 0}) + "four"},
      {NotifyCode::Retrieve, "short"},
      {NotifyCode::Resend, "x"},
      {NotifyCode::IncEpoch, "x"},
      {NotifyCode::Prune, text_of_struct(NotifyPruneOut{2, 0, 0}) + text_of_struct(uint64_t{77})},
      {NotifyCode::Prune, text_of_struct(NotifyPruneOut{UINT32_MAX, 0, 0})},
      {static_cast<NotifyCode>(0), ""},
      {static_cast<NotifyCode>(10), ""},
      {static_cast<NotifyCode>(-5), ""},
  };
  for (auto& [code, body] : bad) daemon.tell(code, body);
  EXPECT_EQ(told(), Lines{});
  EXPECT_EQ(host->refused(), bad.size());
  EXPECT_TRUE(look("f")) << "the session lives";
}

// Nodes that nobody uses are held by their names.
TEST_F(FuseHostNews, WantsToForgetNodes) {
  serve_two();
  daemon.tell(NotifyCode::Prune, text_of_struct(NotifyPruneOut{1, 0, 0}) + text_of_struct(uint64_t{999}));
  daemon.tell(NotifyCode::InvalInode, text_of_struct(NotifyInvalInodeOut{77, -1, 0}));
  EXPECT_TRUE(soon([&] { return !up.all().empty(); }));
  EXPECT_EQ(up.all().size(), 1u) << "nobody has it";
  daemon.tell(NotifyCode::Prune,
              text_of_struct(NotifyPruneOut{2, 0, 0}) + text_of_struct(uint64_t{999}) + text_of_struct(uint64_t{77}));
  EXPECT_TRUE(soon([&] { return up.all().size() == 2; }));
  EXPECT_EQ(up.all()[1], "entry 1 f") << "its name, and no other";
  // With two names nobody knows which one a cache has.
  EXPECT_TRUE(look("another name of it"));
  daemon.tell(NotifyCode::Prune, text_of_struct(NotifyPruneOut{1, 0, 0}) + text_of_struct(uint64_t{77}));
  EXPECT_TRUE(soon([&] { return up.heard("all"); }));
}

// RETRIEVE is answered by NOTIFY_REPLY with the daemon's number: what a door has, or nothing.
TEST_F(FuseHostNews, IsAskedForWhatDoorsHave) {
  serve_two();
  daemon.tell(NotifyCode::Retrieve, text_of_struct(NotifyRetrieveOut{123, 77, 40, 5, 0}));
  EXPECT_TRUE(soon([&] { return daemon.count(Opcode::NotifyReply) == 1; }));
  Asked a = daemon.asked(Opcode::NotifyReply)[0];
  EXPECT_EQ(a.header.unique, 123u);
  EXPECT_EQ(a.header.nodeid, 77u);
  EXPECT_EQ(a.in<NotifyRetrieveIn>().size, 0u);
  EXPECT_EQ(a.in<NotifyRetrieveIn>().offset, 40u);
  up.cache = "cached data";
  daemon.tell(NotifyCode::Retrieve, text_of_struct(NotifyRetrieveOut{124, 77, 0, 6, 0}));
  EXPECT_TRUE(soon([&] { return daemon.count(Opcode::NotifyReply) == 2; }));
  a = daemon.asked(Opcode::NotifyReply)[1];
  EXPECT_EQ(a.header.unique, 124u);
  EXPECT_EQ(a.in<NotifyRetrieveIn>().size, 6u);
  EXPECT_EQ(a.body.substr(sizeof(NotifyRetrieveIn)), "cached");
}

// RESEND: what was not answered comes again, marked; its answer counts with and without the mark, once.
TEST_F(FuseHostNews, HasRequestsSentAgain) {
  daemon.agree_on(kInitHasResend);
  serve([&](const Asked& a) -> Answer {
    if (a.opcode() != Opcode::Lookup) return {.error = ENOSYS};
    if (a.name() == "f") return answer_of(an_entry(77));
    if (!(a.header.unique & kUniqueResend)) return kSilence;
    if (a.name() == "marked") return {.error = ENOTDIR};
    daemon.answer(a.header.unique & ~kUniqueResend, {.error = EISDIR});
    return {.error = ENOENT};
  });
  EXPECT_TRUE(look("f"));
  std::thread marked([&] { EXPECT_EQ(look("marked").code(), ENOTDIR); });
  std::thread unmarked([&] { EXPECT_EQ(look("unmarked").code(), EISDIR); });
  EXPECT_TRUE(soon([&] { return daemon.count(Opcode::Lookup) == 3; }));
  daemon.tell(NotifyCode::Resend, "");
  marked.join();
  unmarked.join();
  EXPECT_EQ(daemon.count(Opcode::Lookup), 5u) << "what was answered does not come again";
}

TEST_F(FuseHostNews, NotWithoutHavingAgreed) {
  serve_two();
  daemon.tell(NotifyCode::Resend, "");
  EXPECT_EQ(told(), Lines{});
  EXPECT_EQ(daemon.count(Opcode::Lookup), 2u);
}

// From a worker that holds a lock of its own until its request is through: hearing news waits for no answer, and
// answers wait for no news.
TEST_F(FuseHostNews, WaitsForNobody) {
  serve([&](const Asked& a) -> Answer {
    for (int i = 0; i < 100; i++) daemon.tell(NotifyCode::InvalInode, text_of_struct(NotifyInvalInodeOut{1, 0, 0}));
    return a.opcode() == Opcode::Lookup ? answer_of(an_entry(77)) : Answer{.error = ENOSYS};
  });
  std::lock_guard held(up.m);  // a door that is busy
  for (int i = 0; i < 20; i++) EXPECT_TRUE(look("f"));
}

}  // namespace
}  // namespace isthmus::fuse_host
