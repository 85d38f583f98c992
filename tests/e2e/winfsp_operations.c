/// A file system of one file, in the terms that WinFsp adds to libfuse: flags, a time of birth, names in any case. For
/// version 2 or 3.
#define FUSE_WINFSP_OPERATIONS
#include <errno.h>
#include <fuse.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <fuse_winfsp.h>

static struct fuse_stat_ex file;
static const char content[] = "grown";
static unsigned size = 3;

static int is_file(const char* path) { return !strcasecmp(path, "/ReadMe"); }

static int get(const char* path, struct stat* to) {
  struct fuse_stat_ex* st = (struct fuse_stat_ex*)to;
  if (is_file(path)) {
    *st = file;
    st->st.st_size = size;
  } else if (!strcmp(path, "/")) {
    st->st.st_mode = S_IFDIR | 0755;
    st->st.st_nlink = 2;
  } else {
    return -ENOENT;
  }
  return 0;
}

static int winfsp_getpath(const char* path, char* buf, size_t room, struct fuse_file_info* fi) {
  (void)fi;
  if (!is_file(path)) return -ENOENT;
  snprintf(buf, room, "/ReadMe");
  return 0;
}

static int winfsp_chflags(const char* path, uint32_t flags) {
  (void)path;
  file.st_flags = flags;
  return 0;
}

static int winfsp_setcrtime(const char* path, const struct timespec* tv) {
  (void)path;
  file.st_birthtim = *tv;
  return 0;
}

static int fs_read(const char* path, char* buf, size_t room, off_t off, struct fuse_file_info* fi) {
  (void)fi;
  if (!is_file(path)) return -ENOENT;
  if (off >= size) return 0;
  if (room > size - (size_t)off) room = size - (size_t)off;
  memcpy(buf, content + off, room);
  return (int)room;
}

/// The file grows when a file named "grow" is made in the folder that FOLDER names; the kernel is told.
static void* watch(void* f) {
  if (chdir(getenv("FOLDER")) != 0) return NULL;
  while (access("grow", F_OK) != 0) usleep(20000);
  size = sizeof content - 1;
  int told = fuse_notify(f, "/ReadMe", FUSE_NOTIFY_TRUNCATE);
  int wrong = fuse_notify(f, "/ReadMe", 0x8000);
  FILE* grown = fopen("grown.new", "w");
  fprintf(grown, "%d %d\n", told, wrong == -EINVAL);
  fclose(grown);
  rename("grown.new", "grown");
  return NULL;
}

static void* start(struct fuse_conn_info* conn) {
  static pthread_t watcher;
  conn->want |= conn->capable & (FUSE_CAP_STAT_EX | FUSE_CAP_CASE_INSENSITIVE);
  pthread_create(&watcher, NULL, watch, fuse_get_context()->fuse);
  pthread_detach(watcher);
  return NULL;
}

#if FUSE_USE_VERSION < 30
static int fs_getattr(const char* path, struct stat* to) { return get(path, to); }
static void* fs_init(struct fuse_conn_info* conn) { return start(conn); }
#else
static int fs_getattr(const char* path, struct stat* to, struct fuse_file_info* fi) {
  (void)fi;
  return get(path, to);
}
static void* fs_init(struct fuse_conn_info* conn, struct fuse_config* config) {
  config->attr_timeout = config->entry_timeout = 3600;
  return start(conn);
}
#endif

int main(int argc, char* argv[]) {
  static struct fuse_operations ops;
  ops.getattr = fs_getattr;
  ops.init = fs_init;
  ops.read = fs_read;
  ops.getpath = winfsp_getpath;
  ops.chflags = winfsp_chflags;
  ops.setcrtime = winfsp_setcrtime;
  file.st.st_mode = S_IFREG | 0644;
  file.st.st_nlink = 1;
  file.st_flags = 0x1 | UF_HIDDEN; /* one that stands for nothing of Windows' stays */
  file.st_birthtim.tv_sec = 1000000000;
  return fuse_main(argc, argv, &ops, NULL);
}
