#include "providers/fuse_host/cuse_host.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "vfs/then.h"

namespace isthmus::fuse_host {
namespace {

constexpr uint64_t kFolderNumber = 1, kDeviceNumber = 2;

}  // namespace

Expected<std::unique_ptr<CuseHost>> CuseHost::connect(Fd device, Options options, const std::function<bool()>& stop) {
  auto host = FuseHost::connect_device(std::move(device), std::move(options), stop);
  if (!host) return host.problem();
  return std::unique_ptr<CuseHost>(new CuseHost(std::move(*host)));
}

CuseHost::CuseHost(std::unique_ptr<FuseHost> host) : host_(std::move(host)) {
  // As the node that a kernel makes in /dev: its owner's alone.
  attr_.ino = kDeviceNumber;
  attr_.mode = S_IFREG | 0600;
  attr_.uid = geteuid();
  attr_.gid = getegid();
  attr_.atime = attr_.mtime = attr_.ctime = now();
}

Status CuseHost::start(Upcalls& up) {
  if (Status s = FileSystem::start(up); !s) return s;
  return host_->start(up);
}

Traits CuseHost::traits() const {
  Traits t;
  t.source = name();
  t.type = "cuse";
  t.changes_outside = true;
  t.write_back = false;
  return t;
}

Attr CuseHost::attributes_of(NodeId node) const {
  std::lock_guard lock(m_);
  Attr a = attr_;
  if (node == device()) return a;
  a.ino = kFolderNumber;
  a.mode = S_IFDIR | 0755;
  a.nlink = 2;
  return a;
}

Result<Entry> CuseHost::lookup(const Context&, const op::Lookup& a) {
  if (a.dir != NodeId::root) return err(ENOTDIR);
  if (a.name != name()) return err(ENOENT);
  return Entry{device(), 0, attributes_of(device()), kForever, kForever};
}

Result<Attributes> CuseHost::getattr(const Context&, const op::Getattr& a) {
  return Attributes{attributes_of(a.node), kForever};
}

Result<Attributes> CuseHost::setattr(const Context&, const op::Setattr& a) {
  if (a.node != device()) return err(EPERM);
  {
    std::lock_guard lock(m_);
    const SetAttr& s = a.set;
    if (s.mask & kSetMode) attr_.mode = S_IFREG | (s.to.mode & 07777);
    if (s.mask & kSetUid) attr_.uid = s.to.uid;
    if (s.mask & kSetGid) attr_.gid = s.to.gid;
    if (s.mask & kSetAtime) attr_.atime = s.to.atime;
    if (s.mask & kSetMtime) attr_.mtime = s.to.mtime;
    if (s.mask & kSetAtimeNow) attr_.atime = now();
    if (s.mask & kSetMtimeNow) attr_.mtime = now();
    if (s.mask & ~uint32_t{kSetSize}) attr_.ctime = now();
  }
  return Attributes{attributes_of(device()), kForever};
}

/// No data of a device is kept, whatever its daemon says.
void CuseHost::open(Call<op::Open> c) {
  if (c->node != device()) return c.fail(EISDIR);
  const Context ctx = c.context();
  const op::Open a = *c;
  call_then(*host_, ctx, a, [c = std::move(c)](Result<Opened> opened) mutable {
    if (opened) opened->flags = (opened->flags & ~uint32_t{kOpenedKeepCache}) | kOpenedDirectIo;
    c.finish(std::move(opened));
  });
}

Result<Unit> CuseHost::read_dir(const Context&, const op::ReadDir& a) {
  if (a.node != NodeId::root) return err(ENOTDIR);
  if (a.cookie == 0) a.sink->add({.ino = kDeviceNumber, .cookie = 1, .type = DT_REG, .name = name()});
  return Unit{};
}

}  // namespace isthmus::fuse_host
