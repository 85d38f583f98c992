#include "ctl/mounts.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "base/folder.h"
#include "base/text.h"
#include "ctl/control.h"
#include "ctl/logging.h"
#include "doors/fuse/main.h"
#include "doors/fuse/mount_table.h"
#include "doors/fuse/serve.h"
#include "doors/fuse/unmount.h"

namespace isthmus::ctl {
namespace {

constexpr const char* kVersion = ISTHMUS_VERSION;

ExitCode code_of(const fuse::ServeOutcome& outcome) {
  auto e = static_cast<int>(outcome.problem.code);
  switch (outcome.stage) {
    case fuse::ServeStage::done:
      return kExitOk;
    case fuse::ServeStage::opening:
      return e == EINVAL ? kExitUsage : kExitSource;
    case fuse::ServeStage::mounting:
      return e == ENODEV || e == ENOSYS || e == EOPNOTSUPP || e == EPROTO ? kExitUnsupported : kExitMount;
    case fuse::ServeStage::serving:
      return kExitFailure;
  }
  return kExitFailure;
}

Status status_of(const fuse::Serving& serving, const std::string& label, int64_t started) {
  Status s;
  s.version = kVersion;
  s.source = label;
  s.mountpoint = serving.mounted.path;
  s.door = "fuse";
  fuse::SessionStats stats = serving.door.stats();
  s.transport = stats.by_rings ? "io_uring" : "/dev/fuse";
  s.protocol = "7." + std::to_string(stats.minor);
  s.settled = std::move(stats.settled);
  s.pid = getpid();
  s.uid = geteuid();
  s.started = started;
  s.errors = stats.errors;
  s.threads = stats.threads;
  const Counters& counters = serving.fs.counters();
  for (size_t i = 0; i < kOpCount; i++)
    if (uint64_t n = counters.get(static_cast<Op>(i))) {
      s.by_operation.emplace_back(name_of(static_cast<Op>(i)), n);
      s.operations += n;
    }
  return s;
}

/// Whether a mountpoint lies below the folder to be mirrored. The server would then walk through its own mount, and a
/// process that is killed while it waits for itself cannot die. (The folder itself is fine: it is opened before.)
bool lies_below(const std::string& mountpoint, const std::string& folder) {
  std::error_code e;
  // Of the parent, the slash at the end being one whether it was given or not: the mountpoint itself may be a mount
  // that hangs.
  auto full = std::filesystem::absolute(mountpoint).lexically_normal() / "";
  auto parent = std::filesystem::canonical(full.parent_path().parent_path(), e);
  if (e) return false;
  auto top = std::filesystem::canonical(folder, e);
  if (e) return false;
  return std::mismatch(top.begin(), top.end(), parent.begin(), parent.end()).first == top.end();
}

Expected<Unit> parse(const MountJob& job, Source& source, fuse::MountOptions& options) {
  for (auto& list : job.options)
    if (auto parsed = fuse::parse_options(list, options); !parsed) return parsed.problem();
  auto parsed = parse_source(job.source);
  if (!parsed) return parsed.problem();
  source = std::move(*parsed);
  source.options.insert(source.options.end(), job.source_options.begin(), job.source_options.end());
  source.decorators.insert(source.decorators.begin(), job.decorators.begin(), job.decorators.end());
  auto& d = source.decorators;
  if (options.debug && std::find(d.begin(), d.end(), "trace") == d.end()) d.insert(d.begin(), "trace");
  if (source.scheme == "dir" && lies_below(job.mountpoint, source.path))
    return Problem{err(EINVAL),
                   "mountpoint '" + job.mountpoint + "' lies inside the folder that is to be mounted there",
                   "choose a mountpoint outside of '" + source.path + "'"};
  if ((options.suid || options.dev) && !fuse::may_mount())
    log(LogLevel::warning, "suid and dev are for root: this mount is nosuid and nodev");
  return Unit{};
}

/// What whoever started us left open above standard error.
std::vector<int> inherited_descriptors() {
  std::vector<int> found;
  for (auto& name : names_in("/proc/self/fd"))
    if (auto n = parse_number(name, INT32_MAX); n && *n > STDERR_FILENO) found.push_back(static_cast<int>(*n));
  // Without the one that the folder was read by.
  std::erase_if(found, [](int fd) { return fcntl(fd, F_GETFD) < 0; });
  return found;
}

/// True once `pid` has ended.
bool wait_for_end(int pid, int limit_ms) {
  Fd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) return true;
  pollfd gone{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return poll(&gone, 1, limit_ms) == 1;
}

}  // namespace

Failure run_mount(const MountJob& job) {
  const auto inherited = inherited_descriptors();
  Source source;
  fuse::MountOptions options;
  if (auto parsed = parse(job, source, options); !parsed) {
    bool of_source = parsed.problem().code != err(EINVAL) && parsed.problem().code != err(EOPNOTSUPP);
    return {of_source ? kExitSource : kExitUsage, parsed.problem()};
  }
  if (!job.log_file.empty())
    if (auto opened = log_to_file(job.log_file); !opened) return {kExitFailure, opened.problem()};

  fuse::ServeRequest request{.mountpoint = job.mountpoint,
                             .source = source.label(),
                             .options = options,
                             .foreground = job.foreground || options.debug,
                             .answer_seconds = job.answer_seconds};
  std::unique_ptr<FileSystem> fs;
  std::unique_ptr<ControlServer> control;
  fuse::ServeHooks hooks;
  hooks.open = [&]() -> Expected<FileSystem*> {
    auto made = open_source(source, job.hooks);
    if (job.hooks.opened) job.hooks.opened();
    if (!made) return made.problem();
    // A server in the background outlives its starter, whose locks, pipes and files it must not hold. What the source
    // or an option names as /dev/fd/N is open by now under a number of our own.
    if (!request.foreground)
      for (int fd : inherited)
        if (job.mountpoint != "/dev/fd/" + std::to_string(fd)) close(fd);
    fs = std::move(*made);
    return fs.get();
  };
  hooks.ready = [&](const fuse::Serving& serving) {
    auto started = ControlServer::start(
        [serving, label = source.label(), now = int64_t{time(nullptr)}] { return status_of(serving, label, now); });
    if (started)
      control = std::move(*started);
    else
      log(LogLevel::warning, "`isthmus list` will not show this mount: {}", started.problem().what);
    if (!request.foreground && job.log_file.empty()) log_to_journal();
  };
  hooks.ended = [&] { control.reset(); };
  fuse::ServeOutcome outcome = fuse::serve(request, hooks);
  return {code_of(outcome), outcome.problem, outcome.reported};
}

Failure run_unmount(const std::string& path, bool lazy, bool force) {
  constexpr int kPatienceMs = 10'000;
  std::string absolute = fuse::mounted_path(path);
  int server = 0;
  for (auto& s : list_mounts(0))
    if (s.mountpoint == absolute) server = s.pid;
  auto how = force ? fuse::UnmountHow::force : lazy ? fuse::UnmountHow::lazy : fuse::UnmountHow::plain;
  if (auto done = fuse::unmount(path, how); !done)
    return {done.problem().code == err(EBUSY) ? kExitBusy : kExitMount, done.problem()};
  if (server > 0 && !lazy && !force && !wait_for_end(server, kPatienceMs))
    return {
        kExitFailure,
        {err(ETIMEDOUT), "unmounted, but the server (process " + std::to_string(server) + ") is still at work", ""}};
  return {};
}

std::string mount_options_help() { return fuse::options_help(); }

std::string mount_options_man() {
  std::string man;
  for (auto& o : fuse::option_table()) {
    if (o.place == fuse::OptionPlace::refused) continue;
    std::string ignored = o.place == fuse::OptionPlace::ignored ? "No effect: " : "";
    std::string help = ignored + std::string(o.help);
    if (ignored.empty()) help[0] = static_cast<char>(toupper(help[0]));
    man += ".TP\n.B " + fuse::option_synopsis(o) + "\n" + help + ".\n";
  }
  return man;
}

std::vector<std::string> mount_option_words() {
  std::vector<std::string> words;
  for (auto& o : fuse::option_table())
    if (o.place != fuse::OptionPlace::refused && o.place != fuse::OptionPlace::ignored)
      words.push_back(std::string(o.name) + (o.value == fuse::OptionValue::none ? "" : "="));
  return words;
}

std::string version() { return std::string("isthmus ") + kVersion; }

}  // namespace isthmus::ctl
