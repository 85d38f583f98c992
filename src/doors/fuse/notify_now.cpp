/// News told on the calling thread.
#include <array>
#include <vector>

#include "doors/fuse/notify.h"
#include "wire/fuse/reply.h"

namespace isthmus::fuse {

using namespace wire::fuse;

Status Notifier::tell(Bytes message, Bytes data) {
  {
    std::lock_guard lock(m_);
    if (!open_) return err(ENOTCONN);
  }
  return deliver(message, data);
}

Status Notifier::tell_node(NodeId node, int64_t offset, int64_t length) {
  std::array<std::byte, kNotifyMax> out;
  auto n = write_notify_inval_inode(out, raw(node), offset, length);
  return n ? tell(Bytes(out).first(*n)) : Status(n.error());
}

Status Notifier::tell_entry(NodeId dir, std::string_view name, bool expire) {
  if (expire && !(entry_flags_ & kExpireOnly)) return err(ENOSYS);
  std::array<std::byte, kNotifyMax> out;
  auto n = write_notify_inval_entry(out, raw(dir), name, expire ? kExpireOnly : 0);
  return n ? tell(Bytes(out).first(*n)) : Status(n.error());
}

Status Notifier::tell_deleted(NodeId dir, NodeId child, std::string_view name) {
  std::array<std::byte, kNotifyMax> out;
  auto n = write_notify_delete(out, raw(dir), raw(child), name);
  return n ? tell(Bytes(out).first(*n)) : Status(n.error());
}

Status Notifier::tell_epoch() {
  if (minor_ < 44) return err(ENOSYS);
  std::array<std::byte, kNotifyMax> out;
  auto n = write_notify_inc_epoch(out);
  return n ? tell(Bytes(out).first(*n)) : Status(n.error());
}

Status Notifier::tell_unused(std::span<const uint64_t> nodes) {
  if (minor_ < 45) return err(ENOSYS);
  std::vector<std::byte> out(prune_size(nodes.size()));
  auto n = write_notify_prune(out, nodes);
  return n ? tell(Bytes(out).first(*n)) : Status(n.error());
}

Status Notifier::tell_store(NodeId node, uint64_t offset, Bytes data) {
  if (data.size() > UINT32_MAX) return err(EINVAL);
  std::array<std::byte, kNotifyMax> out;
  auto n = write_notify_store(out, raw(node), offset, static_cast<uint32_t>(data.size()));
  return n ? tell(Bytes(out).first(*n), data) : Status(n.error());
}

Status Notifier::ask(NodeId node, uint64_t offset, size_t length, Taker taker, void* self) {
  if (length > UINT32_MAX) return err(EINVAL);
  Result<uint64_t> unique = err(ENOTCONN);
  {
    // Before it is sent: the answer may be read by another thread at once.
    std::lock_guard lock(m_);
    unique = expect_locked({taker, self, node, offset});
  }
  if (!unique) return unique.error();
  std::array<std::byte, kNotifyMax> out;
  auto n = write_notify_retrieve(out, *unique, raw(node), offset, static_cast<uint32_t>(length));
  Status s = n ? tell(Bytes(out).first(*n)) : Status(n.error());
  if (s) return s;
  std::lock_guard lock(m_);
  // At the end of the session the taker has been told already, that there is nothing.
  return asked_.erase(*unique) ? s : Status(Unit{});
}

}  // namespace isthmus::fuse
