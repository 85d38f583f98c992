#include "doors/fuse/exchange.h"

#include <sys/mman.h>
#include <sys/uio.h>

#include <algorithm>

#include "doors/fuse/session.h"

namespace isthmus::fuse {

using namespace wire::fuse;

Exchange::Exchange(Session& session, size_t data_size) : session_(session), data_size_(round_up(data_size, kPage)) {
  void* p =
      ::mmap(nullptr, kPage + data_size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  memory_ = static_cast<std::byte*>(p);
}

Exchange::~Exchange() { ::munmap(memory_, kPage + data_size_); }

FileSystem& Exchange::fs() const { return session_.fs(); }

void Exchange::begin(const Request& request, unsigned lane) {
  in_ = request;
  lane_ = lane;
}

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

Status Exchange::send(Bytes header, Bytes a, Bytes b) {
  auto part = [](Bytes bytes) { return iovec{const_cast<std::byte*>(bytes.data()), bytes.size()}; };
  std::array<iovec, 3> parts{part(header)};
  size_t n = 1;
  if (!a.empty()) parts[n++] = part(a);
  if (!b.empty()) parts[n++] = part(b);
  Status s = session_.transport().send(lane_, std::span(parts).first(n));
  if (!s) session_.note_undelivered(s.error(), in_);
  return s;
}

bool Exchange::reply() { return reply_bytes({}); }

bool Exchange::reply_bytes(Bytes a, Bytes b) {
  OutHeader h = make_reply(in_.header->unique, a.size() + b.size());
  Status s = send(std::as_bytes(std::span(&h, 1)), a, b);
  // A refused answer has left the caller waiting.
  if (!s && s.error() == err(EINVAL)) error(err(EIO));
  return s.ok();
}

bool Exchange::reply_file(const Buffer::FileRange& range) {
  auto sent = session_.transport().send_file(lane_, make_reply(in_.header->unique, range.length), range);
  return sent ? *sent : sent.error() == err(ENOENT);
}

void Exchange::error(Errno e) {
  session_.count_error();
  OutHeader h = make_error(in_.header->unique, e);
  static_cast<void>(send(std::as_bytes(std::span(&h, 1)), {}, {}));
}

// ---- the pool ----

ExchangePool::~ExchangePool() {
  while (free_) delete std::exchange(free_, free_->next_);
}

Exchange* ExchangePool::take() {
  Exchange* x = nullptr;
  {
    std::lock_guard lock(m_);
    if (free_) {
      x = std::exchange(free_, free_->next_);
      free_count_--;
    }
  }
  if (!x) x = new Exchange(session_, data_size_);
  x->next_ = nullptr;
  x->refs_.store(1, std::memory_order_relaxed);
  return x;
}

void ExchangePool::drop(Exchange* x) {
  if (x->refs_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  x->cancel_.reset();
  x->write_data = {};
  {
    std::lock_guard lock(m_);
    if (free_count_ < kKept) {
      x->next_ = std::exchange(free_, x);
      free_count_++;
      return;
    }
  }
  delete x;
}

}  // namespace isthmus::fuse
