#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "vfs/buffer.h"
#include "vfs/types.h"

/// The operations: ops.def lists them, here is one argument struct each. A new field never breaks an implementation.
/// Views (names, data, into) live until the call is answered. Names are single components: never empty, no '/' or NUL;
/// "." and ".." only in Lookup. Flags and modes are Linux's numbers (open(2), fallocate(2), rename(2)...).
namespace isthmus {

struct StreamInfo {
  std::string name;
  uint64_t size = 0;
};

/// retry: an unrestricted ioctl asks for these ranges of the caller's memory and is then called again with them.
struct IoctlReply {
  int result = 0;
  std::string out;
  bool retry = false;
  std::vector<UserRange> retry_in, retry_out;
};

enum class Op : uint8_t {
#define X(Type, method, Reply) Type,
#include "vfs/ops.def"
#undef X
  count
};
constexpr size_t kOpCount = static_cast<size_t>(Op::count);
constexpr size_t index_of(Op op) { return static_cast<size_t>(op); }

/// "read_dir". Static storage.
constexpr std::string_view name_of(Op op) {
  constexpr std::string_view kNames[] = {
#define X(Type, method, Reply) #method,
#include "vfs/ops.def"
#undef X
  };
  return kNames[index_of(op)];
}

namespace op {

template <Op Id>
struct ReplyOf;
#define X(Type, method, R)   \
  template <>                \
  struct ReplyOf<Op::Type> { \
    using type = R;          \
  };
#include "vfs/ops.def"
#undef X

template <Op Id>
struct Shape {
  using Reply = typename ReplyOf<Id>::type;
  static constexpr Op id = Id;
};

/// A security label to put on a new node (an xattr name and value), in one step with its making.
struct Label {
  std::string_view name;
  Bytes value;
};

// ---- names and nodes ----
struct Lookup : Shape<Op::Lookup> {
  NodeId dir{};
  std::string_view name{};
};
/// Gives `count` lookups back. At zero the provider may forget the node. Cannot fail.
struct Forget : Shape<Op::Forget> {
  NodeId node{};
  uint64_t count = 1;
};
/// handle: an open file of the node, or none.
/// by_handle, also Setattr's: the handle counts even where its number is 0, as programs of others may choose theirs.
/// statx_mask: what statx(2) was asked for (STATX_*), and how (AT_STATX_*), where that goes beyond stat(2): a birth
/// time. A hint; 0: stat(2) will do.
struct Getattr : Shape<Op::Getattr> {
  NodeId node{};
  HandleId handle{};
  bool by_handle = false;
  uint32_t statx_mask = 0, statx_flags = 0;
};
struct Setattr : Shape<Op::Setattr> {
  NodeId node{};
  HandleId handle{};
  SetAttr set{};
  uint64_t lock_owner = 0;
  bool by_handle = false;
};
struct Readlink : Shape<Op::Readlink> {
  NodeId node{};
};
/// mode: type (regular, fifo, socket, devices) and permissions.
struct Mknod : Shape<Op::Mknod> {
  NodeId dir{};
  std::string_view name{};
  uint32_t mode = 0;
  uint64_t rdev = 0;
  std::span<const Label> labels{};
};
struct Mkdir : Shape<Op::Mkdir> {
  NodeId dir{};
  std::string_view name{};
  uint32_t mode = 0;
  std::span<const Label> labels{};
};
/// holder, also Rmdir's and Rename's: a volume's open of what the name leads to, whose own share mode is not in the
/// way. Providers see none.
struct Unlink : Shape<Op::Unlink> {
  NodeId dir{};
  std::string_view name{};
  HandleId holder{};
};
struct Rmdir : Shape<Op::Rmdir> {
  NodeId dir{};
  std::string_view name{};
  HandleId holder{};
};
struct Symlink : Shape<Op::Symlink> {
  NodeId dir{};
  std::string_view name{}, target{};
  std::span<const Label> labels{};
};
/// flags: RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT. EINVAL for those not supported.
struct Rename : Shape<Op::Rename> {
  NodeId dir{};
  std::string_view name{};
  NodeId to_dir{};
  std::string_view to_name{};
  uint32_t flags = 0;
  HandleId holder{};
};
/// Answers with the same node, counted once more.
struct Link : Shape<Op::Link> {
  NodeId node{}, to_dir{};
  std::string_view to_name{};
};
/// An open regular file with no name (O_TMPFILE); Link can give it one unless flags hold O_EXCL.
struct Tmpfile : Shape<Op::Tmpfile> {
  NodeId dir{};
  uint32_t mode = 0, flags = 0;
  std::span<const Label> labels{};
};

// ---- open files ----
/// flags: O_ACCMODE and what else concerns the file (O_APPEND, O_TRUNC only from doors that ask for atomic truncation).
/// share: bits 1 read, 2 write, 4 delete that others may have (SMB); 7: all. access: such bits besides those of flags.
/// O_PATH, which only volumes take: an open of whatever node, without its data, for share modes and leases.
struct Open : Shape<Op::Open> {
  NodeId node{};
  uint32_t flags = 0, share = 7;
  bool kill_suidgid = false;
  uint32_t access = 0;
};
/// EEXIST when the name exists and flags hold O_EXCL; an existing file is opened otherwise.
struct Create : Shape<Op::Create> {
  NodeId dir{};
  std::string_view name{};
  uint32_t mode = 0, flags = 0, share = 7;
  bool kill_suidgid = false;
  std::span<const Label> labels{};
  uint32_t access = 0;  ///< as Open's
};
/// Fewer bytes than `size` mean end of file. `into`: the door's own memory of at least `size` bytes, or empty; fill it
/// and answer Buffer::filled(n), or answer with any other Buffer of at most `size` bytes.
struct Read : Shape<Op::Read> {
  NodeId node{};
  HandleId handle{};
  uint64_t offset = 0;
  size_t size = 0;
  MutableBytes into{};
  uint32_t flags = 0;       ///< of open(2), as far as the door knows them now
  uint64_t lock_owner = 0;  ///< as Lock::owner; 0: the door does not know, or nobody holds a lock
};
/// Answers how many bytes were taken; fewer than given only on an error after some. append: at the end of the file,
/// whatever offset says. through: O_SYNC or O_DSYNC. from_cache: a page cache writes back; ctx.cred is not the
/// writer's.
struct Write : Shape<Op::Write> {
  NodeId node{};
  HandleId handle{};
  uint64_t offset = 0;
  const Buffer* data = nullptr;
  bool append = false, through = false, from_cache = false, kill_suidgid = false;
  uint32_t flags = 0;       ///< as Read's
  uint64_t lock_owner = 0;  ///< as Read's
};
struct CopyRange : Shape<Op::CopyRange> {
  NodeId from{};
  HandleId from_handle{};
  uint64_t from_offset = 0;
  NodeId to{};
  HandleId to_handle{};
  uint64_t to_offset = 0, length = 0;
  uint32_t flags = 0;
};
/// A descriptor was closed (others may remain); drops the POSIX locks of lock_owner. Its error is close(2)'s error.
struct Flush : Shape<Op::Flush> {
  NodeId node{};
  HandleId handle{};
  uint64_t lock_owner = 0;
};
/// The last descriptor of the handle is gone. Errors are not seen by anybody.
struct Release : Shape<Op::Release> {
  NodeId node{};
  HandleId handle{};
  uint32_t flags = 0;
  uint64_t lock_owner = 0;
  bool unlock_flock = false, delete_on_close = false;
};
struct Fsync : Shape<Op::Fsync> {
  NodeId node{};
  HandleId handle{};
  bool data_only = false;
};
struct Fallocate : Shape<Op::Fallocate> {
  NodeId node{};
  HandleId handle{};
  int mode = 0;
  uint64_t offset = 0, length = 0;
};
/// whence: SEEK_DATA or SEEK_HOLE. ENXIO past the end.
struct SeekHole : Shape<Op::SeekHole> {
  NodeId node{};
  HandleId handle{};
  uint64_t offset = 0;
  int whence = 0;
};

// ---- directories ----
struct OpenDir : Shape<Op::OpenDir> {
  NodeId node{};
  uint32_t flags = 0;
};
/// Puts entries after `cookie` (0: from the start) into the sink until it is full or the directory ends; "." and ".."
/// too, when it has them. An entry that neither comes nor goes while a directory is read shows exactly once. with_attr:
/// fill DirEntry::with where that is cheap (Traits::dir_attr). pattern: names a client is interested in, a hint; empty:
/// all.
struct ReadDir : Shape<Op::ReadDir> {
  NodeId node{};
  HandleId handle{};
  uint64_t cookie = 0;
  bool with_attr = false;
  std::string_view pattern{};
  DirSink* sink = nullptr;
};
struct ReleaseDir : Shape<Op::ReleaseDir> {
  NodeId node{};
  HandleId handle{};
};
struct FsyncDir : Shape<Op::FsyncDir> {
  NodeId node{};
  HandleId handle{};
  bool data_only = false;
};

// ---- the file system ----
struct Statfs : Shape<Op::Statfs> {
  NodeId node = NodeId::root;
};
struct Sync : Shape<Op::Sync> {};

// ---- extended attributes, permissions ----
/// ENODATA when there is none. The door cuts sizes: always answer the whole value.
struct GetXattr : Shape<Op::GetXattr> {
  NodeId node{};
  std::string_view name{};
};
/// flags: XATTR_CREATE, XATTR_REPLACE. kill_sgid: setting an access ACL by one who is not of the file's group.
struct SetXattr : Shape<Op::SetXattr> {
  NodeId node{};
  std::string_view name{};
  Bytes value{};
  int flags = 0;
  bool kill_sgid = false;
};
struct ListXattr : Shape<Op::ListXattr> {
  NodeId node{};
};
struct RemoveXattr : Shape<Op::RemoveXattr> {
  NodeId node{};
  std::string_view name{};
};
/// mask: R_OK | W_OK | X_OK, or F_OK. EACCES when one is refused.
struct Access : Shape<Op::Access> {
  NodeId node{};
  int mask = 0;
};

// ---- locks ----
/// Answers with type unlock when `lock` could be set, else with the lock in the way.
struct GetLock : Shape<Op::GetLock> {
  NodeId node{};
  HandleId handle{};
  Lock lock{};
};
/// EAGAIN when it conflicts and wait is false; EDEADLK; EINTR when cancelled. whole_file: flock(2), its own world.
struct SetLock : Shape<Op::SetLock> {
  NodeId node{};
  HandleId handle{};
  Lock lock{};
  bool wait = false, whole_file = false;
};
/// bits: LeaseBits wanted; answers those granted. Upcalls::break_lease takes them back.
struct SetLease : Shape<Op::SetLease> {
  NodeId node{};
  HandleId handle{};
  uint8_t bits = kLeaseNone;
};

// ---- the rest of what kernels and clients ask ----
/// arg: the raw third argument. unrestricted: in and out are what an earlier answer's retry asked for.
struct Ioctl : Shape<Op::Ioctl> {
  NodeId node{};
  HandleId handle{};
  uint32_t command = 0;
  uint64_t arg = 0;
  Bytes in{};
  size_t out_max = 0;
  bool unrestricted = false, compat32 = false, directory = false;
};
/// Answers the POLL* bits that are ready. arm: when none is, Upcalls::poll_ready(handle) is wanted once.
struct Poll : Shape<Op::Poll> {
  NodeId node{};
  HandleId handle{};
  uint32_t events = 0;
  bool arm = false;
};
struct Bmap : Shape<Op::Bmap> {
  NodeId node{};
  uint64_t block = 0;
  uint32_t block_size = 512;
};
/// Events come by Upcalls::changed until Unwatch. what: WatchBits.
struct Watch : Shape<Op::Watch> {
  NodeId node{};
  uint32_t what = 0;
  bool subtree = false;
};
struct Unwatch : Shape<Op::Unwatch> {
  HandleId watch{};
};
struct GetReparse : Shape<Op::GetReparse> {
  NodeId node{};
};
struct SetReparse : Shape<Op::SetReparse> {
  NodeId node{};
  Reparse point{};
  bool remove = false;
};
struct ListStreams : Shape<Op::ListStreams> {
  NodeId node{};
};
struct GetAcl : Shape<Op::GetAcl> {
  NodeId node{};
  AclKind kind = AclKind::posix_access;
};
/// An empty acl removes it.
struct SetAcl : Shape<Op::SetAcl> {
  NodeId node{};
  AclKind kind = AclKind::posix_access;
  Bytes acl{};
};
struct NodeToExport : Shape<Op::NodeToExport> {
  NodeId node{};
};
/// ESTALE when the file is gone.
struct ExportToNode : Shape<Op::ExportToNode> {
  ExportHandle handle{};
};
/// BeOS and Haiku queries.
struct OpenQuery : Shape<Op::OpenQuery> {
  std::string_view predicate{};
  bool live = false;
};
struct ReadQuery : Shape<Op::ReadQuery> {
  HandleId handle{};
  DirSink* sink = nullptr;
};

}  // namespace op
}  // namespace isthmus
