#include "ctl/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "ctl/hosted.h"
#include "ctl/libraries.h"
#include "ctl/mount_client.h"
#include "ctl/program_check.h"
#include "ctl/program_file.h"
#include "ctl/ways.h"

namespace isthmus::ctl {
namespace {

ExitCode exit_code(Errno e) { return e == err(ENOENT) ? kExitNoProgram : kExitCannotRun; }
ExitCode exit_code(Verdict v) {
  return v == Verdict::runs ? kExitOk : v == Verdict::none ? kExitNoLibfuse : kExitCannotRun;
}

struct Found {
  std::string folder, program;
};
/// The problem's number is in the exit status: ENOENT for a program that is not there.
Expected<Found> find(const std::string& name) {
  auto program = resolve_program(name);
  if (!program) return program.problem();
  auto folder = our_library_folder();
  if (!folder) return Problem{err(ENOTSUP), folder.problem().what, folder.problem().hint};
  return Found{std::move(*folder), std::move(*program)};
}

Failure failure(Problem problem) {
  ExitCode code = problem.code == err(ENOTSUP) ? kExitUnsupported : exit_code(problem.code);
  return {code, std::move(problem)};
}

void put_environment(const RunJob& job, const std::string& folder) {
  use_our_libfuse(folder);
  if (!job.trace && job.trace_file.empty()) return;
  setenv("ISTHMUS_TRACE", job.trace.value_or("text").c_str(), 1);
  if (job.trace_file.empty()) {
    unsetenv("ISTHMUS_TRACE_FILE");
    return;
  }
  // The program may have gone to another folder when it is opened.
  char here[PATH_MAX];
  bool relative = !job.trace_file.starts_with('/') && getcwd(here, sizeof here);
  setenv("ISTHMUS_TRACE_FILE", (relative ? std::string(here) + "/" + job.trace_file : job.trace_file).c_str(), 1);
}

/// Through a door without a kernel: this process is the program's kernel, and has a client mount what it serves.
Failure run_elsewhere(const RunJob& job, const Found& found, const WayHere& way) {
  fmt::print(stderr, "mounting by {}: {}\n", way.name, way.detail);
  const ProgramJob program{
      .file = found.program, .arguments = job.command, .way = fuse_daemon::WayIn::own, .library_folder = found.folder};
  MountJob mount;
  mount.program = &program;
  for (const std::string_view word : job.command)
    if (word == "-f" || word == "-d" || word == "--foreground") mount.foreground = true;
  Source source;
  source.scheme = "run";
  source.path = found.program.substr(found.program.rfind('/') + 1);
  return run_mount_client(mount, source, way, {});
}

}  // namespace

Expected<Unit> check_runs(const std::string& program, const std::string& folder) {
  auto check = check_program(program, folder);
  if (!check) {
    // A program may be executable and not readable.
    if (check.problem().code == err(EACCES)) return Unit{};
    return check.problem();
  }
  if (check->verdict == Verdict::cannot)
    return Problem{err(ENOEXEC), fmt::format("{} {}", check->path, check->why), check->hint};
  if (check->verdict == Verdict::none && !check->script)
    log(LogLevel::warning, "{} {}; only programs that it starts use ours", check->path, check->why);
  return Unit{};
}

std::string library_path(const std::string& folder) {
  // An empty part would be the working directory.
  const char* had = getenv("LD_LIBRARY_PATH");
  return had && *had ? folder + ":" + had : folder;
}

void use_our_libfuse(const std::string& folder) {
  setenv("LD_LIBRARY_PATH", library_path(folder).c_str(), 1);
  setenv("ISTHMUS_LIST", "1", 1);
}

Failure run_program(const RunJob& job) {
  auto way = choose_way(job.via);
  if (!way) return {kExitUnsupported, way.problem()};
  auto found = find(job.command.at(0));
  if (!found) return failure(found.problem());
  if (auto fit = check_runs(found->program, found->folder); !fit) return failure(fit.problem());
  put_environment(job, found->folder);
  if (way->way != Way::fuse) return run_elsewhere(job, *found, *way);
  std::vector<std::string> words = job.command;
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(found->program.c_str(), argv.data());
  Errno e = last_errno();
  return failure(
      {e, fmt::format("{} cannot be run: {}", found->program, text_of(e)), "isthmus run --check says what it needs"});
}

Failure run_check(const std::string& program) {
  auto found = find(program);
  // A library need not be executable.
  if (!found && found.problem().code == err(EACCES) && access(program.c_str(), R_OK) == 0)
    if (auto folder = our_library_folder()) found = Found{*folder, program};
  if (!found) return failure(found.problem());
  auto check = check_program(found->program, found->folder);
  if (!check) return failure(check.problem());
  fmt::print("{}", check_text(*check));
  Failure f;
  f.code = exit_code(check->verdict);
  f.reported = true;
  return f;
}

}  // namespace isthmus::ctl
