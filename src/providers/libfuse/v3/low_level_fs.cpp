#include "providers/libfuse/v3/low_level_fs.h"

#include "providers/libfuse/common/bufvec.h"
#include "providers/libfuse/v3/callbacks.h"

namespace isthmus::libfuse {

LowLevelFs::LowLevelFs(const fuse_lowlevel_ops& ops, void* userdata, const void* table)
    : ops_(ops), requests_(std::make_shared<Requests>(userdata, table)) {
  drop_missing(
      {
        Offered(Op::Lookup, ops.lookup), Offered(Op::Forget, ops.forget || ops.forget_multi),
            Offered(Op::Getattr, ops.getattr), Offered(Op::Setattr, ops.setattr), Offered(Op::Readlink, ops.readlink),
            Offered(Op::Mknod, ops.mknod), Offered(Op::Mkdir, ops.mkdir), Offered(Op::Unlink, ops.unlink),
            Offered(Op::Rmdir, ops.rmdir), Offered(Op::Symlink, ops.symlink), Offered(Op::Rename, ops.rename),
            Offered(Op::Link, ops.link), Offered(Op::Open, ops.open), Offered(Op::Create, ops.create),
            Offered(Op::Read, ops.read), Offered(Op::Write, ops.write || ops.write_buf), Offered(Op::Flush, ops.flush),
            Offered(Op::Release, ops.release), Offered(Op::Fsync, ops.fsync), Offered(Op::Fallocate, ops.fallocate),
            Offered(Op::SeekHole, ops.lseek), Offered(Op::CopyRange, ops.copy_file_range),
            Offered(Op::GetLock, ops.getlk), Offered(Op::SetLock, ops.setlk || ops.flock),
            Offered(Op::Ioctl, ops.ioctl), Offered(Op::Poll, ops.poll), Offered(Op::Bmap, ops.bmap),
            Offered(Op::OpenDir, ops.opendir), Offered(Op::ReadDir, ops.readdir || ops.readdirplus),
            Offered(Op::ReleaseDir, ops.releasedir), Offered(Op::FsyncDir, ops.fsyncdir),
            Offered(Op::Statfs, ops.statfs), Offered(Op::GetXattr, ops.getxattr), Offered(Op::SetXattr, ops.setxattr),
            Offered(Op::ListXattr, ops.listxattr),
#if ISTHMUS_FUSE3_SO >= 4
            Offered(Op::Tmpfile, ops.tmpfile), Offered(Op::Sync, ops.syncfs),
#endif
            Offered(Op::RemoveXattr, ops.removexattr)
      },
      [this](Op op) { drop(op); });
}

unsigned LowLevelFs::usual_wants() const {
  unsigned want = 0;
  if (ops_.write_buf) want |= FUSE_CAP_SPLICE_READ;
  if (ops_.getlk && ops_.setlk) want |= FUSE_CAP_POSIX_LOCKS;
  if (ops_.flock) want |= FUSE_CAP_FLOCK_LOCKS;
  if (ops_.readdirplus) want |= FUSE_CAP_READDIRPLUS;
  if (ops_.readdirplus && ops_.readdir) want |= FUSE_CAP_READDIRPLUS_AUTO;
  return want;
}

void LowLevelFs::init(fuse_conn_info& conn) {
  if (ops_.init) ops_.init(userdata(), &conn);
}

void LowLevelFs::destroy() {
  if (ops_.destroy) ops_.destroy(userdata());
}

void LowLevelFs::retrieved(void* cookie, NodeId node, uint64_t offset, Bytes data) {
  if (!ops_.retrieve_reply) return;
  auto* req = new SilentRequest(*requests_, Context{});
  requests_->add(*req);
  fuse_bufvec list = one_piece_list(data.data(), data.size());
  ops_.retrieve_reply(req, cookie, raw(node), static_cast<off_t>(offset), &list);
}

Traits LowLevelFs::traits() const {
  Traits t;
  t.dir_attr = ops_.readdirplus;
  // What is true of a program's files it says itself, file by file and by fuse_conn_info.
  t.changes_outside = true;
  t.locks_shared = true;
  return t;
}

}  // namespace isthmus::libfuse
