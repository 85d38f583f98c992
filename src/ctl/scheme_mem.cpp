#include "ctl/schemes.h"
#include "fs/mem/mem_fs.h"

namespace isthmus::ctl {
namespace {

constexpr OptionHelp kMemOptions[] = {
    {"size=BYTES", "limit of the data; default: half of the memory"},
    {"inodes=N", "limit of the number of files"},
    {"uquota=UID:BYTES[:INODES]", "limit for one user; may be given for several"},
    {"mode=OCTAL", "permissions of the root folder; default 0755"},
    {"uid=N, gid=N", "owner of the root folder; default: who mounts"},
    {"links=N", "most names of one file"},
    {"ttl=MS|forever", "how long names and attributes may be believed"},
    {"atime=on|off", "whether reading changes access times"},
    {"locks=on|off", "off: the kernel keeps the locks"},
    {"handles=on|off", "off: open files have no state"},
    {"name=TEXT", "what mount tables show"},
};

Expected<std::unique_ptr<FileSystem>> make_mem(const Source& source, const SourceHooks&) {
  auto own = own_options(source);
  std::string why;
  auto options = fs::mem::parse_options(own, why);
  if (!options) return bad_option(source, why);
  return std::unique_ptr<FileSystem>(std::make_unique<fs::mem::MemFs>(std::move(*options)));
}

}  // namespace

const Scheme kMemScheme{"mem", false, "a file system in memory, empty at first, gone at the end", kMemOptions,
                        make_mem};

}  // namespace isthmus::ctl
