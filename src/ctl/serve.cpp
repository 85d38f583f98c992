#include "ctl/serve.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <ctime>

#include "control/control.h"
#include "control/describe.h"
#include "ctl/logging.h"
#include "ctl/lost.h"
#include "ctl/served.h"
#include "ctl/ways.h"
#include "doors/fuse/serve.h"
#include "doors/fuse/serve_signals.h"

namespace isthmus::ctl {
namespace {

/// Clients are asked by name, as what they are called differs.
void print_doors(const Served& served, const ServeJob& job) {
  if (const auto* webdav = served.webdav())
    fmt::print("WebDAV at {}\n{}", webdav->url(), client_commands(webdav->url()));
  if (const auto* smb = served.smb()) fmt::print("{}", smb_instructions(*smb, job.smb->password_file.empty()));
  fflush(stdout);
}

Failure serve_without_kernel(Served& served, const ServeJob& job, const Source& source) {
  if (auto opened = served.open(source, job.hooks); !opened) return {kExitSource, opened.problem()};
  fuse::StopSignals signals;
  auto status = [&served, &source, now = int64_t{time(nullptr)}] { return status_of(served, source, now); };
  if (auto started = served.start_doors(status); !started) return {kExitFailure, started.problem()};
  auto shown = show_in_list(status);
  print_doors(served, job);
  pollfd fd{signals.fd(), POLLIN, 0};
  while (signals.take() == 0) poll(&fd, 1, -1);
  shown.reset();
  served.stop();
  return {};
}

Failure serve_with_kernel(Served& served, const ServeJob& job, const Source& source) {
  fuse::ServeRequest request{.mountpoint = job.mountpoint, .source = source.label(), .options = {}, .foreground = true};
  for (auto& list : job.mount_options)
    if (auto parsed = fuse::parse_options(list, request.options); !parsed) return {kExitUsage, parsed.problem()};
  if (auto outside = check_not_inside(source, job.mountpoint); !outside) return {kExitUsage, outside.problem()};
  std::unique_ptr<control::ControlServer> shown;
  std::optional<Problem> problem;
  fuse::ServeHooks hooks;
  hooks.open = [&]() -> Expected<FileSystem*> {
    if (auto opened = served.open(source, job.hooks); !opened) return opened.problem();
    return &served.kernel_port();
  };
  hooks.ready = [&](const fuse::Serving& serving) {
    auto status = [&served, serving, &source, now = int64_t{time(nullptr)}] {
      control::Status s = control::describe(serving.door.stats(), served.counters());
      const control::Status others = status_of(served, source, now);
      s.source = others.source;
      s.started = others.started;
      s.mountpoint = serving.mounted.path;
      if (!others.door.empty()) s.door += "+" + others.door;
      s.doors = others.doors;
      return s;
    };
    if (auto started = served.start_doors(status); !started) {
      log(LogLevel::error, "{}", started.problem().text());
      problem = started.problem();
      raise(SIGTERM);
      return;
    }
    shown = show_in_list(status);
    fmt::print("Mounted on {}\n", serving.mounted.path);
    print_doors(served, job);
  };
  hooks.ended = [&] {
    shown.reset();
    served.stop_doors();
  };
  fuse::ServeOutcome outcome = fuse::serve(request, hooks);
  served.stop();
  if (problem) return {kExitFailure, *problem, true};
  return {exit_code_of(outcome), outcome.problem, outcome.reported};
}

}  // namespace

Failure run_serve(const ServeJob& given) {
  ServeJob job = given;
  LostSource lost;
  lost.watch(job.hooks);
  if (!job.webdav && !job.smb && !job.userfs && job.mountpoint.empty())
    return {kExitUsage, {err(EINVAL), "no door was named", "for instance: isthmus serve SOURCE --webdav, or --smb"}};
  auto source = settled_source(job);
  if (!source) return {exit_code_of_source(source.problem()), source.problem()};
  if (!job.log_file.empty())
    if (auto opened = log_to_file(job.log_file); !opened) return {kExitFailure, opened.problem()};
  DoorOptions doors;
  if (job.userfs) {
    auto end = userfs_end(*job.userfs);
    if (!end) return {kExitUsage, end.problem()};
    doors.userfs = std::move(*end);
  }
  if (job.webdav) {
    auto options = webdav_options(*job.webdav);
    if (!options) return {kExitUsage, options.problem()};
    doors.webdav = std::move(*options);
  }
  if (job.smb) {
    auto options = smb_options(*job.smb);
    if (!options) return {kExitUsage, options.problem()};
    doors.smb = std::move(*options);
  }
  Served served(std::move(doors));
  Failure ended =
      job.mountpoint.empty() ? serve_without_kernel(served, job, *source) : serve_with_kernel(served, job, *source);
  if (auto problem = lost.take(); problem && ended.code == kExitOk) return {kExitFailure, *problem, true};
  return ended;
}

}  // namespace isthmus::ctl
