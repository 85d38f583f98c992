#include "cli/commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "cli/terminal.h"
#include "control/control.h"
#include "control/prometheus.h"
#include "control/status_json.h"
#include "ctl/doctor.h"
#include "ctl/json.h"
#include "ctl/mounts.h"
#include "ctl/run.h"
#include "ctl/serve.h"

namespace isthmus::cli {
namespace {

int tell(const ctl::Failure& failure) {
  if (failure.code != ctl::kExitOk && !failure.reported) fmt::print(stderr, "isthmus: {}\n", failure.problem.text());
  return failure.code;
}

std::string age(int64_t seconds) {
  seconds = std::max<int64_t>(0, seconds);
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{}d{:02}h", seconds / 86400, seconds / 3600 % 24);
}

/// Control characters of names would let a name paint the terminal.
std::string printable(const std::string& s) {
  std::string out;
  for (char c : s) {
    auto u = static_cast<unsigned char>(c);
    out += u < 0x20 || u == 0x7f ? fmt::format("\\x{:02x}", u) : std::string(1, c);
  }
  return out;
}

void fill_source(const SourceArguments& a, ctl::SourceJob& job, Progress& progress) {
  job.source = a.source;
  for (auto& option : a.source_options) {
    size_t eq = option.find('=');
    job.source_options.emplace_back(option.substr(0, eq), eq == std::string::npos ? "" : option.substr(eq + 1));
  }
  if (!a.cache.empty()) job.source_options.emplace_back("cache", a.cache);
  if (a.trace || !a.trace_file.empty()) {
    job.decorators.emplace_back("trace");
    if (a.trace) job.source_options.emplace_back("trace.format", *a.trace);
    if (!a.trace_file.empty()) job.source_options.emplace_back("trace.file", a.trace_file);
  }
  if (!a.no_progress)
    job.hooks.progress = [&](uint64_t done, uint64_t total, uint64_t entries) { progress.show(done, total, entries); };
  job.hooks.passphrase = [&](int attempt) {
    progress.clear();
    return ask_secret(fmt::format("{}Passphrase of {}: ", attempt > 1 ? "That was wrong. " : "", printable(a.source)));
  };
  job.hooks.opened = [&] { progress.clear(); };
}

}  // namespace

int mount_command(const MountArguments& a) {
  ctl::MountJob job;
  Progress progress;
  fill_source(a, job, progress);
  job.mountpoint = a.mountpoint;
  job.via = a.via;
  job.options = a.options;
  job.foreground = a.foreground;
  job.log_file = a.log_file;
  job.answer_seconds = a.timeout;
  return tell(ctl::run_mount(job));
}

int serve_command(const ServeArguments& a) {
  ctl::ServeJob job;
  Progress progress;
  fill_source(a, job, progress);
  job.mountpoint = a.fuse;
  job.mount_options = a.options;
  job.log_file = a.log_file;
  if (a.webdav_at) {
    job.webdav = a.webdav;
    job.webdav->at = *a.webdav_at;
  }
  if (a.smb_at) {
    job.smb = a.smb;
    job.smb->at = *a.smb_at;
    // What doors have in common is said once.
    job.smb->user = a.webdav.user;
    job.smb->password_file = a.webdav.password_file;
    job.smb->allow_uids = a.webdav.allow_uids;
    job.smb->read_only = a.webdav.read_only;
  }
  if (a.userfs) job.userfs = {*a.userfs, a.webdav.read_only};
  return tell(ctl::run_serve(job));
}

int unmount_command(const UnmountArguments& a) {
  int worst = ctl::kExitOk;
  for (auto& path : a.mountpoints) {
    int code = tell(ctl::run_unmount(path, a.lazy, a.force));
    if (worst == ctl::kExitOk) worst = code;
  }
  return worst;
}

namespace {
/// What stands where a program is to be named.
bool names_program(const std::string& command, const std::vector<std::string>& words) {
  if (!words.empty() && !words[0].starts_with('-')) return true;
  fmt::print(stderr, "isthmus {0}: {1}\n  isthmus {0} --help\n", command,
             words.empty() ? "which program?" : "unknown option " + words[0]);
  return false;
}
}  // namespace

int host_command(const ctl::HostJob& job) {
  return names_program("host", job.command) ? tell(ctl::run_host(job)) : ctl::kExitUsage;
}

int fusetest_command(const ctl::FuseTestJob& job) {
  return names_program("fusetest", job.command) ? tell(ctl::run_fusetest(job)) : ctl::kExitUsage;
}

int run_command(const RunArguments& a) {
  if (!names_program("run", a.command)) return ctl::kExitUsage;
  if (!a.check) return tell(ctl::run_program({a.command, a.via, a.trace, a.trace_file}));
  if (a.command.size() == 1) return tell(ctl::run_check(a.command[0]));
  fmt::print(stderr, "isthmus run --check: one program, without arguments\n");
  return ctl::kExitUsage;
}

int list_command(bool json, bool prometheus) {
  if (prometheus) {
    fmt::print("{}", control::to_prometheus(control::list_mounts(0)));
    return ctl::kExitOk;
  }
  constexpr int kIntervalMs = 250;
  auto mounts = control::list_mounts(kIntervalMs);
  if (json) {
    fmt::print("{}", control::list_json(mounts));
    return ctl::kExitOk;
  }
  if (mounts.empty()) {
    fmt::print("nothing is mounted by isthmus\n");
    return ctl::kExitOk;
  }
  size_t source_width = 6, mountpoint_width = 10;
  for (auto& m : mounts) {
    source_width = std::max(source_width, printable(m.source).size());
    mountpoint_width = std::max(mountpoint_width, printable(m.mountpoint).size());
  }
  fmt::print("{:<{}}  {:<{}}  {:<5} {:>8} {:>8} {:>10} {:>12}\n", "SOURCE", source_width, "MOUNTPOINT",
             mountpoint_width, "DOOR", "PID", "UPTIME", "OPS/S", "OPS");
  for (auto& m : mounts)
    fmt::print("{:<{}}  {:<{}}  {:<5} {:>8} {:>8} {:>10.1f} {:>12}\n", printable(m.source), source_width,
               printable(m.mountpoint), mountpoint_width, m.door, m.pid, age(time(nullptr) - m.started), m.per_second,
               m.operations);
  return ctl::kExitOk;
}

int doctor_command(bool json) {
  auto findings = ctl::examine();
  fmt::print("{}", json ? ctl::doctor_json(findings) : ctl::doctor_text(findings));
  return ctl::can_mount(findings) ? ctl::kExitOk : ctl::kExitUnsupported;
}

int help_command(const std::string& topic) {
  if (topic == "sources") {
    fmt::print("{}", ctl::sources_help());
  } else if (topic == "mount-options") {
    fmt::print("Mount options (-o), separated by commas; \"\\,\" is a comma inside a value:\n\n{}",
               ctl::mount_options_help());
  } else if (topic == "exit-status") {
    fmt::print("{}", exit_status_help());
  } else {
    fmt::print(stderr, "isthmus: no help on '{}'\n  there is: isthmus help sources | mount-options | exit-status\n",
               topic);
    return ctl::kExitUsage;
  }
  return ctl::kExitOk;
}

int generate_command(const std::string& what) {
  if (what == "man") {
    fmt::print("{}", ctl::mount_options_man());
  } else if (what == "mount-options") {
    for (auto& name : ctl::mount_option_words()) fmt::print("{}\n", name);
  } else if (what == "sources") {
    for (auto& s : ctl::schemes()) fmt::print("{}:\n", s.name);
    for (auto& d : ctl::decorators()) fmt::print("{}+\n", d.name);
  } else {
    return ctl::kExitUsage;
  }
  return ctl::kExitOk;
}

std::string exit_status_help() {
  std::string s = "Exit status:\n";
  for (auto& e : ctl::kExitCodes) s += fmt::format("  {}  {}\n", static_cast<int>(e.code), e.meaning);
  return s;
}

}  // namespace isthmus::cli
