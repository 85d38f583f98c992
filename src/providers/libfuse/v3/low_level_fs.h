#pragma once
#include <isthmus/fuse3/fuse_lowlevel.h>

#include "providers/libfuse/v3/program.h"
#include "providers/libfuse/v3/request.h"
#include "vfs/provider.h"

namespace isthmus::libfuse {

/// A program's fuse_lowlevel_ops as a file system: node numbers and file handles are the program's own. Callbacks run
/// on the threads that submit.
class LowLevelFs : public Provider<LowLevelFs>, public Program {
 public:
  /// `ops`: complete, null where there is none. `table`: for them to find by their request.
  LowLevelFs(const fuse_lowlevel_ops& ops, void* userdata, const void* table = nullptr);

  ~LowLevelFs() override { requests_->abandon(); }
  Traits traits() const override;

  // Program
  FileSystem& files() override { return *this; }
  void* userdata() const override { return requests_->userdata; }
  unsigned usual_wants() const override;
  void init(fuse_conn_info& conn) override;
  void destroy() override;
  void ignore_interrupts(bool yes) override { requests_->deaf = yes; }
  void use_device(int device) override { requests_->device = device; }
  void abandon() override { requests_->abandon(); }
  void retrieved(void* cookie, NodeId node, uint64_t offset, Bytes data) override;

  // names and nodes
  void lookup(Call<op::Lookup>);
  void forget(Call<op::Forget>);
  void getattr(Call<op::Getattr>);
  void setattr(Call<op::Setattr>);
  void readlink(Call<op::Readlink>);
  void mknod(Call<op::Mknod>);
  void mkdir(Call<op::Mkdir>);
  void unlink(Call<op::Unlink>);
  void rmdir(Call<op::Rmdir>);
  void symlink(Call<op::Symlink>);
  void rename(Call<op::Rename>);
  void link(Call<op::Link>);
  void access(Call<op::Access>);

  // open files
  void open(Call<op::Open>);
  void create(Call<op::Create>);
  void read(Call<op::Read>);
  void write(Call<op::Write>);
  void flush(Call<op::Flush>);
  void release(Call<op::Release>);
  void fsync(Call<op::Fsync>);
  void fallocate(Call<op::Fallocate>);
  void seek_hole(Call<op::SeekHole>);
  void copy_range(Call<op::CopyRange>);
  void get_lock(Call<op::GetLock>);
  void set_lock(Call<op::SetLock>);
  void ioctl(Call<op::Ioctl>);
  void poll(Call<op::Poll>);
  void bmap(Call<op::Bmap>);

  // directories, attributes, the whole
  void open_dir(Call<op::OpenDir>);
  void read_dir(Call<op::ReadDir>);
  void release_dir(Call<op::ReleaseDir>);
  void fsync_dir(Call<op::FsyncDir>);
  void statfs(Call<op::Statfs>);
  void get_xattr(Call<op::GetXattr>);
  void set_xattr(Call<op::SetXattr>);
  void list_xattr(Call<op::ListXattr>);
  void remove_xattr(Call<op::RemoveXattr>);
#if ISTHMUS_FUSE3_SO >= 4
  void tmpfile(Call<op::Tmpfile>);
  void sync(Call<op::Sync>);
#endif

 private:
  /// The request for a callback; `c` lives in it from now on, until the program answers.
  template <class T>
  fuse_req_t begin(Call<T> c) {
    auto* r = new Request<T>(*requests_, *this, std::move(c).take());
    requests_->add(*r);
    return r;
  }

  fuse_lowlevel_ops ops_;
  const std::shared_ptr<Requests> requests_;  // outlived by what has not been answered
};

}  // namespace isthmus::libfuse
