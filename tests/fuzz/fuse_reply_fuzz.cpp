// A hostile daemon behind the driver (providers/fuse_host): it says anything to each request, and news between. Every
// operation is answered once, whatever it says; what is passed on is what the waist allows.
// Input: a byte with the length of the answer to INIT, and that answer; above 191 it is a character device's daemon
// (CUSE), whose answer to CUSE_INIT follows; then records of what the daemon says: a byte
// with its kind, two with a length, the bytes. An answer and an error end what is said to one request. The operations
// are chosen by bytes from the end of the input. When there are no more records the daemon hangs up.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "providers/fuse_host/cuse_host.h"
#include "tests/fuzz/check.h"
#include "vfs/sync.h"
#include "wire/fuse/opcodes.h"
#include "wire/fuse/reply.h"

namespace {

using namespace isthmus;
using namespace isthmus::wire::fuse;

class Input {
 public:
  explicit Input(Bytes all) : left_(all) {}
  bool empty() const { return left_.empty(); }
  uint8_t byte() {
    if (left_.empty()) return 0;
    const auto b = std::to_integer<uint8_t>(left_[0]);
    left_ = left_.subspan(1);
    return b;
  }
  std::string some(size_t n) {
    const Bytes bytes = left_.first(std::min(n, left_.size()));
    left_ = left_.subspan(bytes.size());
    return std::string(as_text(bytes));
  }

 private:
  Bytes left_;
};

class Daemon {
 public:
  Daemon(Fd socket, Input input) : socket_(std::move(socket)), input_(input) {
    thread_ = std::thread([this] { run(); });
  }
  ~Daemon() { thread_.join(); }

 private:
  void run() {
    std::string room(fuse_host::kMostMessage, '\0');
    for (ssize_t n; (n = recv(socket_.get(), room.data(), room.size(), 0)) > 0;) {
      InHeader h;
      check(n >= static_cast<ssize_t>(sizeof h));
      std::memcpy(&h, room.data(), sizeof h);
      check(h.len == n);
      const OpcodeInfo* info = find_opcode(h.opcode);
      check(info != nullptr);
      if (info->flags & kOpcodeNoReply) continue;
      if (h.opcode == static_cast<uint32_t>(Opcode::Init)) {
        std::string out = input_.some(input_.byte() % (sizeof(InitOut) + 1));
        if (out.size() >= sizeof(uint32_t)) out.replace(0, sizeof(uint32_t), std::string("\7\0\0\0", 4));
        say(h.unique, 0, out);
        continue;
      }
      if (h.opcode == static_cast<uint32_t>(Opcode::CuseInit)) {
        input_.byte();  // what kind it is
        std::string out = input_.some(sizeof(CuseInitOut));
        out.resize(sizeof(CuseInitOut));
        out.replace(0, 8, std::string("\7\0\0\0\37\0\0\0", 8));
        const uint8_t length = input_.byte();
        say(h.unique, 0, out + (length & 1 ? std::string("DEVNAME=name\0", 13) : input_.some(length)));
        continue;
      }
      if (!answer(h.unique)) break;
    }
    shutdown(socket_.get(), SHUT_RDWR);
  }
  bool answer(uint64_t unique) {
    while (!input_.empty()) {
      const uint8_t kind = input_.byte();
      const size_t size = input_.byte() | size_t{input_.byte()} << 8;
      switch (kind % 6) {
        case 0:
          return say(unique, -int32_t{static_cast<uint8_t>(size)}, {}), true;
        case 1:  // an answer whose end is zeros
          return say(unique, 0, padded(size)), true;
        case 2:
          say(0, kind / 6 % 12, input_.some(size));
          break;
        case 3:
          say(unique + kind / 6, kind, input_.some(size));
          break;
        case 4:  // a piece, or what looks like one
          say_raw(input_.some(size));
          break;
        default: {
          const OutHeader h{static_cast<uint32_t>(size * 4), 0, unique};
          say_raw(std::string(reinterpret_cast<const char*>(&h), sizeof h) + input_.some(size));
        }
      }
    }
    return false;
  }
  std::string padded(size_t size) {
    const size_t given = input_.byte();
    std::string body = input_.some(given);
    body.resize(std::min<size_t>(std::max(size, body.size()), 100'000));
    return body;
  }
  void say(uint64_t unique, int32_t error, const std::string& body) {
    const OutHeader h{static_cast<uint32_t>(sizeof h + body.size()), error, unique};
    say_raw(std::string(reinterpret_cast<const char*>(&h), sizeof h) + body);
  }
  void say_raw(const std::string& message) {
    static_cast<void>(!send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL));
  }

  const Fd socket_;
  Input input_;
  std::thread thread_;
};

struct Sink final : DirSink {
  bool add(const DirEntry& e) override {
    check(valid_out_name(e.name));
    if (e.with) {
      check(e.with->node != NodeId::none && e.with->node != NodeId::root && (e.with->attr.mode & S_IFMT) != 0);
      nodes->push_back(e.with->node);
    }
    return ++entries < 20;
  }
  std::vector<NodeId>* nodes = nullptr;
  size_t entries = 0;
};

/// What doors would do.
class User {
 public:
  explicit User(FileSystem& fs) : fs_(fs) {}
  ~User() {
    for (size_t i = 1; i < nodes_.size(); i++) check(call(op::Forget{{}, nodes_[i], 1}).ok());
  }
  void one(uint8_t what) {
    const NodeId n = nodes_[nodes_.size() - 1 - what / 32 % nodes_.size()];
    const std::string value(what, 'v');
    switch (what % 32) {
      case 0:
      case 1:
      case 2:
        return entry(call(op::Lookup{{}, n, what & 64 ? ".." : "name"}));
      case 3:
        return entry(call(op::Mknod{{}, n, "name", S_IFREG | 0600, 0}));
      case 4:
        return entry(call(op::Mkdir{{}, n, "name", 0700}));
      case 5:
        return entry(call(op::Symlink{{}, n, "name", "target"}));
      case 6:
        return entry(call(op::Link{{}, n, NodeId::root, "name"}));
      case 7:
      case 8: {
        op::Create a;
        a.dir = n;
        a.name = "name";
        a.flags = O_RDWR;
        return created(call(a));
      }
      case 9:
        return created(call(op::Tmpfile{{}, n, 0600, O_RDWR, {}}));
      case 10:
      case 11: {
        op::Open a;
        a.node = n;
        a.flags = O_RDWR | (what & 64 ? O_TRUNC : 0);
        auto r = call(a);
        if (r) handle_ = r->handle;
        return;
      }
      case 12:
      case 13: {
        op::Read a;
        a.node = n;
        a.handle = handle_;
        a.size = what & 64 ? 100'000 : 5000;
        a.offset = std::exchange(offset_, offset_ + a.size);  // one behind the other: some is read ahead
        auto r = call(a);
        check(!r || r->size() <= a.size);
        return;
      }
      case 14: {
        const Buffer data = Buffer::view(as_bytes(value));
        op::Write a;
        a.node = n;
        a.handle = handle_;
        a.data = &data;
        a.append = what & 64;
        auto r = call(a);
        check(!r || *r <= value.size());
        return;
      }
      case 15:
      case 16:
      case 17: {
        Sink sink;
        sink.nodes = &nodes_;
        static_cast<void>(call(op::ReadDir{{}, n, handle_, what / 64u, (what & 32) != 0, {}, &sink}));
        return;
      }
      case 18: {
        op::Getattr a{{}, n, handle_};
        a.statx_mask = what & 64 ? STATX_BTIME : 0;
        return attributes(call(a));
      }
      case 19: {
        op::Setattr a;
        a.node = n;
        a.set.mask = kSetSize;
        return attributes(call(a));
      }
      case 20: {
        auto r = call(op::Readlink{{}, n});
        check(!r || (!r->empty() && r->find('\0') == std::string::npos));
        return;
      }
      case 21:
        return ignore(call(op::GetXattr{{}, n, "user.a"}));
      case 22:
        return ignore(call(op::ListXattr{{}, n}));
      case 23:
        return ignore(call(op::SetXattr{{}, n, "user.a", as_bytes(value)}));
      case 24:
        return ignore(call(op::Statfs{}));
      case 25:
        return ignore(call(op::GetLock{{}, n, handle_, {}}));
      case 26:
        return ignore(call(op::SetLock{{}, n, handle_, {.owner = 1, .type = LockType::exclusive}, false, what >= 128}));
      case 27:
        return ignore(call(op::Ioctl{{}, n, handle_, 1, 2, as_bytes(value), 100, what >= 128}));
      case 28:
        return ignore(call(op::Poll{{}, n, handle_, 1, true}));
      case 29: {
        op::CopyRange a;
        a.from = a.to = n;
        a.to_offset = 100;
        a.length = 50;
        auto r = call(a);
        check(!r || *r <= a.length);
        return;
      }
      case 30:
        if (auto h = call(op::NodeToExport{{}, n})) return entry(call(op::ExportToNode{{}, *h}));
        return;
      default: {
        op::Release a;
        a.node = n;
        a.handle = std::exchange(handle_, HandleId::none);
        return ignore(call(a));
      }
    }
  }

 private:
  template <class T>
  Result<typename T::Reply> call(T args) {
    Context ctx;
    ctx.door = DoorKind::webdav;
    return call_and_wait(fs_, std::move(args), ctx);
  }
  template <class R>
  static void ignore(const R&) {}
  void entry(const Result<Entry>& r) {
    if (!r || r->node == NodeId::none || r->node == NodeId::root) return;
    check((r->attr.mode & S_IFMT) != 0 && r->attr.size <= INT64_MAX);
    nodes_.push_back(r->node);
  }
  void created(const Result<Created>& r) {
    if (!r) return;
    check(S_ISREG(r->entry.attr.mode));
    entry(r->entry);
    handle_ = r->opened.handle;
  }
  static void attributes(const Result<Attributes>& r) {
    check(!r || ((r->attr.mode & S_IFMT) != 0 && r->attr.size <= INT64_MAX));
  }

  FileSystem& fs_;
  std::vector<NodeId> nodes_{NodeId::root};
  HandleId handle_{};
  uint64_t offset_ = 0;
};

template <class Host>
void use(Expected<std::unique_ptr<Host>> made, const uint8_t* data, size_t size) {
  Upcalls up;
  if (!made || !(*made)->start(up)) return;
  {
    User user(**made);
    for (size_t i = 0; i < std::min<size_t>(size, 40); i++) user.one(data[size - 1 - i]);
  }
  (*made)->stop();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool quiet = [] {
    set_log_level(LogLevel::off);
    return true;
  }();
  static_cast<void>(quiet);
  const Bytes input = std::as_bytes(std::span(data, size));
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return 0;
  Fd ours(ends[0]), daemons(ends[1]);
  Daemon daemon(std::move(daemons), Input(input));
  fuse_host::Options options;
  options.block_device = true;
  const auto stop = [] { return false; };
  if (size > 0 && data[0] > 191)
    use(fuse_host::CuseHost::connect(std::move(ours), std::move(options), stop), data, size);
  else
    use(fuse_host::FuseHost::connect(std::move(ours), std::move(options), stop), data, size);
  return 0;
}
