#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <chrono>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "providers/fuse_host/fuse_host.h"
#include "vfs/sync.h"
#include "wire/fuse/reply.h"

/// For tests: a daemon that says what the test has it say.
namespace isthmus::fuse_host {

using wire::fuse::Opcode;

template <class T>
std::string text_of_struct(const T& t) {
  return std::string(reinterpret_cast<const char*>(&t), sizeof t);
}

struct Asked {
  wire::fuse::InHeader header{};
  std::string body;

  Opcode opcode() const { return static_cast<Opcode>(header.opcode); }
  template <class T>
  T in() const {
    T t{};
    EXPECT_GE(body.size(), sizeof t) << wire::fuse::to_string(opcode());
    memcpy(&t, body.data(), std::min(sizeof t, body.size()));
    return t;
  }
  /// What is behind a struct of that length, up to its NUL.
  std::string name(size_t at = 0) const {
    const std::string rest = body.substr(std::min(at, body.size()));
    return rest.substr(0, rest.find('\0'));
  }
};

struct Answer {
  int error = 0;
  std::string body{};
  bool say_nothing = false;
};
inline const Answer kSilence{.error = 0, .body = {}, .say_nothing = true};
template <class T>
Answer answer_of(const T& t) {
  return {.error = 0, .body = text_of_struct(t)};
}

inline wire::fuse::EntryOut an_entry(uint64_t node, uint32_t mode = S_IFREG | 0644) {
  wire::fuse::EntryOut e{};
  e.nodeid = node;
  e.entry_valid = 1;
  e.attr.ino = node;
  e.attr.mode = mode;
  e.attr.size = 5;
  e.attr.nlink = 1;
  return e;
}
inline wire::fuse::AttrOut attributes_of(uint64_t node, uint32_t mode = S_IFREG | 0644) {
  wire::fuse::AttrOut a{};
  a.attr = an_entry(node, mode).attr;
  return a;
}

/// True once it holds; false after a minute.
template <class F>
bool soon(F holds) {
  for (int i = 0; i < 60'000; i++) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

class Daemon {
 public:
  using Handler = std::function<Answer(const Asked&)>;

  /// What it says to INIT: 7.45, and no flags.
  wire::fuse::InitOut init{.major = 7,
                           .minor = wire::fuse::kMinor,
                           .max_readahead = 0,
                           .flags = 0,
                           .max_background = 0,
                           .congestion_threshold = 0,
                           .max_write = 64 << 10,
                           .time_gran = 1,
                           .max_pages = 0,
                           .map_alignment = 0,
                           .flags2 = 0,
                           .max_stack_depth = 0,
                           .request_timeout = 0,
                           .unused = {}};
  size_t init_size = sizeof(wire::fuse::InitOut);
  bool answers_destroy = true;
  std::string cuse_init = {};  ///< what it says to CUSE_INIT

  Daemon() {
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ours_.reset(pair[0]);
    theirs_.reset(pair[1]);
  }
  ~Daemon() { end(); }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  void agree_on(uint64_t flags) {
    init.flags = static_cast<uint32_t>(flags | wire::fuse::kInitInitExt);
    init.flags2 = static_cast<uint32_t>(flags >> 32);
  }
  void serve(Handler handler) {
    handler_ = std::move(handler);
    thread_ = std::thread([this] { run(); });
  }
  /// Its thread has ended, which may use this object until then.
  void end() {
    hang_up();
    if (thread_.joinable()) thread_.join();
  }
  Fd device() { return std::move(theirs_); }
  int socket() const { return ours_.get(); }
  void hang_up() { shutdown(ours_.get(), SHUT_RDWR); }

  void say(const std::string& message) {
    const ssize_t sent = ::send(ours_.get(), message.data(), message.size(), MSG_NOSIGNAL);
    // The host may have what it wanted, and be gone.
    if (sent < 0 && errno == EPIPE) return;
    EXPECT_EQ(sent, static_cast<ssize_t>(message.size())) << strerror(errno);
  }
  void say(const wire::fuse::OutHeader& h, const std::string& body) { say(text_of_struct(h) + body); }
  void answer(uint64_t unique, const Answer& a) {
    say({static_cast<uint32_t>(sizeof(wire::fuse::OutHeader) + a.body.size()), -a.error, unique}, a.body);
  }
  void tell(wire::fuse::NotifyCode code, const std::string& body) {
    say({static_cast<uint32_t>(sizeof(wire::fuse::OutHeader) + body.size()), static_cast<int32_t>(code), 0}, body);
  }

  // What it has been asked.
  std::vector<Asked> asked() const {
    std::lock_guard lock(m_);
    return asked_;
  }
  std::vector<Asked> asked(Opcode o) const {
    std::vector<Asked> some;
    for (auto& a : asked())
      if (a.opcode() == o) some.push_back(a);
    return some;
  }
  size_t count(Opcode o) const { return asked(o).size(); }
  /// All but INIT.
  size_t count() const { return asked().size() - count(Opcode::Init); }
  /// Lookups of a node that were given back, one by one and in batches.
  uint64_t forgotten(uint64_t node) const {
    using namespace wire::fuse;
    uint64_t n = 0;
    for (auto& a : asked()) {
      if (a.opcode() == Opcode::Forget && a.header.nodeid == node) n += a.in<ForgetIn>().nlookup;
      if (a.opcode() != Opcode::BatchForget) continue;
      for (size_t i = 0; i < a.in<BatchForgetIn>().count; i++) {
        ForgetOne one{};
        memcpy(&one, a.body.data() + sizeof(BatchForgetIn) + i * sizeof one, sizeof one);
        if (one.nodeid == node) n += one.nlookup;
      }
    }
    return n;
  }

 private:
  void run() {
    std::string room(kMostMessage, '\0');
    for (ssize_t n; (n = recv(ours_.get(), room.data(), room.size(), 0)) > 0;) {
      Asked a;
      ASSERT_GE(n, static_cast<ssize_t>(sizeof a.header));
      memcpy(&a.header, room.data(), sizeof a.header);
      a.body = room.substr(sizeof a.header, static_cast<size_t>(n) - sizeof a.header);
      EXPECT_EQ(a.header.len, n);
      {
        std::lock_guard lock(m_);
        asked_.push_back(a);
      }
      const auto* info = wire::fuse::find_opcode(a.header.opcode);
      ASSERT_TRUE(info) << a.header.opcode;
      if (a.opcode() == Opcode::Init) {
        answer(a.header.unique, {0, text_of_struct(init).substr(0, init_size)});
        continue;
      }
      if (a.opcode() == Opcode::CuseInit) {
        answer(a.header.unique, {0, cuse_init});
        continue;
      }
      if (a.opcode() == Opcode::Destroy && answers_destroy) {
        answer(a.header.unique, {});
        continue;
      }
      if (info->reply == wire::fuse::Reply::Nothing && a.opcode() != Opcode::Interrupt) continue;
      const Answer said = handler_(a);
      if (!said.say_nothing) answer(a.header.unique, said);
    }
  }

  Handler handler_;
  Fd ours_, theirs_;
  mutable std::mutex m_;
  std::vector<Asked> asked_;
  std::thread thread_;
};

/// Hears what the doors are told.
struct Heard final : Upcalls {
  void say(std::string line) {
    std::lock_guard lock(m);
    lines.push_back(std::move(line));
  }
  bool heard(const std::string& line) const {
    std::lock_guard lock(m);
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  }
  std::vector<std::string> all() const {
    std::lock_guard lock(m);
    return lines;
  }
  void invalidate_node(isthmus::NodeId n, uint64_t offset, uint64_t length) override {
    say(fmt::format("node {} {} {}", raw(n), offset, length));
  }
  void invalidate_attr(isthmus::NodeId n) override { say(fmt::format("attr {}", raw(n))); }
  void invalidate_entry(isthmus::NodeId d, std::string_view name) override {
    say(fmt::format("entry {} {}", raw(d), name));
  }
  void invalidate_all_names() override { say("all"); }
  void deleted(isthmus::NodeId d, isthmus::NodeId child, std::string_view name) override {
    say(fmt::format("deleted {} {} {}", raw(d), raw(child), name));
  }
  void store(isthmus::NodeId n, uint64_t offset, const Buffer& b) override {
    std::string room;
    auto bytes = b.in_one_piece(room);
    say(fmt::format("store {} {} {}", raw(n), offset, bytes ? as_text(*bytes) : "?"));
  }
  Status retrieve(isthmus::NodeId n, uint64_t offset, size_t length, Taker taker, void* self) override {
    if (cache.empty()) return err(ENOSYS);
    taker(self, n, offset, as_bytes(cache).first(std::min(length, cache.size())));
    return Unit{};
  }
  void poll_ready(isthmus::NodeId n, HandleId h, uint32_t) override { say(fmt::format("poll {} {}", raw(n), raw(h))); }

  std::string cache;  // what a door has of every file
  mutable std::mutex m;
  std::vector<std::string> lines;
};

class HostTest : public testing::Test {
 protected:
  /// Serves what `handler` says, after INIT as `daemon` says.
  void serve(Daemon::Handler handler, Options options = {}) {
    daemon.serve(std::move(handler));
    auto made = FuseHost::connect(daemon.device(), std::move(options), [] { return false; });
    ASSERT_TRUE(made) << made.problem().text();
    host = std::move(*made);
    ASSERT_TRUE(host->start(up));
    if (opens) return;
    host->note_absent(Opcode::Open);
    host->note_absent(Opcode::Opendir);
  }
  void TearDown() override {
    if (host) host->stop();
    host.reset();
    daemon.end();
  }
  Result<Entry> look(std::string_view name, NodeId dir = NodeId::root) { return call(op::Lookup{{}, dir, name}); }
  /// A node of the daemon's: whatever name stands for it is looked up.
  NodeId node(std::string_view name = "f") {
    auto e = look(name);
    EXPECT_TRUE(e) << name;
    return e ? e->node : NodeId::none;
  }
  template <class T>
  Result<typename T::Reply> call(T args, const Context& ctx = {}) {
    return call_and_wait(*host, std::move(args), ctx);
  }
  Result<Opened> open(NodeId n, uint32_t flags = O_RDWR) {
    op::Open a;
    a.node = n;
    a.flags = flags;
    return call(a);
  }
  Result<std::string> read(NodeId n, HandleId h, uint64_t offset, size_t size) {
    op::Read a;
    a.node = n;
    a.handle = h;
    a.offset = offset;
    a.size = size;
    auto got = call(a);
    if (!got) return got.error();
    std::string room;
    auto bytes = got->in_one_piece(room);
    if (!bytes) return bytes.error();
    return std::string(as_text(*bytes));
  }
  Result<size_t> write(NodeId n, HandleId h, uint64_t offset, std::string_view data, bool append = false) {
    const Buffer buffer = Buffer::view(as_bytes(data));
    op::Write a;
    a.node = n;
    a.handle = h;
    a.offset = offset;
    a.data = &buffer;
    a.append = append;
    return call(a);
  }

  bool opens = false;  // the daemon has OPEN and OPENDIR; else everything goes without
  Heard up;
  Daemon daemon;
  std::unique_ptr<FuseHost> host;
};

}  // namespace isthmus::fuse_host
