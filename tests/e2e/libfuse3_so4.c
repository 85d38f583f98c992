/// Programs on what only libfuse3.so.4 has; libfuse3_so4.sh runs them. The layouts are those of libfuse 3.19's headers.
#define FUSE_USE_VERSION 319
#define _GNU_SOURCE
#include <cuse_lowlevel.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <fuse_daemonize.h>
#include <fuse_lowlevel.h>
#include <fuse_service.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#define IS(what, number) _Static_assert((what) == (number), #what)
IS(sizeof(struct fuse_config), 520);
IS(offsetof(struct fuse_config, ac_attr_timeout_set), 84);
IS(offsetof(struct fuse_config, ac_attr_timeout), 88);
IS(offsetof(struct fuse_config, nullpath_ok), 96);
IS(offsetof(struct fuse_config, show_help), 100);
IS(offsetof(struct fuse_config, modules), 104);
IS(offsetof(struct fuse_config, debug), 112);
IS(sizeof(struct fuse_file_info), 64);
IS(offsetof(struct fuse_file_info, fh), 16);
IS(offsetof(struct fuse_file_info, backing_id), 36);
IS(sizeof(struct fuse_buf), 48);
IS(sizeof(struct fuse_bufvec), 72);
IS(sizeof(struct fuse_operations), 352);
IS(sizeof(struct fuse_lowlevel_ops), 376);
IS(sizeof(struct fuse_conn_info), 128);
IS(offsetof(struct fuse_conn_info, capable_ext), 48);
IS(offsetof(struct fuse_conn_info, request_timeout), 64);
IS(sizeof(struct libfuse_version), 16);

#define CHECK(what)                                                   \
  do {                                                                \
    if (!(what)) {                                                    \
      fprintf(stderr, "line %d: not so: %s (%m)\n", __LINE__, #what); \
      exit(99);                                                       \
    }                                                                 \
  } while (0)

static const char *g_folder, *g_backing, *g_commands;
static struct fuse_session* g_session;
enum { kData = 2, kTemporary = 3 };

// ---- low level: one file, whose data is another's ----

static void on_init(void* data, struct fuse_conn_info* conn) {
  CHECK(conn->capable == (unsigned)conn->capable_ext);
  CHECK(fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH));
  CHECK(conn->want & FUSE_CAP_PASSTHROUGH && conn->want_ext & FUSE_CAP_PASSTHROUGH);
  CHECK(fuse_get_feature_flag(conn, FUSE_CAP_DIRECT_IO_ALLOW_MMAP));
  CHECK(!fuse_set_feature_flag(conn, FUSE_CAP_OVER_IO_URING) && !fuse_set_feature_flag(conn, FUSE_CAP_SECURITY_CTX));
  fuse_unset_feature_flag(conn, FUSE_CAP_AUTO_INVAL_DATA);
  CHECK(!(conn->want & FUSE_CAP_AUTO_INVAL_DATA) && !(conn->want_ext & FUSE_CAP_AUTO_INVAL_DATA));
  CHECK(fuse_convert_to_conn_want_ext(conn) == 0);
  struct fuse_conn_info saved = *conn;
  conn->want ^= FUSE_CAP_WRITEBACK_CACHE;
  conn->want_ext ^= FUSE_CAP_POSIX_ACL;
  CHECK(fuse_convert_to_conn_want_ext(conn) == -EINVAL);
  *conn = saved;
  conn->want |= FUSE_CAP_EXPLICIT_INVAL_DATA;  // as before 3.17
  CHECK(fuse_convert_to_conn_want_ext(conn) == 0 && conn->want_ext & FUSE_CAP_EXPLICIT_INVAL_DATA);
  CHECK(fuse_set_conn_flag(conn, FUSE_CONN_FLAG_SINGLE_ISSUER) && !fuse_set_conn_flag(conn, 1 << 20));
  conn->max_backing_stack_depth = FUSE_BACKING_STACKED_OVER;
}

static void attributes(fuse_ino_t ino, struct stat* st) {
  memset(st, 0, sizeof *st);
  if (ino == FUSE_ROOT_ID) {
    st->st_mode = S_IFDIR | 0755;
  } else {
    stat(g_backing, st);
    st->st_mode = S_IFREG | 0644;
  }
  st->st_ino = ino;
  st->st_nlink = 1;
}
static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
  struct fuse_entry_param e = {.ino = kData, .attr_timeout = 60, .entry_timeout = 60};
  if (!strcmp(name, "crash")) raise(SIGSEGV);
  if (strcmp(name, "data")) {
    fuse_reply_err(req, ENOENT);
    return;
  }
  printf("lookup\n");
  attributes(kData, &e.attr);
  fuse_reply_entry(req, &e);
}
static void on_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count) {
  printf("forget %d\n", (int)ino);
  fuse_reply_none(req);
}
static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi) {
  struct stat st;
  attributes(ino, &st);
  fuse_reply_attr(req, &st, 60);
}
static void on_statx(fuse_req_t req, fuse_ino_t ino, int flags, int mask, struct fuse_file_info* fi) {
  struct statx sx = {.stx_mask = STATX_BASIC_STATS | STATX_BTIME, .stx_btime = {.tv_sec = 1234567890}};
  CHECK(mask & STATX_BTIME);
  sx.stx_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
  sx.stx_nlink = 1;
  sx.stx_size = 4;
  sx.stx_attributes = STATX_ATTR_NODUMP;
  fuse_reply_statx(req, 0, &sx, 0);
}
static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi) {
  int fd = open(g_backing, O_RDWR);
  CHECK(fd >= 0 && !fuse_req_is_uring(req));
  char* payload;
  size_t size;
  CHECK(fuse_req_get_payload(req, &payload, &size, NULL) == -EINVAL);
  fi->fh = (uint64_t)fd;
  fi->backing_id = fuse_passthrough_open(req, fd);
  CHECK(fi->backing_id > 0);
  fuse_reply_open(req, fi);
}
static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info* fi) {
  printf("read\n");  // the kernel reads by itself
  fuse_reply_err(req, EIO);
}
static void on_write(fuse_req_t req, fuse_ino_t ino, const char* buf, size_t size, off_t off,
                     struct fuse_file_info* fi) {
  ssize_t n = pwrite((int)fi->fh, buf, size, off);
  if (n < 0)
    fuse_reply_err(req, errno);
  else
    fuse_reply_write(req, (size_t)n);
}
static void on_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi) {
  close((int)fi->fh);
  printf("released\n");
  fuse_reply_err(req, 0);
}
static void on_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode, struct fuse_file_info* fi) {
  int fd = open(g_folder, O_TMPFILE | O_RDWR, mode);
  CHECK(fd >= 0);
  CHECK(fuse_req_secctx_count(req) == 0);
  const char *name, *value;
  uint32_t length;
  fuse_req_secctx_reset(req);
  CHECK(fuse_req_secctx_next(req, &name, &value, &length) == -ENOENT);
  fi->fh = (uint64_t)fd;
  struct fuse_entry_param e = {.ino = kTemporary};
  CHECK(fstat(fd, &e.attr) == 0);
  fuse_reply_create(req, &e, fi);
}
static const struct fuse_lowlevel_ops kOps = {.init = on_init,
                                              .lookup = on_lookup,
                                              .forget = on_forget,
                                              .getattr = on_getattr,
                                              .statx = on_statx,
                                              .open = on_open,
                                              .read = on_read,
                                              .write = on_write,
                                              .release = on_release,
                                              .tmpfile = on_tmpfile};

static void* obey(void* unused) {
  FILE* commands = fopen(g_commands, "r+");
  char line[64];
  while (commands && fgets(line, sizeof line, commands)) {
    fuse_ino_t nodes[] = {kData};
    if (!strcmp(line, "prune\n")) printf("prune: %d\n", fuse_lowlevel_notify_prune(g_session, nodes, 1));
    if (!strcmp(line, "expire\n"))
      printf("expire: %d\n", fuse_lowlevel_notify_expire_entry(g_session, FUSE_ROOT_ID, "data", 4));
    if (!strcmp(line, "epoch\n")) printf("epoch: %d\n", fuse_lowlevel_notify_increment_epoch(g_session));
  }
  return NULL;
}

static void on_watchdog(void* data) {
  printf("watchdog: %s\n", (const char*)data);
  _exit(7);
}

static int low_level(int argc, char* argv[], int watched, int crash) {
  struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
  struct fuse_cmdline_opts o;
  CHECK(fuse_parse_cmdline(&args, &o) == 0 && o.mountpoint);
  g_session = fuse_session_new(&args, &kOps, sizeof kOps, NULL);
  CHECK(g_session);
  fuse_session_set_debug(g_session, 0);
  fuse_session_set_sync_init(g_session, true);
  CHECK(fuse_session_mount(g_session, o.mountpoint) == 0);
  CHECK(fuse_set_signal_handlers(g_session) == 0);
  if (crash) CHECK(fuse_set_fail_signal_handlers(g_session) == 0);
  void* quiet = fuse_session_start_teardown_watchdog(g_session, 60, on_watchdog, "not stopped");
  void* dog = watched ? fuse_session_start_teardown_watchdog(g_session, 1, on_watchdog, "late") : NULL;
  pthread_t thread;
  if (g_commands) pthread_create(&thread, NULL, obey, NULL);
  int result = fuse_session_loop_mt(g_session, NULL);
  // A signal, as seen also by programs with the private header of 3.18.
  if (result > 0) CHECK(fuse_session_exited(g_session) && *(int*)((char*)g_session + 928) == result);
  fuse_remove_signal_handlers(g_session);
  fuse_session_unmount(g_session);
  fuse_session_destroy(g_session);
  fuse_session_stop_teardown_watchdog(quiet);
  if (dog) pause();
  free(o.mountpoint);
  fuse_opt_free_args(&args);
  return result ? 1 : 0;
}

// ---- high level ----

static int hi_getattr(const char* path, struct stat* st, struct fuse_file_info* fi) {
  st->st_mode = !strcmp(path, "/") ? S_IFDIR | 0777 : S_IFREG | 0777;
  st->st_nlink = 1;
  return !strcmp(path, "/") || !strcmp(path, "/file") ? 0 : -ENOENT;
}
static int hi_statx(const char* path, int flags, int mask, struct statx* sx, struct fuse_file_info* fi) {
  struct stat st = {0};
  int rc = hi_getattr(path, &st, fi);
  sx->stx_mask = STATX_BASIC_STATS | STATX_BTIME;
  sx->stx_mode = (uint16_t)st.st_mode;
  sx->stx_nlink = 1;
  sx->stx_btime.tv_sec = 987654321;
  return rc;
}
static void* hi_init(struct fuse_conn_info* conn, struct fuse_config* config) {
  CHECK(config->nullpath_ok == 0 && config->modules == NULL);
  config->nullpath_ok = 1;
  config->parallel_direct_writes = 1;
  return NULL;
}
static const struct fuse_operations kPaths = {.getattr = hi_getattr, .statx = hi_statx, .init = hi_init};

// ---- messages by functions of the program, with a descriptor for each thread ----

static int g_clones, g_read_master;
static int g_master;

static int on_clone(int master) {
  CHECK(master == g_master);
  __atomic_add_fetch(&g_clones, 1, __ATOMIC_SEQ_CST);
  return dup(master);
}
static ssize_t on_custom_read(int fd, void* buf, size_t size, void* data) {
  if (fd == g_master) g_read_master = 1;
  return read(fd, buf, size);
}
static ssize_t on_custom_writev(int fd, struct iovec* iov, int count, void* data) { return writev(fd, iov, count); }

static void on_custom_init(void* data, struct fuse_conn_info* conn) {
  if (*(int*)data) CHECK(fuse_set_feature_flag(conn, FUSE_CAP_HANDLE_KILLPRIV_V2));
}
static void on_custom_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info* fi) {
  CHECK(fi->kill_suidgid == *(unsigned*)fuse_req_userdata(req));
  fuse_reply_open(req, fi);
}
static void on_custom_write(fuse_req_t req, fuse_ino_t ino, const char* buf, size_t size, off_t off,
                            struct fuse_file_info* fi) {
  CHECK(fi->kill_suidgid == *(unsigned*)fuse_req_userdata(req));
  fuse_reply_write(req, size);
}
static void on_custom_setattr(fuse_req_t req, fuse_ino_t ino, struct stat* st, int what, struct fuse_file_info* fi) {
  int kill = *(int*)fuse_req_userdata(req) ? FUSE_SET_ATTR_KILL_SUID : 0;
  CHECK(what == (FUSE_SET_ATTR_SIZE | kill));
  on_getattr(req, ino, fi);
}

/// A request and its answer at the kernel's end.
static void ask(int fd, uint32_t opcode, const void* in, size_t size, const char* more) {
  static uint64_t unique = 2;
  struct fuse_in_header head = {(uint32_t)(sizeof head + size + strlen(more)), opcode, unique, FUSE_ROOT_ID};
  struct iovec parts[] = {{&head, sizeof head}, {(void*)in, size}, {(char*)more, strlen(more)}};
  struct fuse_out_header* out = malloc(1 << 16);
  CHECK(writev(fd, parts, 3) == head.len && read(fd, out, 1 << 16) > 0);
  CHECK(out->unique == unique && out->error == 0);
  free(out);
  unique += 2;
}
static void* be_kernel(void* end) {
  int fd = *(int*)end;
  struct fuse_init_in init = {FUSE_KERNEL_VERSION, FUSE_KERNEL_MINOR_VERSION, 0, FUSE_HANDLE_KILLPRIV_V2};
  struct fuse_getattr_in get = {0};
  struct fuse_open_in open = {O_WRONLY | O_TRUNC, FUSE_OPEN_KILL_SUIDGID};
  struct fuse_write_in write = {.size = 3, .write_flags = FUSE_WRITE_KILL_SUIDGID};
  struct fuse_setattr_in set = {.valid = FATTR_SIZE | FATTR_KILL_SUIDGID};
  ask(fd, FUSE_INIT, &init, sizeof init, "");
  ask(fd, FUSE_GETATTR, &get, sizeof get, "");
  ask(fd, FUSE_OPEN, &open, sizeof open, "");
  ask(fd, FUSE_WRITE, &write, sizeof write, "abc");
  ask(fd, FUSE_SETATTR, &set, sizeof set, "");
  shutdown(fd, SHUT_RDWR);
  return NULL;
}

static void custom(int killpriv) {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
  g_master = ends[0];
  g_clones = g_read_master = 0;
  char* argv[] = {"program", NULL};
  struct fuse_args args = FUSE_ARGS_INIT(1, argv);
  const struct fuse_lowlevel_ops ops = {.init = on_custom_init,
                                        .getattr = on_getattr,
                                        .setattr = on_custom_setattr,
                                        .open = on_custom_open,
                                        .write = on_custom_write};
  struct fuse_session* se = fuse_session_new(&args, &ops, sizeof ops, &killpriv);
  const struct fuse_custom_io io = {.read = on_custom_read, .writev = on_custom_writev, .clone_fd = on_clone};
  CHECK(se && fuse_session_custom_io(se, &io, sizeof io, -1) == -EBADF);
  CHECK(fuse_session_custom_io(se, NULL, sizeof io, ends[0]) == -EINVAL);
  fuse_session_set_debug(se, killpriv);  // once with a trace
  CHECK(fuse_session_custom_io(se, &io, sizeof io, ends[0]) == 0);
  struct fuse_loop_config* config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_clone_fd(config, 1);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, be_kernel, &ends[1]) == 0);
  CHECK(fuse_session_loop_mt(se, config) == 0);
  pthread_join(thread, NULL);
  CHECK(g_clones > 0 && !g_read_master);
  CHECK(fuse_session_exited(se));  // until it is reset
  fuse_session_reset(se);
  CHECK(!fuse_session_exited(se));
  fuse_loop_cfg_destroy(config);
  fuse_session_destroy(se);
  fuse_opt_free_args(&args);
  close(ends[1]);
}

// ---- what needs no mount ----

static enum fuse_log_level g_level;
static char g_said[512];
static void on_log(enum fuse_log_level level, const char* format, va_list values) {
  g_level = level;
  vsnprintf(g_said, sizeof g_said, format, values);
}
/// The last message was a warning about `what`; "": there was none.
static int warned(const char* what) {
  int so = *what ? g_level == FUSE_LOG_WARNING && strstr(g_said, what) != NULL : !*g_said;
  *g_said = 0;
  return so;
}

/// As in the original's private header.
struct private_loop_config {
  int version, clone_fd, max_idle_threads;
  unsigned max_threads;
};

static void loop_configurations(void) {
  fuse_set_log_func(on_log);
  struct fuse_loop_config* c = fuse_loop_cfg_create();
  struct private_loop_config* inside = (struct private_loop_config*)c;
  CHECK(inside->clone_fd == 0 && inside->max_idle_threads == -1 && inside->max_threads == 10);
  fuse_loop_cfg_set_idle_threads(c, (unsigned)-1);
  fuse_loop_cfg_set_max_threads(c, 200);
  fuse_loop_cfg_set_idle_threads(c, 100);
  CHECK(warned("") && inside->max_idle_threads == 100 && inside->max_threads == 200);
  fuse_loop_cfg_set_max_threads(c, 100);
  CHECK(warned(""));
  fuse_loop_cfg_set_max_threads(c, 5);
  CHECK(warned("max_threads") && inside->max_threads == 5);
  fuse_loop_cfg_set_idle_threads(c, 101);
  CHECK(warned("max_idle_threads") && inside->max_idle_threads == 101);
  fuse_loop_cfg_set_idle_threads(c, 1000000);
  CHECK(g_level == FUSE_LOG_ERR && inside->max_idle_threads == 101);
  *g_said = 0;
  struct fuse_loop_config_v1 old = {.clone_fd = 1, .max_idle_threads = 50};
  fuse_loop_cfg_convert(c, &old);
  CHECK(warned("") && inside->max_threads == 50 && inside->max_idle_threads == 50 && inside->clone_fd == 1);
  fuse_loop_cfg_destroy(c);
  fuse_set_log_func(NULL);
}

static void wants_of_its_own(void) {
  // Of a program's own making: nothing stands behind it.
  struct fuse_conn_info* conn = calloc(1, sizeof *conn);
  conn->capable_ext = FUSE_CAP_SPLICE_READ | FUSE_CAP_ASYNC_READ | FUSE_CAP_IOCTL_DIR;
  CHECK(fuse_set_feature_flag(conn, FUSE_CAP_SPLICE_READ) && !fuse_set_feature_flag(conn, FUSE_CAP_POSIX_LOCKS));
  conn->want |= FUSE_CAP_ASYNC_READ;
  conn->want &= ~FUSE_CAP_SPLICE_READ;
  CHECK(fuse_set_feature_flag(conn, FUSE_CAP_IOCTL_DIR));
  CHECK(fuse_convert_to_conn_want_ext(conn) == 0 && conn->want_ext == (FUSE_CAP_ASYNC_READ | FUSE_CAP_IOCTL_DIR));
  memset(conn, 0, sizeof *conn);
  conn->want_ext = 1ull << 33 | FUSE_CAP_ASYNC_READ;
  conn->want = FUSE_CAP_ASYNC_READ;
  CHECK(fuse_convert_to_conn_want_ext(conn) == 0 && conn->want_ext == (1ull << 33 | FUSE_CAP_ASYNC_READ));
  conn->want_ext |= FUSE_CAP_ATOMIC_O_TRUNC;
  conn->want = FUSE_CAP_SPLICE_READ;
  CHECK(fuse_convert_to_conn_want_ext(conn) == -EINVAL);
  free(conn);
}

static void no_mount(void) {
  CHECK(fuse_version() == 319 && !strcmp(fuse_pkgversion(), "3.19.0"));
  struct fuse_service* service = (struct fuse_service*)1;
  CHECK(fuse_service_accept(&service) == 0 && !fuse_service_accepted(service));
  char *argv[] = {"prog", "-o", "ro", "/no/such/place", NULL}, number[16];
  struct fuse_args args = FUSE_ARGS_INIT(4, argv);
  struct fuse_cmdline_opts o;
  CHECK(fuse_service_parse_cmdline_opts(&args, &o) == 0 && !strcmp(o.mountpoint, "/no/such/place"));
  char* line = fuse_service_cmdline(4, argv, &args);
  CHECK(line && strstr(line, "prog") == line && strstr(line, "ro"));
  free(line);
  CHECK(fuse_service_exit(0) == EXIT_SUCCESS && fuse_service_exit(3) == EXIT_FAILURE);
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0 && dup2(ends[0], 3) == 3);
  snprintf(number, sizeof number, "%d", getpid());
  setenv("LISTEN_PID", number, 1);
  setenv("LISTEN_FDS", "1", 1);
  CHECK(fuse_service_accept(&service) == -EOPNOTSUPP && !service);
  CHECK(fuse_service_session_mount(NULL, NULL, 0, NULL) == -EOPNOTSUPP);
  CHECK(fuse_service_request_file(NULL, "/x", 0, 0, 0) == -EOPNOTSUPP && !fuse_service_can_allow_other(NULL));
  CHECK(fuse_service_main_real_versioned(NULL, 1, argv, &kPaths, sizeof kPaths, NULL, NULL) == 1);
  CHECK(cuse_lowlevel_new(&args, NULL, NULL, NULL) == NULL);
  CHECK(!fuse_daemonize_early_is_active());
  fuse_daemonize_early_success();
  fuse_log_enable_syslog("libfuse3_so4", LOG_PID, LOG_DAEMON);
  fuse_log(FUSE_LOG_INFO, "not on standard error\n");
  fuse_log_close_syslog();
  fuse_log(FUSE_LOG_INFO, "on standard error\n");
  struct fuse_bufvec list = FUSE_BUFVEC_INIT(3);
  char from[] = "abc", to[4] = "";
  list.buf[0].mem = from;
  struct fuse_bufvec into = FUSE_BUFVEC_INIT(3);
  into.buf[0].mem = to;
  CHECK(fuse_buf_copy(&into, &list, 0) == 3 && !strcmp(to, "abc"));
  free(o.mountpoint);
  fuse_opt_free_args(&args);
  loop_configurations();
  wants_of_its_own();
  printf("good\n");
}

int main(int argc, char* argv[]) {
  CHECK(argc > 1);
  setvbuf(stdout, NULL, _IOLBF, 0);
  const char* mode = argv[1];
  argv[1] = argv[0];
  g_folder = getenv("FOLDER");
  g_backing = getenv("BACKING");
  g_commands = getenv("COMMANDS");
  argc--, argv++;
  if (!strcmp(mode, "nothing")) return no_mount(), 0;
  if (!strcmp(mode, "custom")) return custom(0), custom(1), puts("good"), 0;
  if (!strcmp(mode, "low")) return low_level(argc, argv, 0, 0);
  if (!strcmp(mode, "watched")) return low_level(argc, argv, 1, 0);
  if (!strcmp(mode, "crash")) return low_level(argc, argv, 0, 1);
  if (!strcmp(mode, "high")) return fuse_main(argc, argv, &kPaths, NULL);
  CHECK(fuse_daemonize_early_start(0) == 0);
  CHECK(fuse_daemonize_early_is_active());
  if (!strcmp(mode, "early")) return fuse_main(argc, argv, &kPaths, NULL);
  CHECK(!strcmp(mode, "fail"));
  fuse_daemonize_early_fail(42);
  return 0;
}
