#pragma once
#include "wire/userfs/nouns.h"

/// The bodies of requests (behind Cred) and replies; packets.def says whose they are.
namespace isthmus::wire::userfs {

struct Empty {
  template <class C, class B>
  static void fields(C&, B&) {}
};

struct MountRequest {
  uint32_t flags = 0;
  std::string_view options{};
  ISTHMUS_USERFS_FIELDS {
    c("flags", b.flags, "1 nothing will be changed");
    c("options", b.options, "what whoever mounts has to say, key=value separated by commas");
  }
};
struct MountReply {
  uint32_t root = 0;
  ISTHMUS_USERFS_FIELDS { c("root", b.root, "the handle of the root"); }
};

struct HandleRequest {
  uint32_t handle = 0;
  ISTHMUS_USERFS_FIELDS { c("handle", b.handle); }
};
struct StatfsReply {
  uint32_t block_size = 4096, fragment_size = 4096, name_max = kMostName, volume_flags = 0;
  uint64_t blocks = 0, blocks_free = 0, blocks_available = 0, files = 0, files_free = 0;
  std::string_view volume_name{};
  ISTHMUS_USERFS_FIELDS {
    c("block_size", b.block_size);
    c("fragment_size", b.fragment_size, "the unit of the block counts");
    c("name_max", b.name_max, "bytes");
    c("volume_flags", b.volume_flags, "1 read-only, 2 removable, 4 kept, 8 shared");
    c("blocks", b.blocks);
    c("blocks_free", b.blocks_free);
    c("blocks_available", b.blocks_available);
    c("files", b.files);
    c("files_free", b.files_free);
    c("volume_name", b.volume_name);
  }
};

struct IreadRequest {
  uint32_t handle = 0, fh = 0, statx_mask = 0, statx_flags = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("fh", b.fh, "by an open file, or 0");
    c("statx_mask", b.statx_mask, "what statx(2) was asked for beyond stat(2), a hint");
    c("statx_flags", b.statx_flags);
  }
};
struct AttrReply {
  Attr attr;
  uint32_t attr_ms = 0;
  ISTHMUS_USERFS_FIELDS {
    c("attr", b.attr);
    c("attr_ms", b.attr_ms, "how long they may be believed, in milliseconds; 0xffffffff for ever");
  }
};
struct IputRequest {
  std::vector<Given> given{};
  ISTHMUS_USERFS_FIELDS { c("given", b.given); }
};

/// Bits of NotifyChangeRequest::mask are the waist's SetMask.
struct NotifyChangeRequest {
  uint32_t handle = 0, fh = 0, mask = 0, how = 0, mode = 0, uid = 0, gid = 0, flags = 0;
  uint64_t size = 0;
  Stamp atime, mtime, ctime, btime;
  uint64_t lock_owner = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("fh", b.fh, "by an open file, or 0");
    c("mask", b.mask,
      "which fields count: 1 mode, 2 uid, 4 gid, 8 size, 16 atime, 32 mtime, 64 atime is now, 128 mtime is now, 256 "
      "ctime, 512 btime, 1024 flags");
    c("how", b.how, "1 clear setuid, and setgid where the group may execute, as write(2) does");
    c("mode", b.mode);
    c("uid", b.uid);
    c("gid", b.gid);
    c("flags", b.flags, "STATX_ATTR_*");
    c("size", b.size);
    c("atime", b.atime);
    c("mtime", b.mtime);
    c("ctime", b.ctime);
    c("btime", b.btime);
    c("lock_owner", b.lock_owner);
  }
};

struct NameRequest {
  uint32_t dir = 0;
  Name name;
  ISTHMUS_USERFS_FIELDS {
    c("dir", b.dir);
    c("name", b.name);
  }
};

struct ReaddirRequest {
  uint32_t handle = 0, fh = 0;
  uint64_t offset = 0;
  uint32_t most = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("fh", b.fh, "opendir's, or 0");
    c("offset", b.offset, "0: from the start; else next of the entry behind which to go on");
    c("most", b.most, "bytes of the reply's body");
  }
};
template <class E>
struct ListReply {
  std::vector<E> entries{};
  ISTHMUS_USERFS_FIELDS { c("entries", b.entries, "none: the end"); }
};

struct OpenRequest {
  uint32_t handle = 0, flags = 0, share = 7, access = 0, how = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("flags", b.flags, "of open(2) on Linux");
    c("share", b.share, "what others may do meanwhile: 1 read, 2 write, 4 delete");
    c("access", b.access, "such bits that are wanted besides those of flags");
    c("how", b.how, "1 as notify_change's");
  }
};
struct OpendirRequest {
  uint32_t handle = 0, flags = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("flags", b.flags, "of open(2) on Linux");
  }
};
struct CloseRequest {
  uint32_t handle = 0, fh = 0, flags = 0, how = 0;
  uint64_t lock_owner = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("fh", b.fh);
    c("flags", b.flags, "those it was opened with");
    c("how", b.how, "1 its flock(2) goes, 2 the file is to be deleted");
    c("lock_owner", b.lock_owner);
  }
};
struct FhRequest {
  uint32_t handle = 0, fh = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("fh", b.fh);
  }
};
struct ReadRequest {
  uint32_t handle = 0, fh = 0;
  uint64_t offset = 0;
  uint32_t count = 0, flags = 0;
  uint64_t lock_owner = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("fh", b.fh);
    c("offset", b.offset);
    c("count", b.count);
    c("flags", b.flags, "of open(2), as they are now");
    c("lock_owner", b.lock_owner);
  }
};
struct DataReply {
  Bytes data{};
  ISTHMUS_USERFS_FIELDS { c("data", b.data); }
};
/// Bits of WriteRequest::how.
enum WriteHow : uint32_t { kWriteAppend = 1, kWriteThrough = 2, kWriteFromCache = 4, kWriteKillSuid = 8 };
struct WriteRequest {
  uint32_t handle = 0, fh = 0;
  uint64_t offset = 0;
  uint32_t flags = 0, how = 0;
  uint64_t lock_owner = 0;
  Bytes data{};
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("fh", b.fh);
    c("offset", b.offset);
    c("flags", b.flags, "of open(2), as they are now");
    c("how", b.how,
      "1 at the end of the file, 2 through to the disk, 4 from a cache (the ids are not the writer's), 8 clear setuid "
      "and "
      "setgid");
    c("lock_owner", b.lock_owner);
    c("data", b.data);
  }
};
struct CountReply {
  uint32_t count = 0;
  ISTHMUS_USERFS_FIELDS { c("count", b.count, "bytes taken"); }
};

struct CreateRequest {
  uint32_t dir = 0;
  Name name;
  uint32_t mode = 0, flags = 0, share = 7, access = 0, how = 0;
  std::vector<Label> labels{};
  ISTHMUS_USERFS_FIELDS {
    c("dir", b.dir);
    c("name", b.name);
    c("mode", b.mode);
    c("flags", b.flags, "of open(2); with O_EXCL a name that exists is EEXIST, else it is opened");
    c("share", b.share);
    c("access", b.access);
    c("how", b.how);
    c("labels", b.labels);
  }
};
struct CreateReply {
  Entry entry;
  Opened opened;
  ISTHMUS_USERFS_FIELDS {
    c("entry", b.entry);
    c("opened", b.opened);
  }
};
struct EntryReply {
  Entry entry;
  ISTHMUS_USERFS_FIELDS { c("entry", b.entry); }
};
struct MkdirRequest {
  uint32_t dir = 0;
  Name name;
  uint32_t mode = 0;
  std::vector<Label> labels{};
  ISTHMUS_USERFS_FIELDS {
    c("dir", b.dir);
    c("name", b.name);
    c("mode", b.mode);
    c("labels", b.labels);
  }
};
struct MknodRequest {
  uint32_t dir = 0;
  Name name;
  uint32_t mode = 0;
  uint64_t rdev = 0;
  std::vector<Label> labels{};
  ISTHMUS_USERFS_FIELDS {
    c("dir", b.dir);
    c("name", b.name);
    c("mode", b.mode, "type and permissions");
    c("rdev", b.rdev);
    c("labels", b.labels);
  }
};
struct SymlinkRequest {
  uint32_t dir = 0;
  Name name;
  std::string_view target{};
  std::vector<Label> labels{};
  ISTHMUS_USERFS_FIELDS {
    c("dir", b.dir);
    c("name", b.name);
    c("target", b.target);
    c("labels", b.labels);
  }
};
struct LinkRequest {
  uint32_t handle = 0, dir = 0;
  Name name;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("dir", b.dir);
    c("name", b.name);
  }
};
struct RenameRequest {
  uint32_t dir = 0;
  Name name;
  uint32_t to_dir = 0;
  Name to_name;
  uint32_t flags = 0;
  ISTHMUS_USERFS_FIELDS {
    c("dir", b.dir);
    c("name", b.name);
    c("to_dir", b.to_dir);
    c("to_name", b.to_name);
    c("flags", b.flags,
      "1 the new name must not exist, 2 exchange both, 4 leave a whiteout; EINVAL for those not supported");
  }
};
struct TextReply {
  std::string_view text{};
  ISTHMUS_USERFS_FIELDS { c("text", b.text); }
};
struct PermissionRequest {
  uint32_t handle = 0, mask = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("mask", b.mask, "4 read, 2 write, 1 execute");
  }
};
struct FsyncRequest {
  uint32_t handle = 0, fh = 0, data_only = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("fh", b.fh);
    c("data_only", b.data_only, "1: fdatasync(2)");
  }
};
struct IoctlRequest {
  uint32_t handle = 0, fh = 0, command = 0;
  uint64_t arg = 0;
  uint32_t how = 0, most = 0;
  Bytes in{};
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("fh", b.fh);
    c("command", b.command);
    c("arg", b.arg, "the caller's third argument, a number or an address of no use here");
    c("how", b.how, "1 of a 32-bit program, 2 of a folder");
    c("most", b.most, "bytes that the caller has room for");
    c("in", b.in);
  }
};
struct IoctlReply {
  int32_t result = 0;
  Bytes out{};
  ISTHMUS_USERFS_FIELDS {
    c("result", b.result);
    c("out", b.out);
  }
};
struct SelectRequest {
  uint32_t handle = 0, fh = 0, events = 0, arm = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("fh", b.fh);
    c("events", b.events, "POLL* of poll(2)");
    c("arm", b.arm, "1: if none is ready, news of kind 6 is wanted, once");
  }
};
struct NumberReply {
  uint64_t number = 0;
  ISTHMUS_USERFS_FIELDS { c("number", b.number); }
};
struct XattrRequest {
  uint32_t handle = 0;
  std::string_view name{};
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("name", b.name, "with its namespace, as user.x");
  }
};
struct SetxattrRequest {
  uint32_t handle = 0;
  std::string_view name{};
  uint32_t flags = 0, how = 0;
  Bytes value{};
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("name", b.name);
    c("flags", b.flags, "1 it must be new (EEXIST), 2 it must be there (ENODATA)");
    c("how", b.how, "1 clear setgid: an access ACL by one who is not of the file's group");
    c("value", b.value);
  }
};
struct NamesReply {
  std::vector<std::string_view> names{};
  ISTHMUS_USERFS_FIELDS { c("names", b.names); }
};

/// Bits of TermsReply::flags.
enum TermsFlags : uint32_t {
  kTermsReadOnly = 1,
  kTermsDirAttr = 2,
  kTermsPosixAcl = 4,
  kTermsExportStable = 8,
  kTermsChangesOutside = 16,
  kTermsTellsChanges = 32,
  kTermsInodeAddressed = 64,
  kTermsLocksShared = 128,
  kTermsFlushForLocks = 256,
  kTermsNoWriteBack = 512,
  kTermsKillsSuid = 1024,
  kTermsHandlesLast = 2048,
};
struct TermsRequest {
  uint32_t most_data = kMostData;
  ISTHMUS_USERFS_FIELDS {
    c("most_data", b.most_data, "bytes of a file in one packet that the kernel can take; 1 MiB at most");
  }
};
struct TermsReply {
  uint32_t flags = 0, most_data = kMostData, time_granularity = 1, name_max = kMostName;
  std::string_view type{}, source{};
  ISTHMUS_USERFS_FIELDS {
    c("flags", b.flags,
      "1 never changes; 2 readdirplus is cheap; 4 system.posix_acl_* are kept and obeyed; 8 lookup of . and .. works; "
      "16 "
      "files change without the kernel; 32 and news tells of it; 64 fh 0 will do for everything, so that open is "
      "needless; 128 others see the locks; 256 flush is only there for locks; 512 written data must not be held "
      "back; 1024 clears setuid and setgid itself; 2048 handles mean the same files when the program is started again");
    c("most_data", b.most_data, "that the process can take; at least 4096");
    c("time_granularity", b.time_granularity, "of stored times, nanoseconds, a power of ten");
    c("name_max", b.name_max, "bytes, at most 255");
    c("type", b.type, "for mount tables");
    c("source", b.source, "for mount tables");
  }
};
struct InterruptRequest {
  uint32_t sequence = 0;
  ISTHMUS_USERFS_FIELDS { c("sequence", b.sequence, "of a request whose caller waits no longer"); }
};
struct FlushRequest {
  uint32_t handle = 0, fh = 0;
  uint64_t lock_owner = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("fh", b.fh);
    c("lock_owner", b.lock_owner, "whose POSIX locks of the file go");
  }
};
struct TmpfileRequest {
  uint32_t dir = 0, mode = 0, flags = 0;
  std::vector<Label> labels{};
  ISTHMUS_USERFS_FIELDS {
    c("dir", b.dir);
    c("mode", b.mode);
    c("flags", b.flags);
    c("labels", b.labels);
  }
};
struct CopyRequest {
  uint32_t from = 0, from_fh = 0;
  uint64_t from_offset = 0;
  uint32_t to = 0, to_fh = 0;
  uint64_t to_offset = 0, length = 0;
  uint32_t flags = 0;
  ISTHMUS_USERFS_FIELDS {
    c("from", b.from);
    c("from_fh", b.from_fh);
    c("from_offset", b.from_offset);
    c("to", b.to);
    c("to_fh", b.to_fh);
    c("to_offset", b.to_offset);
    c("length", b.length);
    c("flags", b.flags);
  }
};
struct FallocateRequest {
  uint32_t handle = 0, fh = 0, mode = 0;
  uint64_t offset = 0, length = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("fh", b.fh);
    c("mode", b.mode, "of fallocate(2)");
    c("offset", b.offset);
    c("length", b.length);
  }
};
struct SeekRequest {
  uint32_t handle = 0, fh = 0;
  uint64_t offset = 0;
  uint32_t whence = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("fh", b.fh);
    c("offset", b.offset);
    c("whence", b.whence, "3 SEEK_DATA, 4 SEEK_HOLE");
  }
};
struct LockRequest {
  uint32_t handle = 0, fh = 0;
  Lock lock;
  uint32_t how = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("fh", b.fh);
    c("lock", b.lock);
    c("how", b.how, "setlock: 1 wait for it, 2 flock(2), of the whole file and its own world");
  }
};
struct LockReply {
  Lock lock;
  ISTHMUS_USERFS_FIELDS { c("lock", b.lock, "type 0: it could be set; else the one in the way"); }
};
struct LeaseRequest {
  uint32_t handle = 0, fh = 0, bits = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("fh", b.fh);
    c("bits", b.bits, "wanted: 1 read, 2 handle, 4 write; 0 gives it back");
  }
};
struct BitsReply {
  uint32_t bits = 0;
  ISTHMUS_USERFS_FIELDS { c("bits", b.bits); }
};
struct WatchRequest {
  uint32_t handle = 0, what = 0, subtree = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("what", b.what,
      "1 created, 2 removed, 4 renamed from, 8 renamed to, 16 data, 32 attributes, 64 extended attributes");
    c("subtree", b.subtree, "1: folders below, too");
  }
};
struct WatchId {
  uint32_t watch = 0;
  ISTHMUS_USERFS_FIELDS { c("watch", b.watch, "not 0"); }
};
struct SetreparseRequest {
  uint32_t handle = 0, remove = 0, tag = 0;
  Bytes data{};
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("remove", b.remove);
    c("tag", b.tag);
    c("data", b.data);
  }
};
struct StreamsReply {
  std::vector<Stream> streams{};
  ISTHMUS_USERFS_FIELDS { c("streams", b.streams); }
};
struct AclRequest {
  uint32_t handle = 0, kind = 0;
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("kind", b.kind, "0 POSIX access, 1 POSIX default, 2 NFS 4, 3 Windows");
  }
};
struct SetaclRequest {
  uint32_t handle = 0, kind = 0;
  Bytes acl{};
  ISTHMUS_USERFS_FIELDS {
    c("handle", b.handle);
    c("kind", b.kind);
    c("acl", b.acl, "empty: none any more");
  }
};
struct ExportName {
  Bytes name{};
  ISTHMUS_USERFS_FIELDS {
    c("name", b.name, "up to 64 bytes that name the file also when the program is started again");
  }
};
struct QueryRequest {
  std::string_view predicate{};
  uint32_t live = 0;
  ISTHMUS_USERFS_FIELDS {
    c("predicate", b.predicate, "a query of BeOS and Haiku");
    c("live", b.live);
  }
};
struct ReadqueryRequest {
  uint32_t fh = 0, most = 0;
  ISTHMUS_USERFS_FIELDS {
    c("fh", b.fh);
    c("most", b.most);
  }
};

struct NewsRequest {
  uint32_t most = 0;
  ISTHMUS_USERFS_FIELDS { c("most", b.most, "bytes of the reply's body"); }
};
struct NewsReply {
  std::vector<NewsItem> items{};
  ISTHMUS_USERFS_FIELDS { c("items", b.items); }
};

#undef ISTHMUS_USERFS_FIELDS

using ReaddirReply = ListReply<DirEntry>;
using ReaddirplusReply = ListReply<DirEntryPlus>;

/// What an operation's packets hold: Body<Opcode::read>::Request.
template <Opcode>
struct Body;
#define X(number, name, Req, Rep, what, otherwise) \
  template <>                                      \
  struct Body<Opcode::name> {                      \
    using Request = Req;                           \
    using Reply = Rep;                             \
  };
#include "wire/userfs/packets.def"
#undef X

}  // namespace isthmus::wire::userfs
