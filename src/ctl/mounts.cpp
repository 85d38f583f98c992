#include "ctl/mounts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/folder.h"
#include "base/text.h"
#include "control/control.h"
#include "ctl/addon.h"
#include "ctl/logging.h"
#include "ctl/lost.h"
#include "ctl/mount_client.h"
#include "ctl/served.h"
#include "ctl/ways.h"
#include "doors/fuse/main.h"
#include "doors/fuse/mount_table.h"
#include "doors/fuse/serve.h"
#include "doors/fuse/unmount.h"

namespace isthmus::ctl {
namespace {

constexpr const char* kVersion = ISTHMUS_VERSION;

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
  auto parsed = settled_source(job);
  if (!parsed) return parsed.problem();
  source = std::move(*parsed);
  auto& d = source.decorators;
  if (options.debug && std::find(d.begin(), d.end(), "trace") == d.end()) d.insert(d.begin(), "trace");
  if (auto outside = check_not_inside(source, job.mountpoint); !outside) return outside.problem();
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

constexpr int kPatienceMs = 10'000;

/// True once `pid` has ended.
bool wait_for_end(int pid, int limit_ms) {
  Fd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) return true;
  pollfd gone{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return poll(&gone, 1, limit_ms) == 1;
}

/// The same for a program on our libfuse: true also when it has destroyed its session, which is out of the list then,
/// and goes on with something else.
bool wait_for_program(int pid, const std::string& mountpoint) {
  constexpr int kLookMs = 250, kGraceMs = 2000;
  for (int waited = 0, without = 0; waited < kPatienceMs; waited += kLookMs) {
    if (wait_for_end(pid, kLookMs)) return true;
    auto all = control::list_mounts(0);
    bool listed =
        std::any_of(all.begin(), all.end(), [&](auto& s) { return s.pid == pid && s.mountpoint == mountpoint; });
    without = listed ? 0 : without + kLookMs;
    if (without >= kGraceMs) return true;
  }
  return false;
}

Failure end_server(int pid, const std::string& mountpoint) {
  kill(pid, SIGTERM);
  if (wait_for_end(pid, kPatienceMs)) return {};
  return {kExitFailure,
          {err(ETIMEDOUT), fmt::format("the server of '{}' (process {}) is still at work", mountpoint, pid), ""}};
}

}  // namespace

Expected<Source> settled_source(const SourceJob& job) {
  auto source = parse_source(job.source);
  if (!source) return source;
  source->options.insert(source->options.end(), job.source_options.begin(), job.source_options.end());
  source->decorators.insert(source->decorators.begin(), job.decorators.begin(), job.decorators.end());
  return source;
}

Expected<Unit> check_not_inside(const Source& source, const std::string& mountpoint) {
  if (source.scheme != "dir" || !lies_below(mountpoint, source.path)) return Unit{};
  return Problem{err(EINVAL), "mountpoint '" + mountpoint + "' lies inside the folder that is to be mounted there",
                 "choose a mountpoint outside of '" + source.path + "'"};
}

ExitCode exit_code_of_source(const Problem& problem) {
  return problem.code == err(EINVAL) || problem.code == err(EOPNOTSUPP) ? kExitUsage : kExitSource;
}

ExitCode exit_code_of(const fuse::ServeOutcome& outcome) {
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

Failure run_mount(const MountJob& job) {
  const auto inherited = inherited_descriptors();
  Source source;
  if (job.via != "fuse") {
    auto way = choose_way(job.via);
    if (!way) return {kExitUnsupported, way.problem()};
    fmt::print(stderr, "mounting by {}: {}\n", way->name, way->detail);
    if (way->way != Way::fuse) {
      auto settled = settled_source(job);
      if (!settled) return {exit_code_of_source(settled.problem()), settled.problem()};
      return run_mount_client(job, *settled, *way, inherited);
    }
  }
  if (auto settled = settled_source(job); settled && settled->scheme == "addon")
    return run_addon(job, *settled, inherited);
  fuse::MountOptions options;
  if (auto parsed = parse(job, source, options); !parsed)
    return {exit_code_of_source(parsed.problem()), parsed.problem()};
  if (!job.log_file.empty())
    if (auto opened = log_to_file(job.log_file); !opened) return {kExitFailure, opened.problem()};

  fuse::ServeRequest request{.mountpoint = job.mountpoint,
                             .source = source.label(),
                             .options = options,
                             .foreground = job.foreground || options.debug,
                             .answer_seconds = job.answer_seconds};
  LostSource lost;
  std::unique_ptr<FileSystem> fs;
  std::unique_ptr<control::ControlServer> registered;
  fuse::ServeHooks hooks;
  hooks.open = [&]() -> Expected<FileSystem*> {
    SourceHooks source_hooks = job.hooks;
    lost.watch(source_hooks);
    auto made = open_source(source, source_hooks);
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
    registered = show_mount_in_list(serving, source.label());
    if (!request.foreground && job.log_file.empty()) log_to_journal();
  };
  hooks.ended = [&] { registered.reset(); };
  fuse::ServeOutcome outcome = fuse::serve(request, hooks);
  if (auto problem = lost.take(); problem && outcome.stage == fuse::ServeStage::done)
    return {kExitFailure, *problem, true};
  return {exit_code_of(outcome), outcome.problem, outcome.reported};
}

Failure run_unmount(const std::string& path, bool lazy, bool force) {
  std::string absolute = fuse::mounted_path(path);
  int server = 0;
  bool of_program = false;
  std::string_view type;
  const std::string link = fuse::absolute_mountpoint(path);
  for (auto& s : control::list_mounts(0))
    if (s.mountpoint == absolute || s.mountpoint == link) {
      server = s.pid;
      // gvfs has no mount here, and its server ends with it.
      if (s.transport == "gio") return end_server(server, link);
      if (s.transport == "cifs") type = "cifs";
      of_program = s.door == "fuse" && (s.source.starts_with("run:") || s.source.starts_with("addon:"));
    }
  auto how = force ? fuse::UnmountHow::force : lazy ? fuse::UnmountHow::lazy : fuse::UnmountHow::plain;
  if (auto done = fuse::unmount(path, how, type); !done)
    return {done.problem().code == err(EBUSY) ? kExitBusy : kExitMount, done.problem()};
  if (server > 0 && !lazy && !force &&
      !(of_program ? wait_for_program(server, absolute) : wait_for_end(server, kPatienceMs)))
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
