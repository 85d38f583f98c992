#include <linux/limits.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "providers/libfuse/common/message.h"
#include "providers/libfuse/v3/modules.h"

namespace isthmus::libfuse {
namespace {

using Ops = fuse_operations;

struct Mapped {
  std::unique_ptr<PathMap> map;
  fuse_fs* below;
};

Mapped& self() { return *static_cast<Mapped*>(Caller::context().private_data); }

/// A path as the file system below has it. None stays none.
class Below {
 public:
  Below(Mapped& m, const char* path) : there_(path) {
    if (path) error_ = m.map->down(path, path_);
  }
  int error() const { return error_; }
  const char* path() const { return there_ ? path_.c_str() : nullptr; }
  const std::string& text() const { return path_; }

 private:
  bool there_;
  int error_ = 0;
  std::string path_;
};

/// f(below, its path).
template <class F>
auto below(const char* path, F f) -> decltype(f(std::declval<fuse_fs&>(), path)) {
  Mapped& m = self();
  Below to(m, path);
  if (to.error()) return to.error();
  return f(*m.below, to.path());
}

template <auto callback, class>
struct Forward;
template <auto callback, class R, class... P>
struct Forward<callback, R (*Ops::*)(const char*, P...)> {
  static R run(const char* path, P... more) {
    return below(path, [&](fuse_fs& fs, const char* p) { return fs.call(callback, p, more...); });
  }
};

/// Has the layer's callback do that of the file system below, if it has one.
template <auto... callbacks>
void forward(Ops& ops, const Ops& below) {
  ((ops.*callbacks = below.*callbacks ? Forward<callbacks, decltype(callbacks)>::run : nullptr), ...);
}

int on_symlink(const char* target, const char* path) {
  Mapped& m = self();
  Below to(m, path);
  std::string text;
  if (to.error()) return to.error();
  if (int error = m.map->link_down(target, text)) return error;
  return m.below->call(&Ops::symlink, text.c_str(), to.path());
}

int on_readlink(const char* path, char* buf, size_t size) {
  Mapped& m = self();
  Below to(m, path);
  if (to.error()) return to.error();
  std::array<char, PATH_MAX + 1> target{};
  if (int rc = m.below->call(&Ops::readlink, to.path(), target.data(), target.size())) return rc;
  target.back() = '\0';
  std::string text;
  if (int error = m.map->link_up(to.text(), target.data(), text)) return error;
  if (size == 0) return 0;
  size_t n = std::min(text.size(), size - 1);
  memcpy(buf, text.data(), n);
  buf[n] = '\0';
  return 0;
}

template <auto callback, class... P>
int on_two(const char* one, const char* two, P... more) {
  Mapped& m = self();
  Below first(m, one), second(m, two);
  if (first.error()) return first.error();
  if (second.error()) return second.error();
  return m.below->call(callback, first.path(), second.path(), more...);
}

ssize_t on_copy(const char* from, fuse_file_info* from_fi, off_t from_off, const char* to, fuse_file_info* to_fi,
                off_t to_off, size_t size, int flags) {
  Mapped& m = self();
  Below first(m, from), second(m, to);
  if (first.error()) return first.error();
  if (second.error()) return second.error();
  return m.below->call(&Ops::copy_file_range, first.path(), from_fi, from_off, second.path(), to_fi, to_off, size,
                       flags);
}

struct Filling {
  PathMap& map;
  void* buf;
  fuse_fill_dir_t fill;
  static int name(void* filling, const char* name, const struct stat* st, off_t off, fuse_fill_dir_flags flags) {
    auto& f = *static_cast<Filling*>(filling);
    std::string shown;
    return f.map.name_up(name, shown) ? f.fill(f.buf, shown.c_str(), st, off, flags) : 0;
  }
};

int on_readdir(const char* path, void* buf, fuse_fill_dir_t fill, off_t off, fuse_file_info* fi,
               fuse_readdir_flags flags) {
  Filling filling{*self().map, buf, fill};
  return below(path, [&](fuse_fs& fs, const char* p) {
    return fs.call(&Ops::readdir, p, static_cast<void*>(&filling), &Filling::name, off, fi, flags);
  });
}

int on_read(const char* path, char* to, size_t size, off_t off, fuse_file_info* fi) {
  return below(path, [&](fuse_fs& fs, const char* p) { return fs.read(p, to, size, off, fi); });
}
int on_read_buf(const char* path, fuse_bufvec** list, size_t size, off_t off, fuse_file_info* fi) {
  return below(path, [&](fuse_fs& fs, const char* p) { return fs.read_buf(p, list, size, off, fi); });
}
int on_write_buf(const char* path, fuse_bufvec* list, off_t off, fuse_file_info* fi) {
  return below(path, [&](fuse_fs& fs, const char* p) { return fs.write_buf(p, list, off, fi); });
}
int on_statfs(const char* path, struct statvfs* to) {
  return below(path, [&](fuse_fs& fs, const char* p) { return fs.statfs(p, to); });
}

void* on_init(fuse_conn_info* conn, fuse_config* config) {
  Mapped& m = self();
  m.below->init(*conn, *config);
  return &m;
}

void on_destroy(void* data) {
  std::unique_ptr<Mapped> m(static_cast<Mapped*>(data));
  m->below->destroy();
  delete m->below;
}

}  // namespace

bool is_one(fuse_fs* const below[], const char* module) {
  if (below[0] && !below[1]) return true;
  message(FUSE_LOG_ERR, "fuse-%s: exactly one next filesystem required\n", module);
  return false;
}

fuse_fs* make_mapped(std::unique_ptr<PathMap> map, fuse_fs* next) {
  const Ops& have = next->op;
  Ops ops{};
  forward<&Ops::getattr, &Ops::mknod, &Ops::mkdir, &Ops::unlink, &Ops::rmdir, &Ops::chmod, &Ops::chown, &Ops::truncate,
          &Ops::open, &Ops::write, &Ops::flush, &Ops::release, &Ops::fsync, &Ops::setxattr, &Ops::getxattr,
          &Ops::listxattr, &Ops::removexattr, &Ops::opendir, &Ops::releasedir, &Ops::fsyncdir, &Ops::access,
          &Ops::create, &Ops::lock, &Ops::utimens, &Ops::bmap, &Ops::ioctl, &Ops::poll, &Ops::flock, &Ops::fallocate,
          &Ops::lseek>(ops, have);
#if ISTHMUS_FUSE3_SO >= 4
  forward<&Ops::statx, &Ops::syncfs>(ops, have);
#endif
  if (have.symlink) ops.symlink = on_symlink;
  if (have.readlink) ops.readlink = on_readlink;
  if (have.rename) ops.rename = on_two<&Ops::rename, unsigned>;
  if (have.link) ops.link = on_two<&Ops::link>;
  if (have.copy_file_range) ops.copy_file_range = on_copy;
  if (have.readdir) ops.readdir = on_readdir;
  if (have.read || have.read_buf) ops.read = on_read;
  if (have.read_buf) ops.read_buf = on_read_buf;
  if (have.write_buf) ops.write_buf = on_write_buf;
  ops.statfs = on_statfs;
  ops.init = on_init;
  ops.destroy = on_destroy;
  return new fuse_fs(ops, new Mapped{std::move(map), next});
}

}  // namespace isthmus::libfuse
