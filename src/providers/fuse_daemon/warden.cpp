#include "providers/fuse_daemon/warden.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <ftw.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <deque>

#include "base/clock.h"
#include "providers/fuse_daemon/device.h"
#include "providers/fuse_daemon/fusermount.h"
#include "providers/fuse_daemon/message.h"
#include "providers/fuse_daemon/notifier.h"
#include "providers/fuse_daemon/process.h"
#include "run/threads.h"

namespace isthmus::fuse_daemon {
namespace {

constexpr int kLookMs = 200;  // while it ends
constexpr int64_t kWorksAtMost = 60 * kNsPerSec, kTermAtMost = 10 * kNsPerSec, kIdleAtMost = 3 * kNsPerSec;
constexpr size_t kMostLine = 1024, kMostQueued = 256;
constexpr const char* kGoFile = "/.go-fuse-epoll-hack";

const char* const kStrangers[] = {"_FUSE_COMMFD", "ISTHMUS_LIST",  "LISTEN_FDS",   "LISTEN_FDNAMES",
                                  "LISTEN_PID",   "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"};

/// The same for all names of a place; the place itself, which may be a mount, is not looked at.
std::string place_of(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const size_t slash = path.rfind('/');
  char real[PATH_MAX];
  if (slash == std::string::npos || !realpath(path.substr(0, slash + 1).c_str(), real)) return path;
  return std::string(real) + "/" + path.substr(slash + 1);
}

struct Pipe {
  Fd out, in;
};
Pipe make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return {};
  Pipe p{Fd(ends[0]), Fd(ends[1])};
  fcntl(p.out.get(), F_SETFL, O_NONBLOCK);
  return p;
}

/// What it writes, by lines.
struct Output {
  Fd from;
  int number;  // 1 or 2
  std::string line = {};
};

class Warden final : public Listener {
 public:
  Warden(const Job& job, Fd socket, Fd device, const InheritedSignals& signals)
      : job_(job), signals_(signals), socket_(std::move(socket)), device_(std::move(device)) {}

  void run() {
    prctl(PR_SET_NAME, "isthmus-host");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int s : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTOU, SIGTTIN}) signal(s, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigset_t children = signal_set({SIGCHLD});
    sigprocmask(SIG_SETMASK, &children, nullptr);
    deaths_.reset(signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
    if (prepare() && start()) {
      while (step()) {
      }
      while (report_) take_report();  // it may have been quicker than we
      for (auto& o : outputs_) read_output(o);
      say({.kind = Word::last_words}, last_words_);
    }
    if (!go_file_.empty()) unlink(go_file_.c_str());
    remove_folders(job_.folder, job_.temporary);
    say({.kind = Word::over});
    for (auto& m : queue_)
      if (!send_message(socket_.get(), m, -1)) break;
  }

 private:
  bool prepare() {
    if (job_.way != WayIn::own) {
      auto door = FusermountDoor::open(job_.folder, job_.fusermount);
      if (!door) return cannot(door.problem().code, door.problem().what);
      fusermount_.emplace(std::move(*door));
    }
    return deaths_ || cannot(last_errno(), "signalfd");
  }

  bool cannot(Errno e, std::string_view what) {
    say({.kind = Word::cannot, .code = static_cast<int32_t>(e)}, what);
    return false;
  }

  bool start() {
    Pipe out = make_pipe(), error = make_pipe();
    int pair[2];
    if (!out.in || !error.in || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
      return cannot(last_errno(), "a pipe");
    report_.reset(pair[0]);
    Fd tell(pair[1]);
    const pid_t self = getpid();
    first_ = fork();
    if (first_ < 0) return cannot(last_errno(), "fork");
    if (first_ == 0) become_daemon(self, tell.get(), out.in.get(), error.in.get());
    outputs_.push_back({std::move(out.out), 1});
    outputs_.push_back({std::move(error.out), 2});
    return true;
  }

  [[noreturn]] static void give_up(int tell, const char* what) {
    const int e = errno;
    send_message(tell, std::string(reinterpret_cast<const char*>(&e), sizeof e) + what, -1);
    _exit(127);
  }

  [[noreturn]] void become_daemon(pid_t warden, int tell, int out, int error) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != warden) _exit(127);
    setsid();
    for (int s = 1; s < NSIG; s++) signal(s, SIG_DFL);
    if (signals_.hangup_ignored) signal(SIGHUP, SIG_IGN);
    if (signals_.interrupt_ignored) signal(SIGINT, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    if (dup2(out, STDOUT_FILENO) < 0 || dup2(error, STDERR_FILENO) < 0) give_up(tell, "dup2");
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    int device = -1;
    // Above those that programs count on being free.
    if (job_.way == WayIn::fd && (device = fcntl(device_.get(), F_DUPFD, 20)) < 0) give_up(tell, "the device");
    put_environment();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) give_up(tell, "no_new_privs");
    auto words = arguments(device);
    std::vector<char*> argv;
    for (auto& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    if (job_.way == WayIn::seccomp) {
      auto listener = Notifier::install();
      if (!listener) {
        errno = listener.code();
        give_up(tell, "a seccomp filter");
      }
      if (!send_message(tell, "filter", listener->get())) _exit(127);
      listener->reset();
    }
    execv(job_.file.c_str(), argv.data());
    give_up(tell, "");
  }

  void put_environment() const {
    for (auto name : kStrangers) unsetenv(name);
    if (job_.way != WayIn::own) {
      const char* path = getenv("PATH");
      setenv("PATH", (job_.folder + ":" + (path ? path : "/usr/local/bin:/usr/bin:/bin")).c_str(), 1);
      // As some ask for it by name.
      for (auto name : {"FUSERMOUNT_PATH", "FUSERMOUNT_PROG"}) setenv(name, (job_.folder + "/fusermount3").c_str(), 1);
    }
    // An answer's memory is not fetched from the kernel and given back each time, as the C library does above 128 KiB:
    // it would be cleared each time.
    setenv("MALLOC_MMAP_THRESHOLD_", "4194304", 0);
    setenv("MALLOC_TRIM_THRESHOLD_", "16777216", 0);
    setenv(kMark, job_.folder.c_str(), 1);
    if (job_.way == WayIn::preload) {
      const char* others = getenv("LD_PRELOAD");
      setenv("LD_PRELOAD", (job_.preload + (others && *others ? std::string(":") + others : "")).c_str(), 1);
    }
    if (!job_.temporary.empty()) setenv("TMPDIR", job_.temporary.c_str(), 1);
    for (auto& [name, value] : job_.environment) setenv(name.c_str(), value.c_str(), 1);
  }

  std::vector<std::string> arguments(int device) const {
    const std::string place = device >= 0 ? fmt::format("/dev/fd/{}", device) : job_.mountpoint;
    std::vector<std::string> words = job_.arguments;
    if (place.empty()) return words;
    for (auto& w : words)
      for (size_t at = 0; (at = w.find(kMountpoint, at)) != std::string::npos; at += place.size())
        w.replace(at, kMountpoint.size(), place);
    return words;
  }

  /// False: no process is left.
  bool step() {
    std::vector<pollfd> fds{{socket_.get(), POLLIN, 0}, {deaths_.get(), POLLIN, 0}, {report_.get(), POLLIN, 0}};
    if (!queue_.empty()) fds[0].events |= POLLOUT;
    fds.push_back({fusermount_ ? fusermount_->fd() : -1, POLLIN, 0});
    fds.push_back({notifier_ ? notifier_->fd() : -1, POLLIN, 0});
    for (auto& o : outputs_) fds.push_back({o.from.get(), POLLIN, 0});
    poll(fds.data(), fds.size(), stage_ == Stage::lives ? -1 : kLookMs);
    // What the host has said goes before what the daemon asks for then.
    if (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) take_order();
    if (fds[2].revents) take_report();
    // All who have the filter are gone, or ask.
    if (fds[4].revents & POLLIN)
      notifier_->answer();
    else if (fds[4].revents)
      notifier_.reset();
    if (fds[3].revents) take_fusermount();
    for (size_t i = 0; i < outputs_.size(); i++)
      if (fds[5 + i].revents) read_output(outputs_[i]);
    send_queue();
    if (stage_ != Stage::lives) go_on_ending();
    return take_deaths();
  }

  void take_report() {
    Message m = receive_message(report_.get());
    if (m.fd) notifier_ = std::make_unique<Notifier>(std::move(m.fd), device_, *this, job_.folder + "/");
    if (m.over) {
      say({.kind = Word::started, .pid = first_});
      return report_.reset();
    }
    int e = 0;
    if (m.fd || m.text.size() < sizeof e || m.text == "filter") return;
    memcpy(&e, m.text.data(), sizeof e);
    cannot(err(e), m.text.substr(sizeof e));
    report_.reset();
  }

  /// False: there are no children any more.
  bool take_deaths() {
    signalfd_siginfo info;
    while (read(deaths_.get(), &info, sizeof info) > 0) {
    }
    while (true) {
      int status = 0;
      const pid_t pid = waitpid(-1, &status, WNOHANG);
      if (pid < 0) return false;
      if (pid == 0) return true;
      // What it wrote goes before.
      for (auto& o : outputs_) read_output(o);
      say({.kind = Word::last_words}, last_words_);
      say({.kind = Word::ended, .pid = pid, .code = status});
    }
  }

  void take_order() {
    Message m = receive_message(socket_.get(), MSG_DONTWAIT);
    Order order = Order::end;
    if (m.text.size() == sizeof order)
      memcpy(&order, m.text.data(), sizeof order);
    else if (!m.over)
      return;
    if (m.over) host_gone_ = true;
    if (order == Order::serves) return now_serves();
    if (stage_ != Stage::lives) return;
    device_.let_go();
    stage_ = order == Order::end_now ? Stage::terminated : Stage::asked;
    if (stage_ == Stage::terminated) signal_all(SIGTERM);
    since_ = active_ = monotonic_ns();
    activity_ = 0;
  }

  void now_serves() {
    device_.let_go();
    raw_ = false;
    // A terminal, a pipe, a file of whoever started us.
    Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    for (int i = 0; i < 3; i++) dup2(null.get(), i);
  }

  void go_on_ending() {
    if (host_gone_) socket_.reset();  // it would be readable for ever
    const int64_t now = monotonic_ns();
    const auto all = descendants(getpid());
    const uint64_t activity_now = activity(all);
    if (std::exchange(activity_, activity_now) != activity_now) active_ = now;
    const int64_t limit = stage_ == Stage::asked ? kWorksAtMost : kTermAtMost;
    if (stage_ == Stage::killed) return signal_all(SIGKILL);
    if (now - since_ < limit && now - active_ < kIdleAtMost) return;
    stage_ = stage_ == Stage::asked ? Stage::terminated : Stage::killed;
    since_ = active_ = now;
    signal_all(stage_ == Stage::terminated ? SIGTERM : SIGKILL);
  }
  static void signal_all(int signal) {
    for (pid_t pid : descendants(getpid())) kill(pid, signal);
  }

  void read_output(Output& o) {
    char part[4096];
    ssize_t n = 0;
    while (o.from && (n = read(o.from.get(), part, sizeof part)) != 0) {
      if (n < 0) {
        if (errno == EINTR) continue;
        return;
      }
      const std::string_view got(part, static_cast<size_t>(n));
      if (raw_) pass_on(got);
      for (char c : got) {
        if (c == '\n')
          end_line(o);
        else if (o.line.size() < kMostLine)
          o.line += c;
      }
    }
    end_line(o);
    o.from.reset();
  }
  /// Where it would have gone without us; a reader that does not read must not stop us.
  static void pass_on(std::string_view text) {
    pollfd p{STDERR_FILENO, POLLOUT, 0};
    if (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT))
      static_cast<void>(!write(STDERR_FILENO, text.data(), text.size()));
  }
  void end_line(Output& o) {
    std::string line = std::exchange(o.line, {});
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty()) return;
    if (!raw_ && queue_.size() < kMostQueued) say({.kind = Word::line, .code = o.number}, line);
    if (o.number == 2) last_words_ = std::move(line);
  }

  void say(Word word, std::string_view text = {}) {
    queue_.push_back(std::string(reinterpret_cast<const char*>(&word), sizeof word) + std::string(text));
    send_queue();
  }
  void send_queue() {
    while (!queue_.empty()) {
      if (!send_message(socket_.get(), queue_.front(), -1, MSG_DONTWAIT) && errno == EAGAIN) return;
      queue_.pop_front();
    }
  }

  // Listener
  void opened(pid_t process) override { say({.kind = Word::opened, .pid = process}); }
  Status mounted(Mount m) override {
    if (mounted_) return err(EPERM);
    mounted_ = true;
    target_ = place_of(m.target);
    std::string text;
    for (auto& part : {m.target, m.fsname, m.subtype}) text += part + '\0';
    say({.kind = Word::mounted,
         .max_read = m.max_read,
         .read_only = m.read_only,
         .allow_other = m.allow_other,
         .default_permissions = m.default_permissions,
         .block_device = m.block_device,
         .character_device = m.character_device},
        text);
    return Unit{};
  }
  bool unmounted(const std::string& target) override { return mounted_ && place_of(target) == target_; }

  void take_fusermount() {
    auto request = fusermount_->take();
    if (!request) return;
    const auto& w = request->words;
    using Wish = FusermountWords::Wish;
    if (w.wish == Wish::unmount) {
      const bool ours = unmounted(w.target);
      return FusermountDoor::answer(*request, ours ? 0 : EINVAL, "this daemon has mounted nothing there", -1);
    }
    if (w.wish == Wish::open_terminal) {
      const Fd terminal(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
      return FusermountDoor::answer(*request, terminal ? 0 : errno, "", terminal.get());
    }
    if (w.wish == Wish::open_fuse || w.wish == Wish::open_cuse) {
      Mount cuse;
      cuse.character_device = true;
      const bool taken = device_.here() && (w.wish == Wish::open_fuse || mounted(std::move(cuse)));
      if (taken) opened(request->process);
      return FusermountDoor::answer(*request, taken ? 0 : EBUSY, "", taken ? device_.get() : -1);
    }
    Mount m;
    m.target = w.target;
    take_options(w.options, m);
    if (w.wish == Wish::mount_own) return FusermountDoor::answer(*request, mounted(std::move(m)).code(), "", -1);
    if (!device_.here() || mounted_)
      return FusermountDoor::answer(*request, EPERM, "a hosted daemon has one mount", -1);
    // go-fuse opens a file of that name as soon as it has mounted, and takes none for a failure.
    const std::string file = w.target + kGoFile;
    if (Fd fd(open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)); fd) go_file_ = file;
    static_cast<void>(mounted(std::move(m)));
    FusermountDoor::answer(*request, 0, "", device_.get());
  }

  enum class Stage : uint8_t { lives, asked, terminated, killed };

  const Job& job_;
  const InheritedSignals signals_;
  Fd socket_;
  Device device_;
  Fd deaths_, report_;
  std::optional<FusermountDoor> fusermount_;
  std::unique_ptr<Notifier> notifier_;
  std::vector<Output> outputs_;
  std::deque<std::string> queue_;
  std::string last_words_, target_, go_file_;
  pid_t first_ = -1;
  bool raw_ = true, mounted_ = false, host_gone_ = false;
  Stage stage_ = Stage::lives;
  int64_t since_ = 0, active_ = 0;  // monotonic ns: of the stage; when something was last done
  uint64_t activity_ = 0;
};

}  // namespace

InheritedSignals InheritedSignals::now() {
  const auto ignored = [](int s) {
    struct sigaction a {};
    return sigaction(s, nullptr, &a) == 0 && a.sa_handler == SIG_IGN;
  };
  return {ignored(SIGHUP), ignored(SIGINT)};
}

void run_warden(const Job& job, Fd socket, Fd device, const InheritedSignals& signals) {
  Warden(job, std::move(socket), std::move(device), signals).run();
}

void remove_folders(const std::string& folder, const std::string& temporary) {
  FusermountDoor::remove(folder);
  unlink((folder + "/socket").c_str());
  const std::string place = folder + "/mnt";
  if (rmdir(place.c_str()) < 0 && errno == EBUSY) {
    // A real mount, past us; what is in it is somebody's.
    umount2(place.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
    rmdir(place.c_str());
  }
  rmdir(folder.c_str());
  constexpr int kMostOpen = 16;
  const auto remove_one = [](const char* path, const struct stat*, int, FTW*) {
    static_cast<void>(!remove(path));  // the others go nevertheless
    return 0;
  };
  if (!temporary.empty()) nftw(temporary.c_str(), remove_one, kMostOpen, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

}  // namespace isthmus::fuse_daemon
