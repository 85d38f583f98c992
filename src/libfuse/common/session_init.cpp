/// INIT: the program's init() and the kernel agree.
#include <algorithm>

#include "libfuse/common/session.h"
#include "providers/libfuse/common/message.h"
#include "wire/fuse/flags.h"

#include <isthmus/fuse3/fuse_daemonize.h>

using namespace isthmus;
using namespace isthmus::libfuse;
using namespace isthmus::wire::fuse;

namespace {

struct Pair {
  uint64_t cap, flag;
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
#if ISTHMUS_FUSE3_SO >= 4
                           {FUSE_CAP_HANDLE_KILLPRIV_V2, kInitHandleKillprivV2},
                           {FUSE_CAP_SETXATTR_EXT, kInitSetxattrExt},
                           {FUSE_CAP_DIRECT_IO_ALLOW_MMAP, kInitDirectIoAllowMmap},
                           {FUSE_CAP_PASSTHROUGH, kInitPassthrough},
                           {FUSE_CAP_NO_EXPORT_SUPPORT, kInitNoExportSupport},
#endif
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
  uint64_t capable = 0;
  for (auto& p : kPairs)
    if (a.offered & p.flag) capable |= p.cap;
  offer(conn, capable);
  set_wants(conn, (kUsual | program->usual_wants()) & capable);
  initialised = had_init = true;
  if (before_init) before_init(conn);
#if ISTHMUS_FUSE3_SO >= 4
  set_shown(conn, {conn.want, conn.want_ext});
#endif
  program->init(conn);
#if ISTHMUS_FUSE3_SO >= 4
  fuse_convert_to_conn_want_ext(&conn);
#endif

  const uint64_t wants = wanted_by(conn);
  if (uint64_t beyond = wants & ~capable) {
    message(FUSE_LOG_ERR, "fuse: error: the file system wants capabilities 0x%llx, which the kernel does not have\n",
            static_cast<unsigned long long>(beyond));
    error = -EPROTO;
    exited = true;
    sem_post(&wake);
    return err(EPROTO);
  }
  a.flags &= kDoors;
  for (auto& p : kPairs)
    if (wants & p.cap) a.flags |= p.flag;
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
#if ISTHMUS_FUSE3_SO >= 4
  a.max_stack_depth = conn.max_backing_stack_depth + 1;  // with this one
  if ((a.offered & kInitRequestTimeout) && conn.request_timeout > 0) {
    a.flags |= kInitRequestTimeout;
    a.request_timeout_s = conn.request_timeout;
  }
  program->ignore_interrupts(conn.no_interrupt);
  program->hears_suidgid = wants & FUSE_CAP_HANDLE_KILLPRIV_V2;
  fuse_daemonize_early_success();
#endif
  return Unit{};
}
