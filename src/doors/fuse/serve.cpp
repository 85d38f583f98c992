#include "doors/fuse/serve.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/clock.h"
#include "base/kernel_version.h"
#include "base/log.h"
#include "doors/fuse/keeper.h"
#include "doors/fuse/policy.h"
#include "doors/fuse/read_ahead.h"
#include "doors/fuse/serve_background.h"
#include "doors/fuse/serve_signals.h"
#include "doors/fuse/unmount.h"
#include "vfs/defaults.h"
#include "vfs/sync.h"

namespace isthmus::fuse {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

/// Turns the end of a session into a readable descriptor.
class EndWatcher {
 public:
  explicit EndWatcher(Door& door)
      : event_(eventfd(0, EFD_CLOEXEC)), thread_([this, &door] {
          reason_ = door.wait();
          uint64_t one = 1;
          static_cast<void>(!write(event_.get(), &one, sizeof one));
        }) {}
  ~EndWatcher() { thread_.join(); }
  int fd() const { return event_.get(); }
  /// Once fd() is readable.
  EndReason reason() const { return reason_; }

 private:
  Fd event_;
  std::atomic<EndReason> reason_{EndReason::failed};
  std::thread thread_;
};

/// From the moment the mount answers to its end: signals, the keeper's answers, the grace of a busy mount.
class Life {
 public:
  Life(Door& door, const Mounted& mounted, Keeper& keeper, StopSignals& signals, const MountOptions& options)
      : door_(door), mounted_(mounted), keeper_(keeper), signals_(signals), options_(options), end_(door) {}

  ServeOutcome run() {
    while (!ended_) step();
    if (cut_off_)
      return {.stage = ServeStage::serving,
              .problem = {err(EBUSY), "'" + mounted_.path + "' was still in use and has been cut off", ""}};
    if (end_.reason() == EndReason::failed)
      return {.stage = ServeStage::serving, .problem = {err(EIO), "the kernel's FUSE connection failed", ""}};
    return {};
  }
  /// Whether the mount may still be there, without a server.
  bool left_behind() const { return end_.reason() != EndReason::unmounted && !detached_; }

 private:
  void step() {
    pollfd fds[3] = {{.fd = end_.fd(), .events = POLLIN, .revents = 0},
                     {.fd = signals_.fd(), .events = POLLIN, .revents = 0},
                     {.fd = asked_ ? keeper_.fd() : -1, .events = POLLIN, .revents = 0}};
    int timeout = -1;
    if (deadline_) timeout = static_cast<int>(std::max<int64_t>(0, (deadline_ - monotonic_ns()) / kNsPerMs + 1));
    if (poll(fds, 3, timeout) < 0) return;
    if (fds[0].revents) {
      ended_ = true;
      return;
    }
    if (fds[1].revents) on_signals(signals_.take());
    if (fds[2].revents) on_answer();
    if (deadline_ && monotonic_ns() >= deadline_) cut_off("still in use after the grace");
  }

  void on_signals(unsigned n) {
    seen_ += n;
    if (seen_ == 0) return;
    if (seen_ > 1) return cut_off("a second signal");
    if (mounted_.by == MountedBy::somebody || mounted_.id < 0) return door_.abort();
    // If this process is killed now, for being slow, the mount must not stay behind.
    static_cast<void>(keeper_.arm(mounted_, true));
    ask(UnmountHow::plain);
  }

  void ask(UnmountHow how) {
    how_ = how;
    asked_ = static_cast<bool>(keeper_.request(how));
    if (!asked_) give_up(err(ECHILD));
  }

  void on_answer() {
    asked_ = false;
    Status done = keeper_.take_answer();
    if (!done && done.error() == err(EBUSY) && how_ == UnmountHow::plain) {
      log(LogLevel::warning, "{} is in use: it is out of sight now and ends with its last user, or in {} s",
          mounted_.path, options_.grace);
      return ask(UnmountHow::lazy);
    }
    if (!done) return give_up(done.error());
    detached_ = true;
    // Also after a plain unmount something may live on: a copy of the mount in another namespace.
    if (!cut_off_) deadline_ = monotonic_ns() + int64_t{options_.grace} * kNsPerSec;
  }

  void give_up(Errno e) {
    log(LogLevel::error, "cannot unmount {}: {}; it is cut off", mounted_.path, text_of(e));
    door_.abort();
  }

  void cut_off(const char* why) {
    deadline_ = 0;
    if (cut_off_) return;
    cut_off_ = true;
    log(LogLevel::error, "{}: {}: it is cut off, its users see errors", mounted_.path, why);
    if (!detached_ && !asked_ && mounted_.by != MountedBy::somebody) ask(UnmountHow::lazy);
    door_.abort();
  }

  Door& door_;
  const Mounted& mounted_;
  Keeper& keeper_;
  StopSignals& signals_;
  const MountOptions& options_;
  EndWatcher end_;
  unsigned seen_ = 0;
  UnmountHow how_ = UnmountHow::plain;
  bool asked_ = false, detached_ = false, cut_off_ = false, ended_ = false;
  int64_t deadline_ = 0;  ///< monotonic ns; 0: none
};

/// Has the keeper take a mount away whose session is over or never began. Bounded: a mount that nobody serves any more
/// does not make umount(2) wait.
void take_away(Keeper& keeper, const Mounted& mounted) {
  if (mounted.by == MountedBy::somebody || mounted.id < 0) return;
  static_cast<void>(abort_connection(mounted.connection));
  if (!keeper.request(UnmountHow::lazy)) return;
  pollfd answer{.fd = keeper.fd(), .events = POLLIN, .revents = 0};
  if (poll(&answer, 1, 5000) == 1) static_cast<void>(keeper.take_answer());
}

ServeOutcome outcome(ServeStage stage, const Problem& p) { return {.stage = stage, .problem = p}; }

/// FileSystem::start() and its opposite.
class Started {
 public:
  Started(FileSystem& fs, Upcalls& up) : fs_(fs), status_(fs.start(up)) {}
  ~Started() {
    if (status_) fs_.stop();
  }
  const Status& status() const { return status_; }

 private:
  FileSystem& fs_;
  Status status_;
};

void prepare_process() {
  // Modes are decided by the users of the mount, not by whoever started the server.
  umask(0);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

/// Waits for the kernel's first words; a signal ends the wait.
Status wait_ready(Door& door, StopSignals& signals, unsigned seconds) {
  int64_t limit = monotonic_ns() + int64_t{seconds} * kNsPerSec;
  for (;;) {
    Status ready = door.wait_ready(std::chrono::milliseconds(100));
    if (ready || ready.error() != err(ETIMEDOUT) || monotonic_ns() > limit) return ready;
    if (signals.take() > 0) return err(EINTR);
  }
}

ServeOutcome serve_mounted(const ServeRequest& request, const ServeHooks& hooks, FileSystem& fs, Door& door,
                           Mounted mounted, Keeper& keeper, StopSignals& signals, Announcer& announcer) {
  static_cast<void>(keeper.arm(mounted, request.options.auto_unmount));
  door.attach(std::move(mounted.device));
  Status up = door.start();
  if (up) up = wait_ready(door, signals, request.answer_seconds);
  if (!up) {
    door.abort();
    door.wait();
    take_away(keeper, mounted);
    std::string reason = up.error() == err(EPROTO)  ? "its kernel is too old (FUSE protocol 7.23 is needed)"
                         : up.error() == err(EINTR) ? "it was interrupted"
                                                    : std::string(text_of(up.error()));
    return outcome(ServeStage::mounting, {up.error(), "cannot serve '" + request.mountpoint + "': " + reason, ""});
  }
  set_read_ahead(mounted, request.options.max_readahead);
  if (hooks.ready) hooks.ready({fs, door, mounted});
  announcer.ready(mounted);
  ServeOutcome result;
  bool left_behind = false;
  {
    Life life(door, mounted, keeper, signals, request.options);
    result = life.run();
    left_behind = life.left_behind();
  }
  if (left_behind) take_away(keeper, mounted);
  if (hooks.ended) hooks.ended();
  return result;
}

/// What is asked for in vain is told before anything is mounted.
Expected<Unit> check_transport(const MountOptions& options) {
  if (options.transport != TransportChoice::uring || kernel_has_rings()) return Unit{};
  return Problem{err(EOPNOTSUPP), "mount option 'transport=uring': this kernel does not let FUSE use io_uring",
                 "`isthmus doctor` says what would change that; transport=auto does without"};
}

ServeOutcome serve_here(const ServeRequest& request, const ServeHooks& hooks, Announcer& announcer) {
  auto keeper = Keeper::start();
  if (!keeper) return outcome(ServeStage::mounting, keeper.problem());
  auto point = open_mountpoint(request.mountpoint);
  if (!point) return outcome(ServeStage::mounting, point.problem());
  if (auto able = check_transport(request.options); !able) return outcome(ServeStage::mounting, able.problem());
  prepare_process();
  auto opened = hooks.open();
  if (!opened) return outcome(ServeStage::opening, opened.problem());
  FileSystem& fs = **opened;

  StopSignals signals;
  MountOptions o = request.options;
  bool ours = !point->device;  // the options of somebody else's mount are not known
  if (ours) settle_permissions(o, getuid(), kernel_version().at_least(6, 7));
  SessionOptions session = session_options(o);
  session.only_root = ours && getuid() == 0 && !o.allow_other;
  Door door(fs, Fd(), session);
  Started started(fs, door.upcalls());
  if (!started.status())
    return outcome(ServeStage::opening,
                   {started.status().error(),
                    "cannot start '" + request.source + "': " + std::string(text_of(started.status().error())), ""});
  op::Getattr ask;
  ask.node = NodeId::root;
  auto root = call_and_wait(fs, ask);
  if (!root)
    return outcome(
        ServeStage::opening,
        {root.error(), "cannot read the root of '" + request.source + "': " + std::string(text_of(root.error())), ""});
  Traits traits = fs.traits();
  // So that the kernel tells programs (statvfs, access) and refuses changes by itself.
  o.read_only = o.read_only || is_read_only(fs);
  std::string source = !o.fsname.empty()                  ? o.fsname
                       : traits.source != Traits().source ? traits.source
                       : !request.source.empty()          ? request.source
                                                          : traits.source;
  auto mounted = mount(std::move(*point), o, root->attr.mode, source, o.subtype.empty() ? traits.type : o.subtype);
  if (!mounted) return outcome(ServeStage::mounting, mounted.problem());
  return serve_mounted(request, hooks, fs, door, std::move(*mounted), *keeper, signals, announcer);
}

}  // namespace

SessionOptions session_options(const MountOptions& o) {
  SessionOptions s;
  s.default_permissions = o.default_permissions.value_or(true);
  s.writeback_cache = o.writeback_cache;
  s.remote_posix_lock = o.posix_locks;
  s.remote_flock = o.flock_locks;
  s.stateless_open = o.stateless_open;
  s.no_forget = o.noforget;
  s.direct_io = o.direct_io;
  s.passthrough = o.passthrough;
  s.kernel_cache = o.kernel_cache;
  s.splice = !o.no_splice;
  if (o.sync_read) s.async_read = false;
  if (o.no_readdirplus) s.readdirplus = false;
  if (o.allow_root) s.only_uid = getuid();
  s.clone_fd = o.clone_fd;
  s.max_write = o.max_write.value_or(0);
  s.max_readahead = o.max_readahead;
  s.max_background = o.max_background.value_or(0);
  s.congestion_threshold = o.congestion_threshold.value_or(0);
  s.transport = o.transport;
  s.threads = o.threads;
  s.uring_depth = o.uring_depth;
  s.entry_ttl = o.entry_ttl;
  s.negative_ttl = o.negative_ttl;
  s.attr_ttl = o.attr_ttl;
  return s;
}

ServeOutcome serve(const ServeRequest& request, const ServeHooks& hooks) {
  Announcer announcer;
  if (!request.foreground) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return outcome(ServeStage::serving, {last_errno(), "pipe", ""});
    Fd in(ends[0]), out(ends[1]);
    pid_t child = fork();
    if (child < 0)
      return outcome(ServeStage::serving,
                     {last_errno(), "cannot start a process: " + std::string(text_of(last_errno())), ""});
    if (child > 0) {
      out.reset();
      return wait_for_server(child, std::move(in), request.answer_seconds);
    }
    announcer = Announcer(std::move(out));
  }
  ServeOutcome result = serve_here(request, hooks, announcer);
  if (result.stage != ServeStage::done) result.reported = announcer.failed(result);
  return result;
}

}  // namespace isthmus::fuse
