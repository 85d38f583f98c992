#pragma once
#include <cstddef>
#include <cstdint>

/// The messages of the FUSE kernel protocol, laid out as the kernel writes and reads them: host byte order, 8-byte
/// aligned, read in place. Fields keep the kernel's names where they say enough. Times are seconds and nanoseconds,
/// block counts are of 512 bytes. "7.N" in a comment is the protocol minor that introduced the struct or field. Every
/// size is checked against the kernel's by a test.
namespace isthmus::wire::fuse {

// --- Headers ---

/// Begins every request. `len` counts the whole message.
struct InHeader {
  uint32_t len;
  uint32_t opcode;
  uint64_t unique;  // names the request in its answer
  uint64_t nodeid;
  uint32_t uid;
  uint32_t gid;
  uint32_t pid;
  uint16_t total_extlen;  // 7.38: length of the extension records at the end, in units of 8 bytes
  uint16_t padding;
};

/// Begins every answer, and every notification (unique 0, `error` is the NotifyCode). `error` is 0 or a negative errno
/// above -512.
struct OutHeader {
  uint32_t len;
  int32_t error;
  uint64_t unique;
};

// --- Attributes ---

struct Attr {
  uint64_t ino;
  uint64_t size;
  uint64_t blocks;
  uint64_t atime;
  uint64_t mtime;
  uint64_t ctime;
  uint32_t atimensec;
  uint32_t mtimensec;
  uint32_t ctimensec;
  uint32_t mode;
  uint32_t nlink;
  uint32_t uid;
  uint32_t gid;
  uint32_t rdev;
  uint32_t blksize;  // 7.9
  uint32_t flags;    // 7.32: kAttr...
};

struct EntryOut {
  uint64_t nodeid;  // 0: no such name, which may be cached for entry_valid
  uint64_t generation;
  uint64_t entry_valid;
  uint64_t attr_valid;
  uint32_t entry_valid_nsec;
  uint32_t attr_valid_nsec;
  Attr attr;
};

struct AttrOut {
  uint64_t attr_valid;
  uint32_t attr_valid_nsec;
  uint32_t dummy;
  Attr attr;
};

struct GetattrIn {  // 7.9
  uint32_t getattr_flags;
  uint32_t dummy;
  uint64_t fh;
};

struct SetattrIn {
  uint32_t valid;  // kFattr...
  uint32_t padding;
  uint64_t fh;
  uint64_t size;
  uint64_t lock_owner;  // 7.9
  uint64_t atime;
  uint64_t mtime;
  uint64_t ctime;  // 7.23
  uint32_t atimensec;
  uint32_t mtimensec;
  uint32_t ctimensec;  // 7.23
  uint32_t mode;
  uint32_t unused4;
  uint32_t uid;
  uint32_t gid;
  uint32_t unused5;
};

/// statx, 7.39. Statx is bit for bit the struct of statx(2).
struct SxTime {
  int64_t tv_sec;
  uint32_t tv_nsec;
  int32_t reserved;
};

struct Statx {
  uint32_t mask;
  uint32_t blksize;
  uint64_t attributes;
  uint32_t nlink;
  uint32_t uid;
  uint32_t gid;
  uint16_t mode;
  uint16_t spare0;
  uint64_t ino;
  uint64_t size;
  uint64_t blocks;
  uint64_t attributes_mask;
  SxTime atime;
  SxTime btime;
  SxTime ctime;
  SxTime mtime;
  uint32_t rdev_major;
  uint32_t rdev_minor;
  uint32_t dev_major;
  uint32_t dev_minor;
  uint64_t spare2[14];
};

struct StatxIn {
  uint32_t getattr_flags;
  uint32_t reserved;
  uint64_t fh;
  uint32_t sx_flags;
  uint32_t sx_mask;
};

struct StatxOut {
  uint64_t attr_valid;
  uint32_t attr_valid_nsec;
  uint32_t flags;
  uint64_t spare[2];
  Statx stat;
};

struct AccessIn {
  uint32_t mask;
  uint32_t padding;
};

// --- Names ---

struct ForgetIn {
  uint64_t nlookup;
};

struct ForgetOne {  // 7.16
  uint64_t nodeid;
  uint64_t nlookup;
};

struct BatchForgetIn {  // 7.16, followed by `count` of ForgetOne
  uint32_t count;
  uint32_t dummy;
};

struct MknodIn {
  uint32_t mode;
  uint32_t rdev;
  uint32_t umask;  // 7.12
  uint32_t padding;
};

struct MkdirIn {
  uint32_t mode;
  uint32_t umask;  // 7.12
};

struct RenameIn {
  uint64_t newdir;
};

struct Rename2In {  // 7.23
  uint64_t newdir;
  uint32_t flags;  // RENAME_... of renameat2(2)
  uint32_t padding;
};

/// The header's nodeid is the new directory.
struct LinkIn {
  uint64_t oldnodeid;
};

// --- Open files ---

struct OpenIn {
  uint32_t flags;
  uint32_t open_flags;  // 7.33: kOpen...
};

struct CreateIn {
  uint32_t flags;
  uint32_t mode;
  uint32_t umask;       // 7.12
  uint32_t open_flags;  // 7.33: kOpen...
};

struct OpenOut {
  uint64_t fh;
  uint32_t open_flags;  // kFopen...
  int32_t backing_id;   // 7.40, with kFopenPassthrough
};

struct ReleaseIn {
  uint64_t fh;
  uint32_t flags;
  uint32_t release_flags;
  uint64_t lock_owner;
};

struct FlushIn {
  uint64_t fh;
  uint32_t unused;
  uint32_t padding;
  uint64_t lock_owner;
};

struct ReadIn {
  uint64_t fh;
  uint64_t offset;
  uint32_t size;
  uint32_t read_flags;  // 7.9
  uint64_t lock_owner;  // 7.9
  uint32_t flags;       // 7.9: of open(2)
  uint32_t padding;
};

struct WriteIn {
  uint64_t fh;
  uint64_t offset;
  uint32_t size;
  uint32_t write_flags;
  uint64_t lock_owner;  // 7.9
  uint32_t flags;       // 7.9: of open(2)
  uint32_t padding;
};

struct WriteOut {
  uint32_t size;
  uint32_t padding;
};

struct FsyncIn {
  uint64_t fh;
  uint32_t fsync_flags;
  uint32_t padding;
};

struct FallocateIn {  // 7.19
  uint64_t fh;
  uint64_t offset;
  uint64_t length;
  uint32_t mode;
  uint32_t padding;
};

struct LseekIn {  // 7.24
  uint64_t fh;
  uint64_t offset;
  uint32_t whence;
  uint32_t padding;
};

struct LseekOut {
  uint64_t offset;
};

struct CopyFileRangeIn {  // 7.28, the header's nodeid is the source
  uint64_t fh_in;
  uint64_t off_in;
  uint64_t nodeid_out;
  uint64_t fh_out;
  uint64_t off_out;
  uint64_t len;
  uint64_t flags;
};

struct CopyFileRangeOut {  // 7.45, answers CopyFileRange64; CopyFileRange is answered by WriteOut
  uint64_t bytes_copied;
};

struct FileLock {
  uint64_t start;
  uint64_t end;   // inclusive; OFFSET_MAX: to the end of the file
  uint32_t type;  // F_RDLCK, F_WRLCK, F_UNLCK
  uint32_t pid;
};

struct LkIn {
  uint64_t fh;
  uint64_t owner;
  FileLock lk;
  uint32_t lk_flags;  // 7.9
  uint32_t padding;
};

struct LkOut {
  FileLock lk;
};

struct BmapIn {
  uint64_t block;
  uint32_t blocksize;
  uint32_t padding;
};

struct BmapOut {
  uint64_t block;
};

struct IoctlIn {  // 7.11, followed by in_size bytes
  uint64_t fh;
  uint32_t flags;
  uint32_t cmd;
  uint64_t arg;
  uint32_t in_size;
  uint32_t out_size;
};

struct IoctlIovec {  // 7.16
  uint64_t base;
  uint64_t len;
};

struct IoctlOut {
  int32_t result;
  uint32_t flags;
  uint32_t in_iovs;
  uint32_t out_iovs;
};

struct PollIn {  // 7.11
  uint64_t fh;
  uint64_t kh;  // names the waiter in NotifyPollWakeupOut
  uint32_t flags;
  uint32_t events;  // 7.21
};

struct PollOut {
  uint32_t revents;
  uint32_t padding;
};

struct InterruptIn {
  uint64_t unique;  // of the request to interrupt
};

// --- Directory entries ---
// Read by the kernel as records padded to 8 bytes, the name behind the struct, not terminated.

struct Dirent {
  uint64_t ino;
  uint64_t off;  // where the next entry begins; handed back in ReadIn.offset
  uint32_t namelen;
  uint32_t type;  // DT_...: (mode & S_IFMT) >> 12
};

struct Direntplus {  // 7.21
  EntryOut entry_out;
  Dirent dirent;
};

// --- Extended attributes ---

/// The layout without kInitSetxattrExt, and the beginning of the other.
struct SetxattrCompatIn {
  uint32_t size;
  uint32_t flags;  // XATTR_CREATE, XATTR_REPLACE
};

struct SetxattrIn {  // 7.33, with kInitSetxattrExt
  uint32_t size;
  uint32_t flags;
  uint32_t setxattr_flags;
  uint32_t padding;
};

struct GetxattrIn {
  uint32_t size;  // 0: only the length is asked for, answered by GetxattrOut
  uint32_t padding;
};

struct GetxattrOut {
  uint32_t size;
  uint32_t padding;
};

// --- File system ---

struct Kstatfs {
  uint64_t blocks;
  uint64_t bfree;
  uint64_t bavail;
  uint64_t files;
  uint64_t ffree;
  uint32_t bsize;
  uint32_t namelen;
  uint32_t frsize;
  uint32_t padding;
  uint32_t spare[6];
};

struct StatfsOut {
  Kstatfs st;
};

struct SyncfsIn {  // 7.34
  uint64_t padding;
};

/// INIT before 7.36, and the beginning of INIT since.
struct InitCompatIn {
  uint32_t major;
  uint32_t minor;
  uint32_t max_readahead;
  uint32_t flags;
};

struct InitIn {  // 7.36
  uint32_t major;
  uint32_t minor;
  uint32_t max_readahead;
  uint32_t flags;
  uint32_t flags2;  // valid with kInitInitExt
  uint32_t unused[11];
};

struct InitOut {
  uint32_t major;
  uint32_t minor;
  uint32_t max_readahead;
  uint32_t flags;
  uint16_t max_background;        // 7.13
  uint16_t congestion_threshold;  // 7.13
  uint32_t max_write;
  uint32_t time_gran;        // 7.23: in ns, a power of ten
  uint16_t max_pages;        // 7.28, with kInitMaxPages
  uint16_t map_alignment;    // 7.31
  uint32_t flags2;           // 7.36, with kInitInitExt
  uint32_t max_stack_depth;  // 7.40, with kInitPassthrough
  uint16_t request_timeout;  // 7.43: seconds, with kInitRequestTimeout
  uint16_t unused[11];
};

/// Bytes of InitOut a kernel of that minor takes.
constexpr size_t init_out_size(uint32_t minor) { return minor < 5 ? 8 : minor < 23 ? 24 : sizeof(InitOut); }

struct CuseInitIn {  // 7.12
  uint32_t major;
  uint32_t minor;
  uint32_t unused;
  uint32_t flags;
};

struct CuseInitOut {
  uint32_t major;
  uint32_t minor;
  uint32_t unused;
  uint32_t flags;
  uint32_t max_read;
  uint32_t max_write;
  uint32_t dev_major;
  uint32_t dev_minor;
  uint32_t spare[10];
};

// --- DAX over virtio, 7.31: never sent on /dev/fuse ---

struct SetupmappingIn {
  uint64_t fh;
  uint64_t foffset;
  uint64_t len;
  uint64_t flags;
  uint64_t moffset;
};

struct RemovemappingIn {  // followed, without padding, by `count` of RemovemappingOne
  uint32_t count;
};

struct RemovemappingOne {
  uint64_t moffset;
  uint64_t len;
};

// --- Extension records, 7.38 (security contexts 7.36) ---
// At the end of a request, each a multiple of 8 bytes, at any address.

struct ExtHeader {
  uint32_t size;  // with this header
  uint32_t type;
};

/// Same place as ExtHeader: nr_secctx is at most kMaxNrSecctx, so it cannot be taken for a type.
struct SecctxHeader {
  uint32_t size;
  uint32_t nr_secctx;
};

/// Followed by a terminated name and `size` bytes of context; the whole padded to 8 bytes.
struct Secctx {
  uint32_t size;
  uint32_t padding;
};

/// Behind an ExtHeader of type kExtGroups; followed by nr_groups of uint32_t.
struct SuppGroups {
  uint32_t nr_groups;
};

// --- Notifications ---
// An OutHeader whose error is the code and whose unique is 0, then the struct.

struct NotifyPollWakeupOut {  // 7.11
  uint64_t kh;
};

struct NotifyInvalInodeOut {  // 7.12
  uint64_t ino;
  int64_t off;  // negative: attributes only
  int64_t len;  // 0 or less: to the end
};

struct NotifyInvalEntryOut {  // 7.12, followed by the terminated name
  uint64_t parent;
  uint32_t namelen;  // without the NUL
  uint32_t flags;    // 7.38: kExpireOnly
};

struct NotifyDeleteOut {  // 7.18, followed by the terminated name
  uint64_t parent;
  uint64_t child;
  uint32_t namelen;
  uint32_t padding;
};

struct NotifyStoreOut {  // 7.15, followed by `size` bytes
  uint64_t nodeid;
  uint64_t offset;
  uint32_t size;
  uint32_t padding;
};

struct NotifyRetrieveOut {  // 7.15
  uint64_t notify_unique;   // comes back as InHeader.unique of the NotifyReply
  uint64_t nodeid;
  uint64_t offset;
  uint32_t size;
  uint32_t padding;
};

/// The body of a NotifyReply: as long as WriteIn, followed by `size` bytes.
struct NotifyRetrieveIn {
  uint64_t dummy1;
  uint64_t offset;
  uint32_t size;
  uint32_t dummy2;
  uint64_t dummy3;
  uint64_t dummy4;
};

struct NotifyPruneOut {  // 7.45, followed by `count` of uint64_t node ids
  uint32_t count;
  uint32_t padding;
  uint64_t spare;
};

}  // namespace isthmus::wire::fuse
