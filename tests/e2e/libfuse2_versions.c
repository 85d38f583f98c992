/* A file system of one file, for FUSE_USE_VERSION 11 to 29: open files are numbered, and every callback checks that it
 * gets its number. usage: versions MOUNTPOINT. In the foreground; says "released" when a file is closed, and exits 3
 * where a number is wrong. */
#include <fuse.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if FUSE_USE_VERSION < 25
#include <sys/statfs.h>
#endif

static char text[4096] = "text\n";
static size_t size = 5;
static struct timespec mtime;

#if FUSE_USE_VERSION >= 22
#define INFO , struct fuse_file_info* fi
#define CHECK check(fi)
static void check(struct fuse_file_info* fi) {
  if (fi->fh != 4711 || (fi->flags & 3) == 3) exit(3);
}
#else
#define INFO
#define CHECK (void)0
#endif

static int on_getattr(const char* path, struct stat* st) {
  memset(st, 0, sizeof *st);
  if (strcmp(path, "/") == 0) {
    st->st_mode = S_IFDIR | 0755;
    st->st_nlink = 2;
  } else if (strcmp(path, "/file") == 0) {
    st->st_mode = S_IFREG | 0644;
    st->st_nlink = 1;
    st->st_size = (off_t)size;
    st->st_mtim = mtime;
  } else {
    return -ENOENT;
  }
  return 0;
}

static int on_truncate(const char* path, off_t to) {
  (void)path;
  size = (size_t)to;
  return 0;
}

#if FUSE_USE_VERSION >= 26
static int on_utimens(const char* path, const struct timespec times[2]) {
  (void)path;
  mtime = times[1];
  return 0;
}
#else
static int on_utime(const char* path, struct utimbuf* times) {
  (void)path;
  mtime.tv_sec = times->modtime;
  return 0;
}
#endif

static int on_read(const char* path, char* buf, size_t n, off_t off INFO) {
  (void)path;
  CHECK;
  if ((size_t)off >= size) return 0;
  if (n > size - (size_t)off) n = size - (size_t)off;
  memcpy(buf, text + off, n);
  return (int)n;
}

static int on_write(const char* path, const char* buf, size_t n, off_t off INFO) {
  (void)path;
  CHECK;
  if ((size_t)off + n > sizeof text) return -EFBIG;
  memcpy(text + off, buf, n);
  if ((size_t)off + n > size) size = (size_t)off + n;
  return (int)n;
}

#if FUSE_USE_VERSION >= 22
static int on_open(const char* path, struct fuse_file_info* fi) {
  (void)path;
  fi->fh = 4711;
  return 0;
}
static int on_release(const char* path, struct fuse_file_info* fi) {
  (void)path;
  CHECK;
  puts("released");
  fflush(stdout);
  return 0;
}
static int on_readdir(const char* path, void* buf, fuse_fill_dir_t fill, off_t off, struct fuse_file_info* fi) {
  (void)path, (void)off, (void)fi;
  fill(buf, ".", NULL, 0);
  fill(buf, "..", NULL, 0);
  return fill(buf, "file", NULL, 0);
}
#else
static int on_open(const char* path, int flags) {
  (void)path;
  return (flags & 3) == 3 ? -EINVAL : 0;
}
static int on_release(const char* path, int flags) {
  (void)path, (void)flags;
  puts("released");
  fflush(stdout);
  return 0;
}
static int on_getdir(const char* path, fuse_dirh_t handle, fuse_dirfil_t fill) {
  (void)path;
  fill(handle, ".", 4);
  fill(handle, "..", 4);
  return fill(handle, "file", 8);
}
#endif

#if FUSE_USE_VERSION >= 25
static int on_statfs(const char* path, struct statvfs* s) {
  (void)path;
  s->f_frsize = s->f_bsize = 1024;
  s->f_blocks = 1000;
  s->f_namemax = 200;
  return 0;
}
#elif FUSE_USE_VERSION >= 21
static int on_statfs(const char* path, struct statfs* s) {
  (void)path;
  s->f_bsize = 1024;
  s->f_blocks = 1000;
  s->f_namelen = 200;
  return 0;
}
#else
static int on_statfs(struct fuse_statfs* s) {
  s->block_size = 1024;
  s->blocks = 1000;
  s->namelen = 200;
  return 0;
}
#endif

static struct fuse_operations ops = {
    .getattr = on_getattr,
    .truncate = on_truncate,
    .read = on_read,
    .write = on_write,
    .open = on_open,
    .release = on_release,
    .statfs = on_statfs,
#if FUSE_USE_VERSION >= 26
    .utimens = on_utimens,
#else
    .utime = on_utime,
#endif
#if FUSE_USE_VERSION >= 22
    .readdir = on_readdir,
#else
    .getdir = on_getdir,
#endif
};

int main(int argc, char* argv[]) {
  char f[] = "-f";
  char* arguments[] = {argv[0], argv[1], f, NULL};
  if (argc != 2) return 2;
#if FUSE_USE_VERSION >= 26
  return fuse_main(3, arguments, &ops, NULL);
#elif FUSE_USE_VERSION >= 21
  return fuse_main(3, arguments, &ops);
#else
  fuse_main(3, arguments, &ops);
  return 0;
#endif
}
