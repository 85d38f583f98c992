#include "providers/libfuse/v3/request.h"

#include <string>
#include <type_traits>
#include <utility>

#include "providers/libfuse/common/message.h"
#include "vfs/then.h"

fuse_req::fuse_req(isthmus::libfuse::Requests& r, const isthmus::Context& c)
    : requests(r),
      who{c.cred.known ? c.cred.uid : uid_t(-1), c.cred.known ? c.cred.gid : gid_t(-1), static_cast<pid_t>(c.cred.pid),
          c.cred.umask},
      cancel(c.cancel),
      in_place(c.door == isthmus::DoorKind::fuse) {}

namespace isthmus::libfuse {

void Requests::add(fuse_req& r) {
  r.shard = (reinterpret_cast<uintptr_t>(&r) >> 8) % shards_.size();
  Shard& s = shards_[r.shard];
  std::lock_guard lock(s.m);
  r.after = s.first;
  if (s.first) s.first->before = &r;
  s.first = &r;
}

/// False: it is no longer ours to answer.
bool Requests::remove(fuse_req& r) {
  Shard& s = shards_[r.shard];
  std::lock_guard lock(s.m);
  if (r.abandoned_by) return false;
  (r.before ? r.before->after : s.first) = r.after;
  if (r.after) r.after->before = r.before;
  return true;
}

void Requests::finish(fuse_req* r, Answer&& a) {
  if (auto i = r->interruption) {
    std::lock_guard lock(i->m);
    i->request = nullptr;
  }
  if (remove(*r)) {
    if (r->interruption && r->cancel) r->cancel->clear();
    r->answer(std::move(a));
  } else {
    std::lock_guard wait_until_answered(abandoning_);
  }
  delete r;
}

void Requests::abandon() {
  std::lock_guard one_at_a_time(abandoning_);
  for (Shard& s : shards_) {
    std::unique_lock lock(s.m);
    while (fuse_req* r = s.first) {
      s.first = r->after;
      if (s.first) s.first->before = nullptr;
      r->abandoned_by = shared_from_this();
      lock.unlock();
      r->answer(err(ENOTCONN));
      lock.lock();
    }
  }
}

bool Requests::interrupted(fuse_req& r) {
  if (deaf) return false;
  std::lock_guard lock(shards_[r.shard].m);
  return r.abandoned_by || (r.cancel && r.cancel->requested());
}

void Interruption::come() {
  if (setter == std::this_thread::get_id()) {
    came_meanwhile = true;
    return;
  }
  std::lock_guard lock(m);
  if (request && func) func(request, data);
}

void set_interrupt_function(fuse_req& r, fuse_interrupt_func_t func, void* data) {
  if (!r.cancel || r.requests.deaf) return;
  if (!r.interruption) {
    r.interruption = std::make_shared<Interruption>();
    r.interruption->request = &r;
  }
  auto i = r.interruption;
  {
    std::lock_guard lock(i->m);
    i->func = func;
    i->data = data;
  }
  if (!func) return r.requests.with_cancel(r, [](Cancel& c) { c.clear(); });
  i->setter = std::this_thread::get_id();
  r.requests.with_cancel(r, [&](Cancel& c) { c.on_request([i] { i->come(); }); });
  i->setter = std::thread::id();
  if (std::exchange(i->came_meanwhile, false)) i->come();
}

Errno wrong_answer(Op op) {
  std::string name(name_of(op));
  message(FUSE_LOG_ERR, "fuse: %s was answered with what it does not have; the caller gets EIO\n", name.c_str());
  return err(EIO);
}

namespace {

Result<std::string> text_of(const Buffer& b) {
  std::string s(b.size(), '\0');
  auto n = b.copy_to(std::as_writable_bytes(std::span(s)));
  if (!n) return n.error();
  s.resize(*n);
  return s;
}

Result<std::vector<std::string>> names_of(const Buffer& b) {
  auto text = text_of(b);
  if (!text) return text.error();
  return split_names(*text);
}

Result<Unit> listing_of(FileSystem& fs, const Pending<op::ReadDir>& asked, bool plus, const Buffer& b) {
  std::string copy;
  auto bytes = b.in_one_piece(copy);
  if (!bytes) return bytes.error();
  std::vector<NodeId> dropped;
  Status s = pass_names_on(*bytes, plus, asked.args.with_attr, *asked.args.sink, dropped);
  for (NodeId n : dropped) forget(fs, {}, n);
  return s;
}

/// Read's data, copied where the asker may look at it later.
Result<Buffer> data_of(const Pending<op::Read>& asked, bool in_place, Buffer&& b) {
  if (in_place) return std::move(b);
  if (b.size() <= asked.args.into.size()) {
    auto n = b.copy_to(asked.args.into);
    if (!n) return n.error();
    return Buffer::filled(*n);
  }
  auto text = text_of(b);
  if (!text) return text.error();
  return Buffer::own(std::move(*text));
}

}  // namespace

template <class T>
Result<typename T::Reply> reply_from(FileSystem& fs, const Pending<T>& asked, const fuse_req& req, Answer&& answer) {
  using R = typename T::Reply;
  return std::visit(
      [&](auto& a) -> Result<R> {
        using A = std::decay_t<decltype(a)>;
        if constexpr (std::is_same_v<A, Errno> || (std::is_same_v<A, Unit> && T::id == Op::ReadDir))
          return a;
        else if constexpr (std::is_same_v<A, Buffer> && T::id == Op::Read)
          return data_of(asked, req.in_place, std::move(a));
        else if constexpr (std::is_same_v<A, Buffer> && T::id == Op::ReadDir)
          return listing_of(fs, asked, req.plus, a);
        else if constexpr (std::is_same_v<A, Buffer> && std::is_same_v<R, std::string>)
          return text_of(a);
        else if constexpr (std::is_same_v<A, Buffer> && std::is_same_v<R, std::vector<std::string>>)
          return names_of(a);
        else if constexpr (std::is_same_v<A, R> && T::id != Op::ReadDir)
          return std::move(a);
        else if constexpr (std::is_same_v<A, Count> && std::is_integral_v<R>)
          return static_cast<R>(a.n);
        else
          return wrong_answer(T::id);
      },
      answer);
}

#define X(Type, method, R) \
  template Result<R> reply_from<op::Type>(FileSystem&, const Pending<op::Type>&, const fuse_req&, Answer&&);
#include "vfs/ops.def"
#undef X

}  // namespace isthmus::libfuse
