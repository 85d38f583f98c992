/// The session itself, locks, news, and what else kernels and clients ask.
#include <algorithm>

#include "doors/userfs/session.h"
#include "doors/userfs/userfs_door.h"
#include "vfs/defaults.h"

namespace isthmus::userfs {

using wire::userfs::kMostData;
using wire::userfs::kMostName;

bool Session::supports(Opcode op) const {
  switch (op) {
    case Opcode::mount:
    case Opcode::umount:
    case Opcode::iread:
    case Opcode::iput:
    case Opcode::terms:
    case Opcode::interrupt:
    case Opcode::news:
      return true;
    case Opcode::close:
      return has(Op::Open) || has(Op::Create) || has(Op::Tmpfile);
    case Opcode::closedir:
      return has(Op::OpenDir) || has(Op::OpenQuery);
    // Here the defaults do it, nearer to the files.
    case Opcode::create:
      return has(Op::Create) || has(Op::Mknod);
    case Opcode::mknod:
      return has(Op::Mknod) || has(Op::Create);
    case Opcode::copy:
      return has(Op::CopyRange) || (has(Op::Read) && has(Op::Write));
    case Opcode::readdirplus:
      return has(Op::ReadDir) && has(Op::Lookup);
#define ISTHMUS_SAME(opcode, Type) \
  case Opcode::opcode:             \
    return has(Op::Type);
      ISTHMUS_SAME(statfs, Statfs)
      ISTHMUS_SAME(notify_change, Setattr)
      ISTHMUS_SAME(lookup, Lookup)
      ISTHMUS_SAME(readdir, ReadDir)
      ISTHMUS_SAME(open, Open)
      ISTHMUS_SAME(read, Read)
      ISTHMUS_SAME(write, Write)
      ISTHMUS_SAME(mkdir, Mkdir)
      ISTHMUS_SAME(symlink, Symlink)
      ISTHMUS_SAME(link, Link)
      ISTHMUS_SAME(unlink, Unlink)
      ISTHMUS_SAME(rmdir, Rmdir)
      ISTHMUS_SAME(rename, Rename)
      ISTHMUS_SAME(readlink, Readlink)
      ISTHMUS_SAME(permission, Access)
      ISTHMUS_SAME(fsync, Fsync)
      ISTHMUS_SAME(ioctl, Ioctl)
      ISTHMUS_SAME(select, Poll)
      ISTHMUS_SAME(getxattr, GetXattr)
      ISTHMUS_SAME(setxattr, SetXattr)
      ISTHMUS_SAME(listxattr, ListXattr)
      ISTHMUS_SAME(removexattr, RemoveXattr)
      ISTHMUS_SAME(opendir, OpenDir)
      ISTHMUS_SAME(fsyncdir, FsyncDir)
      ISTHMUS_SAME(flush, Flush)
      ISTHMUS_SAME(tmpfile, Tmpfile)
      ISTHMUS_SAME(fallocate, Fallocate)
      ISTHMUS_SAME(seek, SeekHole)
      ISTHMUS_SAME(sync, Sync)
      ISTHMUS_SAME(getlock, GetLock)
      ISTHMUS_SAME(setlock, SetLock)
      ISTHMUS_SAME(lease, SetLease)
      ISTHMUS_SAME(watch, Watch)
      ISTHMUS_SAME(unwatch, Unwatch)
      ISTHMUS_SAME(getreparse, GetReparse)
      ISTHMUS_SAME(setreparse, SetReparse)
      ISTHMUS_SAME(liststreams, ListStreams)
      ISTHMUS_SAME(getacl, GetAcl)
      ISTHMUS_SAME(setacl, SetAcl)
      ISTHMUS_SAME(getexport, NodeToExport)
      ISTHMUS_SAME(findexport, ExportToNode)
      ISTHMUS_SAME(openquery, OpenQuery)
      ISTHMUS_SAME(readquery, ReadQuery)
#undef ISTHMUS_SAME
  }
  return false;
}

template <>
void Session::serve<Opcode::mount>(const RequestPtr& r, const packets::MountRequest&) {
  fail(*r, err(EBUSY));  // mount() has the first
}

template <>
void Session::serve<Opcode::umount>(const RequestPtr& r, const packets::Empty&) {
  answer(*r, packets::Empty{});
  close();
}

template <>
void Session::serve<Opcode::terms>(const RequestPtr& r, const packets::TermsRequest&) {
  const Traits t = fs_.traits();
  packets::TermsReply reply;
  const std::pair<bool, uint32_t> flags[] = {
      {t.read_only || options_.read_only || is_read_only(fs_), packets::kTermsReadOnly},
      {t.dir_attr, packets::kTermsDirAttr},
      {t.posix_acl, packets::kTermsPosixAcl},
      {t.export_stable, packets::kTermsExportStable},
      {t.changes_outside, packets::kTermsChangesOutside},
      {t.tells_changes, packets::kTermsTellsChanges},
      {t.inode_addressed, packets::kTermsInodeAddressed},
      {t.locks_shared, packets::kTermsLocksShared},
      {t.flush_for_locks, packets::kTermsFlushForLocks},
      {!t.write_back, packets::kTermsNoWriteBack},
      {t.kills_suidgid, packets::kTermsKillsSuid},
      {options_.lasting_handles, packets::kTermsHandlesLast}};
  for (auto [is, flag] : flags)
    if (is) reply.flags |= flag;
  reply.time_granularity = t.time_granularity_ns;
  reply.name_max = std::min<uint32_t>(t.name_max, kMostName);
  reply.type = t.type;
  reply.source = t.source;
  answer(*r, reply);
}

template <>
void Session::serve<Opcode::interrupt>(const RequestPtr& r, const packets::InterruptRequest& in) {
  RequestPtr other;
  {
    std::lock_guard lock(m_);
    if (const auto found = running_.find(in.sequence); found != running_.end() && found->second != r)
      other = found->second;
  }
  if (other) other->cancel.request();
  answer(*r, packets::Empty{});
}

template <>
void Session::serve<Opcode::news>(const RequestPtr& r, const packets::NewsRequest& in) {
  if (!news_.asked(r->header.sequence, static_cast<uint32_t>(std::min<size_t>(in.most, kMostData))))
    fail(*r, err(EBUSY));
}

template <>
void Session::serve<Opcode::statfs>(const RequestPtr& r, const packets::HandleRequest& in) {
  const auto of = node(in.handle);
  if (!of) return fail(*r, of.error());
  ask(r, op::Statfs{{}, *of}, [this, r](StatFs&& s) { answer(*r, to_wire(s)); });
}

template <>
void Session::serve<Opcode::sync>(const RequestPtr& r, const packets::Empty&) {
  ask_unit(r, op::Sync{});
}

template <>
void Session::serve<Opcode::ioctl>(const RequestPtr& r, const packets::IoctlRequest& in) {
  const bool folder = (in.how & 2) != 0;
  const auto o = opened(in.handle, in.fh, folder ? OpenNumbers::Kind::folder : OpenNumbers::Kind::file);
  if (!o) return fail(*r, o.error());
  op::Ioctl a;
  a.node = o->node;
  a.handle = o->handle;
  a.command = in.command;
  a.arg = in.arg;
  a.in = in.in;
  a.out_max = std::min<size_t>(in.most, kMostData);
  a.compat32 = (in.how & 1) != 0;
  a.directory = folder;
  ask(r, a, [this, r](IoctlReply&& reply) {
    if (reply.retry) return fail(*r, err(ENOTTY));  // for memory of a process that is not here
    answer(*r, packets::IoctlReply{reply.result, as_bytes(reply.out)});
  });
}

template <>
void Session::serve<Opcode::select>(const RequestPtr& r, const packets::SelectRequest& in) {
  const auto o = opened(in.handle, in.fh);
  if (!o) return fail(*r, o.error());
  ask(r, op::Poll{{}, o->node, o->handle, in.events, in.arm != 0},
      [this, r](uint32_t ready) { answer(*r, packets::BitsReply{ready}); });
}

template <>
void Session::serve<Opcode::getlock>(const RequestPtr& r, const packets::LockRequest& in) {
  const auto o = opened(in.handle, in.fh);
  const auto lock = from_wire(in.lock);
  if (!o || !lock) return fail(*r, o ? lock.error() : o.error());
  ask(r, op::GetLock{{}, o->node, o->handle, *lock},
      [this, r](Lock&& l) { answer(*r, packets::LockReply{to_wire(l)}); });
}

template <>
void Session::serve<Opcode::setlock>(const RequestPtr& r, const packets::LockRequest& in) {
  const auto o = opened(in.handle, in.fh);
  const auto lock = from_wire(in.lock);
  if (!o || !lock) return fail(*r, o ? lock.error() : o.error());
  ask_unit(r, op::SetLock{{}, o->node, o->handle, *lock, (in.how & 1) != 0, (in.how & 2) != 0});
}

template <>
void Session::serve<Opcode::lease>(const RequestPtr& r, const packets::LeaseRequest& in) {
  const auto o = opened(in.handle, in.fh);
  if (!o) return fail(*r, o.error());
  ask(r, op::SetLease{{}, o->node, o->handle, static_cast<uint8_t>(in.bits & 7)},
      [this, r](uint8_t bits) { answer(*r, packets::BitsReply{bits}); });
}

template <>
void Session::serve<Opcode::watch>(const RequestPtr& r, const packets::WatchRequest& in) {
  const auto of = node(in.handle);
  if (!of) return fail(*r, of.error());
  ask(r, op::Watch{{}, *of, in.what, in.subtree != 0}, [this, r, n = *of](HandleId watch) {
    answer(*r, packets::WatchId{opens_.add({watch, n, OpenNumbers::Kind::watch})});
  });
}

template <>
void Session::serve<Opcode::unwatch>(const RequestPtr& r, const packets::WatchId& in) {
  const auto open = opens_.find(in.watch);
  if (!open || open->kind != OpenNumbers::Kind::watch) return fail(*r, err(EBADF));
  opens_.take(in.watch);
  ask_unit(r, op::Unwatch{{}, open->handle});
}

template <>
void Session::serve<Opcode::getreparse>(const RequestPtr& r, const packets::HandleRequest& in) {
  const auto of = node(in.handle);
  if (!of) return fail(*r, of.error());
  ask(r, op::GetReparse{{}, *of}, [this, r](std::string&& data) { answer(*r, packets::DataReply{as_bytes(data)}); });
}

template <>
void Session::serve<Opcode::setreparse>(const RequestPtr& r, const packets::SetreparseRequest& in) {
  const auto of = node(in.handle);
  if (!of) return fail(*r, of.error());
  ask_unit(r, op::SetReparse{{}, *of, {in.tag, in.data}, in.remove != 0});
}

template <>
void Session::serve<Opcode::liststreams>(const RequestPtr& r, const packets::HandleRequest& in) {
  const auto of = node(in.handle);
  if (!of) return fail(*r, of.error());
  ask(r, op::ListStreams{{}, *of}, [this, r](std::vector<StreamInfo>&& streams) {
    packets::StreamsReply reply;
    for (auto& s : streams) reply.streams.push_back({s.name, s.size});
    answer(*r, reply);
  });
}

template <>
void Session::serve<Opcode::getacl>(const RequestPtr& r, const packets::AclRequest& in) {
  const auto of = node(in.handle);
  if (!of) return fail(*r, of.error());
  if (in.kind > 3) return fail(*r, err(EINVAL));
  ask(r, op::GetAcl{{}, *of, static_cast<AclKind>(in.kind)},
      [this, r](std::string&& acl) { answer(*r, packets::DataReply{as_bytes(acl)}); });
}

template <>
void Session::serve<Opcode::setacl>(const RequestPtr& r, const packets::SetaclRequest& in) {
  const auto of = node(in.handle);
  if (!of) return fail(*r, of.error());
  if (in.kind > 3) return fail(*r, err(EINVAL));
  ask_unit(r, op::SetAcl{{}, *of, static_cast<AclKind>(in.kind), in.acl});
}

template <>
void Session::serve<Opcode::getexport>(const RequestPtr& r, const packets::HandleRequest& in) {
  const auto of = node(in.handle);
  if (!of) return fail(*r, of.error());
  ask(r, op::NodeToExport{{}, *of}, [this, r](ExportHandle&& h) { answer(*r, packets::ExportName{h.view()}); });
}

template <>
void Session::serve<Opcode::findexport>(const RequestPtr& r, const packets::ExportName& in) {
  op::ExportToNode a;
  if (in.name.size() > a.handle.bytes.size()) return fail(*r, err(ESTALE));
  a.handle.size = static_cast<uint8_t>(in.name.size());
  std::copy(in.name.begin(), in.name.end(), a.handle.bytes.begin());
  ask_entry(r, a);
}

}  // namespace isthmus::userfs
