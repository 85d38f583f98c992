/// The options that fuse_lowlevel_new() knows: libfuse's own, and what fuse_conn_info is to be.
#include <climits>
#include <cstddef>
#include <cstdio>

#include "libfuse/v2/session.h"
#include "providers/libfuse/common/args.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/common/opt_parser.h"

namespace isthmus::libfuse::v2 {
namespace {

/// "x" sets what is wanted, "no_x" takes it away; neither leaves it to the file system.
struct Given {
  int debug = 0, allow_root = 0, sync_read = 0, atomic_o_trunc = 0;
  int no_posix_lock = 0, no_flock = 0;
  int splice_write = 0, splice_move = 0, splice_read = 0;
  int no_splice_write = 0, no_splice_move = 0, no_splice_read = 0;
  unsigned max_write = UINT_MAX, max_readahead = UINT_MAX, max_background = 0, congestion_threshold = 0;
};

enum Key { kHelp = 1, kVersion };

#define OPTION(templ, member, value) \
  { templ, offsetof(Given, member), value }
const fuse_opt kTable[] = {
    OPTION("debug", debug, 1),
    OPTION("-d", debug, 1),
    OPTION("allow_root", allow_root, 1),
    OPTION("max_write=%u", max_write, 0),
    OPTION("max_readahead=%u", max_readahead, 0),
    OPTION("max_background=%u", max_background, 0),
    OPTION("congestion_threshold=%u", congestion_threshold, 0),
    OPTION("async_read", sync_read, 0),
    OPTION("sync_read", sync_read, 1),
    OPTION("atomic_o_trunc", atomic_o_trunc, 1),
    OPTION("no_remote_lock", no_posix_lock, 1),
    OPTION("no_remote_lock", no_flock, 1),
    OPTION("no_remote_flock", no_flock, 1),
    OPTION("no_remote_posix_lock", no_posix_lock, 1),
    // Writes are big always.
    FUSE_OPT_KEY("big_writes", FUSE_OPT_KEY_DISCARD),
    OPTION("splice_write", splice_write, 1),
    OPTION("no_splice_write", no_splice_write, 1),
    OPTION("splice_move", splice_move, 1),
    OPTION("no_splice_move", no_splice_move, 1),
    OPTION("splice_read", splice_read, 1),
    OPTION("no_splice_read", no_splice_read, 1),
    FUSE_OPT_KEY("max_read=", FUSE_OPT_KEY_DISCARD),
    FUSE_OPT_KEY("-h", kHelp),
    FUSE_OPT_KEY("--help", kHelp),
    FUSE_OPT_KEY("-V", kVersion),
    FUSE_OPT_KEY("--version", kVersion),
    FUSE_OPT_END,
};
#undef OPTION

int take(void*, const char* arg, int key, fuse_args*) {
  switch (key) {
    case kHelp:
      fprintf(stderr,
              "    -o max_write=N         bytes of one write at most (131072)\n"
              "    -o max_readahead=N     bytes that the kernel reads ahead at most\n"
              "    -o max_background=N    requests in the background at most\n"
              "    -o congestion_threshold=N  from so many on the kernel slows down\n"
              "    -o async_read          several reads of a file at a time (default)\n"
              "    -o sync_read           one read of a file at a time\n"
              "    -o atomic_o_trunc      open() truncates\n"
              "    -o big_writes          writes of more than 4 KiB (always)\n"
              "    -o no_remote_lock      locks stay in the kernel\n"
              "    -o no_remote_flock     flock(2) locks do\n"
              "    -o no_remote_posix_lock  fcntl(2) locks do\n"
              "    -o [no_]splice_write   splice(2) to the device\n"
              "    -o [no_]splice_move    and moves pages\n"
              "    -o [no_]splice_read    splice(2) from the device\n");
      return -1;
    case kVersion:
      fprintf(stderr, "using FUSE kernel interface version 7.19\n");
      return -1;
    default:
      message(FUSE_LOG_ERR, "fuse: unknown option `%s'\n", arg);
      return -1;
  }
}

void settle(::fuse_conn_info& conn, unsigned cap, bool on, bool off) {
  if (on) conn.want |= cap & conn.capable;
  if (off) conn.want &= ~cap;
}

/// What version 2 starts from: it knows less, and truncates before open().
void prepare(const Given& g, ::fuse_conn_info& conn) {
  constexpr unsigned kKnown = FUSE_CAP_ASYNC_READ | FUSE_CAP_POSIX_LOCKS | FUSE_CAP_ATOMIC_O_TRUNC |
                              FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_DONT_MASK | FUSE_CAP_SPLICE_WRITE |
                              FUSE_CAP_SPLICE_MOVE | FUSE_CAP_SPLICE_READ | FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_IOCTL_DIR;
  conn.capable &= kKnown;
  conn.want &= kKnown & ~unsigned{FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_IOCTL_DIR | FUSE_CAP_SPLICE_WRITE |
                                  FUSE_CAP_SPLICE_MOVE | FUSE_CAP_SPLICE_READ};
  settle(conn, FUSE_CAP_ASYNC_READ, !g.sync_read, g.sync_read);
  settle(conn, FUSE_CAP_ATOMIC_O_TRUNC, g.atomic_o_trunc, false);
  settle(conn, FUSE_CAP_POSIX_LOCKS, false, g.no_posix_lock);
  settle(conn, FUSE_CAP_FLOCK_LOCKS, false, g.no_flock);
  settle(conn, FUSE_CAP_SPLICE_WRITE, g.splice_write, g.no_splice_write);
  settle(conn, FUSE_CAP_SPLICE_MOVE, g.splice_move, g.no_splice_move);
  settle(conn, FUSE_CAP_SPLICE_READ, g.splice_read, g.no_splice_read);
  conn.max_write = std::min({conn.max_write, g.max_write, unsigned{kMaxWrite}});
  conn.max_readahead = std::min(conn.max_readahead, g.max_readahead);
  if (g.max_background) conn.max_background = g.max_background;
  if (g.congestion_threshold) conn.congestion_threshold = g.congestion_threshold;
}

}  // namespace

std::unique_ptr<::fuse_session> make_session(fuse_args& args, std::unique_ptr<Program> program) {
  Given g;
  OptParser parser(args, &g, kTable, take);
  if (args.argv && args.argc > 0) {
    if (parser.run() < 0) return nullptr;
    parser.swap_args(args);
  }
  auto se = std::make_unique<::fuse_session>(std::move(program));
  se->debug = g.debug;
  se->options.allow_root = g.allow_root;
  se->before_init = [g](::fuse_conn_info& conn) { prepare(g, conn); };
  return make_ready(*se) ? std::move(se) : nullptr;
}

bool is_session_option(const char* option) {
  size_t sep = 0;
  return find_row(kTable, option, sep);
}

bool arguments_of(const char* options, fuse_args& args) {
  return add_arg(args, "") == 0 && (!options || (add_arg(args, "-o") == 0 && add_arg(args, options) == 0));
}

}  // namespace isthmus::libfuse::v2
