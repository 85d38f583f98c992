#pragma once
#include "wire/userfs/codec.h"

/// What several bodies hold.
namespace isthmus::wire::userfs {

#define ISTHMUS_USERFS_FIELDS \
  template <class C, class B> \
  static void fields(C& c, B& b)

/// Bits of Cred::flags.
enum CredFlags : uint32_t {
  kCredKnown = 1,          ///< uid, gid, pid say who asks
  kCredAccessChecked = 2,  ///< permissions have been checked
  kCredUmaskPending = 4,   ///< umask is still to be applied, where no default ACL takes its place
  kCredClientTimes = 8,    ///< the kernel keeps times and sizes of what it writes back
  kCredGroupsKnown = 16,   ///< groups is the whole list
};

/// Begins the body of every request but mount's; an enquiry has none.
struct Cred {
  uint32_t flags = 0, uid = 0, gid = 0, pid = 0, umask = 0;
  std::vector<uint32_t> groups{};
  ISTHMUS_USERFS_FIELDS {
    c("flags", b.flags,
      "1 the ids say who asks; 2 permissions have been checked; 4 umask is to be applied; 8 times are the kernel's; "
      "16 groups is the whole list");
    c("uid", b.uid);
    c("gid", b.gid);
    c("pid", b.pid);
    c("umask", b.umask, "taken off the mode of what is made if flag 4 is set and the folder has no default ACL");
    c("groups", b.groups);
  }
};

struct Stamp {
  int64_t sec = 0;
  uint32_t nsec = 0;
  ISTHMUS_USERFS_FIELDS {
    c("sec", b.sec, "since 1970-01-01 UTC");
    c("nsec", b.nsec, "0..999999999");
  }
};

struct Attr {
  uint64_t ino = 0;
  uint32_t mode = 0, nlink = 1, uid = 0, gid = 0;
  uint64_t rdev = 0, size = 0, blocks = 0;
  uint32_t block_size = 4096;
  Stamp atime, mtime, ctime, btime;
  uint32_t flags = 0, has = 0;
  ISTHMUS_USERFS_FIELDS {
    c("ino", b.ino, "the number that ls -i shows");
    c("mode", b.mode, "type and permissions as in st_mode of Linux");
    c("nlink", b.nlink, "0 is taken for 1, but of a file that has lost its name");
    c("uid", b.uid);
    c("gid", b.gid);
    c("rdev", b.rdev, "makedev(3)'s, of devices");
    c("size", b.size, "bytes");
    c("blocks", b.blocks, "of 512 bytes");
    c("block_size", b.block_size, "st_blksize");
    c("atime", b.atime);
    c("mtime", b.mtime);
    c("ctime", b.ctime);
    c("btime", b.btime, "birth");
    c("flags", b.flags, "STATX_ATTR_* that are set");
    c("has", b.has, "1 btime is known");
  }
};

/// For how long something may be believed: milliseconds.
constexpr uint32_t kForever = UINT32_MAX;

struct Entry {
  uint32_t handle = 0;
  uint64_t generation = 0;
  Attr attr;
  uint32_t name_ms = 0, attr_ms = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle, "names the file from now on; it counts as given once more (iput)");
    c("generation", b.generation, "differs if a handle is used again for another file; else 0");
    c("attr", b.attr);
    c("name_ms", b.name_ms, "how long the name may be believed, in milliseconds; 0xffffffff for ever");
    c("attr_ms", b.attr_ms, "how long the attributes may be");
  }
};

struct Opened {
  uint32_t fh = 0, flags = 0;
  ISTHMUS_USERFS_FIELDS {
    c("fh", b.fh, "names the open file; 0: nothing is kept of it, and it need not be closed");
    c("flags", b.flags,
      "1 what is cached of the data is still right; 2 cache no data; 4 no seeking; 8 a stream; 16 listings may be "
      "cached; 32 no flush is needed; 64 parallel writes are fine");
  }
};

struct Lock {
  uint64_t owner = 0, start = 0, end = 0;
  uint32_t type = 0, pid = 0;
  ISTHMUS_USERFS_FIELDS {
    c("owner", b.owner, "locks of one owner never conflict");
    c("start", b.start);
    c("end", b.end, "the last byte; 0x7fffffffffffffff: to the end of the file");
    c("type", b.type, "0 none, 1 shared, 2 exclusive");
    c("pid", b.pid);
  }
};

struct DirEntry {
  uint64_t ino = 0, next = 0;
  uint32_t type = 0;
  std::string_view name{};
  ISTHMUS_USERFS_FIELDS {
    c("ino", b.ino);
    c("next", b.next, "the offset that goes on behind this entry; never 0");
    c("type", b.type, "DT_* of dirent.h: 4 folder, 8 file, 10 symbolic link; 0 unknown");
    c("name", b.name);
  }
};

struct DirEntryPlus {
  DirEntry entry;
  Entry with;
  ISTHMUS_USERFS_FIELDS {
    c("entry", b.entry);
    c("with", b.with, "handle 0: nothing is said of it, and none is given; so it is for . and ..");
  }
};

/// A security label that a new file is made with.
struct Label {
  std::string_view name{};
  std::string_view value{};
  ISTHMUS_USERFS_FIELDS {
    c("name", b.name);
    c("value", b.value);
  }
};

struct Given {
  uint32_t handle = 0, count = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("count", b.count, "of the times that it was given");
  }
};

enum class NewsKind : uint32_t { data = 1, attr, name, all_names, deleted, ready, changed, lease };

struct NewsItem {
  NewsKind kind() const { return static_cast<NewsKind>(code); }
  uint32_t code = 0, handle = 0, other = 0, bits = 0;
  uint64_t offset = 0, length = 0;
  std::string_view name{};
  ISTHMUS_USERFS_FIELDS {
    c("kind", b.code,
      "1 data of handle has changed, 2 its attributes have; 3 name in the folder handle is another file's now or "
      "nobody's; 4 so are all names; 5 name in handle is gone and was other; 6 fh other of handle is ready (select); "
      "7 something has happened in the folder handle to name (watch); 8 the lease of fh other of handle shrinks to "
      "bits");
    c("handle", b.handle);
    c("other", b.other);
    c("bits", b.bits, "kind 6: POLL*; 7: as watch's what; 8: as lease's");
    c("offset", b.offset, "kind 1");
    c("length", b.length, "kind 1; 0: to the end");
    c("name", b.name);
  }
};

struct Stream {
  std::string_view name{};
  uint64_t size = 0;
  ISTHMUS_USERFS_FIELDS {
    c("name", b.name);
    c("size", b.size);
  }
};

}  // namespace isthmus::wire::userfs
