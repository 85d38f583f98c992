#include "providers/fuse_host/read_ahead.h"

#include <cstring>

namespace isthmus::fuse_host {

using namespace wire::fuse;

bool FuseHost::ReadAhead::is_for(const FuseHost& host, const Handle& handle, const op::Read& a, DoorKind door) {
  const bool caches = door == DoorKind::fuse || door == DoorKind::userfs || door == DoorKind::direct;
  return !caches && host.has(kInitAsyncRead) && a.size >= kLeast && a.size <= kMost &&
         !(handle.open_flags & (kFopenDirectIo | kFopenNonseekable | kFopenStream));
}

bool FuseHost::ReadAhead::gives(const Chunk& c, const op::Read& a, const Node& node) const {
  return c.args.offset == a.offset && c.args.size == a.size && c.changes == node.changes &&
         (c.came == 0 || monotonic_ns() - c.came < kFresh);
}

std::shared_ptr<FuseHost::ReadAhead::Chunk> FuseHost::ReadAhead::make_chunk(const op::Read& like, const Context& ctx,
                                                                            uint64_t offset, uint32_t changes) {
  auto c = std::make_shared<Chunk>(host_);
  c->args = like;
  host_.read_ahead_bytes_.fetch_add(like.size, std::memory_order_relaxed);
  c->args.offset = offset;
  c->room = std::make_shared_for_overwrite<std::byte[]>(like.size);
  c->args.into = {c->room.get(), like.size};
  c->ctx = ctx;
  c->ctx.cancel = nullptr;
  c->changes = changes;
  c->of = shared_from_this();
  c->self = c;
  return c;
}

void FuseHost::ReadAhead::read(Call<op::Read> call) {
  const op::Read a = *call;
  const Node* node = host_.nodes_.find(a.node);
  if (!node) return host_.read_now(std::move(call));
  std::shared_ptr<Chunk> hit;
  bool waits = false;
  std::vector<std::shared_ptr<Chunk>> more;
  {
    std::lock_guard lock(m_);
    const bool goes_on = a.offset == next_;
    next_ = a.offset + a.size;
    if (!chunks_.empty() && gives(*chunks_.front(), a, *node)) {
      hit = std::move(chunks_.front());
      chunks_.erase(chunks_.begin());
    } else {
      chunks_.clear();
    }
    uint64_t from = chunks_.empty() ? next_ : chunks_.back()->args.offset + a.size;
    while (goes_on && !ending_ && chunks_.size() < kWindow && from < node->size &&
           host_.read_ahead_bytes_.load(std::memory_order_relaxed) < kMostBytes) {
      more.push_back(make_chunk(a, call.context(), from, node->changes));
      chunks_.push_back(more.back());
      from += a.size;
    }
    under_way_ += more.size();
    if (hit && hit->came == 0) {
      hit->waiting.emplace(std::move(call));
      waits = true;
    }
  }
  // What is wanted now goes before what may be.
  if (hit && !waits)
    give(std::move(call), *hit);
  else if (!hit)
    host_.read_now(std::move(call));
  for (auto& chunk : more) host_.read_now(Call<op::Read>(*chunk));
}

void FuseHost::ReadAhead::Chunk::answered(Result<Buffer>&& r) noexcept {
  const auto keep = std::move(self);
  const auto ahead = std::move(of);
  got = r ? Result<size_t>(r->size()) : Result<size_t>(r.error());
  ahead->arrived(*this);
}

void FuseHost::ReadAhead::arrived(Chunk& c) {
  std::optional<Call<op::Read>> waited;
  std::optional<Call<op::Release>> ending;
  {
    std::lock_guard lock(m_);
    c.came = monotonic_ns();
    if (c.waiting) waited.emplace(std::move(*c.waiting));
    c.waiting.reset();
    if (--under_way_ == 0 && ending_) {
      ending.emplace(std::move(*ending_));
      ending_.reset();
    }
  }
  if (waited) give(std::move(*waited), c);
  if (ending) host_.release_now(std::move(*ending), ended_);
}

void FuseHost::ReadAhead::give(Call<op::Read> call, const Chunk& c) {
  const Node* node = host_.nodes_.find(call->node);
  // An error is heard by who asks for himself.
  if (!c.got || !node || node->changes != c.changes) return host_.read_now(std::move(call));
  if (call->into.size() < call->size) return call.reply(Buffer::keep(c.room, Bytes(c.room.get(), *c.got)));
  if (*c.got > 0) memcpy(call->into.data(), c.room.get(), *c.got);
  call.reply(Buffer::filled(*c.got));
}

bool FuseHost::ReadAhead::end(Call<op::Release>& call, const Handle& handle) {
  std::lock_guard lock(m_);
  chunks_.clear();
  if (under_way_ == 0) return false;
  ended_ = handle;
  ended_.ahead.reset();
  ending_.emplace(std::move(call));
  return true;
}

}  // namespace isthmus::fuse_host
