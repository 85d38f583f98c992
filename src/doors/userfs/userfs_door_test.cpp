#include "doors/userfs/userfs_door.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "fs/mem/mem_fs.h"
#include "vfs/provider.h"
#include "vfs/sync.h"
#include "vfs/upcalls.h"
#include "wire/userfs/packets.h"

namespace isthmus::userfs {
namespace {

using namespace wire::userfs;

template <class B>
std::string encode(const B& b) {
  std::string to;
  Encoder e(to);
  B::fields(e, b);
  return to + std::string(as_text(e.tail()));
}

/// The kernel's side of a session, by hand.
class Door {
 public:
  explicit Door(FileSystem& fs, Options options = {}) : fs_(fs) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    socket_.reset(ends[1]);
    door_ = std::make_unique<UserfsDoor>(fs, Fd(ends[0]), Fd(dup(ends[0])), options, [this] {
      std::lock_guard lock(m_);
      ended_ = true;
      come_.notify_all();
    });
    EXPECT_TRUE(door_->start());
  }
  ~Door() { door_->stop(); }

  void send(const std::string& bytes) {
    EXPECT_EQ(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  uint32_t ask_raw(Opcode op, PacketType type, const std::string& body, uint32_t version = kVersion,
                   uint32_t sequence = 0) {
    const uint32_t number = sequence != 0 ? sequence : ++last_;
    std::string to;
    append_header(
        to,
        {.sequence = number, .op = op, .type = type, .size = static_cast<uint32_t>(body.size()), .version = version});
    send(to + body);
    return number;
  }
  template <Opcode O>
  uint32_t ask(const typename Body<O>::Request& in) {
    return ask_raw(O, PacketType::request, encode(Cred{kCredKnown | kCredAccessChecked}) + encode(in));
  }
  struct Reply {
    Header header;
    std::string body;
  };
  Reply reply() {
    Reply r;
    const std::string head = read(kReplyHeader);
    if (head.empty()) return r;
    const auto h = read_header(as_bytes(head));
    EXPECT_TRUE(h);
    if (!h) return r;
    r.header = *h;
    r.body = read(h->size);
    return r;
  }
  /// Asks and hears: the error, or 0 and `out`.
  template <Opcode O>
  int call(const typename Body<O>::Request& in, typename Body<O>::Reply* out = nullptr) {
    const uint32_t number = ask<O>(in);
    body_ = reply();
    EXPECT_EQ(body_.header.sequence, number);
    EXPECT_EQ(body_.header.op, O);
    if (body_.header.error != 0) return static_cast<int>(body_.header.error);
    const auto b = read_body<typename Body<O>::Reply>(as_bytes(body_.body));
    EXPECT_TRUE(b);
    if (b && out) *out = *b;
    return 0;
  }
  void mount() {
    ask_raw(Opcode::mount, PacketType::request, encode(MountRequest{}));
    EXPECT_EQ(reply().header.error, 0u);
  }
  bool wait_ended() {
    std::unique_lock lock(m_);
    return come_.wait_for(lock, std::chrono::seconds(60), [this] { return ended_; });
  }
  void stop() { door_->stop(); }
  bool clean() const { return door_->clean(); }
  void hang_up() { shutdown(socket_.get(), SHUT_RDWR); }

 private:
  std::string read(size_t n) {
    std::string to(n, '\0');
    for (size_t at = 0; at < n;) {
      const ssize_t got = recv(socket_.get(), to.data() + at, n - at, 0);
      if (got <= 0) return {};
      at += static_cast<size_t>(got);
    }
    return to;
  }
  FileSystem& fs_;
  Fd socket_;
  uint32_t last_ = 0;
  Reply body_;
  std::mutex m_;
  std::condition_variable come_;
  bool ended_ = false;
  std::unique_ptr<UserfsDoor> door_;
};

TEST(UserfsDoor, AgreesOnAVersionAndBeginsWithTheMount) {
  fs::mem::MemFs fs;
  Door d(fs);
  d.ask_raw(Opcode::mount, PacketType::request, encode(MountRequest{}), 7);
  const auto refused = d.reply();
  EXPECT_EQ(refused.header.error, static_cast<uint32_t>(EPROTONOSUPPORT));
  EXPECT_EQ(refused.header.version, kVersion);
  d.mount();
  // What is supported: 0 or ENOSYS, and numbers that nobody has.
  d.ask_raw(Opcode::mkdir, PacketType::enquiry, "");
  EXPECT_EQ(d.reply().header.error, 0u);
  d.ask_raw(Opcode::openquery, PacketType::enquiry, "");
  EXPECT_EQ(d.reply().header.error, static_cast<uint32_t>(ENOSYS));
  d.ask_raw(Opcode{22}, PacketType::enquiry, "");
  EXPECT_EQ(d.reply().header.error, static_cast<uint32_t>(ENOSYS));
  d.ask_raw(Opcode{1000}, PacketType::request, "whatever");
  EXPECT_EQ(d.reply().header.error, static_cast<uint32_t>(ENOSYS));
}

TEST(UserfsDoor, EndsAtWhatIsNoSession) {
  const auto ends = [](auto how) {
    fs::mem::MemFs fs;
    Door d(fs);
    how(d);
    EXPECT_TRUE(d.wait_ended());
    d.stop();
    EXPECT_FALSE(d.clean());
  };
  ends([](Door& d) { d.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); });
  ends([](Door& d) { d.ask_raw(Opcode::iread, PacketType::request, ""); });  // before the mount
  ends([](Door& d) {
    d.mount();
    d.ask_raw(Opcode::statfs, PacketType::request, "", 2);  // another version
  });
  ends([](Door& d) {
    d.mount();
    d.ask_raw(Opcode::statfs, PacketType::reply, "    ");
  });
  ends([](Door& d) {
    d.mount();
    // One number twice, while the first is not answered.
    d.ask_raw(Opcode::news, PacketType::request, encode(Cred{}) + encode(NewsRequest{4096}), kVersion, 99);
    d.ask_raw(Opcode::statfs, PacketType::request, encode(Cred{}) + encode(HandleRequest{1}), kVersion, 99);
  });
}

TEST(UserfsDoor, RefusesBodiesThatAreNone) {
  fs::mem::MemFs fs;
  Door d(fs);
  d.mount();
  const std::string cred = encode(Cred{});
  for (const std::string& body :
       {std::string(), cred, cred + encode(NameRequest{1, {"x"}}) + "more", cred + encode(NameRequest{1, {"a/b"}}),
        cred + encode(NameRequest{1, {std::string(300, 'x')}})}) {
    d.ask_raw(Opcode::lookup, PacketType::request, body);
    EXPECT_EQ(d.reply().header.error, static_cast<uint32_t>(EINVAL));
  }
  EXPECT_EQ(d.call<Opcode::lookup>({1, {".."}}), 0);
  EXPECT_EQ(d.call<Opcode::unlink>({1, {".."}}), EINVAL);
  EXPECT_EQ(d.call<Opcode::rename>({1, {"x"}, 1, {"."}}), EINVAL);
  EXPECT_EQ(d.call<Opcode::create>({1, {".."}, S_IFREG | 0644, O_RDWR}), EINVAL);
  EXPECT_EQ(d.call<Opcode::lookup>({4711, {"x"}}), ESTALE);
  EXPECT_EQ(d.call<Opcode::read>({1, 4711}), EBADF);
  ReadRequest too_much{1};
  too_much.count = kMostData + 1;
  EXPECT_EQ(d.call<Opcode::read>(too_much), EINVAL);
  EXPECT_EQ(d.call<Opcode::unwatch>({17}), EBADF);
  EXPECT_EQ(d.call<Opcode::getacl>({1, 9}), EINVAL);
}

TEST(UserfsDoor, MakesWritesReadsAndForgets) {
  fs::mem::MemFs fs;
  Door d(fs);
  d.mount();
  CreateRequest make{1, {"file"}, S_IFREG | 0644, O_RDWR | O_CREAT | O_EXCL};
  CreateReply made;
  ASSERT_EQ(d.call<Opcode::create>(make, &made), 0);
  EXPECT_EQ(d.call<Opcode::create>(make), EEXIST);
  WriteRequest write{made.entry.handle, made.opened.fh};
  const std::string text(100'000, 't');
  write.data = as_bytes(text);
  CountReply written;
  ASSERT_EQ(d.call<Opcode::write>(write, &written), 0);
  EXPECT_EQ(written.count, text.size());
  ReadRequest read{made.entry.handle, made.opened.fh, 99'990};
  read.count = 100;
  DataReply data;
  ASSERT_EQ(d.call<Opcode::read>(read, &data), 0);
  EXPECT_EQ(as_text(data.data), "tttttttttt");
  EXPECT_EQ(d.call<Opcode::close>({made.entry.handle, made.opened.fh}), 0);
  EXPECT_EQ(d.call<Opcode::read>(read), EBADF);
  EntryReply again;
  ASSERT_EQ(d.call<Opcode::lookup>({1, {"file"}}, &again), 0);
  EXPECT_EQ(again.entry.handle, made.entry.handle);
  // Given twice; more than that cannot be given back.
  EXPECT_EQ(d.call<Opcode::iput>({{{made.entry.handle, 1}}}), 0);
  EXPECT_EQ(d.call<Opcode::iread>({made.entry.handle}), 0);
  EXPECT_EQ(d.call<Opcode::iput>({{{made.entry.handle, UINT32_MAX}, {12345, 1}, {1, UINT32_MAX}}}), 0);
  EXPECT_EQ(d.call<Opcode::iread>({made.entry.handle}), ESTALE);
  EXPECT_EQ(d.call<Opcode::iread>({1}), 0);
}

TEST(UserfsDoor, ListsWithinTheRoomThatIsAskedFor) {
  fs::mem::MemFs fs;
  Door d(fs);
  d.mount();
  for (int i = 0; i < 50; i++) ASSERT_EQ(d.call<Opcode::mkdir>({1, {"folder" + std::to_string(i)}, S_IFDIR | 0755}), 0);
  std::set<std::string> names;
  uint64_t next = 0;
  for (int rounds = 0; rounds < 100; rounds++) {
    const uint32_t number = d.ask<Opcode::readdirplus>({1, 0, next, 1000});
    const auto reply = d.reply();
    ASSERT_EQ(reply.header.sequence, number);
    ASSERT_LE(reply.body.size(), 1000u);
    const auto list = read_body<ReaddirplusReply>(as_bytes(reply.body));
    ASSERT_TRUE(list);
    if (list->entries.empty()) break;
    for (auto& e : list->entries) {
      names.insert(std::string(e.entry.name));
      next = e.entry.next;
      EXPECT_EQ(e.with.handle == 0, e.entry.name[0] == '.');
    }
  }
  names.erase(".");
  names.erase("..");
  EXPECT_EQ(names.size(), 50u);
}

TEST(UserfsDoor, MayBeReadOnly) {
  fs::mem::MemFs fs;
  Door d(fs, {.read_only = true});
  d.mount();
  EXPECT_EQ(d.call<Opcode::mkdir>({1, {"x"}, S_IFDIR | 0755}), EROFS);
  EXPECT_EQ(d.call<Opcode::open>({1, O_RDWR}), EROFS);
  EXPECT_EQ(d.call<Opcode::iread>({1}), 0);
  TermsReply terms;
  ASSERT_EQ(d.call<Opcode::terms>({}, &terms), 0);
  EXPECT_TRUE(terms.flags & kTermsReadOnly);
}

/// Answers a lookup when it is cancelled, and tells what is given back.
class Slow final : public Provider<Slow> {
 public:
  void lookup(Call<op::Lookup> c) {
    auto call = std::make_shared<Call<op::Lookup>>(std::move(c));
    const Context& ctx = call->context();
    ctx.cancel->on_request([call] { call->fail(EINTR); });
  }
  Result<Attributes> getattr(const Context&, const op::Getattr&) {
    Attributes a;
    a.attr.mode = S_IFDIR | 0755;
    return a;
  }
  Result<isthmus::Opened> open(const Context&, const op::Open&) { return isthmus::Opened{HandleId{++opens}, 0}; }
  Result<Unit> release(const Context&, const op::Release&) {
    releases++;
    return Unit{};
  }
  void tell() { up()->invalidate_entry(NodeId::root, "name"); }
  std::atomic<uint64_t> opens{0}, releases{0};
};

TEST(UserfsDoor, InterruptsAndTellsNews) {
  Slow fs;
  Door d(fs);
  d.mount();
  const uint32_t news = d.ask<Opcode::news>({4096});
  const uint32_t look = d.ask<Opcode::lookup>({1, {"x"}});
  const uint32_t interrupt = d.ask<Opcode::interrupt>({look});
  std::map<uint32_t, uint32_t> errors;
  for (int i = 0; i < 2; i++) {
    const auto r = d.reply();
    errors[r.header.sequence] = r.header.error;
  }
  EXPECT_EQ(errors[look], static_cast<uint32_t>(EINTR));
  EXPECT_EQ(errors[interrupt], 0u);
  fs.tell();
  const auto told = d.reply();
  EXPECT_EQ(told.header.sequence, news);
  const auto items = read_body<NewsReply>(as_bytes(told.body));
  ASSERT_TRUE(items && items->items.size() == 1);
  EXPECT_EQ(items->items[0].kind(), NewsKind::name);
  EXPECT_EQ(items->items[0].name, "name");
}

TEST(UserfsDoor, GivesBackWhatAPeerHadThatIsGone) {
  Slow fs;
  {
    Door d(fs);
    d.mount();
    for (int i = 0; i < 3; i++) EXPECT_EQ(d.call<Opcode::open>({1, O_RDONLY}), 0);
    d.ask<Opcode::lookup>({1, {"x"}});  // is cancelled
    d.hang_up();
    EXPECT_TRUE(d.wait_ended());
    d.stop();
    EXPECT_TRUE(d.clean());
  }
  EXPECT_EQ(fs.releases, 3u);
}

}  // namespace
}  // namespace isthmus::userfs
