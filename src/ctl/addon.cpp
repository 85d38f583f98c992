#include "ctl/addon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/clock.h"
#include "ctl/hosted.h"
#include "ctl/libraries.h"
#include "ctl/logging.h"
#include "ctl/program_check.h"
#include "ctl/run.h"
#include "ctl/schemes.h"
#include "doors/fuse/mount_table.h"
#include "doors/fuse/serve_background.h"
#include "run/threads.h"

namespace isthmus::ctl {
namespace {

constexpr int kAddonLookMs = 20;

struct Plan {
  std::string path;        // of the add-on
  std::string mountpoint;  // as mount tables have it
  std::string program;     // what is executed
  std::vector<std::string> arguments;
  unsigned answer_seconds = 30;
};

/// A comma inside a value of -o, and a backslash, are written with a backslash in front.
std::string escaped(std::string_view value) {
  std::string out;
  for (char c : value) {
    if (c == ',' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

/// Which file is executed: the add-on itself, or what loads it.
Expected<Unit> choose_program(Plan& plan, const std::string& folder) {
  auto check = check_program(plan.path, folder);
  if (!check) return check.problem();
  if (check->verdict == Verdict::cannot || check->verdict == Verdict::lacks)
    return Problem{err(ENOEXEC), fmt::format("add-on {} {}", check->path, check->why), check->hint};
  if (check->verdict == Verdict::none && !check->script)
    return Problem{err(ENOEXEC), fmt::format("add-on {} {}", check->path, check->why),
                   "an add-on is a program or a shared object that is linked to libfuse"};
  auto& facts = check->facts;
  bool object = std::find(facts.begin(), facts.end(), kSharedLibrary) != facts.end();
  plan.program = object ? folder + "/isthmus-addon" : plan.path;
  if (object) plan.arguments.insert(plan.arguments.begin(), {plan.program, plan.path});
  return Unit{};
}

/// trace+ is for our libfuse to put around the program's files; others have no place there.
Expected<Unit> put_trace(const Source& source) {
  std::string format = "text", file;
  for (auto& [key, value] : source.options) {
    if (key == "trace.format") format = value;
    if (key == "trace.file") file = value;
  }
  for (auto& d : source.decorators)
    if (d != "trace")
      return Problem{err(EINVAL), fmt::format("{}+ cannot be put around an add-on, which has a process of its own", d),
                     "trace+ can"};
  if (!source.decorators.empty()) setenv("ISTHMUS_TRACE", format.c_str(), 1);
  if (!file.empty()) setenv("ISTHMUS_TRACE_FILE", file.c_str(), 1);
  return Unit{};
}

/// Watches an add-on from its start to its end.
class Watch {
 public:
  Watch(const Plan& plan, const MountJob& job, fuse::Announcer announcer)
      : plan_(plan), job_(job), announcer_(std::move(announcer)) {
    if (auto entry = fuse::mount_at(plan.mountpoint)) before_ = entry->id;
  }
  Failure run();

 private:
  Expected<Unit> start();
  void look_for_mount();
  void hear_signals();
  /// The add-on's messages: to the log, once it has left the terminal.
  void pass_messages_on();
  Failure ended();
  Failure failed(ExitCode code, fuse::ServeStage stage, Problem problem);

  const Plan& plan_;
  const MountJob& job_;
  fuse::Announcer announcer_;
  int before_ = -1;
  bool mounted_ = false;
  int told_ = 0;  // the signal that was passed on
  pid_t pid_ = -1;
  Fd signals_, messages_;
  std::string line_;
  int status_ = 0;
};

Expected<Unit> Watch::start() {
  sigset_t wanted = signal_set({SIGTERM, SIGINT, SIGHUP, SIGCHLD}), had;
  pthread_sigmask(SIG_BLOCK, &wanted, &had);
  signals_.reset(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  int ends[2];
  if (!signals_ || pipe2(ends, O_CLOEXEC) < 0)
    return Problem{last_errno(), "cannot watch an add-on: " + std::string(text_of(last_errno())), ""};
  messages_.reset(ends[0]);
  Fd out(ends[1]);
  pid_t us = getpid();
  pid_ = fork();
  if (pid_ < 0) return Problem{last_errno(), "cannot start an add-on: " + std::string(text_of(last_errno())), ""};
  if (pid_ > 0) return Unit{};
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != us) _exit(1);
  pthread_sigmask(SIG_SETMASK, &had, nullptr);
  if (!job_.foreground) {
    Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    dup2(null.get(), STDIN_FILENO);
    dup2(out.get(), STDOUT_FILENO);
    dup2(out.get(), STDERR_FILENO);
  }
  std::vector<std::string> words = plan_.arguments;
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(plan_.program.c_str(), argv.data());
  fmt::print(stderr, "isthmus: {} cannot be run: {}\n", plan_.program, strerror(errno));
  _exit(127);
}

void Watch::look_for_mount() {
  auto entry = fuse::mount_at(plan_.mountpoint);
  if (mounted_ || !entry || !entry->is_fuse() || entry->id == before_) return;
  mounted_ = true;
  pass_messages_on();
  fuse::Mounted m;
  m.path = plan_.mountpoint;
  m.id = entry->id;
  m.connection = entry->minor;
  announcer_.ready(m);
  if (!job_.foreground && job_.log_file.empty()) log_to_journal();
}

void Watch::hear_signals() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof info) == sizeof info)
    if (info.ssi_signo != SIGCHLD) {
      told_ = static_cast<int>(info.ssi_signo);
      kill(pid_, SIGTERM);
    }
}

void Watch::pass_messages_on() {
  pollfd p{messages_.get(), POLLIN, 0};
  char block[4096];
  while (poll(&p, 1, 0) == 1) {
    ssize_t n = read(messages_.get(), block, sizeof block);
    if (n <= 0) return messages_.reset();
    line_.append(block, static_cast<size_t>(n));
    for (size_t end; (end = line_.find('\n')) != std::string::npos; line_.erase(0, end + 1)) {
      std::string_view text = std::string_view(line_).substr(0, end);
      if (mounted_)
        log(LogLevel::info, "{}: {}", plan_.path, text);
      else
        fmt::print(stderr, "{}\n", text);
    }
    constexpr size_t kLongest = 4096;
    if (line_.size() > kLongest) line_.clear();
  }
}

Failure Watch::failed(ExitCode code, fuse::ServeStage stage, Problem problem) {
  Failure f{code, problem};
  f.reported = announcer_.failed({.stage = stage, .problem = std::move(problem)});
  return f;
}

Failure Watch::ended() {
  look_for_mount();
  std::string how = WIFSIGNALED(status_)
                        ? fmt::format("was ended by signal {} ({})", WTERMSIG(status_), strsignal(WTERMSIG(status_)))
                        : fmt::format("ended with status {}", WEXITSTATUS(status_));
  std::string why = "add-on " + plan_.path + " " + how;
  if (!mounted_)
    return failed(kExitSource, fuse::ServeStage::opening,
                  {err(ENOEXEC), why + " before it had mounted",
                   "what it says is above; its help: isthmus run -- " + plan_.path + " --help"});
  auto entry = fuse::mount_at(plan_.mountpoint);
  bool there = entry && entry->is_fuse() && entry->id != before_;
  // Programs that go to the background all the same leave their mount served.
  if (!WIFSIGNALED(status_) && WEXITSTATUS(status_) == 0) return {};
  if (!there && !WIFSIGNALED(status_)) return {};  // libfuse's programs say so after a signal or a cut connection
  if (told_ && !there) return {};
  Problem p{err(EIO), why, there ? "its mount answers nothing any more: isthmus unmount " + plan_.mountpoint : ""};
  if (!job_.foreground) log(LogLevel::error, "{}", p.text());
  return {kExitFailure, p};
}

Failure Watch::run() {
  if (auto started = start(); !started) return failed(kExitFailure, fuse::ServeStage::opening, started.problem());
  const int64_t until = monotonic_ns() + int64_t{plan_.answer_seconds} * kNsPerSec;
  for (;;) {
    pollfd fds[] = {{signals_.get(), POLLIN, 0}, {messages_ ? messages_.get() : -1, POLLIN, 0}};
    poll(fds, 2, mounted_ ? -1 : kAddonLookMs);
    hear_signals();
    if (messages_) pass_messages_on();
    if (waitpid(pid_, &status_, WNOHANG) == pid_) return ended();
    look_for_mount();
    if (mounted_ || monotonic_ns() < until) continue;
    kill(pid_, SIGKILL);
    waitpid(pid_, &status_, 0);
    return failed(
        kExitMount, fuse::ServeStage::mounting,
        {err(ETIMEDOUT), fmt::format("add-on {} had not mounted after {} s", plan_.path, plan_.answer_seconds),
         "to see what it does: isthmus mount -f"});
  }
}

Failure failure_of(const fuse::ServeOutcome& outcome) {
  if (outcome.stage == fuse::ServeStage::done) return {};
  return {outcome.stage == fuse::ServeStage::opening    ? kExitSource
          : outcome.stage == fuse::ServeStage::mounting ? kExitMount
                                                        : kExitFailure,
          outcome.problem, outcome.reported};
}

}  // namespace

std::vector<std::string> split_arguments(std::string_view text) {
  std::vector<std::string> words;
  bool inside = false;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == ' ') {
      inside = false;
      continue;
    }
    if (text[i] == '\\' && i + 1 < text.size()) i++;
    if (!std::exchange(inside, true)) words.emplace_back();
    words.back() += text[i];
  }
  return words;
}

std::vector<std::string> addon_arguments(const Source& source, const std::vector<std::string>& mount_options,
                                         const std::string& mountpoint) {
  std::vector<std::string> words{source.path.substr(source.path.rfind('/') + 1)};
  std::vector<std::string> options = mount_options;
  for (auto& [key, value] : own_options(source)) {
    if (key != kAddonArgs) {
      options.push_back(value.empty() ? key : key + "=" + escaped(value));
      continue;
    }
    for (auto& word : split_arguments(value)) words.push_back(word);
  }
  for (auto& list : options) words.insert(words.end(), {"-o", list});
  words.insert(words.end(), {mountpoint, "-f"});
  return words;
}

Expected<std::unique_ptr<FileSystem>> host_addon(const Source& source, const SourceHooks& hooks) {
  auto folder = our_library_folder();
  if (!folder) return folder.problem();
  Plan plan;
  plan.path = source.path;
  plan.arguments = addon_arguments(source, {}, "");
  plan.arguments.resize(plan.arguments.size() - 2);  // without mountpoint and -f
  if (auto chosen = choose_program(plan, *folder); !chosen) return chosen.problem();
  return host_program(
      {.file = plan.program, .arguments = plan.arguments, .way = fuse_daemon::WayIn::own, .library_folder = *folder},
      hooks);
}

Failure run_addon(const MountJob& job, const Source& source, const std::vector<int>& inherited) {
  auto folder = our_library_folder();
  if (!folder) return {kExitUnsupported, folder.problem()};
  if (!job.log_file.empty())
    if (auto opened = log_to_file(job.log_file); !opened) return {kExitFailure, opened.problem()};
  Plan plan;
  plan.path = source.path;
  plan.mountpoint = fuse::mounted_path(job.mountpoint);
  if (plan.mountpoint.empty())
    return {kExitMount, {err(ENOENT), "mountpoint '" + job.mountpoint + "': its folder does not exist", ""}};
  plan.answer_seconds = job.answer_seconds;
  plan.arguments = addon_arguments(source, job.options, plan.mountpoint);
  if (auto chosen = choose_program(plan, *folder); !chosen) return {kExitSource, chosen.problem()};
  if (auto put = put_trace(source); !put) return {kExitUsage, put.problem()};
  use_our_libfuse(*folder);
  setenv("ISTHMUS_SOURCE", source.label().c_str(), 1);
  if (job.foreground) return Watch(plan, job, {}).run();

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return {kExitFailure, {last_errno(), "pipe", ""}};
  Fd hear(ends[0]), say(ends[1]);
  pid_t child = fork();
  if (child < 0) return {kExitFailure, {last_errno(), "cannot go to the background", ""}};
  if (child > 0) {
    say.reset();
    return failure_of(fuse::wait_for_server(child, std::move(hear), job.answer_seconds));
  }
  hear.reset();
  for (int fd : inherited) close(fd);
  return Watch(plan, job, fuse::Announcer(std::move(say))).run();
}

}  // namespace isthmus::ctl
