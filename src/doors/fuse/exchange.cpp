#include "doors/fuse/exchange.h"

#include <algorithm>
#include <utility>

#include "doors/fuse/session.h"

namespace isthmus::fuse {

using namespace wire::fuse;

void Exchange::drop() {
  if (refs_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  cancel_.reset();
  write_data = {};
  origin_.take_back(*this);
}

FileSystem& Exchange::fs() const { return session_.fs(); }

Context Exchange::context() {
  const InHeader& h = *in_.header;
  const Policy& policy = session_.policy();
  Context c;
  c.cred.known = h.uid != kInvalidUidGid && h.gid != kInvalidUidGid;
  if (c.cred.known) {
    c.cred.uid = h.uid;
    c.cred.gid = h.gid;
  }
  c.cred.pid = h.pid;
  uint32_t groups = std::min<uint32_t>(in_.extensions.group_count(), kMaxGroups);
  for (uint32_t i = 0; i < groups; i++) groups_[i] = in_.extensions.group(i);
  c.cred.groups = std::span(groups_).first(groups);
  c.umask_pending = policy.has(kInitDontMask);
  switch (in_.opcode()) {
    case Opcode::Mknod:
      c.cred.umask = in_.in<Opcode::Mknod>().umask;
      break;
    case Opcode::Mkdir:
      c.cred.umask = in_.in<Opcode::Mkdir>().umask;
      break;
    case Opcode::Create:
      c.cred.umask = in_.in<Opcode::Create>().umask;
      break;
    case Opcode::Tmpfile:
      c.cred.umask = in_.in<Opcode::Tmpfile>().umask;
      break;
    default:
      c.umask_pending = false;
  }
  c.id = h.unique;
  c.door = DoorKind::fuse;
  c.access_checked = policy.access_checked;
  c.client_times = policy.writeback();
  c.cancel = &cancel_;
  return c;
}

std::span<const op::Label> Exchange::labels() {
  auto n = std::min<size_t>(in_.extensions.context_count(), kMaxLabels);
  for (size_t i = 0; i < n; i++) {
    auto c = in_.extensions.context(static_cast<uint32_t>(i));
    labels_[i] = {c.name, c.value};
  }
  return std::span(labels_).first(n);
}

bool Exchange::worth_another_try(Errno e) {
  if ((e != err(ENOSPC) && e != err(EDQUOT)) || std::exchange(tried_again_, true)) return false;
  return session_.hear_forgets();
}

void Exchange::answer_begins() { session_.interrupts().remove(*this); }

void Exchange::refuse(Errno e) {
  answer_begins();
  error(e);
  finish();
}

void Exchange::finish() {
  answer_begins();  // for those that did not go through submit() or refuse()
  session_.over(*this);
}

Status Exchange::send(const OutHeader& header, Bytes a, Bytes b) {
  Status s = origin_.send(*this, header, a, b);
  if (!s) session_.note_undelivered(s.error(), in_);
  return s;
}

bool Exchange::reply() { return reply_bytes({}); }

bool Exchange::reply_bytes(Bytes a, Bytes b) {
  OutHeader h = make_reply(in_.header->unique, a.size() + b.size());
  Status s = send(h, a, b);
  // A refused answer has left the caller waiting.
  if (!s && s.error() == err(EINVAL)) error(err(EIO));
  return s.ok();
}

bool Exchange::reply_file(const Buffer::FileRange& range) {
  auto sent = origin_.send_file(*this, make_reply(in_.header->unique, range.length), range);
  return sent ? *sent : sent.error() == err(ENOENT);
}

void Exchange::error(Errno e) {
  session_.count_error();
  static_cast<void>(send(make_error(in_.header->unique, e), {}, {}));
}

}  // namespace isthmus::fuse
