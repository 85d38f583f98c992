#include "ctl/hosted.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "base/clock.h"
#include "base/log.h"
#include "control/control.h"
#include "control/host.h"
#include "ctl/libraries.h"
#include "ctl/program_check.h"
#include "ctl/program_file.h"
#include "ctl/run.h"
#include "providers/fuse_host/cuse_host.h"
#include "providers/fuse_host/device.h"
#include "providers/fuse_host/fuse_host.h"

namespace isthmus::ctl {
namespace {

using fuse_daemon::Daemon;
using fuse_daemon::Mount;
using fuse_daemon::WayIn;

constexpr int kProgramLookMs = 50;
// A program that has gone to the background says nothing when it cannot mount.
constexpr int64_t kBackgroundPatience = 30 * kNsPerSec;

/// Of this user's alone, with an empty folder in it.
Expected<std::string> make_folder() {
  auto parent = control::control_folder();
  if (!parent) return parent.problem();
  std::string name = *parent + "/host-XXXXXX";
  if (!mkdtemp(name.data()))
    return Problem{last_errno(), fmt::format("cannot make a folder in {}: {}", *parent, text_of(last_errno())), ""};
  if (mkdir((name + "/mnt").c_str(), 0700) < 0)
    return Problem{last_errno(), fmt::format("{}/mnt: {}", name, text_of(last_errno())), ""};
  return name;
}

/// What a daemon leaves behind is gone with this folder, where the starter's own $TMPDIR is: it may be large.
Expected<std::string> make_temporary() {
  const char* given = getenv("TMPDIR");
  std::string name = std::string(given && *given == '/' ? given : "/tmp") + "/isthmus-host-XXXXXX";
  if (!mkdtemp(name.data())) return Problem{last_errno(), fmt::format("{}: {}", name, text_of(last_errno())), ""};
  return name;
}

/// From its start until it serves.
class Starting {
 public:
  Starting(const ProgramJob& job, const SourceHooks& hooks) : job_(job), hooks_(hooks) {}

  Expected<std::unique_ptr<FileSystem>> run() {
    auto folder = make_folder();
    if (!folder) return folder.problem();
    folder_ = *folder;
    Fd listener;
    if (job_.way == WayIn::own) {
      auto made = control::listen_for_program(folder_ + "/socket");
      if (!made) return made.problem();
      listener = std::move(*made);
    }
    if (auto temporary = make_temporary()) temporary_ = *temporary;  // else it has its starter's
    auto started = start();
    if (!started) return started.problem();
    daemon_ = std::move(*started);
    Fd device = daemon_->take_device();
    if (job_.way == WayIn::own) {
      auto connected = wait_for_program(listener.get());
      if (!connected) return connected.problem();
      device = std::move(*connected);
    } else if (job_.way != WayIn::fd) {
      while (!daemon_->mount())
        if (over()) return failed("does not mount");
      mount_ = *daemon_->mount();
    }
    return connect(std::move(device));
  }

 private:
  Expected<std::shared_ptr<Daemon>> start() {
    fuse_daemon::Job job{.file = job_.file,
                         .arguments = job_.arguments,
                         .environment = {},
                         .folder = folder_,
                         .temporary = temporary_,
                         .mountpoint = job_.own_mountpoint ? "" : folder_ + "/mnt",
                         .fusermount = {},
                         .preload = job_.preload,
                         .way = job_.way,
                         .isolated = job_.isolated};
    const auto has_place = [](auto& word) { return word.find(fuse_daemon::kMountpoint) != std::string::npos; };
    if (!job_.own_mountpoint && !job_.character_device &&
        std::none_of(job.arguments.begin(), job.arguments.end(), has_place))
      job.arguments.emplace_back(fuse_daemon::kMountpoint);
    if (job_.way == WayIn::own)
      job.environment = {{"LD_LIBRARY_PATH", library_path(job_.library_folder)},
                         {control::kHostVariable, folder_ + "/socket"}};
    char self[PATH_MAX];
    if (const ssize_t n = readlink("/proc/self/exe", self, sizeof self); n > 0)
      job.fusermount.assign(self, static_cast<size_t>(n));
    return Daemon::start(job);
  }

  /// A program on our libfuse, which connects where it would mount.
  Expected<Fd> wait_for_program(int listener) {
    pollfd p{listener, POLLIN, 0};
    while (poll(&p, 1, kProgramLookMs) <= 0)
      if (over()) return failed("does not mount");
    auto connected = control::accept_program(listener);
    if (!connected) return connected.problem();
    mount_.target = connected->hello.mountpoint;
    mount_.fsname = connected->hello.fsname;
    mount_.subtype = connected->hello.subtype;
    mount_.read_only = connected->hello.read_only;
    return std::move(connected->device);
  }

  Expected<std::unique_ptr<FileSystem>> connect(Fd device) {
    if (mount_.character_device && job_.own_mountpoint)
      return Problem{err(ENODEV), fmt::format("{} makes a character device, which has no mountpoint", job_.file),
                     "isthmus mount -s cuse 'host:" + job_.arguments[0] + " ...' MOUNTPOINT"};
    if (job_.own_mountpoint) *job_.own_mountpoint = mount_;
    fuse_host::Options options;
    if (!mount_.fsname.empty()) options.source = mount_.fsname;
    if (!mount_.subtype.empty()) options.type = mount_.subtype;
    options.read_only = mount_.read_only;
    options.allow_other = mount_.allow_other || job_.way == WayIn::own;  // that way says neither
    options.default_permissions = mount_.default_permissions || job_.way == WayIn::own;
    options.max_read = mount_.max_read;
    options.block_device = mount_.block_device;
    // Both ends of a device of ours take the same; a program's own end is as it comes.
    if (job_.way != WayIn::own) options.most_answer = fuse_host::message_size(device.get());
    options.keep = daemon_;
    auto server = std::make_shared<pid_t>(0);
    options.started = [daemon = daemon_, server] { return daemon->serves(*server); };
    options.ended = [daemon = daemon_, file = job_.file, lost = hooks_.lost] {
      Problem p{err(ENOTCONN), fmt::format("{} {}", file, daemon->why_it_ended()), ""};
      log(LogLevel::error, "{}", p.what);
      if (lost) lost(p);
    };
    if (mount_.character_device) return connect_to<fuse_host::CuseHost>(std::move(device), std::move(options), *server);
    return connect_to<fuse_host::FuseHost>(std::move(device), std::move(options), *server);
  }
  template <class Host>
  Expected<std::unique_ptr<FileSystem>> connect_to(Fd device, fuse_host::Options options, pid_t& server) {
    since_ = 0;
    auto host = Host::connect(std::move(device), std::move(options), [this] { return over(); });
    if (!host) return failed(host.problem().what);
    server = (*host)->pid();
    return std::unique_ptr<FileSystem>(std::move(*host));
  }

  /// Nothing more is to be hoped for.
  bool over() {
    if (hooks_.cancelled && hooks_.cancelled()) return true;
    if (!daemon_->look(kProgramLookMs)) return true;
    const auto status = daemon_->status();
    if (!status) return false;
    if (*status != 0) return true;
    if (since_ == 0) since_ = monotonic_ns();
    return monotonic_ns() - since_ > kBackgroundPatience;
  }

  Problem failed(const std::string& why) const {
    const auto status = daemon_->status();
    std::string what = why;
    // One that is in the background has left nothing to be told but its first process's success.
    if (status && (*status != 0 || !daemon_->look(0))) what = fuse_daemon::how_it_ended(*status) + " before it served";
    if (const std::string words = daemon_->last_words(); !words.empty()) what += ": " + words;
    return Problem{err(ENOEXEC), fmt::format("{} {}", job_.file, what),
                   "what else it says is above; `isthmus host --help` tells of ways in"};
  }

  const ProgramJob& job_;
  const SourceHooks& hooks_;
  std::string folder_, temporary_;
  std::shared_ptr<Daemon> daemon_;
  Mount mount_;
  int64_t since_ = 0;  // monotonic ns
};

}  // namespace

Expected<std::unique_ptr<FileSystem>> host_program(const ProgramJob& job, const SourceHooks& hooks) {
  return Starting(job, hooks).run();
}

bool judges_itself(const FileSystem& fs) {
  const auto* hosted = dynamic_cast<const fuse_host::FuseHost*>(&fs);
  return hosted && hosted->judges_itself();
}

namespace {

/// Whether the dynamic linker would load a library of ours into it. A script: into its interpreter, most likely.
Expected<Unit> loads_libraries(const std::string& file) {
  if (const std::string why = ignores_environment(file); !why.empty())
    return Problem{err(EPERM), fmt::format("{} loads no library of ours: {}", file, why), ""};
  auto program = read_elf(file);
  if (program && (*program)->image.interpreter.empty())
    return Problem{err(ENOEXEC), file + " is static: it loads no libraries", ""};
  return Unit{};
}

Expected<Unit> choose_preload(ProgramJob& job) {
  auto library = our_preload_library();
  if (!library) return library.problem();
  if (auto loads = loads_libraries(job.file); !loads) return loads;
  job.way = WayIn::preload;
  job.preload = *library;
  return Unit{};
}

Expected<Unit> choose_own(ProgramJob& job) {
  auto folder = our_library_folder();
  if (!folder) return folder.problem();
  if (auto fit = check_runs(job.file, *folder); !fit) return fit.problem();
  job.way = WayIn::own;
  job.library_folder = *folder;
  return Unit{};
}

/// Without seccomp.
void choose_another(ProgramJob& job) {
  if (auto folder = our_library_folder(); folder && !job.character_device)  // our libfuse serves no such
    if (auto check = check_program(job.file, *folder); check && check->verdict == Verdict::runs && choose_own(job))
      return;
  if (!choose_preload(job)) job.way = WayIn::fusermount;
}

std::string_view told(WayIn way) {
  return way == WayIn::own       ? "our libfuse is loaded (libfuse)"
         : way == WayIn::preload ? "a library of ours is loaded (preload)"
                                 : "our fusermount is first on its PATH (fusermount)";
}

}  // namespace

Expected<Unit> choose_way_in(std::string_view name, ProgramJob& job) {
  if (name == "libfuse") return choose_own(job);
  if (name == "preload") return choose_preload(job);
  job.way = name == "fd" ? WayIn::fd : name == "fusermount" ? WayIn::fusermount : WayIn::seccomp;
  if (job.way != WayIn::seccomp) return Unit{};
  auto works = fuse_daemon::seccomp_works();
  if (works) return Unit{};
  if (name != "auto") return works.problem();
  choose_another(job);
  log(LogLevel::warning, "{}: {} gets its device by another way: {}", works.problem().what, job.file, told(job.way));
  return Unit{};
}

}  // namespace isthmus::ctl
