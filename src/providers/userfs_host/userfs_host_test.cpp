#include <fcntl.h>
#include <gmock/gmock.h>

#include "providers/userfs_host/test_peer.h"

namespace isthmus::userfs_host {
namespace {

using testing::HasSubstr;

std::string entry_reply(const Header& h, uint32_t handle, packets::Attr attr = test_attr()) {
  packets::EntryReply r;
  r.entry.handle = handle;
  r.entry.attr = attr;
  return reply_to(h, encode(r));
}

/// Knows one file, "file", whose handle is 2.
std::string knows_one_file(const TestPeer::Asked& a) {
  if (a.header.op == Opcode::lookup)
    return a.as<packets::NameRequest>().name.text == "file" ? entry_reply(a.header, 2) : reply_to(a.header, "", ENOENT);
  if (a.header.op == Opcode::iread) return reply_to(a.header, encode(packets::AttrReply{test_attr(), 0}));
  if (a.header.op == Opcode::open || a.header.op == Opcode::opendir)
    return reply_to(a.header, encode(packets::Opened{5, 0}));
  if (a.header.op == Opcode::read) return reply_to(a.header, encode(packets::DataReply{as_bytes("abc")}));
  return reply_to(a.header, "");
}

std::string read_text(Mounted& m, NodeId node, HandleId handle = HandleId::none) {
  op::Read r;
  r.node = node;
  r.handle = handle;
  r.size = 3;
  auto b = m.call(r);
  EXPECT_TRUE(b) << (b ? "" : text_of(b.error()));
  std::string text(3, '?');
  if (b) static_cast<void>(b->copy_to(std::as_writable_bytes(std::span(text))));
  return text;
}

TEST(Mount, AsksInTheOrderOfThePaper) {
  TestPeer peer({Opcode::lookup, Opcode::read}, knows_one_file);
  Mounted m(peer);
  EXPECT_TRUE(m.host->capabilities().has(Op::Lookup));
  EXPECT_FALSE(m.host->capabilities().has(Op::Write));
  EXPECT_FALSE(m.host->capabilities().has(Op::ReadDir));
  auto e = m.lookup("file");
  ASSERT_TRUE(e);
  EXPECT_EQ(read_text(m, e->node), "abc");
  EXPECT_EQ(m.lookup("none").code(), ENOENT);
  EXPECT_EQ(m.lookup(std::string(256, 'x')).code(), ENAMETOOLONG);
  // What it does not support has its default and is not asked.
  EXPECT_TRUE(m.call(op::Fsync{{}, e->node}));
  EXPECT_EQ(m.call(op::GetXattr{{}, e->node, "user.x"}).code(), ENOSYS);
  EXPECT_EQ(peer.count(Opcode::fsync) + peer.count(Opcode::getxattr), 0u);
}

std::string connect_fails(Options options) {
  auto made = UserfsHost::connect(std::move(options), nullptr);
  EXPECT_FALSE(made);
  return made ? "" : made.problem().what;
}

TEST(Mount, HalfOfItIsNone) {
  {
    TestPeer peer({}, nullptr);
    peer.silent = true;
    Options o = peer.options();
    o.mount_timeout_ms = 200;
    EXPECT_THAT(connect_fails(std::move(o)), HasSubstr("does not answer"));
  }
  {
    TestPeer peer({}, nullptr);
    peer.mount_error = EACCES;
    EXPECT_THAT(connect_fails(peer.options()), HasSubstr("Permission denied"));
  }
  {
    TestPeer peer({}, nullptr);
    peer.version = 9;
    EXPECT_THAT(connect_fails(peer.options()), HasSubstr("speaks version 9"));
  }
  {
    TestPeer peer({}, nullptr);
    peer.root_mode = 0755;  // no type
    EXPECT_THAT(connect_fails(peer.options()), HasSubstr("does not know its own root"));
  }
  {
    TestPeer peer({}, nullptr);
    Options o = peer.options();
    o.open = [&peer]() -> Expected<Peer> {
      Peer p = peer.open();
      peer.send("Segmentation fault, and other words that are no packet");
      return p;
    };
    EXPECT_THAT(connect_fails(std::move(o)), HasSubstr("is not userfs"));
  }
  {
    TestPeer peer({}, nullptr);
    Options o = peer.options();
    o.open = [&peer]() -> Expected<Peer> {
      Peer p = peer.open();
      peer.hang_up();
      return p;
    };
    EXPECT_THAT(connect_fails(std::move(o)), HasSubstr("has ended before it served"));
  }
}

TEST(Requests, AreManyAtATimeAndAnsweredInAnyOrder) {
  TestPeer peer({Opcode::lookup}, nullptr);
  Mounted m(peer);
  std::vector<std::unique_ptr<Later<op::Lookup>>> all;
  for (int i = 0; i < 100; i++)
    all.push_back(std::make_unique<Later<op::Lookup>>(*m.host, op::Lookup{{}, NodeId::root, "file"}));
  std::vector<Header> headers;
  for (int i = 0; i < 100; i++) headers.push_back(peer.wait_for(Opcode::lookup).header);
  std::set<uint32_t> numbers;
  for (auto& h : headers) numbers.insert(h.sequence);
  EXPECT_EQ(numbers.size(), 100u);
  for (size_t i = headers.size(); i-- > 0;) peer.send(entry_reply(headers[i], 2));
  for (auto& l : all) EXPECT_EQ(l->wait(), 0);
}

TEST(Requests, AnsweredByEnosysAreNotSentAgain) {
  TestPeer peer({Opcode::lookup, Opcode::flush, Opcode::getxattr}, [](const TestPeer::Asked& a) {
    return a.header.op == Opcode::lookup ? entry_reply(a.header, 2) : reply_to(a.header, "", ENOSYS);
  });
  Mounted m(peer);
  auto e = m.lookup("file");
  ASSERT_TRUE(e);
  for (int i = 0; i < 3; i++) {
    EXPECT_TRUE(m.call(op::Flush{{}, e->node}));
    EXPECT_EQ(m.call(op::GetXattr{{}, e->node, "user.x"}).code(), ENOSYS);
  }
  EXPECT_EQ(peer.count(Opcode::flush), 1u);
  EXPECT_EQ(peer.count(Opcode::getxattr), 1u);
}

/// Whoever waits hears EIO at once, and so does whoever comes; stopping works.
void ends_by(const std::function<void(TestPeer&, const Header&)>& how) {
  TestPeer peer({Opcode::lookup, Opcode::umount}, nullptr);
  Mounted m(peer);
  Later<op::Lookup> first(*m.host, {{}, NodeId::root, "a"}), second(*m.host, {{}, NodeId::root, "b"});
  const Header h = peer.wait_for(Opcode::lookup).header;
  how(peer, h);
  EXPECT_EQ(first.wait(), EIO);
  EXPECT_EQ(second.wait(), EIO);
  EXPECT_EQ(m.lookup("c").code(), EIO);
  EXPECT_EQ(m.call(op::Getattr{{}, NodeId::root}).code(), EIO);
}

TEST(Death, ByTheEndOfTheProcess) {
  ends_by([](TestPeer& peer, const Header&) { peer.hang_up(); });
}
TEST(Death, ByWordsThatAreNoPacket) {
  ends_by([](TestPeer& peer, const Header&) { peer.send("hello, this is not a packet at all"); });
}
TEST(Death, ByAPartOfAPacket) {
  ends_by([](TestPeer& peer, const Header& h) {
    peer.send(entry_reply(h, 2).substr(0, 40));
    peer.hang_up();
  });
}
TEST(Death, ByAnotherVersion) {
  ends_by([](TestPeer& peer, const Header& h) { peer.send(reply_to(h, "", 0, 2)); });
}
TEST(Death, ByARequestInsteadOfAReply) {
  ends_by([](TestPeer& peer, const Header& h) {
    std::string to;
    wire::userfs::append_header(to, {.sequence = h.sequence, .op = h.op, .type = PacketType::request});
    peer.send(to + std::string(4, '\0'));
  });
}
TEST(Death, ByAnAnswerToNothing) {
  ends_by([](TestPeer& peer, Header h) {
    h.sequence += 1000;
    peer.send(reply_to(h, ""));
  });
}
TEST(Death, ByAnswerOfAnotherOperation) {
  ends_by([](TestPeer& peer, Header h) {
    h.op = Opcode::read;
    peer.send(reply_to(h, encode(packets::DataReply{})));
  });
}
TEST(Death, ByASizeAboveTheLimit) {
  ends_by([](TestPeer& peer, const Header& h) {
    std::string to;
    wire::userfs::append_header(to,
                                {.sequence = h.sequence, .op = h.op, .type = PacketType::reply, .size = 0x7fffffff});
    peer.send(to);
  });
}
TEST(Death, ByAnErrorWithABody) {
  ends_by([](TestPeer& peer, const Header& h) { peer.send(reply_to(h, "body", ENOENT)); });
}
TEST(Death, ByAnErrorThatIsNone) {
  ends_by([](TestPeer& peer, const Header& h) { peer.send(reply_to(h, "", 5000)); });
}

TEST(Answers, OfAnotherLengthAreOneCallsError) {
  TestPeer peer({Opcode::lookup, Opcode::mkdir}, [](const TestPeer::Asked& a) {
    const bool longer = a.header.op == Opcode::mkdir;
    const std::string good = entry_reply(a.header, 2).substr(wire::userfs::kReplyHeader);
    if (a.header.op == Opcode::lookup && a.as<packets::NameRequest>().name.text == "good")
      return entry_reply(a.header, 2);
    return reply_to(a.header, longer ? good + "x" : good.substr(0, good.size() - 1));
  });
  Mounted m(peer);
  EXPECT_EQ(m.lookup("short").code(), EIO);
  EXPECT_EQ(m.call(op::Mkdir{{}, NodeId::root, "long", 0755}).code(), EIO);
  EXPECT_TRUE(m.lookup("good"));
  EXPECT_EQ(m.host->mistakes().bad_answers, 2u);
}

TEST(Answers, ThatCannotBeAreErrors) {
  packets::Attr attr = test_attr();
  std::string data(200, 'x');
  TestPeer peer({Opcode::lookup, Opcode::read, Opcode::write, Opcode::readlink}, [&](const TestPeer::Asked& a) {
    switch (a.header.op) {
      case Opcode::lookup:
        return entry_reply(a.header, 2, attr);
      case Opcode::read:
        return reply_to(a.header, encode(packets::DataReply{as_bytes(data)}));
      case Opcode::write:
        return reply_to(a.header, encode(packets::CountReply{1000}));
      default:
        return reply_to(a.header, encode(packets::TextReply{std::string_view("a\0b", 3)}));
    }
  });
  Mounted m(peer);
  attr.mode = 0644;
  EXPECT_EQ(m.lookup("no type").code(), EIO);
  attr = test_attr();
  attr.size = uint64_t{1} << 63;
  EXPECT_EQ(m.lookup("too large").code(), EIO);
  attr = test_attr();
  auto e = m.lookup("file");
  ASSERT_TRUE(e);
  op::Read r;
  r.node = e->node;
  r.size = 100;
  EXPECT_EQ(m.call(r).code(), EIO);
  const Buffer ten = Buffer::view(as_bytes("0123456789"));
  op::Write w;
  w.node = e->node;
  w.data = &ten;
  EXPECT_EQ(m.call(w).code(), EIO);
  EXPECT_EQ(m.call(op::Readlink{{}, e->node}).code(), EIO);
}

TEST(Answers, WithoutLinksHaveOneAndAreCounted) {
  packets::Attr attr = test_attr();
  attr.nlink = 0;
  TestPeer peer({Opcode::lookup}, [&](const TestPeer::Asked& a) { return entry_reply(a.header, 2, attr); });
  Mounted m(peer);
  auto e = m.lookup("file");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->attr.nlink, 1u);
  EXPECT_EQ(m.host->mistakes().no_links, 1u);
}

TEST(Answers, WithNamesThatAreNoneLoseThem) {
  const std::string long_name(256, 'x');
  TestPeer peer({Opcode::readdir}, [&](const TestPeer::Asked& a) {
    packets::ReaddirReply r;
    if (a.as<packets::ReaddirRequest>().offset == 0) {
      uint64_t next = 0;
      for (std::string_view name : {std::string_view("good"), std::string_view("a/b"), std::string_view("n\0l", 3),
                                    std::string_view(""), std::string_view(long_name), std::string_view("also")})
        r.entries.push_back({7, ++next, 8, name});
    }
    return reply_to(a.header, encode(r));
  });
  Mounted m(peer);
  struct Sink final : DirSink {
    bool add(const DirEntry& e) override {
      names.emplace_back(e.name);
      return true;
    }
    std::vector<std::string> names;
  } sink;
  op::ReadDir a;
  a.node = NodeId::root;
  a.sink = &sink;
  EXPECT_TRUE(m.call(a));
  EXPECT_THAT(sink.names, testing::ElementsAre("good", "also"));
  EXPECT_EQ(m.host->mistakes().bad_names, 4u);
}

TEST(Listing, ThatGoesInCirclesEnds) {
  TestPeer peer({Opcode::readdir}, [&](const TestPeer::Asked& a) {
    packets::ReaddirReply r;
    r.entries.push_back({7, 0, 8, "name"});  // a cookie that would begin anew
    return reply_to(a.header, encode(r));
  });
  Mounted m(peer);
  struct Sink final : DirSink {
    bool add(const DirEntry&) override { return true; }
  } sink;
  op::ReadDir a;
  a.node = NodeId::root;
  a.sink = &sink;
  EXPECT_EQ(m.call(a).code(), EIO);
}

TEST(Waiting, EndsByATimeOutAndTheLateAnswerIsUndone) {
  TestPeer peer({Opcode::lookup, Opcode::iput, Opcode::open, Opcode::close}, nullptr);
  Options o = peer.options();
  o.timeout_ms = 100;
  Mounted m(peer, std::move(o));
  Later<op::Lookup> look(*m.host, {{}, NodeId::root, "file"});
  const auto asked = peer.wait_for(Opcode::lookup);
  EXPECT_EQ(look.wait(), ETIMEDOUT);
  peer.send(entry_reply(asked.header, 9));
  const auto given = peer.wait_for(Opcode::iput).as<packets::IputRequest>();
  ASSERT_EQ(given.given.size(), 1u);
  EXPECT_EQ(given.given[0].handle, 9u);
  op::Open open;
  open.node = NodeId::root;
  Later<op::Open> opening(*m.host, open);
  const auto opened = peer.wait_for(Opcode::open);
  EXPECT_EQ(opening.wait(), ETIMEDOUT);
  peer.send(reply_to(opened.header, encode(packets::Opened{77, 0})));
  EXPECT_EQ(peer.wait_for(Opcode::close).as<packets::CloseRequest>().fh, 77u);
}

TEST(Waiting, IsInterruptedByTellingTheProcess) {
  TestPeer peer({Opcode::lookup, Opcode::interrupt}, [](const TestPeer::Asked& a) {
    return a.header.op == Opcode::interrupt ? reply_to(a.header, "") : std::string();
  });
  Mounted m(peer);
  Cancel cancel;
  Later<op::Lookup> look(*m.host, {{}, NodeId::root, "file"}, &cancel);
  const auto asked = peer.wait_for(Opcode::lookup);
  cancel.request();
  EXPECT_EQ(peer.wait_for(Opcode::interrupt).as<packets::InterruptRequest>().sequence, asked.header.sequence);
  EXPECT_FALSE(look.done());
  peer.send(reply_to(asked.header, "", EINTR));
  EXPECT_EQ(look.wait(), EINTR);
}

TEST(Waiting, ForAProcessThatReadsNothingDoesNotKeepItMounted) {
  TestPeer peer({Opcode::lookup, Opcode::write}, nullptr);
  Mounted m(peer);
  peer.deaf = true;
  const std::string data(1 << 20, 'x');
  const Buffer buffer = Buffer::view(as_bytes(data));
  op::Write w;
  w.node = NodeId::root;
  w.data = &buffer;
  std::vector<std::unique_ptr<Later<op::Write>>> all;
  for (int i = 0; i < 8; i++) all.push_back(std::make_unique<Later<op::Write>>(*m.host, w));
  m.host->stop();
  for (auto& l : all) EXPECT_EQ(l->wait(), EIO);
}

TEST(Forgetting, GivesHandlesBackTogether) {
  TestPeer peer({Opcode::lookup, Opcode::iput}, [](const TestPeer::Asked& a) {
    return a.header.op == Opcode::lookup ? entry_reply(a.header, 2) : std::string();
  });
  Mounted m(peer);
  auto e = m.lookup("file");
  ASSERT_TRUE(e);
  EXPECT_TRUE(m.call(op::Forget{{}, e->node, 1}));
  const auto first = peer.wait_for(Opcode::iput);
  // Not answered yet: the next ones wait, and go together.
  for (int i = 0; i < 3; i++) EXPECT_TRUE(m.call(op::Forget{{}, e->node, 2}));
  EXPECT_EQ(peer.count(Opcode::iput), 1u);
  peer.send(reply_to(first.header, ""));
  EXPECT_EQ(peer.wait_for(Opcode::iput).as<packets::IputRequest>().given.size(), 3u);
}

TEST(Forgetting, WaitsForMoreButNotForLong) {
  TestPeer peer({Opcode::lookup, Opcode::iput}, [](const TestPeer::Asked& a) {
    return a.header.op == Opcode::lookup ? entry_reply(a.header, 2) : reply_to(a.header, "");
  });
  Mounted m(peer);
  auto e = m.lookup("file");
  ASSERT_TRUE(e);
  for (int i = 0; i < 640; i++) EXPECT_TRUE(m.call(op::Forget{{}, e->node, 1}));
  size_t given = 0, asked = 0;
  for (; given < 640; asked++) given += peer.wait_for(Opcode::iput).as<packets::IputRequest>().given.size();
  EXPECT_EQ(given, 640u);
  EXPECT_LE(asked, 11u);
  EXPECT_TRUE(m.call(op::Forget{{}, e->node, 1}));
  EXPECT_EQ(peer.wait_for(Opcode::iput).as<packets::IputRequest>().given.size(), 1u) << "alone, after a moment";
}

TEST(Capabilities, OfANewFileAreKnown) {
  TestPeer peer({Opcode::create, Opcode::getxattr, Opcode::setxattr}, [](const TestPeer::Asked& a) {
    if (a.header.op != Opcode::create) return reply_to(a.header, "", ENODATA);
    packets::CreateReply made;
    made.entry.handle = 2;
    made.entry.attr.mode = 0100644;
    made.entry.attr.nlink = 1;
    made.opened.fh = 5;
    return reply_to(a.header, encode(made));
  });
  Mounted m(peer);
  op::Create c;
  c.dir = NodeId::root;
  c.name = "file";
  auto made = m.call(c);
  ASSERT_TRUE(made);
  const op::GetXattr get{{}, made->entry.node, "security.capability"};
  EXPECT_EQ(m.call(get).code(), ENODATA);
  EXPECT_EQ(peer.count(Opcode::getxattr), 0u) << "before the first byte is written kernels ask";
  EXPECT_EQ(m.call(op::GetXattr{{}, made->entry.node, "user.other"}).code(), ENODATA);
  EXPECT_EQ(m.call(get).code(), ENODATA);
  EXPECT_EQ(peer.count(Opcode::getxattr), 2u) << "once, and nothing but that";
  made = m.call(c);
  ASSERT_TRUE(made);
  (void)m.call(op::SetXattr{{}, made->entry.node, "security.capability", as_bytes("x")});
  EXPECT_EQ(m.call(get).code(), ENODATA);
  EXPECT_EQ(peer.count(Opcode::getxattr), 3u) << "somebody has given it some";
}

TEST(News, AreAskedForAndPassedOn) {
  TestPeer peer({Opcode::lookup, Opcode::news}, nullptr);
  Mounted m(peer);
  const auto asked = peer.wait_for(Opcode::news);
  packets::NewsReply news;
  news.items.resize(4);
  for (size_t i = 0; i < 4; i++) {
    news.items[i].code = i == 3 ? 99 : 3;  // one that nobody knows
    news.items[i].handle = 1;
    news.items[i].name = i == 1 ? "bad/name" : "name";
  }
  peer.send(reply_to(asked.header, encode(news)));
  EXPECT_TRUE(m.news.wait_for("entry 1 name"));
  peer.wait_for(Opcode::news);  // and again
  EXPECT_EQ(m.host->mistakes().bad_names, 1u);
}

TEST(Restart, GoesOnWithHandlesThatLast) {
  TestPeer peer({Opcode::lookup, Opcode::read, Opcode::open, Opcode::close}, knows_one_file);
  peer.terms.flags = packets::kTermsHandlesLast;
  Options o = peer.options();
  o.restart = true;
  Mounted m(peer, std::move(o));
  auto e = m.lookup("file");
  ASSERT_TRUE(e);
  op::Open open;
  open.node = e->node;
  open.flags = O_RDWR | O_TRUNC;
  auto opened = m.call(open);
  ASSERT_TRUE(opened);
  EXPECT_EQ(read_text(m, e->node, opened->handle), "abc");
  peer.wait_for(Opcode::open);
  peer.die();
  EXPECT_TRUE(m.news.wait_for("all"));
  EXPECT_EQ(peer.opened, 2);
  EXPECT_EQ(read_text(m, e->node, opened->handle), "abc");
  // It was opened again, and not emptied by that.
  EXPECT_EQ(peer.wait_for(Opcode::open).as<packets::OpenRequest>().flags, static_cast<uint32_t>(O_RDWR));
  EXPECT_EQ(m.host->mistakes().restarts, 1u);
}

TEST(Restart, LeavesHandlesThatDoNotLastStale) {
  TestPeer peer({Opcode::lookup, Opcode::read, Opcode::open, Opcode::close}, knows_one_file);
  Options o = peer.options();
  o.restart = true;
  Mounted m(peer, std::move(o));
  auto e = m.lookup("file");
  ASSERT_TRUE(e);
  op::Open open;
  open.node = e->node;
  auto opened = m.call(open);
  ASSERT_TRUE(opened);
  peer.die();
  EXPECT_TRUE(m.news.wait_for("all"));
  op::Read r;
  r.node = e->node;
  r.handle = opened->handle;
  r.size = 3;
  EXPECT_EQ(m.call(r).code(), ESTALE);
  EXPECT_EQ(m.call(op::Getattr{{}, e->node}).code(), ESTALE);
  auto again = m.lookup("file");
  ASSERT_TRUE(again);
  EXPECT_NE(again->node, e->node);
  EXPECT_EQ(read_text(m, again->node), "abc");
}

TEST(Restart, InVainIsTheEnd) {
  TestPeer peer({Opcode::lookup}, nullptr);
  Options o = peer.options();
  o.restart = true;
  o.open = [&peer]() -> Expected<Peer> {
    if (peer.opened > 0) return Problem{err(ENOENT), "it is gone", ""};
    return peer.open();
  };
  Mounted m(peer, std::move(o));
  peer.die();
  // It waits for the restart, or comes too late for that.
  EXPECT_EQ(m.lookup("file").code(), EIO);
  EXPECT_EQ(m.lookup("file").code(), EIO);
}

}  // namespace
}  // namespace isthmus::userfs_host
