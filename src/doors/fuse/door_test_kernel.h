#pragma once
// What the door's tests share: a kernel played on a socket, and a file system whose operations each test writes.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "doors/fuse/fuse_door.h"
#include "vfs/filesystem.h"
#include "wire/fuse/protocol.h"

namespace isthmus::fuse::testing {

using namespace wire::fuse;
using namespace std::chrono_literals;

/// Has the operations given, each running the function a test puts in on_...; without one it answers ENOSYS.
class ScriptFs final : public FileSystem {
 public:
  explicit ScriptFs(std::initializer_list<Op> ops, Blocking blocking = Blocking::never_blocks)
      : FileSystem(table(), caps(ops), blocking) {}
  Traits traits() const override { return t; }
  Traits t;

#define X(T, m, R) std::function<void(Call<op::T>)> on_##m;
#include "vfs/ops.def"
#undef X

 private:
  static Capabilities caps(std::initializer_list<Op> ops) {
    Capabilities c;
    for (Op op : ops) c.set(op);
    return c;
  }
  static const Table& table() {
    static const Table kTable = [] {
      Table all{};
#define X(T, m, R)                                      \
  all[index_of(Op::T)] = [](FileSystem& f, void* p) {   \
    Call<op::T> call(*static_cast<Pending<op::T>*>(p)); \
    auto& on = static_cast<ScriptFs&>(f).on_##m;        \
    if (on)                                             \
      on(std::move(call));                              \
    else                                                \
      call.fail(ENOSYS);                                \
  };
#include "vfs/ops.def"
#undef X
      return all;
    }();
    return kTable;
  }
};

inline Entry some_entry(uint64_t node, uint32_t mode = S_IFREG | 0644) {
  Entry e;
  e.node = NodeId{node};
  e.generation = 7;
  e.attr.ino = node;
  e.attr.mode = mode;
  e.entry_ttl = 1500;
  e.attr_ttl = kForever;
  return e;
}

inline Attributes some_attr(uint64_t node, uint32_t mode = S_IFREG | 0644) {
  return {some_entry(node, mode).attr, 2000};
}

/// Bytes as they are, without a NUL behind.
struct Raw {
  std::string bytes;
};

inline void put(std::string& out, const Raw& r) { out += r.bytes; }
inline void put(std::string& out, const char* name) { out.append(name, std::strlen(name) + 1); }
template <class T>
requires std::is_trivially_copyable_v<T> &&(!std::is_pointer_v<T>)void put(std::string& out, const T& s) {
  out.append(reinterpret_cast<const char*>(&s), sizeof(s));
}

struct Answer {
  OutHeader header{};
  std::string body;
  int code() const { return -header.error; }
  template <class T>
  T as(size_t at = 0) const {
    T t{};
    EXPECT_GE(body.size(), at + sizeof(T));
    if (body.size() >= at + sizeof(T)) std::memcpy(&t, body.data() + at, sizeof(T));
    return t;
  }
};

/// The other end of a door.
class TestKernel {
 public:
  TestKernel() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    ours_.reset(fds[0]);
    doors_.reset(fds[1]);
    for (int fd : fds) {
      int size = 1 << 20;
      ::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    }
  }
  Fd take_door_end() { return std::move(doors_); }
  void close() { ours_.reset(); }

  uint32_t uid = 1000, gid = 1000, pid = 4242;

  void send_raw(const std::string& message) {
    ASSERT_EQ(::send(ours_.get(), message.data(), message.size(), MSG_NOSIGNAL), static_cast<ssize_t>(message.size()));
  }
  /// Returns the request's unique number.
  template <class... Parts>
  uint64_t send(Opcode opcode, uint64_t node, const Parts&... parts) {
    return send_extended(opcode, node, "", parts...);
  }
  /// The same with extension records at the end.
  template <class... Parts>
  uint64_t send_extended(Opcode opcode, uint64_t node, const std::string& extensions, const Parts&... parts) {
    std::string body;
    (put(body, parts), ...);
    body += extensions;
    InHeader h{};
    h.len = static_cast<uint32_t>(sizeof(h) + body.size());
    h.opcode = static_cast<uint32_t>(opcode);
    h.unique = next_unique_ += 2;
    h.nodeid = node;
    h.uid = uid;
    h.gid = gid;
    h.pid = pid;
    h.total_extlen = static_cast<uint16_t>(extensions.size() / 8);
    std::string message;
    put(message, h);
    send_raw(message + body);
    return h.unique;
  }
  std::optional<Answer> receive(std::chrono::milliseconds timeout = 10s) {
    pollfd p{ours_.get(), POLLIN, 0};
    if (::poll(&p, 1, static_cast<int>(timeout.count())) != 1) return std::nullopt;
    ssize_t n = ::recv(ours_.get(), buffer_.data(), buffer_.size(), 0);
    if (n < static_cast<ssize_t>(sizeof(OutHeader))) return std::nullopt;
    Answer a;
    std::memcpy(&a.header, buffer_.data(), sizeof(a.header));
    EXPECT_EQ(a.header.len, static_cast<uint32_t>(n));
    a.body = buffer_.substr(sizeof(a.header), static_cast<size_t>(n) - sizeof(a.header));
    return a;
  }
  bool silent() { return !receive(60ms); }
  Answer answer_to(uint64_t unique) {
    auto a = receive();
    EXPECT_TRUE(a) << "no answer";
    if (!a) return {};
    EXPECT_EQ(a->header.unique, unique);
    return *a;
  }
  template <class... Parts>
  Answer call(Opcode opcode, uint64_t node, const Parts&... parts) {
    return answer_to(send(opcode, node, parts...));
  }
  static constexpr uint64_t kAll = ~uint64_t{0} & ~(uint64_t{1} << 31);
  InitOut init(uint64_t flags = kAll, uint32_t minor = kMinor) {
    InitIn in{};
    in.major = kMajor;
    in.minor = minor;
    in.max_readahead = 1 << 17;
    in.flags = static_cast<uint32_t>(flags);
    in.flags2 = static_cast<uint32_t>(flags >> 32);
    return call(Opcode::Init, 0, in).as<InitOut>();
  }

 private:
  Fd ours_, doors_;
  uint64_t next_unique_ = 0;
  std::string buffer_ = std::string(1 << 20, '\0');
};

inline uint64_t flags_of(const InitOut& out) { return out.flags | uint64_t{out.flags2} << 32; }

/// A file system, a door and a kernel that has not said INIT.
struct Rig {
  explicit Rig(std::initializer_list<Op> ops, const SessionOptions& options = {},
               Blocking blocking = Blocking::never_blocks)
      : fs(ops, blocking), options_(options) {}
  ~Rig() {
    kernel.close();
    if (door) door->wait();
  }
  /// Starts the door; before that traits and functions may be set.
  void start() {
    door = std::make_unique<Door>(fs, kernel.take_door_end(), options_);
    ASSERT_TRUE(fs.start(door->upcalls()));
    ASSERT_TRUE(door->start());
  }
  InitOut init(uint64_t flags = TestKernel::kAll) {
    start();
    return kernel.init(flags);
  }

  ScriptFs fs;
  TestKernel kernel;
  std::unique_ptr<Door> door;

 private:
  SessionOptions options_;
};

/// Log lines of one test.
class Logged {
 public:
  Logged() {
    lines().clear();
    set_log_sink([](LogLevel, std::string_view line) {
      std::lock_guard lock(mutex());
      lines().append(line).append("\n");
    });
  }
  ~Logged() { set_log_sink(nullptr); }
  bool has(std::string_view part) const {
    std::lock_guard lock(mutex());
    return lines().find(part) != std::string::npos;
  }

 private:
  static std::string& lines() {
    static std::string all;
    return all;
  }
  static std::mutex& mutex() {
    static std::mutex m;
    return m;
  }
};

}  // namespace isthmus::fuse::testing
