#include "ctl/addon.h"
#include "ctl/hosted.h"
#include "ctl/libraries.h"
#include "ctl/program_file.h"
#include "ctl/run.h"
#include "ctl/schemes.h"

namespace isthmus::ctl {
namespace {

Expected<std::unique_ptr<FileSystem>> make_run(const Source& source, const SourceHooks& hooks) {
  if (!own_options(source).empty())
    return bad_option(source, "no option '" + own_options(source)[0].first + "': options are the program's own words");
  auto folder = our_library_folder();
  if (!folder) return folder.problem();
  ProgramJob job;
  job.way = fuse_daemon::WayIn::own;
  job.arguments = split_arguments(source.path);
  if (job.arguments.empty()) return Problem{err(EINVAL), "source 'run:' lacks a program", "run:sshfs host:/"};
  auto file = resolve_program(job.arguments[0]);
  if (!file) return file.problem();
  job.file = *file;
  job.library_folder = *folder;
  if (auto fit = check_runs(job.file, *folder); !fit) return fit.problem();
  return host_program(job, hooks);
}

}  // namespace

const Scheme kRunScheme{"run",
                        false,
                        "a FUSE program on our libfuse and its arguments but for the mountpoint, split at blanks; a "
                        "backslash keeps the blank behind it",
                        {},
                        make_run,
                        true};

}  // namespace isthmus::ctl
