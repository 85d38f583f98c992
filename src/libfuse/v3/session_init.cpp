/// INIT: the program's init() and the kernel agree.
#include <algorithm>

#include "libfuse/v3/session.h"
#include "providers/libfuse/common/message.h"
#include "wire/fuse/flags.h"

using namespace isthmus;
using namespace isthmus::libfuse;
using namespace isthmus::wire::fuse;

namespace {

struct Pair {
  unsigned cap;
  uint64_t flag;
};
// Most have the same number.
constexpr Pair kPairs[] = {{FUSE_CAP_ASYNC_READ, kInitAsyncRead},
                           {FUSE_CAP_POSIX_LOCKS, kInitPosixLocks},
                           {FUSE_CAP_ATOMIC_O_TRUNC, kInitAtomicOTrunc},
                           {FUSE_CAP_EXPORT_SUPPORT, kInitExportSupport},
                           {FUSE_CAP_DONT_MASK, kInitDontMask},
                           {FUSE_CAP_SPLICE_WRITE, kInitSpliceWrite},
                           {FUSE_CAP_SPLICE_MOVE, kInitSpliceMove},
                           {FUSE_CAP_SPLICE_READ, kInitSpliceRead},
                           {FUSE_CAP_FLOCK_LOCKS, kInitFlockLocks},
                           {FUSE_CAP_IOCTL_DIR, kInitHasIoctlDir},
                           {FUSE_CAP_AUTO_INVAL_DATA, kInitAutoInvalData},
                           {FUSE_CAP_READDIRPLUS, kInitDoReaddirplus},
                           {FUSE_CAP_READDIRPLUS_AUTO, kInitReaddirplusAuto},
                           {FUSE_CAP_ASYNC_DIO, kInitAsyncDio},
                           {FUSE_CAP_WRITEBACK_CACHE, kInitWritebackCache},
                           {FUSE_CAP_NO_OPEN_SUPPORT, kInitNoOpenSupport},
                           {FUSE_CAP_PARALLEL_DIROPS, kInitParallelDirops},
                           {FUSE_CAP_POSIX_ACL, kInitPosixAcl},
                           {FUSE_CAP_HANDLE_KILLPRIV, kInitHandleKillpriv},
                           {FUSE_CAP_CACHE_SYMLINKS, kInitCacheSymlinks},
                           {FUSE_CAP_NO_OPENDIR_SUPPORT, kInitNoOpendirSupport},
                           {FUSE_CAP_EXPLICIT_INVAL_DATA, kInitExplicitInvalData},
                           {FUSE_CAP_EXPIRE_ONLY, kInitHasExpireOnly}};

// What a program need not know of: the door deals with it.
constexpr uint64_t kDoors =
    kInitBigWrites | kInitMaxPages | kInitSetxattrExt | kInitInitExt | kInitHasExpireOnly | kInitHasResend;

/// What every program gets that does not ask for anything.
constexpr unsigned kUsual = FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_AUTO_INVAL_DATA |
                            FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_ASYNC_DIO | FUSE_CAP_IOCTL_DIR |
                            FUSE_CAP_ATOMIC_O_TRUNC;

}  // namespace

Status fuse_session::at_init(fuse::Agreement& a) {
  conn = {};
  conn.proto_major = 7;
  conn.proto_minor = a.minor;
  conn.max_write = a.max_write;
  conn.max_readahead = a.max_readahead;
  conn.time_gran = 1;
  for (auto& p : kPairs)
    if (a.offered & p.flag) conn.capable |= p.cap;
  conn.want = (kUsual | program->usual_wants()) & conn.capable;
  initialised = true;
  program->init(conn);

  if (unsigned beyond = conn.want & ~conn.capable) {
    message(FUSE_LOG_ERR, "fuse: error: the file system wants capabilities 0x%x, which the kernel does not have\n",
            beyond);
    error = -EPROTO;
    exited = true;
    sem_post(&wake);
    return err(EPROTO);
  }
  a.flags &= kDoors;
  for (auto& p : kPairs)
    if (conn.want & p.cap) a.flags |= p.flag;
  // Wanted by default, so by programs that know nothing of it: then nobody would clear setuid bits. The original never
  // tells the kernel either.
  a.flags &= ~kInitHandleKillpriv;
  a.max_write = conn.max_write;
  a.max_readahead = conn.max_readahead;
  constexpr unsigned kMost = UINT16_MAX;
  if (conn.max_background > 0) {
    a.max_background = static_cast<uint16_t>(std::min(conn.max_background, kMost));
    a.congestion_threshold = static_cast<uint16_t>(a.max_background * 3 / 4);
  }
  if (conn.congestion_threshold > 0)
    a.congestion_threshold = static_cast<uint16_t>(std::min<unsigned>(conn.congestion_threshold, a.max_background));
  if (conn.time_gran > 0) a.time_granularity_ns = conn.time_gran;
  return Unit{};
}
