// usage: host_measure trip|streams|meta [-n TIMES] [-s MIB] -- DAEMON ARG...
// Hosts a FUSE daemon ("{}" in its arguments is its mountpoint), and measures it at the waist: with no mount, no door
// and no kernel's driver. Prints lines of fuse_measure: NAME wall client-cpu daemon-cpu, in microseconds an operation
// (a MiB for streams); and how many requests all operations of a phase took: requests NAME KIND NUMBER.
//   trip     GETATTR, and a ping-pong of its lengths between two processes over a socket like the daemon's; all on one
//            processor
//   streams  a file from its beginning to its end, by 128 KiB
//   meta     what fuse_measure's `meta` has a program do, as a door does it through a volume
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "bench/fuse/measure/meter.h"
#include "ctl/host.h"
#include "ctl/hosted.h"
#include "ctl/program_file.h"
#include "providers/fuse_daemon/process.h"
#include "providers/fuse_host/fuse_host.h"
#include "vfs/decorator.h"
#include "vfs/sync.h"
#include "vfs/volume/port.h"
#include "vfs/volume/volume.h"

namespace isthmus::bench {
namespace {

using wire::fuse::Opcode;

constexpr size_t kPiece = size_t{128} << 10, kSmall = 4096, kListingRoom = size_t{32} << 10;

[[noreturn]] void fail(const std::string& what, Errno e) {
  errno = static_cast<int>(e);
  die(what);
}

/// Has the volume's caches emptied, as the kernel's are by drop_caches.
class Between final : public Decorator<Between> {
 public:
  explicit Between(FileSystem& inner) : Decorator(inner) {}
  template <class T>
  void around(Pending<T>& p) {
    inner().submit(p);
  }
  void drop_names() { up()->invalidate_all_names(); }
};

/// The daemon, its driver, and a volume with one door.
class Hosted {
 public:
  explicit Hosted(std::unique_ptr<FileSystem> fs)
      : fs_(std::move(fs)), host_(dynamic_cast<fuse_host::FuseHost*>(fs_.get())), between_(*fs_), volume_(between_) {
    need(host_ != nullptr, "a file system");
    if (Status s = volume_.start(); !s) fail("start", s.error());
    port_ = volume_.port({.door = DoorKind::direct});
    if (Status s = port_->start(up_); !s) fail("start", s.error());
  }
  ~Hosted() {
    port_->stop();
    port_.reset();
    volume_.stop();
  }
  Hosted(const Hosted&) = delete;
  Hosted& operator=(const Hosted&) = delete;

  fuse_host::FuseHost& host() { return *host_; }
  FileSystem& port() { return *port_; }
  void drop_names() { between_.drop_names(); }

 private:
  const std::unique_ptr<FileSystem> fs_;
  fuse_host::FuseHost* const host_;
  Between between_;
  Volume volume_;
  Upcalls up_;
  std::unique_ptr<VolumePort> port_;
};

/// Phases, with the requests that they took.
class Phases {
 public:
  Phases(Meter& meter, fuse_host::FuseHost& host) : meter_(meter), host_(host) {}
  template <class F>
  void phase(const std::string& name, long operations, F&& f) {
    const auto before = requests();
    meter_.phase(name, operations, std::forward<F>(f));
    const auto after = requests();
    for (size_t i = 0; i < after.size(); i++)
      if (after[i] != before[i])
        std::printf("requests %s %s %lu\n", name.c_str(), std::string(wire::fuse::kOpcodes[i].name).c_str(),
                    static_cast<unsigned long>(after[i] - before[i]));
  }

 private:
  using Counts = std::array<uint64_t, wire::fuse::kOpcodes.size()>;
  Counts requests() const {
    Counts c{};
    for (size_t i = 0; i < c.size(); i++) c[i] = host_.requests(wire::fuse::kOpcodes[i].opcode);
    return c;
  }

  Meter& meter_;
  fuse_host::FuseHost& host_;
};

// ---- one after the other ----

/// Waits until `parties` have come.
class Latch {
 public:
  explicit Latch(int parties) : left_(parties) {}
  void arrive() {
    std::lock_guard lock(m_);
    if (--left_ == 0) cv_.notify_all();
  }
  void wait() {
    std::unique_lock lock(m_);
    cv_.wait(lock, [this] { return left_ == 0; });
  }

 private:
  std::mutex m_;
  std::condition_variable cv_;
  int left_;
};

/// Asks again as soon as it is answered, on the thread that has the answer: a door's next step.
class Asking final : public Pending<op::Getattr> {
 public:
  Asking(FileSystem& fs, long times, Latch& done) : fs_(fs), left_(times), done_(done) { args.node = NodeId::root; }
  void begin() { fs_.submit<op::Getattr>(*this); }
  void answered(Result<Attributes>&& r) noexcept override {
    if (!r) fail("getattr", r.error());
    if (--left_ == 0) return done_.arrive();
    fs_.submit<op::Getattr>(*this);
  }

 private:
  FileSystem& fs_;
  long left_;
  Latch& done_;
};

/// One of the readers of a file, which share its pieces.
class Reader final : public Pending<op::Read> {
 public:
  Reader(FileSystem& fs, NodeId node, HandleId handle, std::atomic<uint64_t>& next, uint64_t size, Latch& done)
      : fs_(fs), next_(next), size_(size), done_(done), room_(kPiece) {
    args.node = node;
    args.handle = handle;
    args.size = kPiece;
    args.into = room_;
  }
  void begin() {
    args.offset = next_.fetch_add(kPiece);
    if (args.offset >= size_) return done_.arrive();
    fs_.submit<op::Read>(*this);
  }
  void answered(Result<Buffer>&& r) noexcept override {
    if (!r || r->size() != kPiece) fail("read", r ? err(EIO) : r.error());
    begin();
  }

 private:
  FileSystem& fs_;
  std::atomic<uint64_t>& next_;
  const uint64_t size_;
  Latch& done_;
  std::vector<std::byte> room_;
};

// ---- trip ----

/// What no daemon can be faster than: another process that answers as soon as it has read, and does nothing else.
void ping_pong(long times) {
  constexpr size_t kThere = sizeof(wire::fuse::InHeader) + sizeof(wire::fuse::GetattrIn);
  constexpr size_t kBack = sizeof(wire::fuse::OutHeader) + sizeof(wire::fuse::AttrOut);
  int ends[2];
  need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
  Fd ours(ends[0]), theirs(ends[1]);
  const pid_t echo = fork();
  need(echo >= 0, "fork");
  std::array<char, 256> room{};
  if (echo == 0) {
    ours.reset();
    while (recv(theirs.get(), room.data(), room.size(), 0) > 0)
      if (send(theirs.get(), room.data(), kBack, 0) < 0) break;
    _exit(0);
  }
  theirs.reset();
  {
    Meter meter({echo}, "");
    meter.phase("ping_pong", times, [&] {
      for (long i = 0; i < times; i++) {
        need(send(ours.get(), room.data(), kThere, MSG_NOSIGNAL) == kThere, "send");
        need(recv(ours.get(), room.data(), room.size(), 0) == kBack, "recv");
      }
    });
  }
  ours.reset();
  waitpid(echo, nullptr, 0);
}

void measure_trip(Hosted& hosted, Phases& phases, const Setup& setup) {
  const long n = setup.files;
  ping_pong(n);
  // As a door does that goes on where it is answered.
  phases.phase("getattr", n, [&] {
    Latch done(1);
    Asking asking(hosted.host(), n, done);
    asking.begin();
    done.wait();
  });
  // As a thread that waits: one more hop.
  phases.phase("getattr_and_wait", n, [&] {
    op::Getattr a;
    a.node = NodeId::root;
    for (long i = 0; i < n; i++)
      if (auto r = call_and_wait(hosted.host(), a); !r) fail("getattr", r.error());
  });
}

// ---- as a door ----

class Door {
 public:
  explicit Door(FileSystem& fs) : fs_(fs) {}
  template <class T>
  Result<typename T::Reply> call(T a) {
    return call_and_wait(fs_, std::move(a));
  }
  template <class T>
  typename T::Reply must(const char* what, T a) {
    auto r = call(std::move(a));
    if (!r) fail(what, r.error());
    return std::move(*r);
  }
  /// None: there is no such name.
  NodeId look(NodeId dir, std::string_view name) {
    auto e = call(op::Lookup{{}, dir, name});
    if (!e && e.code() != ENOENT) fail("lookup", e.error());
    return e ? e->node : NodeId::none;
  }
  NodeId must_look(NodeId dir, std::string_view name) {
    const NodeId node = look(dir, name);
    errno = ENOENT;
    need(node != NodeId::none, "lookup");
    return node;
  }
  void forget(NodeId node) { static_cast<void>(call(op::Forget{{}, node, 1})); }
  void stat(NodeId dir, std::string_view name) {
    const NodeId node = must_look(dir, name);
    op::Getattr get;
    get.node = node;
    must("getattr", get);
    forget(node);
  }
  HandleId open(NodeId node, uint32_t flags) {
    op::Open a;
    a.node = node;
    a.flags = flags;
    return must("open", a).handle;
  }
  void close(NodeId node, HandleId handle) {
    must("flush", op::Flush{{}, node, handle, 0});
    op::Release a;
    a.node = node;
    a.handle = handle;
    must("release", a);
  }
  void create(NodeId dir, std::string_view name) {
    need(look(dir, name) == NodeId::none, "a new name");
    op::Create a;
    a.dir = dir;
    a.name = name;
    a.mode = 0644;
    a.flags = O_WRONLY | O_CREAT | O_EXCL;
    const Created made = must("create", a);
    close(made.entry.node, made.opened.handle);
    forget(made.entry.node);
  }
  void write(NodeId node, HandleId handle, uint64_t offset, Bytes data) {
    const Buffer buffer = Buffer::view(data);
    op::Write a;
    a.node = node;
    a.handle = handle;
    a.offset = offset;
    a.data = &buffer;
    need(must("write", a) == data.size(), "write");
  }
  void read(NodeId node, HandleId handle, MutableBytes into) {
    op::Read a;
    a.node = node;
    a.handle = handle;
    a.size = into.size();
    a.into = into;
    need(must("read", a).size() == into.size(), "read");
  }
  /// The number of its names. with_attr: and attributes of each.
  long list(NodeId dir, bool with_attr) {
    struct Sink final : DirSink {
      bool add(const DirEntry& e) override {
        const size_t needs = 24 + e.name.size();
        if (needs > left) return false;
        left -= needs;
        last = e.cookie;
        const bool dots = e.name == "." || e.name == "..";
        number += !dots;
        if (e.with)
          nodes.push_back(e.with->node);
        else if (!dots)
          bare.emplace_back(e.name);
        return true;
      }
      size_t room() const override { return left; }
      size_t left = kListingRoom;
      uint64_t last = 0;
      long number = 0;
      std::vector<NodeId> nodes;
      std::vector<std::string> bare;
    };
    const Opened opened = must("opendir", op::OpenDir{{}, dir, O_RDONLY});
    long number = 0;
    for (uint64_t cookie = 0;;) {
      Sink sink;
      must("readdir", op::ReadDir{{}, dir, opened.handle, cookie, with_attr, {}, &sink});
      if (sink.left == kListingRoom) break;
      for (NodeId node : sink.nodes) forget(node);
      if (with_attr)
        for (auto& name : sink.bare) stat(dir, name);
      number += sink.number;
      cookie = sink.last;
    }
    must("releasedir", op::ReleaseDir{{}, dir, opened.handle});
    return number;
  }

 private:
  FileSystem& fs_;
};

/// In the root; taken away again.
class Folder {
 public:
  explicit Folder(Door& door) : door_(door), name_("host-measure-" + std::to_string(getpid())) {
    node = door_.must("mkdir", op::Mkdir{{}, NodeId::root, name_, 0755}).node;
  }
  ~Folder() {
    door_.forget(node);
    static_cast<void>(door_.call(op::Rmdir{{}, NodeId::root, name_}));
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  NodeId node{};

 private:
  Door& door_;
  const std::string name_;
};

// ---- streams ----

void measure_reads(Hosted& hosted, Phases& phases, const std::string& name, int readers, NodeId node, HandleId handle,
                   const Setup& setup) {
  const uint64_t size = static_cast<uint64_t>(setup.mib) << 20;
  phases.phase(name, setup.mib, [&] {
    Latch done(readers);
    std::atomic<uint64_t> next{0};
    std::vector<std::unique_ptr<Reader>> all;
    for (int i = 0; i < readers; i++)
      all.push_back(std::make_unique<Reader>(hosted.host(), node, handle, next, size, done));
    for (auto& r : all) r->begin();
    done.wait();
  });
}

void measure_streams(Hosted& hosted, Phases& phases, const Setup& setup) {
  // Past the volume, whose numbers of handles are its own; with no caches at all.
  Door door(hosted.host());
  Folder folder(door);
  op::Create a;
  a.dir = folder.node;
  a.name = "stream.bin";
  a.mode = 0644;
  a.flags = O_RDWR | O_CREAT | O_EXCL;
  const Created made = door.must("create", a);
  const NodeId node = made.entry.node;
  const HandleId handle = made.opened.handle;
  const std::vector<std::byte> piece(kPiece, std::byte{'s'});
  const uint64_t size = static_cast<uint64_t>(setup.mib) << 20;
  phases.phase("write_direct_128k", setup.mib, [&] {
    for (uint64_t at = 0; at < size; at += kPiece) door.write(node, handle, at, piece);
  });
  measure_reads(hosted, phases, "read_first", 1, node, handle, setup);  // the length of its answers is tried
  measure_reads(hosted, phases, "read_direct_128k", 1, node, handle, setup);
  measure_reads(hosted, phases, "read_128k_by_4", 4, node, handle, setup);
  door.close(node, handle);
  door.must("unlink", op::Unlink{{}, folder.node, a.name});
  door.forget(node);
}

// ---- meta ----

/// measure_meta() of fuse_measure, phase for phase.
void measure_meta(Hosted& hosted, Phases& phases, const Setup& setup) {
  const int n = setup.files;
  Door door(hosted.port());
  Folder folder(door);
  const NodeId dir = folder.node;
  std::vector<std::string> files, renamed, missing;
  for (int i = 0; i < n; i++) {
    std::array<char, 16> digits{};
    std::snprintf(digits.data(), digits.size(), "%06d", i);
    files.push_back(std::string("f") + digits.data());
    renamed.push_back(std::string("r") + digits.data());
    missing.push_back(std::string("no") + digits.data());
  }
  // Another order than that of creation.
  std::vector<size_t> order(static_cast<size_t>(n));
  for (size_t i = 0; i < order.size(); i++) order[i] = i;
  std::sort(order.begin(), order.end(),
            [](size_t a, size_t b) { return a * 2654435761u % 65537 < b * 2654435761u % 65537; });
  std::vector<std::byte> block(kSmall, std::byte{'x'});
  const auto each = [&](auto what) {
    for (size_t i : order) what(files[i]);
  };

  phases.phase("create_close", n, [&] {
    for (auto& name : files) door.create(dir, name);
  });
  phases.phase("stat_warm", n, [&] { each([&](auto& name) { door.stat(dir, name); }); });
  const auto with_open = [&](auto& name, uint32_t flags, auto what) {
    const NodeId node = door.must_look(dir, name);
    const HandleId handle = door.open(node, flags);
    what(node, handle);
    door.close(node, handle);
    door.forget(node);
  };
  phases.phase("open_close", n, [&] { each([&](auto& name) { with_open(name, O_RDONLY, [](NodeId, HandleId) {}); }); });
  phases.phase("open_write4k_close", n, [&] {
    each([&](auto& name) { with_open(name, O_WRONLY, [&](NodeId f, HandleId h) { door.write(f, h, 0, block); }); });
  });
  phases.phase("open_read4k_close", n, [&] {
    each([&](auto& name) { with_open(name, O_RDONLY, [&](NodeId f, HandleId h) { door.read(f, h, block); }); });
  });
  for (auto name : {"stat_missing", "stat_missing_again"})
    phases.phase(name, n, [&] {
      for (size_t i : order) need(door.look(dir, missing[i]) == NodeId::none, "a missing name");
    });
  const auto list = [&](bool with_attr) { need(door.list(dir, with_attr) == n, "number of names in the folder"); };
  hosted.drop_names();
  phases.phase("readdir_cold", n, [&] { list(false); });
  phases.phase("readdir_warm", n, [&] { list(false); });
  hosted.drop_names();
  phases.phase("ls_l_cold", n, [&] { list(true); });
  phases.phase("ls_l_warm", n, [&] { list(true); });
  hosted.drop_names();
  phases.phase("stat_cold", n, [&] { each([&](auto& name) { door.stat(dir, name); }); });
  phases.phase("chmod", n, [&] {
    each([&](auto& name) {
      op::Setattr set;
      set.node = door.must_look(dir, name);
      set.set.mask = kSetMode;
      set.set.to.mode = 0600;
      door.must("chmod", set);
      door.forget(set.node);
    });
  });
  phases.phase("rename", n, [&] {
    for (size_t i = 0; i < files.size(); i++) door.must("rename", op::Rename{{}, dir, files[i], dir, renamed[i], 0});
  });
  phases.phase("unlink", n, [&] {
    for (auto& name : renamed) door.must("unlink", op::Unlink{{}, dir, name});
  });
}

// ---- the program ----

/// All of them, also those that are started later: what is compared is the work, and not where a scheduler puts it.
void stay_on_one_processor() {
  cpu_set_t allowed;
  need(sched_getaffinity(0, sizeof allowed, &allowed) == 0, "sched_getaffinity");
  int processor = CPU_SETSIZE - 1;
  while (!CPU_ISSET(processor, &allowed)) processor--;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processor, &one);
  need(sched_setaffinity(0, sizeof one, &one) == 0, "sched_setaffinity");
}

[[noreturn]] void usage() {
  std::fprintf(stderr, "usage: host_measure trip|streams|meta [-n TIMES] [-s MIB] -- DAEMON ARG...\n");
  std::exit(2);
}

template <class T>
T number(std::string_view text) {
  T value{};
  auto [end, error] = std::from_chars(text.begin(), text.end(), value);
  if (error != std::errc() || end != text.end() || value < 1) usage();
  return value;
}

int run(const std::string& measurement, int argc, char** argv) {
  Setup setup;
  for (int option; (option = getopt(argc, argv, "+n:s:")) != -1;) {
    if (option == 'n')
      setup.files = number<int>(optarg);
    else if (option == 's')
      setup.mib = number<long>(optarg);
    else
      usage();
  }
  ctl::ProgramJob program;
  for (int i = optind; i < argc; i++) program.arguments.emplace_back(argv[i]);
  if (program.arguments.empty()) usage();
  if (measurement == "trip") stay_on_one_processor();
  auto file = ctl::resolve_program(program.arguments[0]);
  const auto refuse = [](const Problem& p) {
    std::fprintf(stderr, "host_measure: %s\n", p.what.c_str());
    return 1;
  };
  if (!file) return refuse(file.problem());
  program.file = *file;
  if (auto chosen = ctl::choose_way_in("auto", program); !chosen) return refuse(chosen.problem());
  auto fs = ctl::host_program(program, {});
  if (!fs) return refuse(fs.problem());
  Hosted hosted(std::move(*fs));
  Meter meter(fuse_daemon::descendants(getpid()), "");
  Phases phases(meter, hosted.host());
  if (measurement == "trip")
    measure_trip(hosted, phases, setup);
  else if (measurement == "streams")
    measure_streams(hosted, phases, setup);
  else if (measurement == "meta")
    measure_meta(hosted, phases, setup);
  else
    usage();
  return 0;
}

}  // namespace
}  // namespace isthmus::bench

int main(int argc, char** argv) {
  // A daemon that mounts by fusermount starts this program by that name.
  if (const auto helper = isthmus::ctl::as_fusermount(argc, argv)) return *helper;
  // The measurement's name stands first; what follows is read as its command line.
  return isthmus::bench::run(argc > 1 ? argv[1] : "", argc - 1, argv + (argc > 1 ? 1 : 0));
}
