/* usage: libfuse3_fork MOUNTPOINT
   Mounts, and has a child serve; the parent cleans up what it has and returns. */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fuse.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int on_getattr(const char* path, struct stat* st, struct fuse_file_info* fi) {
  (void)fi;
  memset(st, 0, sizeof *st);
  st->st_mode = S_IFDIR | 0755;
  return strcmp(path, "/") ? -ENOENT : 0;
}

int main(int argc, char** argv) {
  struct fuse_operations ops = {.getattr = on_getattr};
  struct fuse_args args = FUSE_ARGS_INIT(1, argv);
  if (argc != 2) return 2;
  struct fuse* f = fuse_new(&args, &ops, sizeof ops, NULL);
  if (!f || fuse_mount(f, argv[1])) return 1;
  int result = 0;
  if (!fork()) {
    result = fuse_loop(f);
    fuse_unmount(f);
  }
  fuse_destroy(f);
  return result;
}
