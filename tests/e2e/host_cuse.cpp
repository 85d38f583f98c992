// usage: host_cuse WAY DAEMON ARG...: hosts libfuse's example of a character device (cuse.c), and uses it at the waist
// as a kernel does, its ioctls with and without restrictions. Exit status 1 and a message: something is wrong.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "ctl/host.h"
#include "ctl/hosted.h"
#include "ctl/program_file.h"
#include "providers/fuse_host/cuse_host.h"
#include "vfs/sync.h"

namespace {

using namespace isthmus;

// Of the example's ioctl.h.
constexpr uint32_t kGetSize = _IOR('E', 0, size_t), kSetSize = _IOW('E', 1, size_t);
constexpr uint32_t kRead = _IO('E', 2), kWrite = _IO('E', 3);
struct Transfer {
  off_t offset;
  void* buffer;
  size_t size, size_before, size_after;
};

void need(bool holds, const std::string& what) {
  if (holds) return;
  fmt::print(stderr, "FAIL: {}\n", what);
  std::exit(1);
}

class Device {
 public:
  Device(FileSystem& fs, std::string_view name) : fs_(fs) {
    node_ = must("lookup", op::Lookup{{}, NodeId::root, name}).node;
    op::Open a;
    a.node = node_;
    a.flags = O_RDWR;
    handle_ = must("open", a).handle;
  }
  ~Device() {
    op::Release a;
    a.node = node_;
    a.handle = handle_;
    must("release", a);
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  std::string read(uint64_t offset, size_t size) {
    op::Read a;
    a.node = node_;
    a.handle = handle_;
    a.offset = offset;
    a.size = size;
    const Buffer got = must("read", a);
    std::string room;
    return std::string(as_text(*got.in_one_piece(room)));
  }
  void write(uint64_t offset, std::string_view text) {
    const Buffer data = Buffer::view(as_bytes(text));
    op::Write a;
    a.node = node_;
    a.handle = handle_;
    a.offset = offset;
    a.data = &data;
    need(must("write", a) == text.size(), "a whole write");
  }
  uint32_t poll() {
    op::Poll a;
    a.node = node_;
    a.handle = handle_;
    a.events = POLLIN | POLLOUT;
    return must("poll", a);
  }
  /// As fuse_do_ioctl() of a kernel: what the daemon wants to have of our memory it gets, until it has an answer.
  int ioctl(uint32_t command, void* argument) {
    op::Ioctl a;
    a.node = node_;
    a.handle = handle_;
    a.command = command;
    a.arg = reinterpret_cast<uint64_t>(argument);
    a.unrestricted = true;
    std::string in;
    std::vector<UserRange> out;
    for (int times = 0; times < 5; times++) {
      a.in = as_bytes(in);
      a.out_max = 0;
      for (auto& range : out) a.out_max += range.length;
      IoctlReply reply = must("ioctl", a);
      if (!reply.retry) {
        std::string_view left = reply.out;
        for (auto& range : out) {
          const auto part = left.substr(0, range.length);
          memcpy(memory(range), part.data(), part.size());
          left.remove_prefix(part.size());
        }
        need(left.empty(), "no more than was asked for");
        return reply.result;
      }
      in.clear();
      for (auto& range : reply.retry_in) in.append(static_cast<const char*>(memory(range)), range.length);
      out = std::move(reply.retry_out);
    }
    need(false, "an ioctl that ends");
    return -1;
  }
  Result<IoctlReply> restricted(uint32_t command, Bytes in, size_t out_max) {
    return call_and_wait(fs_, op::Ioctl{{}, node_, handle_, command, 0, in, out_max});
  }

 private:
  static void* memory(const UserRange& range) {
    return reinterpret_cast<void*>(range.base);  // NOLINT(performance-no-int-to-ptr)
  }
  template <class T>
  typename T::Reply must(const char* what, T a) {
    auto r = call_and_wait(fs_, std::move(a));
    need(r.ok(), fmt::format("{}: {}", what, r ? "" : text_of(r.error())));
    return std::move(*r);
  }

  FileSystem& fs_;
  NodeId node_{};
  HandleId handle_{};
};

void use(FileSystem& fs) {
  auto* cuse = dynamic_cast<fuse_host::CuseHost*>(&fs);
  need(cuse != nullptr, "a character device");
  Device d(fs, cuse->name());
  d.write(0, "hello");
  need(d.read(0, 4096) == "hello", "what was written");
  need(d.read(3, 4096) == "lo", "a read at an offset");
  size_t size = 0;
  need(d.ioctl(kGetSize, &size) == 0 && size == 5, "FIOC_GET_SIZE");
  size = 3;
  need(d.ioctl(kSetSize, &size) == 0 && d.read(0, 4096) == "hel", "FIOC_SET_SIZE");
  // Its own memory, asked for in three rounds.
  std::string text = "by an ioctl";
  Transfer there{3, text.data(), text.size(), 0, 0};
  need(d.ioctl(kWrite, &there) == static_cast<int>(text.size()), "FIOC_WRITE");
  need(there.size_before == 3 && there.size_after == 3 + text.size(), "its sizes");
  std::string room(100, '\0');
  Transfer back{0, room.data(), room.size(), 0, 0};
  const int n = d.ioctl(kRead, &back);
  need(n == 14 && room.substr(0, 14) == "helby an ioctl", "FIOC_READ");
  // As file systems have them: what the number says is brought, and no more is to be had.
  auto got = d.restricted(kGetSize, {}, sizeof size);
  need(got.ok() && got->out.size() == sizeof size, "a restricted FIOC_GET_SIZE");
  need(d.restricted(kRead, {}, 0).code() == EIO, "a restricted FIOC_READ");
  need(d.restricted(12345, {}, 0).code() == EINVAL, "an unknown ioctl");
  need((d.poll() & (POLLIN | POLLOUT)) == (POLLIN | POLLOUT), "poll without POLL");
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto helper = ctl::as_fusermount(argc, argv)) return *helper;
  if (argc < 3) return 2;
  ctl::ProgramJob program;
  program.character_device = true;
  for (int i = 2; i < argc; i++) program.arguments.emplace_back(argv[i]);
  auto file = ctl::resolve_program(program.arguments[0]);
  need(static_cast<bool>(file), "the daemon");
  program.file = *file;
  auto way = ctl::choose_way_in(argv[1], program);
  need(static_cast<bool>(way), way ? "" : way.problem().what);
  auto fs = ctl::host_program(program, {});
  need(static_cast<bool>(fs), fs ? "" : fs.problem().what);
  Upcalls up;
  need((*fs)->start(up).ok(), "start");
  use(**fs);
  (*fs)->stop();
  return 0;
}
