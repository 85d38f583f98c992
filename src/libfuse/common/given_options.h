#pragma once
#include <cstdlib>

#include "doors/fuse/options.h"
#include "providers/libfuse/common/message.h"

namespace isthmus::libfuse {

/// What option tables write: the options of a mount, and those of the interfaces of libfuse 2 or 3 alone.
struct GivenOptions {
  ~GivenOptions() {
    for (char* text : {fsname, subtype, context, fscontext, defcontext, rootcontext}) free(text);
  }
  int allow_other = 0, allow_root = 0, default_permissions = 0, auto_unmount = 0, blkdev = 0;
  unsigned max_read = 0, block_size = 0;
  char *fsname = nullptr, *subtype = nullptr;
  char *context = nullptr, *fscontext = nullptr, *defcontext = nullptr, *rootcontext = nullptr;
  int read_only = 0, suid = 0, dev = 0, noexec = 0, sync = 0, dirsync = 0, noatime = 0, nodiratime = 0, strictatime = 0,
      nosymfollow = 0, accepted = 0;
  int debug = 0;               // 3: of the session
  int nonempty = 0, help = 0;  // 2
};

inline void put(const GivenOptions& g, fuse::MountOptions& o) {
  o.allow_root = g.allow_root;
  o.allow_other = g.allow_other || g.allow_root;
  o.default_permissions = g.default_permissions != 0;
  o.auto_unmount = g.auto_unmount;
  o.max_read = g.max_read;
  o.block_device = g.blkdev;
  o.block_size = g.block_size;
  if (g.fsname) o.fsname = g.fsname;
  if (g.subtype) o.subtype = g.subtype;
  o.read_only = g.read_only;
  o.suid = g.suid;
  o.dev = g.dev;
  o.noexec = g.noexec;
  o.sync = g.sync;
  o.dirsync = g.dirsync;
  o.noatime = g.noatime;
  o.nodiratime = g.nodiratime;
  o.strictatime = g.strictatime;
  o.nosymfollow = g.nosymfollow;
  using Label = std::pair<const char*, const char*>;
  for (auto [key, value] : {Label{"context", g.context}, Label{"fscontext", g.fscontext},
                            Label{"defcontext", g.defcontext}, Label{"rootcontext", g.rootcontext}})
    if (value) o.labels.emplace_back(key, value);
}

}  // namespace isthmus::libfuse
