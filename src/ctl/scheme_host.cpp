#include <algorithm>

#include "ctl/addon.h"
#include "ctl/hosted.h"
#include "ctl/program_file.h"
#include "ctl/schemes.h"

namespace isthmus::ctl {
namespace {

constexpr OptionHelp kHostOptions[] = {
    {"in=auto|seccomp|fusermount|fd|libfuse|preload", "how the daemon gets its device; auto: what works here"},
    {"cuse", "it makes a character device (CUSE), and mounts nothing: no mountpoint is added to its arguments"},
    {"isolate", "in namespaces of its own: users, mounts, processes"},
};

Expected<std::unique_ptr<FileSystem>> make_host(const Source& source, const SourceHooks& hooks) {
  ProgramJob job;
  std::string way = "auto";
  for (auto& [key, value] : own_options(source)) {
    if (key == "in" && std::find(std::begin(kWaysIn), std::end(kWaysIn), value) != std::end(kWaysIn))
      way = value;
    else if (key == "isolate" && value.empty())
      job.isolated = true;
    else if (key == "cuse" && value.empty())
      job.character_device = true;
    else
      return bad_option(source, "no option '" + key + (value.empty() ? "" : "=" + value) + "'");
  }
  job.arguments = split_arguments(source.path);
  if (job.arguments.empty())
    return Problem{err(EINVAL), "source 'host:' lacks a program", "host:rclone mount remote: {}"};
  auto file = resolve_program(job.arguments[0]);
  if (!file) return file.problem();
  job.file = *file;
  if (auto chosen = choose_way_in(way, job); !chosen) return chosen.problem();
  return host_program(job, hooks);
}

}  // namespace

const Scheme kHostScheme{
    "host",
    false,
    "any FUSE daemon and its arguments, split at blanks, a backslash keeping the blank behind it; {} "
    "stands for the mountpoint, which is added at the end where it is not named; options by -s only",
    kHostOptions,
    make_host,
    true};

}  // namespace isthmus::ctl
