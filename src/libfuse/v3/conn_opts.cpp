/// fuse_parse_conn_info_opts, fuse_apply_conn_info_opts: -o options about fuse_conn_info.
#include <cstddef>
#include <cstdlib>
#include <new>

#include "libfuse/common/exports.h"
#include "providers/libfuse/common/args.h"
#include "providers/libfuse/common/opt_parser.h"
#include "providers/libfuse/v3/wants.h"

#include <isthmus/fuse3/fuse_lowlevel.h>

using namespace isthmus::libfuse;

/// "x" sets what is wanted, "no_x" takes it away; neither leaves it to the file system.
struct fuse_conn_info_opts {
  int sync_read, async_read;
  int atomic_o_trunc;
  int no_remote_posix_lock, no_remote_flock;
  int splice_write, no_splice_write, splice_move, no_splice_move, splice_read, no_splice_read;
  int auto_inval_data, no_auto_inval_data;
  int no_readdirplus, no_readdirplus_auto;
  int async_dio, no_async_dio;
  int writeback_cache, no_writeback_cache;
  unsigned max_write, max_readahead, max_background, congestion_threshold, time_gran;
  int set_max_write, set_max_readahead, set_max_background, set_congestion_threshold, set_time_gran;
};

namespace {

#define SWITCH(name) \
  { #name, offsetof(fuse_conn_info_opts, name), 1 }
#define NUMBER(name) \
  {#name "=%u", offsetof(fuse_conn_info_opts, name), 0}, { #name "=", offsetof(fuse_conn_info_opts, set_##name), 1 }
const fuse_opt kConnTable[] = {
    NUMBER(max_write),
    NUMBER(max_readahead),
    NUMBER(max_background),
    NUMBER(congestion_threshold),
    NUMBER(time_gran),
    SWITCH(sync_read),
    SWITCH(async_read),
    SWITCH(atomic_o_trunc),
    {"no_remote_lock", offsetof(fuse_conn_info_opts, no_remote_posix_lock), 1},
    {"no_remote_lock", offsetof(fuse_conn_info_opts, no_remote_flock), 1},
    SWITCH(no_remote_posix_lock),
    SWITCH(no_remote_flock),
    SWITCH(splice_write),
    SWITCH(no_splice_write),
    SWITCH(splice_move),
    SWITCH(no_splice_move),
    SWITCH(splice_read),
    SWITCH(no_splice_read),
    SWITCH(auto_inval_data),
    SWITCH(no_auto_inval_data),
    {"readdirplus=no", offsetof(fuse_conn_info_opts, no_readdirplus), 1},
    {"readdirplus=yes", offsetof(fuse_conn_info_opts, no_readdirplus), 0},
    {"readdirplus=yes", offsetof(fuse_conn_info_opts, no_readdirplus_auto), 1},
    {"readdirplus=auto", offsetof(fuse_conn_info_opts, no_readdirplus), 0},
    {"readdirplus=auto", offsetof(fuse_conn_info_opts, no_readdirplus_auto), 0},
    SWITCH(async_dio),
    SWITCH(no_async_dio),
    SWITCH(writeback_cache),
    SWITCH(no_writeback_cache),
    FUSE_OPT_END,
};
#undef SWITCH
#undef NUMBER

void settle(fuse_conn_info& conn, unsigned cap, bool on, bool off) {
  if (on && (offered_to(conn) & cap)) add_wants(conn, cap);
  if (off) drop_wants(conn, cap);
}

}  // namespace

ISTHMUS_EXPORT fuse_conn_info_opts* fuse_parse_conn_info_opts(fuse_args* args) {
  // Programs free(3) it.
  auto* o = static_cast<fuse_conn_info_opts*>(calloc(1, sizeof(fuse_conn_info_opts)));
  if (!o) {
    no_memory();
    return nullptr;
  }
  if (!args->argv || !args->argc) return o;
  OptParser parser(*args, o, kConnTable, nullptr);
  if (parser.run() < 0) {
    free(o);
    return nullptr;
  }
  parser.swap_args(*args);
  return o;
}

ISTHMUS_EXPORT void fuse_apply_conn_info_opts(fuse_conn_info_opts* o, fuse_conn_info* conn) {
  if (o->set_max_write) conn->max_write = o->max_write;
  if (o->set_max_readahead) conn->max_readahead = o->max_readahead;
  if (o->set_max_background) conn->max_background = o->max_background;
  if (o->set_congestion_threshold) conn->congestion_threshold = o->congestion_threshold;
  if (o->set_time_gran) conn->time_gran = o->time_gran;
  settle(*conn, FUSE_CAP_ASYNC_READ, o->async_read, o->sync_read);
  settle(*conn, FUSE_CAP_ATOMIC_O_TRUNC, o->atomic_o_trunc, false);
  settle(*conn, FUSE_CAP_POSIX_LOCKS, false, o->no_remote_posix_lock);
  settle(*conn, FUSE_CAP_FLOCK_LOCKS, false, o->no_remote_flock);
  settle(*conn, FUSE_CAP_SPLICE_READ, o->splice_read, o->no_splice_read);
  settle(*conn, FUSE_CAP_SPLICE_WRITE, o->splice_write, o->no_splice_write);
  settle(*conn, FUSE_CAP_SPLICE_MOVE, o->splice_move, o->no_splice_move);
  settle(*conn, FUSE_CAP_AUTO_INVAL_DATA, o->auto_inval_data, o->no_auto_inval_data);
  settle(*conn, FUSE_CAP_READDIRPLUS, false, o->no_readdirplus);
  settle(*conn, FUSE_CAP_READDIRPLUS_AUTO, false, o->no_readdirplus_auto);
  settle(*conn, FUSE_CAP_ASYNC_DIO, o->async_dio, o->no_async_dio);
  settle(*conn, FUSE_CAP_WRITEBACK_CACHE, o->writeback_cache, o->no_writeback_cache);
}
