/// What an answer says of nodes and open files, before it is believed.
#include <fcntl.h>
#include <sys/stat.h>

#include "providers/fuse_host/ask.h"
#include "providers/fuse_host/convert.h"
#include "providers/fuse_host/read_ahead.h"

namespace isthmus::fuse_host {

using namespace wire::fuse;

namespace {

constexpr uint32_t kPruneMinor = 45;     // NotifyCode::Prune
constexpr uint32_t kBlockSizeMinor = 9;  // Attr.blksize and flags
constexpr size_t kLateAttr = 2 * sizeof(uint32_t);

}  // namespace

FuseHost::Size FuseHost::entry_size() const {
  const size_t n = sizeof(EntryOut) - (minor_ < kBlockSizeMinor ? kLateAttr : 0);
  return {n, n};
}

FuseHost::Size FuseHost::attr_size() const {
  const size_t n = sizeof(AttrOut) - (minor_ < kBlockSizeMinor ? kLateAttr : 0);
  return {n, n};
}

Result<Entry> FuseHost::take_entry(const EntryOut& out, uint64_t parent, uint32_t type, std::string_view name) {
  if (out.nodeid == 0) return err(EIO);
  auto entry = from_wire(out);
  const bool impossible =
      out.nodeid == kRootId || out.nodeid == parent || (entry && type != 0 && (out.attr.mode & S_IFMT) != type);
  if (!entry || impossible) {
    connection_.forget(out.nodeid, 1);
    return err(EIO);
  }
  entry->node = nodes_.enter(out);
  if (minor_ >= kPruneMinor && !name.empty()) nodes_.note_name(out.nodeid, parent, name);
  return entry;
}

Result<Attributes> FuseHost::take_attributes(NodeId node, const AttrOut& out) {
  Node* n = nodes_.find(node);
  auto attr = from_wire(out.attr);
  if (!n || !attr || (attr->mode & S_IFMT) != n->type) {
    if (n) n->bad.store(err(EIO), std::memory_order_relaxed);
    return err(EIO);
  }
  n->gid.store(attr->gid, std::memory_order_relaxed);
  n->size.store(attr->size, std::memory_order_relaxed);
  return Attributes{*attr, to_ttl(out.attr_valid, out.attr_valid_nsec)};
}

Result<Attributes> FuseHost::take_statx(NodeId node, const StatxOut& out) {
  Node* n = nodes_.find(node);
  auto attr = from_wire(out.stat);
  if (!n || !attr || (attr->mode & S_IFMT) != n->type) {
    if (n) n->bad.store(err(EIO), std::memory_order_relaxed);
    return err(EIO);
  }
  n->gid.store(attr->gid, std::memory_order_relaxed);
  n->size.store(attr->size, std::memory_order_relaxed);
  return Attributes{*attr, to_ttl(out.attr_valid, out.attr_valid_nsec)};
}

HandleId FuseHost::add_handle(const OpenOut& out, uint32_t flags) {
  auto ahead = flags & O_DIRECTORY ? nullptr : std::make_shared<ReadAhead>(*this);
  auto made = handles_.emplace(1, Handle{out.fh, flags, out.open_flags, std::move(ahead)});
  return HandleId{raw(made.id)};
}

// A daemon may take its numbers for addresses: it never hears one that it has not given.
Result<FuseHost::Handle> FuseHost::find_handle(HandleId handle, Opcode by, uint32_t flags) const {
  if (handle != HandleId::none) return find_handle(handle);
  if (lacks(by)) return Handle{0, flags, cuse_ ? kFopenDirectIo : 0, nullptr};
  return err(EBADF);
}

Result<FuseHost::Handle> FuseHost::find_handle(HandleId handle) const {
  if (handle == HandleId::none) return Handle{};
  const Handle* h = handles_.find(NodeId{raw(handle)});
  if (!h) return err(EBADF);
  return *h;
}

Result<FuseHost::Handle> FuseHost::end_handle(HandleId handle) {
  auto h = find_handle(handle);
  if (!h || handle == HandleId::none) return h;
  disarm_poll(handle);
  handles_.erase(NodeId{raw(handle)});
  return h;
}

void FuseHost::data_changes(NodeId node) {
  if (Node* n = nodes_.find(node)) n->changes.fetch_add(1, std::memory_order_acq_rel);
}

/// What the daemon has opened for nobody.
void FuseHost::release_unused(uint64_t node, const OpenOut& out, uint32_t flags) {
  class Ignored final : public Connection::Waiter {
    void answered(Errno, Bytes) noexcept override {}
  };
  if (lacks(Opcode::Open)) return;
  const ReleaseIn in{out.fh, flags, 0, 0};
  const Bytes body = bytes_of(in);
  connection_.ask({.opcode = Opcode::Release, .node = node}, {}, std::span(&body, 1), std::make_unique<Ignored>());
}

uint32_t FuseHost::mode_for_daemon(const Context& ctx, uint32_t mode) const {
  return ctx.umask_pending && !has(kInitDontMask) ? mode & ~(ctx.cred.umask & 0777) : mode;
}

uint32_t FuseHost::umask_for_daemon(const Context& ctx) const { return ctx.umask_pending ? ctx.cred.umask & 0777 : 0; }

}  // namespace isthmus::fuse_host
