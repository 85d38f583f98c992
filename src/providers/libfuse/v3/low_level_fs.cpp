#include "providers/libfuse/v3/low_level_fs.h"

#include "providers/libfuse/common/bufvec.h"

namespace isthmus::libfuse {

LowLevelFs::LowLevelFs(const fuse_lowlevel_ops& ops, void* userdata)
    : ops_(ops), requests_(std::make_shared<Requests>(userdata)) {
  struct Row {
    Row(Op o, bool t) : op(o), there(t) {}
    Op op;
    bool there;
  };
  const Row rows[] = {Row(Op::Lookup, ops.lookup),
                      Row(Op::Forget, ops.forget || ops.forget_multi),
                      Row(Op::Getattr, ops.getattr),
                      Row(Op::Setattr, ops.setattr),
                      Row(Op::Readlink, ops.readlink),
                      Row(Op::Mknod, ops.mknod),
                      Row(Op::Mkdir, ops.mkdir),
                      Row(Op::Unlink, ops.unlink),
                      Row(Op::Rmdir, ops.rmdir),
                      Row(Op::Symlink, ops.symlink),
                      Row(Op::Rename, ops.rename),
                      Row(Op::Link, ops.link),
                      Row(Op::Open, ops.open),
                      Row(Op::Create, ops.create),
                      Row(Op::Read, ops.read),
                      Row(Op::Write, ops.write || ops.write_buf),
                      Row(Op::Flush, ops.flush),
                      Row(Op::Release, ops.release),
                      Row(Op::Fsync, ops.fsync),
                      Row(Op::Fallocate, ops.fallocate),
                      Row(Op::SeekHole, ops.lseek),
                      Row(Op::CopyRange, ops.copy_file_range),
                      Row(Op::GetLock, ops.getlk),
                      Row(Op::SetLock, ops.setlk || ops.flock),
                      Row(Op::Ioctl, ops.ioctl),
                      Row(Op::Poll, ops.poll),
                      Row(Op::Bmap, ops.bmap),
                      Row(Op::OpenDir, ops.opendir),
                      Row(Op::ReadDir, ops.readdir || ops.readdirplus),
                      Row(Op::ReleaseDir, ops.releasedir),
                      Row(Op::FsyncDir, ops.fsyncdir),
                      Row(Op::Statfs, ops.statfs),
                      Row(Op::GetXattr, ops.getxattr),
                      Row(Op::SetXattr, ops.setxattr),
                      Row(Op::ListXattr, ops.listxattr),
                      Row(Op::RemoveXattr, ops.removexattr)};
  for (auto& r : rows)
    if (!r.there) drop(r.op);
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
