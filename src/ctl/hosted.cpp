#include "ctl/hosted.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/clock.h"
#include "base/log.h"
#include "control/control.h"
#include "control/host.h"
#include "ctl/run.h"
#include "providers/fuse_host/fuse_host.h"

namespace isthmus::ctl {
namespace {

constexpr int kProgramLookMs = 50;

/// The process that was started, and the one that serves when that has gone to the background.
class Program {
 public:
  ~Program() {
    // Its connection is closed. Some write all that they have now: a whole archive.
    if (!gone(serves_ ? 60'000 : 1'000)) signal_all(SIGTERM);
    if (!gone(10'000)) signal_all(SIGKILL);
    gone(2000);
    std::error_code e;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, e);
  }

  Expected<Unit> prepare() {
    auto parent = control::control_folder();
    if (!parent) return parent.problem();
    std::string name = *parent + "/host-XXXXXX";
    if (!mkdtemp(name.data()))
      return Problem{last_errno(), fmt::format("cannot make a folder in {}: {}", *parent, text_of(last_errno())), ""};
    folder_ = name;
    std::error_code e;
    if (!std::filesystem::create_directory(place(), e))
      return Problem{err(e.value()), place() + ": " + e.message(), ""};
    return Unit{};
  }
  std::string place() const { return folder_ + "/mnt"; }
  std::string socket() const { return folder_ + "/socket"; }

  Expected<Unit> start(const ProgramJob& job) {
    std::vector<std::string> words = job.arguments;
    if (!job.own_mountpoint) words.push_back(place());
    std::vector<char*> argv;
    for (auto& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    child_ = fork();
    if (child_ < 0) return Problem{last_errno(), "cannot start a process: " + std::string(text_of(last_errno())), ""};
    if (child_ > 0) return Unit{};
    use_our_libfuse(job.library_folder);
    unsetenv("ISTHMUS_LIST");  // this process is in the list
    setenv(control::kHostVariable, socket().c_str(), 1);
    execv(job.file.c_str(), argv.data());
    fmt::print(stderr, "isthmus: {} cannot be run: {}\n", job.file, text_of(last_errno()));
    _exit(127);
  }
  void serves(pid_t pid) {
    serves_ = true;
    if (pid > 0) server_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  }
  /// Of the process that was started: -1 while it runs.
  int status() {
    if (child_ > 0 && waitpid(child_, &status_, WNOHANG) != 0) child_ = -1;
    return child_ > 0 ? -1 : status_;
  }

 private:
  bool gone(int ms) {
    for (int waited = 0;; waited += kProgramLookMs) {
      pollfd p{server_.get(), POLLIN, 0};
      if (status() >= 0 && (!server_ || poll(&p, 1, 0) != 0)) return true;
      if (waited >= ms) return false;
      poll(nullptr, 0, kProgramLookMs);
    }
  }
  void signal_all(int signal) {
    if (server_) syscall(SYS_pidfd_send_signal, server_.get(), signal, nullptr, 0);
    if (status() < 0) kill(child_, signal);
  }

  std::string folder_;
  pid_t child_ = -1;
  int status_ = 0;
  bool serves_ = false;
  Fd server_;
};

std::string how_it_ended(int status) {
  return WIFSIGNALED(status) ? fmt::format("was ended by signal {}", WTERMSIG(status))
                             : fmt::format("ended with status {}", WEXITSTATUS(status));
}

}  // namespace

Expected<std::unique_ptr<FileSystem>> host_program(const ProgramJob& job, const SourceHooks& hooks) {
  // One that has gone to the background must mount soon, and then serve soon.
  int64_t soon = 5 * kNsPerSec;
  auto program = std::make_shared<Program>();
  if (auto prepared = program->prepare(); !prepared) return prepared.problem();
  auto listener = control::listen_for_program(program->socket());
  if (!listener) return listener.problem();
  if (auto started = program->start(job); !started) return started.problem();
  int64_t until = 0;
  auto over = [&] {
    if (hooks.cancelled && hooks.cancelled()) return true;
    const int status = program->status();
    if (status > 0) return true;
    if (status == 0 && until == 0) until = monotonic_ns() + soon;
    return until != 0 && monotonic_ns() > until;
  };
  auto failed = [&](const std::string& why) {
    const int status = program->status();
    return Problem{err(ENOEXEC),
                   fmt::format("{} {}", job.file, status > 0 ? how_it_ended(status) + " before it served" : why),
                   fmt::format("what it says is above; its help: isthmus run -- {} --help", job.file)};
  };
  pollfd p{listener->get(), POLLIN, 0};
  while (poll(&p, 1, kProgramLookMs) <= 0)
    if (over()) return failed("does not mount");
  soon = 30 * kNsPerSec;
  until = 0;
  auto connected = control::accept_program(listener->get());
  if (!connected) return connected.problem();
  if (job.own_mountpoint) *job.own_mountpoint = connected->hello.mountpoint;
  const auto& hello = connected->hello;
  fuse_host::Options options;
  if (!hello.fsname.empty()) options.source = hello.fsname;
  if (!hello.subtype.empty()) options.type = hello.subtype;
  options.read_only = hello.read_only;
  options.keep = program;
  options.ended = [file = job.file] {
    log(LogLevel::warning, "{} has ended", file);
    kill(getpid(), SIGTERM);
  };
  auto host = fuse_host::FuseHost::connect(std::move(connected->device), std::move(options), over);
  if (!host) return failed(host.problem().what);
  program->serves((*host)->pid());
  return std::unique_ptr<FileSystem>(std::move(*host));
}

}  // namespace isthmus::ctl
