#include <sys/stat.h>

#include "ctl/schemes.h"
#include "fs/archive/archive_fs.h"

namespace isthmus::ctl {
namespace {

constexpr OptionHelp kArchiveOptions[] = {
    {"passphrase_file=PATH", "its first line opens encrypted entries; default: you are asked"},
    {"charset=NAME", "of names that do not say theirs, as iconv(3) calls it"},
    {"uid=N, gid=N", "owner that is shown instead of the archive's"},
    {"cache_size=BYTES", "unpacked data that is kept; default 1g"},
    {"cache_dir=PATH|memory", "where it is kept, in a file without a name"},
    {"max_entries=N", "most names; default 10000000"},
    {"max_index_memory=BYTES", "most memory for names; default 4g"},
    {"max_total=BYTES", "most data that making the index may unpack; default 16t"},
    {"max_ratio=N", "most of that for one byte of archive; default 20000"},
    {"max_filters=N", "most compressions inside each other; default 4"},
};

Expected<std::unique_ptr<FileSystem>> make_archive(const Source& source, const SourceHooks& hooks) {
  struct stat st {};
  if (stat(source.path.c_str(), &st) < 0)
    return Problem{last_errno(), "source '" + source.path + "': " + std::string(text_of(last_errno())), ""};
  if (S_ISDIR(st.st_mode))
    return Problem{err(EISDIR), "source '" + source.path + "' is a folder, not an archive", "write dir:" + source.path};
  fs::archive::ArchiveOptions options;
  std::string why;
  for (auto& [key, value] : own_options(source))
    if (!fs::archive::set_archive_option(options, key, value, why)) return bad_option(source, why);
  fs::archive::ArchiveHooks archive_hooks{
      .progress = hooks.progress, .cancelled = hooks.cancelled, .passphrase = hooks.passphrase};
  fs::archive::OpenError error;
  auto made = fs::archive::ArchiveFs::open(source.path, options, archive_hooks, error);
  if (!made) {
    // EINVAL is kept for options: the exit status tells a wrong command line from a wrong file.
    Errno code = error.code == err(EINVAL) ? err(EBADMSG) : error.code;
    return Problem{code, error.text,
                   code == err(EBADMSG) ? "`isthmus help sources` shows which archives can be read" : ""};
  }
  return std::unique_ptr<FileSystem>(std::move(made));
}

}  // namespace

const Scheme kArchiveScheme{"archive", true,
                            "an archive file, read-only: zip, tar (compressed too), 7z, iso, cpio, rar",
                            kArchiveOptions, make_archive};

}  // namespace isthmus::ctl
