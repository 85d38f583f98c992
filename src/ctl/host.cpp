#include "ctl/host.h"

#include <fmt/format.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/control.h"
#include "ctl/background.h"
#include "ctl/hosted.h"
#include "ctl/logging.h"
#include "ctl/lost.h"
#include "ctl/mount_client.h"
#include "ctl/program_file.h"
#include "ctl/served.h"
#include "ctl/ways.h"
#include "providers/fuse_daemon/fusermount.h"

namespace isthmus::ctl {
namespace {

using fuse::ServeOutcome;
using fuse::ServeStage;
using fuse_daemon::WayIn;

/// For a daemon that is to get its device as its mountpoint: its last argument that is a folder.
Expected<std::string> take_mountpoint(std::vector<std::string>& words) {
  struct stat st {};
  for (size_t i = words.size(); i-- > 1;)
    if (stat(words[i].c_str(), &st) == 0 && S_ISDIR(st.st_mode))
      return std::exchange(words[i], std::string(fuse_daemon::kMountpoint));
  return Problem{err(EINVAL), "no argument of the daemon is a folder to mount on", "--in seccomp needs none"};
}

/// Through the kernel's driver, in the serving process.
class KernelMount {
 public:
  KernelMount(const HostJob& job, const Source& source) : job_(job), source_(source) {}

  ServeOutcome run(ProgramJob program, fuse::Announcer& announcer) {
    LostSource lost;
    SourceHooks hooks;
    lost.watch(hooks);
    fuse_daemon::Mount mount;
    program.own_mountpoint = &mount;
    auto hosted = host_program(program, hooks);
    if (!hosted) return {.stage = ServeStage::opening, .problem = hosted.problem()};
    if (program.way == WayIn::fd) mount.target = given_;
    fuse::ServeRequest request{
        .mountpoint = mount.target, .source = source_.label(), .options = {}, .foreground = true};
    auto& options = request.options;
    options.read_only = mount.read_only;
    options.allow_other = mount.allow_other;
    if (mount.default_permissions) options.default_permissions = true;
    options.max_read = mount.max_read;
    options.fsname = mount.fsname;
    options.subtype = mount.subtype;
    const std::unique_ptr<FileSystem> fs = std::move(*hosted);
    std::unique_ptr<control::ControlServer> shown;
    fuse::ServeHooks serve_hooks;
    serve_hooks.open = [&]() -> Expected<FileSystem*> { return fs.get(); };
    serve_hooks.ready = [&](const fuse::Serving& serving) {
      shown = show_mount_in_list(serving, source_.label());
      announcer.ready(serving.mounted);
      if (!job_.foreground && job_.log_file.empty()) log_to_journal();
    };
    serve_hooks.ended = [&] { shown.reset(); };
    ServeOutcome outcome = fuse::serve(request, serve_hooks);
    if (auto problem = lost.take(); problem && outcome.stage == ServeStage::done)
      return {.stage = ServeStage::serving, .problem = *problem, .reported = true};
    return outcome;
  }

  void given(std::string mountpoint) { given_ = std::move(mountpoint); }

 private:
  const HostJob& job_;
  const Source& source_;
  std::string given_;
};

}  // namespace

std::vector<std::string> ways_in() { return {std::begin(kWaysIn), std::end(kWaysIn)}; }

Failure run_host(const HostJob& job) {
  auto way = choose_way(job.via);
  if (!way) return {kExitUnsupported, way.problem()};
  auto file = resolve_program(job.command.at(0));
  if (!file) return {file.problem().code == err(ENOENT) ? kExitNoProgram : kExitCannotRun, file.problem()};
  ProgramJob program{.file = *file, .arguments = job.command};
  program.isolated = job.isolated;
  if (auto chosen = choose_way_in(job.way_in, program); !chosen) return {kExitUnsupported, chosen.problem()};
  Source source;
  source.scheme = "host";
  source.path = file->substr(file->rfind('/') + 1);
  std::string given;
  if (program.way == WayIn::fd) {
    auto place = take_mountpoint(program.arguments);
    if (!place) return {kExitUsage, place.problem()};
    given = *place;
  }
  if (job.via == "auto") fmt::print(stderr, "mounting by {}: {}\n", way->name, way->detail);
  if (way->way != Way::fuse) {
    MountJob mount;
    mount.program = &program;
    mount.mountpoint = given;
    mount.foreground = job.foreground;
    mount.answer_seconds = job.answer_seconds;
    mount.log_file = job.log_file;
    return run_mount_client(mount, source, *way, {});
  }
  Background begun = begin_server(job.log_file, job.foreground, job.answer_seconds);
  if (begun.outcome) return *begun.outcome;
  KernelMount mount(job, source);
  mount.given(given);
  return tell_outcome(begun.announcer, mount.run(program, begun.announcer), job.foreground);
}

std::optional<int> as_fusermount(int argc, char** argv) {
  if (argc < 1 || !fuse_daemon::is_fusermount(argv[0])) return std::nullopt;
  // A name that was found on $PATH has no folder in argv[0].
  const char* path = reinterpret_cast<const char*>(getauxval(AT_EXECFN));  // NOLINT(performance-no-int-to-ptr)
  return fuse_daemon::fusermount_main(path ? path : argv[0], {argv + 1, argv + argc});
}

}  // namespace isthmus::ctl
