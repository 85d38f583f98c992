#include "providers/libfuse/v2/layer.h"

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

#include <cerrno>

#include "providers/libfuse/v2/file_info.h"

namespace isthmus::libfuse::v2 {
namespace {

using Own = ::fuse_operations;

struct Layer {
  Callbacks callbacks;
  void* user_data;

  const fuse_operations& op() const { return callbacks.op; }
  bool old_info() const { return callbacks.since < Since::v2_5; }
  template <class R, class... P, class... A>
  R run(R (*callback)(P...), A&&... arguments) const {
    PrivateData scope(user_data);
    return callback(static_cast<P>(arguments)...);
  }
};

/// That of the callback under way: the layer's private data.
Layer& self() { return *static_cast<Layer*>(Caller::context().private_data); }

/// The path of an open file that has no name any more is null: for those only who know it, but who closes must be
/// heard.
bool takes(const Layer& l, const char* path) { return path || l.op().flag_nullpath_ok || l.op().flag_nopath; }
const char* closing(const Layer& l, const char* path) { return takes(l, path) ? path : "-"; }

// ---- callbacks that differ by what is in fuse_file_info, or not at all ----

template <auto theirs, class... P>
int run_same(P... arguments) {
  Layer& l = self();
  return l.run(l.op().*theirs, arguments...);
}

template <auto theirs, class... P>
int run_open_file(const char* path, P... arguments) {
  Layer& l = self();
  if (!takes(l, path)) return -ENOENT;
  auto converted = [&](auto argument) -> decltype(auto) {
    if constexpr (std::is_same_v<decltype(argument), ::fuse_file_info*>)
      return FileInfo(argument, l.old_info());
    else
      return argument;
  };
  return l.run(l.op().*theirs, path, converted(arguments)...);
}

template <auto theirs, class>
struct Same;
template <auto theirs, class... P>
struct Same<theirs, int (*Own::*)(P...)> {
  static int run(P... arguments) { return run_same<theirs>(arguments...); }
};
template <auto theirs, class>
struct OpenFile;
template <auto theirs, class... P>
struct OpenFile<theirs, int (*Own::*)(const char*, P...)> {
  static int run(const char* path, P... arguments) { return run_open_file<theirs>(path, arguments...); }
};

// ---- attributes: one callback by path, perhaps another by handle ----

int on_getattr(const char* path, struct stat* st, ::fuse_file_info* fi) {
  Layer& l = self();
  if (fi && l.op().fgetattr) return run_open_file<&fuse_operations::fgetattr>(path, st, fi);
  return path ? l.run(l.op().getattr, path, st) : -ENOENT;
}

int on_truncate(const char* path, off_t size, ::fuse_file_info* fi) {
  Layer& l = self();
  if (fi && l.op().ftruncate) return run_open_file<&fuse_operations::ftruncate>(path, size, fi);
  if (!path) return -ENOENT;
  return l.op().truncate ? l.run(l.op().truncate, path, size) : -ENOSYS;
}

int on_chmod(const char* path, mode_t mode, ::fuse_file_info*) {
  Layer& l = self();
  return path ? l.run(l.op().chmod, path, mode) : -ENOENT;
}

int on_chown(const char* path, uid_t uid, gid_t gid, ::fuse_file_info*) {
  Layer& l = self();
  return path ? l.run(l.op().chown, path, uid, gid) : -ENOENT;
}

int on_utimens(const char* path, const timespec given[2], ::fuse_file_info*) {
  Layer& l = self();
  if (!path) return -ENOENT;
  timespec times[2] = {given[0], given[1]};
  if (!l.op().flag_utime_omit_ok || !l.op().utimens) {
    // Whoever does not know of it is asked for both or for none.
    for (timespec& t : times) {
      if (t.tv_nsec == UTIME_OMIT) return 0;
      if (t.tv_nsec == UTIME_NOW) clock_gettime(CLOCK_REALTIME, &t);
    }
  }
  if (l.op().utimens) return l.run(l.op().utimens, path, static_cast<const timespec*>(times));
  utimbuf seconds{times[0].tv_sec, times[1].tv_sec};
  return l.run(l.op().utime, path, &seconds);
}

int on_rename(const char* from, const char* to, unsigned flags) {
  return flags ? -EINVAL : run_same<&fuse_operations::rename>(from, to);
}

// ---- open files ----

int on_open(const char* path, ::fuse_file_info* fi) {
  Layer& l = self();
  if (auto old = l.callbacks.before_2_2.open) return l.run(old, path, fi->flags);
  return run_open_file<&fuse_operations::open>(path, fi);
}

int on_release(const char* path, ::fuse_file_info* fi) {
  Layer& l = self();
  if (auto old = l.callbacks.before_2_2.release) return l.run(old, closing(l, path), fi->flags);
  return run_open_file<&fuse_operations::release>(closing(l, path), fi);
}

int on_releasedir(const char* path, ::fuse_file_info* fi) {
  return run_open_file<&fuse_operations::releasedir>(closing(self(), path), fi);
}

int on_read(const char* path, char* to, size_t size, off_t off, ::fuse_file_info* fi) {
  Layer& l = self();
  if (auto old = l.callbacks.before_2_2.read) return path ? l.run(old, path, to, size, off) : -ENOENT;
  return run_open_file<&fuse_operations::read>(path, to, size, off, fi);
}

int on_write(const char* path, const char* from, size_t size, off_t off, ::fuse_file_info* fi) {
  Layer& l = self();
  if (auto old = l.callbacks.before_2_2.write) return path ? l.run(old, path, from, size, off) : -ENOENT;
  return run_open_file<&fuse_operations::write>(path, from, size, off, fi);
}

int on_read_buf(const char* path, ::fuse_bufvec** list, size_t size, off_t off, ::fuse_file_info* fi) {
  return run_open_file<&fuse_operations::read_buf>(path, reinterpret_cast<fuse_bufvec**>(list), size, off, fi);
}

int on_write_buf(const char* path, ::fuse_bufvec* list, off_t off, ::fuse_file_info* fi) {
  return run_open_file<&fuse_operations::write_buf>(path, reinterpret_cast<fuse_bufvec*>(list), off, fi);
}

int on_flush(const char* path, ::fuse_file_info* fi) {
  Layer& l = self();
  if (auto old = l.callbacks.before_2_2.flush) return path ? l.run(old, path) : -ENOENT;
  return run_open_file<&fuse_operations::flush>(path, fi);
}

int on_fsync(const char* path, int data_only, ::fuse_file_info* fi) {
  Layer& l = self();
  if (auto old = l.callbacks.before_2_2.fsync) return path ? l.run(old, path, data_only) : -ENOENT;
  return run_open_file<&fuse_operations::fsync>(path, data_only, fi);
}

int on_ioctl(const char* path, unsigned command, void* arg, ::fuse_file_info* fi, unsigned flags, void* data) {
  return run_open_file<&fuse_operations::ioctl>(path, static_cast<int>(command), arg, fi, flags, data);
}

int on_poll(const char* path, ::fuse_file_info* fi, ::fuse_pollhandle* ph, unsigned* ready) {
  return run_open_file<&fuse_operations::poll>(path, fi, reinterpret_cast<fuse_pollhandle*>(ph), ready);
}

// ---- listings ----

struct Filling {
  void* buf;
  ::fuse_fill_dir_t fill;
  static int name(void* self, const char* name, const struct stat* st, off_t off) {
    auto& f = *static_cast<Filling*>(self);
    return f.fill(f.buf, name, st, off, ::fuse_fill_dir_flags{});
  }
  static int typed(fuse_dirh_t self, const char* name, int type, ino_t ino) {
    fuse_stat_ex st{};  // what programs with FUSE_CAP_STAT_EX give
    st.st.st_mode = DTTOIF(static_cast<mode_t>(type));
    st.st.st_ino = ino;
    return Filling::name(self, name, &st.st, 0) ? -ENOMEM : 0;
  }
  static int untyped(fuse_dirh_t self, const char* name, int type) {
    constexpr ino_t kUnknown = UINT32_MAX;
    return typed(self, name, type, kUnknown);
  }
};

int on_readdir(const char* path, void* buf, ::fuse_fill_dir_t fill, off_t off, ::fuse_file_info* fi,
               ::fuse_readdir_flags) {
  Layer& l = self();
  if (!takes(l, path)) return -ENOENT;
  Filling filling{buf, fill};
  auto* handle = reinterpret_cast<fuse_dirh_t>(&filling);
  if (l.op().readdir) {
    FileInfo info(fi, l.old_info());
    return l.run(l.op().readdir, path, static_cast<void*>(&filling), &Filling::name, off,
                 static_cast<fuse_file_info*>(info));
  }
  if (auto old = l.callbacks.before_2_2.getdir) return l.run(old, path, handle, &Filling::untyped);
  return l.run(l.op().getdir, path, handle, &Filling::typed);
}

// ---- the whole ----

int on_statfs(const char* path, struct statvfs* to) {
  Layer& l = self();
  if (l.op().statfs) return l.run(l.op().statfs, path ? path : "/", to);
  if (auto old = l.callbacks.statfs_before_2_5) {
    struct statfs s {};
    int rc = l.run(old, "/", &s);
    if (rc != 0) return rc;
    to->f_bsize = to->f_frsize = static_cast<unsigned long>(s.f_bsize);
    to->f_blocks = s.f_blocks;
    to->f_bfree = s.f_bfree;
    to->f_bavail = s.f_bavail;
    to->f_files = s.f_files;
    to->f_ffree = s.f_ffree;
    to->f_namemax = static_cast<unsigned long>(s.f_namelen);
    return 0;
  }
  fuse_statfs_compat1 s{};
  int rc = l.run(l.callbacks.before_2_2.statfs_1, &s);
  if (rc != 0) return rc;
  to->f_bsize = to->f_frsize = static_cast<unsigned long>(s.block_size);
  to->f_blocks = static_cast<fsblkcnt_t>(s.blocks);
  to->f_bfree = to->f_bavail = static_cast<fsblkcnt_t>(s.blocks_free);
  to->f_files = static_cast<fsfilcnt_t>(s.files);
  to->f_ffree = static_cast<fsfilcnt_t>(s.files_free);
  to->f_namemax = static_cast<unsigned long>(s.namelen);
  return 0;
}

void* on_init(::fuse_conn_info* conn, ::fuse_config* config) {
  Layer& l = self();
  // Before 2.6 it takes no argument, and ignores this one.
  fuse_conn_info theirs = to_v2(*conn);
  if (l.op().init) l.user_data = l.run(l.op().init, &theirs);
  take_answer(theirs, *conn);
  if (l.op().flag_nopath) config->nullpath_ok = 1;
  return &l;
}

void on_destroy(void* data) {
  auto* l = static_cast<Layer*>(data);
  if (l->op().destroy) l->run(l->op().destroy, l->user_data);
}

/// Ours is there where theirs is.
template <auto ours, auto theirs, template <auto, class> class How>
void offer(Own& to, const fuse_operations& op) {
  to.*ours = op.*theirs ? How<theirs, decltype(ours)>::run : nullptr;
}

}  // namespace

fuse_conn_info to_v2(const ::fuse_conn_info& conn) {
  fuse_conn_info to{};
  to.proto_major = conn.proto_major;
  to.proto_minor = conn.proto_minor;
  to.async_read = (conn.want & FUSE_CAP_ASYNC_READ) != 0;
  to.max_write = conn.max_write;
  to.max_readahead = conn.max_readahead;
  // Writes are as large as max_write always.
  to.capable = conn.capable | FUSE_CAP_BIG_WRITES;
  to.want = conn.want & ~unsigned{FUSE_CAP_ASYNC_READ};
  to.max_background = conn.max_background;
  to.congestion_threshold = conn.congestion_threshold;
  return to;
}

void take_answer(const fuse_conn_info& conn, ::fuse_conn_info& to) {
  to.want = conn.want & ~unsigned{FUSE_CAP_BIG_WRITES};
  if (conn.async_read) to.want |= FUSE_CAP_ASYNC_READ;
  to.want &= to.capable;  // what the kernel does not have is not missed
  to.max_write = conn.max_write;
  to.max_readahead = conn.max_readahead;
  to.max_background = conn.max_background;
  to.congestion_threshold = conn.congestion_threshold;
}

std::unique_ptr<::fuse_fs> make_layer(const Callbacks& c, void* user_data) {
  using V2 = fuse_operations;
  const V2& op = c.op;
  const auto& old = c.before_2_2;
  Own to{};
  offer<&Own::readlink, &V2::readlink, Same>(to, op);
  offer<&Own::mknod, &V2::mknod, Same>(to, op);
  offer<&Own::mkdir, &V2::mkdir, Same>(to, op);
  offer<&Own::unlink, &V2::unlink, Same>(to, op);
  offer<&Own::rmdir, &V2::rmdir, Same>(to, op);
  offer<&Own::symlink, &V2::symlink, Same>(to, op);
  offer<&Own::link, &V2::link, Same>(to, op);
  offer<&Own::setxattr, &V2::setxattr, Same>(to, op);
  offer<&Own::getxattr, &V2::getxattr, Same>(to, op);
  offer<&Own::listxattr, &V2::listxattr, Same>(to, op);
  offer<&Own::removexattr, &V2::removexattr, Same>(to, op);
  offer<&Own::access, &V2::access, Same>(to, op);
  offer<&Own::bmap, &V2::bmap, Same>(to, op);
  offer<&Own::setchgtime, &V2::setchgtime, Same>(to, op);
  offer<&Own::setcrtime, &V2::setcrtime, Same>(to, op);
  offer<&Own::chflags, &V2::chflags, Same>(to, op);
  offer<&Own::getpath, &V2::getpath, OpenFile>(to, op);
  offer<&Own::create, &V2::create, OpenFile>(to, op);
  offer<&Own::opendir, &V2::opendir, OpenFile>(to, op);
  offer<&Own::fsyncdir, &V2::fsyncdir, OpenFile>(to, op);
  offer<&Own::lock, &V2::lock, OpenFile>(to, op);
  offer<&Own::flock, &V2::flock, OpenFile>(to, op);
  offer<&Own::fallocate, &V2::fallocate, OpenFile>(to, op);
  if (op.getattr) to.getattr = on_getattr;
  if (op.rename) to.rename = on_rename;
  if (op.chmod) to.chmod = on_chmod;
  if (op.chown) to.chown = on_chown;
  if (op.truncate || op.ftruncate) to.truncate = on_truncate;
  if (op.utimens || op.utime) to.utimens = on_utimens;
  if (op.open || old.open) to.open = on_open;
  if (op.release || old.release) to.release = on_release;
  if (op.releasedir) to.releasedir = on_releasedir;
  if (op.read || old.read) to.read = on_read;
  if (op.write || old.write) to.write = on_write;
  if (op.read_buf) to.read_buf = on_read_buf;
  if (op.write_buf) to.write_buf = on_write_buf;
  if (op.flush || old.flush) to.flush = on_flush;
  if (op.fsync || old.fsync) to.fsync = on_fsync;
  if (op.ioctl) to.ioctl = on_ioctl;
  if (op.poll) to.poll = on_poll;
  if (op.readdir || op.getdir || old.getdir) to.readdir = on_readdir;
  if (op.statfs || c.statfs_before_2_5 || old.statfs_1) to.statfs = on_statfs;
  to.init = on_init;
  to.destroy = on_destroy;
  auto layer = std::make_shared<Layer>(Layer{c, user_data});
  auto made = std::make_unique<::fuse_fs>(to, layer.get());
  made->owned = std::move(layer);
  return made;
}

}  // namespace isthmus::libfuse::v2
