#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cstring>

#include "fs/mem/mem_fs.h"

/// Forgetting, locks, export handles, inode flags.
namespace isthmus::fs::mem {

Result<Unit> MemFs::forget(const Context&, const op::Forget& a) {
  Inode* n = nodes_.find(a.node);
  if (!n) {
    log(LogLevel::error, "forget: unknown node {:#x}", raw(a.node));
    return Unit{};
  }
  // Names and handles hold references in the same count: a door may give back only what doors got.
  uint64_t have = n->lookups.load(std::memory_order_relaxed), count = 0;
  do count = std::min(have, a.count);
  while (!n->lookups.compare_exchange_weak(have, have - count, std::memory_order_relaxed));
  if (count < a.count && a.node != NodeId::root)
    log(LogLevel::error, "forget: {} lookups of node {:#x} given back, {} counted", a.count, raw(a.node), have);
  if (count) drop(*n, count);
  return Unit{};
}

Result<Lock> MemFs::get_lock(const Context&, const op::GetLock& a) {
  if (auto n = find(a.node, Op::GetLock); !n) return n.error();
  return locks_.get(a.node, a.lock);
}

void MemFs::set_lock(Call<op::SetLock> call) {
  if (auto n = find(call->node, Op::SetLock); !n) return call.fail(n.error());
  locks_.set(std::move(call));
}

namespace {
/// Node and generation, in the machine's byte order: handles do not outlive the process.
struct ExportBytes {
  uint64_t node, generation;
};
}  // namespace

Result<ExportHandle> MemFs::node_to_export(const Context&, const op::NodeToExport& a) {
  if (auto n = find(a.node, Op::NodeToExport); !n) return n.error();
  ExportBytes b{raw(a.node), generation_};
  ExportHandle h;
  h.size = sizeof b;
  std::memcpy(h.bytes.data(), &b, sizeof b);
  return h;
}

Result<Entry> MemFs::export_to_node(const Context&, const op::ExportToNode& a) {
  ExportBytes b{};
  if (a.handle.size != sizeof b) return err(ESTALE);
  std::memcpy(&b, a.handle.bytes.data(), sizeof b);
  if (b.generation != generation_) return err(ESTALE);
  Inode* n = revive(NodeId{b.node});
  if (!n) return err(ESTALE);
  n->lookups.fetch_add(1, std::memory_order_relaxed);
  return entry_of(*n);
}

// FS_IOC_GETFLAGS and FS_IOC_SETFLAGS (ioctl_iflags(2)): immutable, append-only, no dump, no atime.
Result<IoctlReply> MemFs::ioctl(const Context& ctx, const op::Ioctl& a) {
  constexpr uint32_t kUser = FS_NODUMP_FL | FS_NOATIME_FL, kAdmin = FS_IMMUTABLE_FL | FS_APPEND_FL;
  auto found = find(a.node, Op::Ioctl);
  if (!found) return found.error();
  Inode& n = **found;
  IoctlReply reply;
  if (a.command == FS_IOC_GETFLAGS || a.command == FS_IOC32_GETFLAGS) {
    Shared lock(n.m);
    uint32_t flags = n.extras ? n.extras->flags : 0;
    if (a.out_max < sizeof flags) return err(EINVAL);
    reply.out.assign(reinterpret_cast<const char*>(&flags), sizeof flags);
    return reply;
  }
  if (a.command != FS_IOC_SETFLAGS && a.command != FS_IOC32_SETFLAGS) return err(ENOTTY);
  uint32_t flags = 0;
  if (a.in.size() < sizeof flags) return err(EINVAL);
  std::memcpy(&flags, a.in.data(), sizeof flags);
  if (flags & ~(kUser | kAdmin)) return err(EOPNOTSUPP);
  {
    Unique lock(n.m);
    if (ctx.cred.known)
      if (auto s = may_chmod(ctx.cred, guard_of(n)); !s) return s.error();
    uint32_t old = n.extras ? n.extras->flags : 0;
    if (((old ^ flags) & kAdmin) && !is_privileged(ctx.cred)) return err(EPERM);
    if (flags != old) n.make_extras().flags = flags;
    n.ctime = now();
  }
  if (watching()) notify_node(n, kWatchAttributes);
  return reply;
}

}  // namespace isthmus::fs::mem
