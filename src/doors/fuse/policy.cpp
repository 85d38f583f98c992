#include "doors/fuse/policy.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

namespace isthmus::fuse {
namespace {

using namespace wire::fuse;

bool yes(const PolicyFacts&) { return true; }
/// Several users, and a kernel that does not check: whoever has not been refused a name before may use it from the
/// cache.
bool names_need_asking(const PolicyFacts& f) { return !f.options.default_permissions && !f.options.only_root; }
/// Nobody but root, whom the kernel does not check either.
bool root_unchecked(const PolicyFacts& f) { return !f.options.default_permissions && f.options.only_root; }
bool wants_readdirplus(const PolicyFacts& f) {
  if (names_need_asking(f)) return false;  // attributes without names that are believed are asked for again
  return f.options.readdirplus.value_or(f.traits.dir_attr || f.can.has(Op::Lookup));
}
/// Does somebody see the file system's locks who does not ask this kernel? Then it must not keep them to itself.
bool locks_by_provider(const PolicyFacts& f, std::optional<bool> asked) {
  return f.can.has(Op::SetLock) && asked.value_or(f.traits.locks_shared);
}
/// Files change without a word to us: what the kernel has cached must be compared again.
bool changes_unseen(const PolicyFacts& f) { return f.traits.changes_outside && !f.traits.tells_changes; }

bool wants_writeback(const PolicyFacts& f) {
  return f.traits.write_back && f.options.writeback_cache.value_or(f.traits.small_writes_dear);
}

struct Row {
  uint64_t flag;
  bool (*wanted)(const PolicyFacts&);
};

// INIT flags: each is answered when the kernel offers it and the row says so. Those that are not here are never
// answered: see the end of the table.
const Row kRows[] = {
    // Several reads of one file at a time: read-ahead does not wait for the one before.
    {kInitAsyncRead, [](const PolicyFacts& f) { return f.options.async_read.value_or(true); }},
    // fcntl(2) locks come here as GETLK, SETLK, SETLKW; without, the kernel keeps them among its own processes.
    {kInitPosixLocks, [](const PolicyFacts& f) { return locks_by_provider(f, f.options.remote_posix_lock); }},
    // flock(2) locks likewise, marked by LK_FLOCK.
    {kInitFlockLocks, [](const PolicyFacts& f) { return locks_by_provider(f, f.options.remote_flock); }},
    // The kernel may ask for "." and ".." of any node ever handed out: NFS handles that outlive its caches.
    {kInitExportSupport, [](const PolicyFacts& f) { return f.traits.export_stable && !root_unchecked(f); }},
    // No file handles at all where the kernel checks nothing because only root comes in: an NFS server comes in as
    // root,
    // for anybody, and would be served from the caches.
    {kInitNoExportSupport, root_unchecked},
    // Writes of more than a page.
    {kInitBigWrites, yes},
    // Modes come raw with the umask beside them, as a default ACL replaces it.
    {kInitDontMask, [](const PolicyFacts& f) { return f.traits.posix_acl; }},
    // The kernel reads and obeys the ACLs itself. Means nothing unless it checks permissions.
    {kInitPosixAcl, [](const PolicyFacts& f) { return f.traits.posix_acl && f.options.default_permissions; }},
    // Cached pages go when mtime or size turn out to have changed: for files that change behind the kernel's back.
    {kInitAutoInvalData, changes_unseen},
    // Cached pages stay until we say otherwise: every change passes through this kernel or is told by an upcall.
    {kInitExplicitInvalData, [](const PolicyFacts& f) { return !changes_unseen(f); }},
    // Listings with attributes: from the provider where it has them at hand, else the waist looks each name up, which
    // is cheaper than a LOOKUP request each. AUTO lets the kernel ask for them only where they are used, which it
    // cannot
    // tell of programs that list a whole directory before they look at it (find, du): only where attributes are dear.
    {kInitDoReaddirplus, wants_readdirplus},
    {kInitReaddirplusAuto, [](const PolicyFacts& f) { return wants_readdirplus(f) && !f.traits.dir_attr; }},
    // Direct I/O with several requests under way.
    {kInitAsyncDio, yes},
    // Small writes gather in the page cache, which then owns size and mtime. A gain where a write is dear (a network);
    // where it is not, one more copy makes streams slower.
    {kInitWritebackCache, wants_writeback},
    // The kernel takes ENOSYS from OPEN and OPENDIR for "never ask again" (stateless_open below).
    {kInitNoOpenSupport, yes},
    {kInitNoOpendirSupport, yes},
    // LOOKUP and READDIR of one directory at the same time.
    {kInitParallelDirops, yes},
    // WRITE, OPEN with O_TRUNC and SETATTR say when setuid bits must go, instead of a GETXATTR before every write.
    {kInitHandleKillprivV2, [](const PolicyFacts& f) { return f.traits.kills_suidgid; }},
    // read(2) of the device tells abort (ECONNABORTED) from unmount (ENODEV).
    {kInitAbortError, yes},
    // Requests of more than 32 pages; max_pages in the answer.
    {kInitMaxPages, yes},
    // Targets of symbolic links stay in the page cache: right where a link's target changes only by replacing the link.
    {kInitCacheSymlinks, [](const PolicyFacts& f) { return !changes_unseen(f); }},
    // SETXATTR says when an ACL must cost a file its setgid bit.
    {kInitSetxattrExt, yes},
    // The upper 32 flags.
    {kInitInitExt, yes},
    // New nodes get their security label in one step; sent only where a security module has labels.
    {kInitSecurityCtx, [](const PolicyFacts& f) { return f.can.has(Op::SetXattr); }},
    // The group that decides about a new file in a setgid directory, if it is a supplementary one.
    {kInitCreateSuppGroup, yes},
    // Entries may be told to expire without dropping what is mounted below them.
    {kInitHasExpireOnly, yes},
    // Shared mmap of files opened with direct I/O.
    {kInitDirectIoAllowMmap, yes},
    // Requests marked as sent before are understood: answered as if they were new.
    {kInitHasResend, yes},
    // Opens may name a file for the kernel to read and write by itself (backing.h). Kernels refuse it with write-back,
    // and direct_io asks for the opposite. Asked for by hand: it needs OPEN and RELEASE, which small files feel more
    // than what it saves.
    {kInitPassthrough,
     [](const PolicyFacts& f) { return f.options.passthrough && !f.options.direct_io && !wants_writeback(f); }},
    // Requests come by a queue for each CPU, and only forgets and interrupts by the device.
    {kInitOverIoUring, [](const PolicyFacts& f) { return f.rings; }},
    // Never:
    // - ATOMIC_O_TRUNC: the kernel's own SETATTR(size 0) after OPEN is what every provider understands.
    // - SPLICE_WRITE, SPLICE_MOVE, SPLICE_READ: splice(2) works without; kernels ignore them.
    // - HANDLE_KILLPRIV: version 2 says when.
    // - ALLOW_IDMAP: requests would lose their uid and gid on every mount, mapped or not.
    // - REQUEST_TIMEOUT: a deadline is for the administrator (sysctl fs.fuse.default_request_timeout).
    // - FILE_OPS, HAS_IOCTL_DIR: said by the kernel only. MAP_ALIGNMENT, SUBMOUNTS, HAS_INODE_DAX: virtiofs only.
};

constexpr uint32_t kPageSize = 4096;
constexpr uint32_t kPagesWithoutMaxPages = 32;
constexpr uint32_t kDefaultMaxWrite = 1 << 20;
constexpr uint16_t kDefaultBackground = 64;

/// The first word of a file of /proc or /sys; empty where there is none.
std::string kernel_setting(const char* path) {
  std::string word;
  std::ifstream(path) >> word;
  return word;
}

/// Which of the requests around an open file are left out. Each condition is there for something that only the request
/// it keeps can do.
void settle_opens(const PolicyFacts& f, Policy& p) {
  // There is nobody to ask at an open, or nothing to say: reads and writes name the node alone.
  bool open_op = f.can.has(Op::Open) || f.can.has(Op::Create) || f.can.has(Op::Release);
  bool by_node = !open_op || f.traits.inode_addressed;
  // The kernel knows whether a file may be opened, or everybody may; else OPEN is where the file system is asked.
  bool trusted = !names_need_asking(f);
  bool checked = trusted || !open_op;
  // RELEASE alone ends a flock(2) lock and an open file's (OFD) fcntl(2) lock; FLUSH ends a process's.
  bool locks = p.has(kInitPosixLocks) || p.has(kInitFlockLocks);
  // The answer to OPEN alone says direct_io, names a backing file, and has pages dropped that may have changed.
  bool cached = !f.options.direct_io && !p.has(kInitPassthrough) && !changes_unseen(f);
  bool wanted = f.options.stateless_open.value_or(true);
  p.stateless_open = p.has(kInitNoOpenSupport) && wanted && by_node && checked && !locks && cached;

  // Without OPENDIR listings are cached until the directory changes: not where others change it.
  bool opendir_op = f.can.has(Op::OpenDir) || f.can.has(Op::ReleaseDir);
  bool dir_checked = trusted || !opendir_op;
  p.stateless_opendir = p.has(kInitNoOpendirSupport) && wanted && (!opendir_op || f.traits.inode_addressed) &&
                        dir_checked && !changes_unseen(f);

  // A process's fcntl(2) locks end by FLUSH.
  p.flushes = p.has(kInitPosixLocks) || (f.can.has(Op::Flush) && !f.traits.flush_for_locks);
}

}  // namespace

bool Policy::writeback() const { return has(kInitWritebackCache); }

uint32_t kernel_max_pages() {
  constexpr unsigned long kUsual = 256;
  unsigned long limit = std::strtoul(kernel_setting("/proc/sys/fs/fuse/max_pages_limit").c_str(), nullptr, 10);
  return static_cast<uint32_t>(std::min(limit ? limit : kUsual, 65535ul));
}

bool kernel_has_rings() {
  std::string set = kernel_setting("/sys/module/fuse/parameters/enable_uring");
  return set == "Y" || set == "1";
}

Policy decide(const PolicyFacts& f) {
  Policy p;
  p.minor = std::min(f.minor, kMinor);
  for (auto& row : kRows)
    if ((f.offered & row.flag) && row.wanted(f)) p.flags |= row.flag;

  uint32_t most = p.has(kInitMaxPages) ? kernel_max_pages() : kPagesWithoutMaxPages;
  uint32_t want = f.options.max_write ? f.options.max_write : kDefaultMaxWrite;
  want = std::min<uint32_t>(want, static_cast<uint32_t>(std::min<size_t>(f.buffer_size, UINT32_MAX)));
  uint32_t pages = std::clamp((want + kPageSize - 1) / kPageSize, 1u, most);
  p.max_pages = static_cast<uint16_t>(pages);
  p.max_write = std::clamp(want, kPageSize, pages * kPageSize);
  p.max_readahead = std::min(f.max_readahead, f.options.max_readahead.value_or(UINT32_MAX));
  p.max_background = f.options.max_background ? f.options.max_background : kDefaultBackground;
  p.congestion_threshold =
      f.options.congestion_threshold ? f.options.congestion_threshold : static_cast<uint16_t>(p.max_background / 4 * 3);
  // Powers of ten up to a second are all the kernel takes.
  for (uint32_t g = 1; g <= 1'000'000'000; g *= 10) {
    if (g <= f.traits.time_granularity_ns) p.time_granularity_ns = g;
    if (g == 1'000'000'000) break;
  }

  // A backing file must not lie on a store that is itself stacked; more would keep overlayfs from lying on us.
  if (p.has(kInitPassthrough)) p.max_stack_depth = 1;

  settle_opens(f, p);
  p.keep_cache = f.options.kernel_cache || !changes_unseen(f);
  p.direct_io = f.options.direct_io;
  p.access_checked = f.options.default_permissions;
  p.entry_ttl = f.options.entry_ttl;
  p.negative_ttl = f.options.negative_ttl;
  if (names_need_asking(f)) {
    if (!p.entry_ttl) p.entry_ttl = 0;
    if (!p.negative_ttl) p.negative_ttl = 0;
  }
  p.attr_ttl = f.options.attr_ttl;
  return p;
}

std::vector<std::pair<std::string, std::string>> describe(const Policy& p) {
  auto sent = [](bool unwanted) { return std::string(unwanted ? "no request" : "a request"); };
  auto keeper = [&](uint64_t flag) { return std::string(p.has(flag) ? "file system" : "kernel"); };
  return {{"permissions", p.access_checked ? "kernel" : "file system"},
          {"open", sent(p.stateless_open)},
          {"opendir", sent(p.stateless_opendir)},
          {"flush", sent(!p.flushes)},
          {"posix_locks", keeper(kInitPosixLocks)},
          {"flock", keeper(kInitFlockLocks)},
          {"writes", p.writeback() ? "gathered by the kernel" : "at once"},
          {"max_write", std::to_string(p.max_write)},
          {"max_background", std::to_string(p.max_background)},
          {"flags", init_flag_names(p.flags)}};
}

InitOut init_reply(const Policy& p, size_t& size) {
  InitOut out{};
  out.major = kMajor;
  out.minor = p.minor;
  out.max_readahead = p.max_readahead;
  out.flags = static_cast<uint32_t>(p.flags);
  out.flags2 = static_cast<uint32_t>(p.flags >> 32);
  out.max_background = p.max_background;
  out.congestion_threshold = p.congestion_threshold;
  out.max_write = p.max_write;
  out.time_gran = p.time_granularity_ns;
  out.max_pages = p.max_pages;
  out.max_stack_depth = p.max_stack_depth;
  out.request_timeout = p.request_timeout_s;
  size = init_out_size(p.minor);
  return out;
}

bool is_unwanted(Opcode opcode, const Policy& p) {
  switch (opcode) {
    case Opcode::Open:
    case Opcode::Create:  // MKNOD and OPEN instead, and OPEN costs nothing
      return p.stateless_open;
    case Opcode::Opendir:
      return p.stateless_opendir;
    case Opcode::Flush:
      return !p.flushes;
    default:
      return false;
  }
}

std::optional<Op> needed_for(Opcode opcode) {
  switch (opcode) {
    // Nothing to do when a file is synced: the kernel need not ask.
    case Opcode::Fsync:
      return Op::Fsync;
    case Opcode::Fsyncdir:
      return Op::FsyncDir;
    case Opcode::Syncfs:
      return Op::Sync;
    // The kernel copies through its page cache; a signal stops it.
    case Opcode::CopyFileRange:
    case Opcode::CopyFileRange64:
      return Op::CopyRange;
    // All is data; always ready; ENOTTY; no swap file; EOPNOTSUPP.
    case Opcode::Lseek:
      return Op::SeekHole;
    case Opcode::Poll:
      return Op::Poll;
    case Opcode::Ioctl:
      return Op::Ioctl;
    case Opcode::Bmap:
      return Op::Bmap;
    case Opcode::Fallocate:
      return Op::Fallocate;
    case Opcode::Tmpfile:
      return Op::Tmpfile;
    case Opcode::Getxattr:
      return Op::GetXattr;
    case Opcode::Setxattr:
      return Op::SetXattr;
    case Opcode::Listxattr:
      return Op::ListXattr;
    case Opcode::Removexattr:
      return Op::RemoveXattr;
    default:
      return std::nullopt;
  }
}

}  // namespace isthmus::fuse
