#include "ctl/mount_client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/clock.h"
#include "ctl/background.h"
#include "ctl/client_keeper.h"
#include "ctl/hosted.h"
#include "ctl/logging.h"
#include "ctl/lost.h"
#include "ctl/served.h"
#include "ctl/smb_job.h"
#include "ctl/webdav_job.h"
#include "doors/common/secret.h"
#include "doors/fuse/mount_table.h"
#include "doors/fuse/options.h"
#include "doors/fuse/serve_background.h"
#include "doors/fuse/serve_signals.h"

namespace isthmus::ctl {
namespace {

using fuse::ServeOutcome;
using fuse::ServeStage;

/// Of the mount options those that every client can be told, or that are so in any case.
Expected<Unit> check_options(const std::vector<std::string>& lists) {
  constexpr std::string_view kKnown[] = {"ro", "rw", "noexec", "exec", "allow_other", "grace", "nosuid", "nodev"};
  for (auto& list : lists)
    for (size_t at = 0; at <= list.size();) {
      const size_t end = std::min(list.find(',', at), list.size());
      const std::string word = list.substr(at, end - at);
      if (!word.empty() &&
          std::find(std::begin(kKnown), std::end(kKnown), word.substr(0, word.find('='))) == std::end(kKnown))
        return Problem{err(EINVAL), fmt::format("mount option '{}' is the kernel FUSE driver's", word),
                       "through SMB and WebDAV there are ro, noexec, allow_other and grace"};
      at = end + 1;
    }
  return Unit{};
}

ServeOutcome outcome(ServeStage stage, Problem problem) { return {.stage = stage, .problem = std::move(problem)}; }

class MountedServer {
 public:
  MountedServer(const MountJob& job, const Source& source, const WayHere& way, const fuse::MountOptions& options)
      : job_(job), source_(source), way_(way), options_(options) {}

  /// Everything, in the serving process.
  ServeOutcome run(fuse::Announcer& announcer, const std::vector<int>& inherited) {
    if (!job_.program)
      if (auto fit = look_at_mountpoint(job_.mountpoint); !fit) return outcome(ServeStage::mounting, fit.problem());
    auto fs = open();
    if (!fs) return outcome(ServeStage::opening, fs.problem());
    if (!job_.foreground)
      for (int fd : inherited) close(fd);
    const std::string password = random_secret();
    auto uids = start_keeper(password);
    if (!uids) return outcome(ServeStage::mounting, uids.problem());

    auto doors = way_.way == Way::cifs ? smb_door(password) : webdav_door(password, *uids);
    if (!doors) return outcome(ServeStage::opening, doors.problem());
    Served served(std::move(*doors));
    if (auto taken = served.take(std::move(*fs), source_, judges_itself_); !taken)
      return outcome(ServeStage::opening, taken.problem());
    fuse::StopSignals signals;
    if (auto started = served.start_doors(); !started) return outcome(ServeStage::serving, started.problem());
    auto mounted = keeper_->mount(url_of(served));
    if (!mounted) {
      keeper_.reset();  // while the door still answers
      return outcome(ServeStage::mounting, mounted.problem());
    }
    auto shown = show_in_list([this, &served, now = int64_t{time(nullptr)}] {
      control::Status s = status_of(served, source_, now);
      s.mountpoint = mountpoint_;
      s.transport = way_.name;
      return s;
    });
    if (way_.way == Way::gio) tell(*mounted, url_of(served));
    fuse::Mounted there;
    if (!mounted->folder.empty()) there.path = mountpoint_;
    announcer.ready(there);
    if (!job_.foreground && job_.log_file.empty()) log_to_journal();
    ServeOutcome ended = live(signals);
    keeper_.reset();
    shown.reset();
    served.stop();
    if (auto problem = lost_.take(); problem && ended.stage == ServeStage::done)
      ended = {.stage = ServeStage::serving, .problem = *problem, .reported = true};
    return ended;
  }

 private:
  static constexpr const char* kUser = "isthmus";

  /// Without threads. The mountpoint of a program is known then.
  Expected<std::unique_ptr<FileSystem>> open() {
    SourceHooks hooks = job_.hooks;
    lost_.watch(hooks);
    hooks.made = [this](const FileSystem& made) { judges_itself_ = judges_itself(made); };
    if (!job_.program) {
      auto fs = open_source(source_, hooks);
      if (job_.hooks.opened) job_.hooks.opened();
      return fs;
    }
    ProgramJob program = *job_.program;
    fuse_daemon::Mount mount;
    program.own_mountpoint = &mount;
    auto fs = host_program(program, hooks);
    if (!fs) return fs;
    hooks.made(**fs);
    if (auto fit = look_at_mountpoint(mount.target.empty() ? job_.mountpoint : mount.target); !fit)
      return fit.problem();
    options_.read_only |= mount.read_only;
    options_.allow_other |= mount.allow_other;
    return fs;
  }

  Expected<DoorOptions> webdav_door(const std::string& password, const std::vector<uid_t>& uids) const {
    WebdavJob job;
    job.no_secret = true;  // a URL can be seen in lists of processes and mounts
    job.read_only = options_.read_only;
    auto door = webdav_options(job);
    if (!door) return door.problem();
    door->auth = webdav::Options::Auth::digest;
    door->user = kUser;
    door->password = password;
    door->allow_uids = uids;
    return DoorOptions{.webdav = std::move(*door)};
  }

  /// For Linux's client: names in any case are names of their own, and none is hidden.
  Expected<DoorOptions> smb_door(const std::string& password) const {
    SmbJob job;
    job.user = kUser;
    job.signing = "required";
    job.read_only = options_.read_only;
    job.case_sensitive = job.show_dot_files = true;
    auto door = smb_options(job);
    if (!door) return door.problem();
    door->password = password;
    return DoorOptions{.smb = std::move(*door)};
  }

  static std::string url_of(const Served& served) {
    if (!served.smb()) return served.webdav()->url();
    const Endpoint at = served.smb()->endpoint();
    return fmt::format("smb://{}:{}/{}", at.address, at.port, served.smb()->options().share);
  }

  /// Answers who must be let in.
  Expected<std::vector<uid_t>> start_keeper(const std::string& password) {
    auto needs = prepare_client(way_.way);
    if (!needs) return needs.problem();
    auto keeper = ClientKeeper::start({.way = way_.way,
                                       .mountpoint = mountpoint_,
                                       .user = kUser,
                                       .password = password,
                                       .files = needs->files,
                                       .read_only = options_.read_only,
                                       .noexec = options_.noexec,
                                       .allow_other = options_.allow_other,
                                       .limit_ms = static_cast<int>(job_.answer_seconds * 1000)});
    if (!keeper) return keeper.problem();
    keeper_.emplace(std::move(*keeper));
    return needs->uids;
  }

  Expected<Unit> look_at_mountpoint(const std::string& given) {
    mountpoint_ = fuse::absolute_mountpoint(given);
    if (mountpoint_.empty()) return Problem{err(ENOENT), "mountpoint '" + given + "': its folder does not exist", ""};
    if (fuse::mount_at(mountpoint_))
      return Problem{err(EBUSY), "mountpoint '" + mountpoint_ + "': something is mounted there already",
                     "isthmus unmount " + mountpoint_};
    if (way_.way == Way::gio) return Unit{};
    mountpoint_ = fuse::mounted_path(given);
    struct stat st {};
    if (stat(mountpoint_.c_str(), &st) < 0)
      return Problem{last_errno(), "mountpoint '" + given + "': " + std::string(text_of(last_errno())),
                     "mkdir " + given};
    if (!S_ISDIR(st.st_mode)) return Problem{err(ENOTDIR), "mountpoint '" + mountpoint_ + "' is not a folder", ""};
    return Unit{};
  }

  void tell(const ClientMount& mounted, const std::string& url) const {
    if (mounted.folder.empty())
      fmt::print("for programs of the desktop only, as gvfs-fuse does not run: dav://{}@{}\n", kUser, url.substr(7));
    else
      fmt::print("{} leads to {}\n", mountpoint_, mounted.folder);
    fflush(stdout);
  }

  /// From the moment the mount answers until the client has ended.
  ServeOutcome live(fuse::StopSignals& signals) {
    using News = ClientKeeper::News;
    ServeOutcome cut =
        outcome(ServeStage::serving, {err(EBUSY), "'" + mountpoint_ + "' was still in use and has been cut off", ""});
    unsigned seen = 0;
    bool lazy = false;
    int64_t deadline = 0;  // monotonic ns; 0: none
    while (true) {
      pollfd fds[] = {{signals.fd(), POLLIN, 0}, {keeper_->fd(), POLLIN, 0}};
      int timeout = -1;
      if (deadline != 0) timeout = static_cast<int>(std::max<int64_t>(0, (deadline - monotonic_ns()) / 1'000'000 + 1));
      if (poll(fds, 2, timeout) == 0 && deadline != 0) return cut;
      if (fds[0].revents != 0) {
        const unsigned before = seen;
        seen += signals.take();
        if (seen > 1) return cut;
        if (seen > before) static_cast<void>(keeper_->unmount(fuse::UnmountHow::plain));
      }
      if (fds[1].revents == 0) continue;
      switch (keeper_->take()) {
        case News::unmounted:
          break;
        case News::busy:
          deadline = monotonic_ns() + int64_t{options_.grace} * kNsPerSec;
          if (std::exchange(lazy, true)) break;
          log(LogLevel::warning, "{} is in use: it is out of sight now and ends with its last user, or in {} s",
              mountpoint_, options_.grace);
          static_cast<void>(keeper_->unmount(fuse::UnmountHow::lazy));
          break;
        case News::not_possible:
          return outcome(ServeStage::serving,
                         {err(EIO), "'" + mountpoint_ + "' could not be unmounted and has been cut off", ""});
        case News::ended:
          return {};
        case News::crashed:
          return outcome(ServeStage::serving,
                         {err(EIO), fmt::format("{} ended: '{}' has been unmounted", way_.name, mountpoint_), ""});
        case News::lost:
          return outcome(
              ServeStage::serving,
              {err(EIO), fmt::format("the process that has {} ended: '{}' has been unmounted", way_.name, mountpoint_),
               ""});
      }
    }
  }

  const MountJob& job_;
  const Source& source_;
  const WayHere& way_;
  fuse::MountOptions options_;
  std::string mountpoint_;
  bool judges_itself_ = false;  // as of Served::take()
  LostSource lost_;
  std::optional<ClientKeeper> keeper_;
};

}  // namespace

Failure run_mount_client(const MountJob& job, const Source& source, const WayHere& way,
                         const std::vector<int>& inherited) {
  fuse::MountOptions options;
  if (auto known = check_options(job.options); !known) return {kExitUsage, known.problem()};
  for (auto& list : job.options)
    if (auto parsed = fuse::parse_options(list, options); !parsed) return {kExitUsage, parsed.problem()};
  if (auto outside = check_not_inside(source, job.mountpoint); !job.program && !outside)
    return {kExitUsage, outside.problem()};
  Background begun = begin_server(job.log_file, job.foreground, job.answer_seconds);
  if (begun.outcome) return *begun.outcome;
  return tell_outcome(begun.announcer, MountedServer(job, source, way, options).run(begun.announcer, inherited),
                      job.foreground);
}

}  // namespace isthmus::ctl
