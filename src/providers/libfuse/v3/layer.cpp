#include "providers/libfuse/v3/layer.h"

#include <climits>
#include <cstdlib>
#include <new>

#include "providers/libfuse/common/bufvec.h"
#include "providers/libfuse/v3/wants.h"

using isthmus::libfuse::List;

namespace isthmus::libfuse {

void FreeList::operator()(fuse_bufvec* list) const {
  for (size_t i = 0; i < list->count; i++)
    if (!(list->buf[i].flags & FUSE_BUF_IS_FD)) free(list->buf[i].mem);
  free(list);
}

}  // namespace isthmus::libfuse

using namespace isthmus::libfuse;

int fuse_fs::read(const char* path, char* to, size_t size, off_t off, fuse_file_info* fi) const {
  if (!op.read_buf) return call(&fuse_operations::read, path, to, size, off, fi);
  fuse_bufvec* got = nullptr;
  int result = run(op.read_buf, path, &got, size, off, fi);
  if (!got) return result < 0 ? result : -EIO;
  List list(got);
  if (result < 0) return result;
  fuse_bufvec into = one_piece_list(to, size);
  return static_cast<int>(copy(into, *list));
}

int fuse_fs::read_buf(const char* path, fuse_bufvec** list, size_t size, off_t off, fuse_file_info* fi) const {
  if (op.read_buf) return run(op.read_buf, path, list, size, off, fi);
  if (!op.read) return -ENOSYS;
  List made(static_cast<fuse_bufvec*>(malloc(sizeof(fuse_bufvec))));
  if (!made) return -ENOMEM;
  *made = one_piece_list(malloc(size), size);  // NOLINT(clang-analyzer-unix.Malloc): List frees it
  if (!made->buf[0].mem) return -ENOMEM;
  int n = run(op.read, path, static_cast<char*>(made->buf[0].mem), size, off, fi);
  if (n >= 0) made->buf[0].size = static_cast<size_t>(n);
  *list = made.release();
  return n;
}

int fuse_fs::write_buf(const char* path, fuse_bufvec* list, off_t off, fuse_file_info* fi) const {
  if (op.write_buf) return run(op.write_buf, path, list, off, fi);
  if (!op.write) return -ENOSYS;
  size_t size = size_of(*list);
  if (size > INT_MAX) return -EINVAL;  // what is written is told as an int
  const fuse_buf& first = list->buf[0];
  if (list->count == 1 && list->idx == 0 && list->off <= size && !(first.flags & FUSE_BUF_IS_FD))
    return run(op.write, path, static_cast<const char*>(first.mem) + list->off, size - list->off, off, fi);
  std::unique_ptr<char[]> data(new (std::nothrow) char[size]);
  if (!data) return -ENOMEM;
  fuse_bufvec into = one_piece_list(data.get(), size);
  ssize_t n = copy(into, *list);
  return n <= 0 ? static_cast<int>(n) : run(op.write, path, data.get(), static_cast<size_t>(n), off, fi);
}

int fuse_fs::statfs(const char* path, struct statvfs* to) const {
  if (op.statfs) return run(op.statfs, path, to);
  to->f_namemax = NAME_MAX;
  to->f_bsize = 512;
  return 0;
}

void fuse_fs::init(fuse_conn_info& conn, fuse_config& config) {
  if (!op.write_buf) drop_wants(conn, FUSE_CAP_SPLICE_READ);
  if (!op.lock) drop_wants(conn, FUSE_CAP_POSIX_LOCKS);
  if (!op.flock) drop_wants(conn, FUSE_CAP_FLOCK_LOCKS);
  if (op.init) private_data = run(op.init, &conn, &config);
}

void fuse_fs::destroy() const {
  if (!op.destroy) return;
  PrivateData scope(private_data);
  op.destroy(private_data);
}
