#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"

/// The nouns of the waist. Plain values: no ownership, any thread.
namespace isthmus {

/// A file object of a provider, alive while its lookup count is above zero (docs/node_lifetime.md).
enum class NodeId : uint64_t { none = 0, root = 1 };
/// An open file or directory of a provider. `none`: the provider keeps no state for opens.
enum class HandleId : uint64_t { none = 0 };

constexpr uint64_t raw(NodeId n) { return static_cast<uint64_t>(n); }
constexpr uint64_t raw(HandleId h) { return static_cast<uint64_t>(h); }

/// What stat(2) and statx(2) show. mode holds type and permission bits (S_IFMT | 07777).
struct Attr {
  uint64_t ino = 0;
  uint64_t size = 0;    ///< bytes
  uint64_t blocks = 0;  ///< units of 512 bytes
  uint64_t rdev = 0;    ///< as makedev(3)
  Time atime, mtime, ctime;
  Time btime;  ///< birth; meaningful only when has_btime
  uint32_t mode = 0;
  uint32_t nlink = 1;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t block_size = 4096;  ///< st_blksize
  uint32_t flags = 0;          ///< STATX_ATTR_* that are known to be set
  bool has_btime = false;
};

/// For how long, in milliseconds, a door may believe an answer. kForever: until an upcall says otherwise.
using Ttl = uint32_t;
constexpr Ttl kForever = UINT32_MAX;

/// A name's answer. node none (only from lookup): the name does not exist, and that may be believed for entry_ttl.
/// Every Entry with a node counts as one lookup of that node; doors give lookups back with Forget.
struct Entry {
  NodeId node = NodeId::none;
  uint64_t generation = 0;  ///< differs when a NodeId is used again for another file, also across restarts (NFS export)
  Attr attr;
  Ttl entry_ttl = 0;
  Ttl attr_ttl = 0;
};

/// Attributes with the time they may be believed.
struct Attributes {
  Attr attr;
  Ttl ttl = 0;
};

/// How a door may treat an open file.
enum OpenedFlags : uint32_t {
  kOpenedKeepCache = 1u << 0,       ///< what the door cached of the file before is still right
  kOpenedDirectIo = 1u << 1,        ///< no page cache: every read and write reaches the provider; short reads are final
  kOpenedNonSeekable = 1u << 2,     ///< a stream with an offset that cannot be moved
  kOpenedStream = 1u << 3,          ///< a stream without offsets
  kOpenedCacheDir = 1u << 4,        ///< (directories) listings may be cached
  kOpenedNoFlush = 1u << 5,         ///< close() need not call flush
  kOpenedParallelWrites = 1u << 6,  ///< with kOpenedDirectIo: writes of one file may run at the same time
};

/// An open file. backing_fd: an open descriptor of the same file, for doors that can let the kernel serve it (FUSE
/// passthrough, sendfile); borrowed, valid until release. backing_id: the kernel's name for one that the provider has
/// registered with the kernel FUSE door's device by itself, and ends by itself; 0: none.
struct Opened {
  HandleId handle = HandleId::none;
  uint32_t flags = 0;  ///< OpenedFlags
  int backing_fd = -1;
  int32_t backing_id = 0;
};

struct Created {
  Entry entry;
  Opened opened;
};

/// Which fields of a SetAttr are to change.
enum SetMask : uint32_t {
  kSetMode = 1u << 0,
  kSetUid = 1u << 1,
  kSetGid = 1u << 2,
  kSetSize = 1u << 3,
  kSetAtime = 1u << 4,
  kSetMtime = 1u << 5,
  kSetAtimeNow = 1u << 6,  ///< instead of kSetAtime
  kSetMtimeNow = 1u << 7,
  kSetCtime = 1u << 8,  ///< only doors that keep times themselves (write-back)
  kSetBtime = 1u << 9,
  kSetFlags = 1u << 10,
};
struct SetAttr {
  Attr to;
  uint32_t mask = 0;          ///< SetMask
  bool kill_suidgid = false;  ///< also clear setuid, and setgid where group-executable, as write(2) and chown(2) do
};

/// What a volume is, for doors that tell; bits of StatFs::volume_flags.
enum VolumeFlags : uint32_t {
  kVolumeReadOnly = 1u << 0,
  kVolumeRemovable = 1u << 1,
  kVolumePersistent = 1u << 2,  ///< what is written is there after the next mount
  kVolumeShared = 1u << 3,      ///< others change it, too
};

/// statvfs(3). Counts are in units of fragment_size. volume_name: what people call it; empty: nothing is known, nor of
/// volume_flags then.
struct StatFs {
  uint64_t blocks = 0, blocks_free = 0, blocks_available = 0;
  uint64_t files = 0, files_free = 0;
  uint32_t block_size = 4096;
  uint32_t fragment_size = 4096;
  uint32_t name_max = 255;
  uint32_t volume_flags = 0;
  std::string volume_name{};
};

/// One name of a directory. type is a DT_* of dirent.h. cookie: give it back in ReadDir to go on after this entry.
/// `with`: attributes and one counted lookup, or null; borrowed for the call to add().
struct DirEntry {
  uint64_t ino = 0;
  uint64_t cookie = 0;
  uint32_t type = 0;
  std::string_view name;
  const Entry* with = nullptr;
};

/// Where a provider puts the names of a directory; the door encodes each one at once into its own frame.
class DirSink {
 public:
  virtual ~DirSink() = default;
  /// False: no room, this entry was not taken (nor its lookup counted); answer now. The thread that got the operation,
  /// or the one that answers it; never two at once, never after the answer.
  virtual bool add(const DirEntry& e) = 0;
  /// About how many bytes of names fit still, counted as in FUSE's listings (24 and the name each): a hint for
  /// providers that list by the page.
  virtual size_t room() const { return 4096; }
};

enum class LockType : uint8_t { unlock, shared, exclusive };
/// A byte-range lock. end is the last byte, inclusive; kLockEof: to the end, wherever that moves.
constexpr uint64_t kLockEof = INT64_MAX;
struct Lock {
  uint64_t owner = 0;  ///< opaque; locks of one owner never conflict
  uint64_t start = 0, end = kLockEof;
  LockType type = LockType::unlock;
  uint32_t pid = 0;  ///< who to name in F_GETLK
};

/// A Windows reparse point: a tag and its data, without the header.
struct Reparse {
  uint32_t tag = 0;
  Bytes data;
};

/// Scatter list of an unrestricted ioctl's second try, in the caller's address space.
struct UserRange {
  uint64_t base = 0, length = 0;
};

/// Bytes that name a node across restarts: an NFS file handle, an SMB persistent id. Providers' fit into 64 bytes (55
/// for NFS 3, which takes 64); a volume adds 9 (vfs/volume/exports.h).
struct ExportHandle {
  static constexpr size_t kMostOfProvider = 64;
  uint8_t size = 0;
  std::array<std::byte, 128> bytes{};
  Bytes view() const { return Bytes(bytes).first(size); }
};

/// Which of a node's ACLs (GetAcl, SetAcl).
enum class AclKind : uint8_t { posix_access, posix_default, nfs4, windows };

/// Lease states a client may hold on a node; a conflicting use elsewhere breaks it (Upcalls::break_lease).
enum LeaseBits : uint8_t { kLeaseNone = 0, kLeaseRead = 1, kLeaseHandle = 2, kLeaseWrite = 4 };

/// What a watcher wants to hear, and hears (Watch, Upcalls::changed).
enum WatchBits : uint32_t {
  kWatchCreated = 1u << 0,
  kWatchRemoved = 1u << 1,
  kWatchRenamedFrom = 1u << 2,
  kWatchRenamedTo = 1u << 3,
  kWatchModified = 1u << 4,
  kWatchAttributes = 1u << 5,
  kWatchXattr = 1u << 6,
};

}  // namespace isthmus
