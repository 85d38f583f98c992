#include <sys/stat.h>
#include <unistd.h>

#include "ctl/schemes.h"
#include "fs/pass/pass.h"

namespace isthmus::ctl {
namespace {

constexpr OptionHelp kDirOptions[] = {
    {"cache=none|auto|always",
     "how much the kernel may believe: nothing; what has not changed (default); everything, for folders that nobody "
     "else "
     "changes"},
    {"watch=auto|on|off",
     "hear what others change, so that more can be believed for longer: where possible (default, as root); or fail; "
     "never"},
    {"ro", "never change the folder"},
    {"fds=N", "most folders and files kept open without need"},
    {"handles=yes|no", "find files again by the kernel's file handles (default, as root)"},
};

Expected<std::unique_ptr<FileSystem>> make_dir(const Source& source, const SourceHooks&) {
  struct stat st {};
  bool seen = stat(source.path.c_str(), &st) == 0;
  if (seen && !S_ISDIR(st.st_mode))
    return Problem{err(ENOTDIR), "source '" + source.path + "' is not a folder",
                   "archive files are archive:" + source.path};
  if (!seen || access(source.path.c_str(), R_OK | X_OK) < 0)
    return Problem{last_errno(), "source '" + source.path + "': " + std::string(text_of(last_errno())), ""};
  auto own = own_options(source);
  fs::pass::PassOptions options;
  if (auto why = fs::pass::PassOptions::parse(own, options); !why.empty()) return bad_option(source, why);
  return std::unique_ptr<FileSystem>(std::make_unique<fs::pass::PassFs>(source.path, options));
}

}  // namespace

const Scheme kDirScheme{"dir", true, "mirrors a folder; nothing outside of it can be reached", kDirOptions, make_dir};

}  // namespace isthmus::ctl
