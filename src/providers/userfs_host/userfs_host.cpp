#include "providers/userfs_host/userfs_host.h"

#include <algorithm>

#include "base/log.h"
#include "providers/userfs_host/ask.h"

namespace isthmus::userfs_host {

UserfsHost::~UserfsHost() { stop(); }

Mistakes UserfsHost::mistakes() const { return {bad_names_, no_links_, bad_answers_, restarts_}; }

Traits UserfsHost::traits() const { return terms_; }

Errno UserfsHost::bad_answer() {
  if (bad_answers_++ == 0) log(LogLevel::warning, "{}: it answers what cannot be; callers get EIO", options_.name);
  return err(EIO);
}

uint32_t UserfsHost::Now::handle(NodeId node) {
  if (node == NodeId::root) return host->root_.load(std::memory_order_relaxed);
  if (raw(node) >> 32 != (host->handles_last_.load(std::memory_order_relaxed) ? 1 : life)) error = err(ESTALE);
  return static_cast<uint32_t>(raw(node));
}

packets::Name UserfsHost::Now::name(std::string_view name) {
  if (name.size() > wire::userfs::kMostName) error = err(ENAMETOOLONG);
  return {name};
}

uint32_t UserfsHost::Now::fh(HandleId handle) {
  if (handle == HandleId::none) return 0;
  if (!host->options_.restart) return static_cast<uint32_t>(raw(handle));
  std::lock_guard lock(host->m_);
  const auto found = host->opens_.find(raw(handle));
  if (found != host->opens_.end() && !found->second.lost && found->second.life == life) return found->second.fh;
  error = err(ESTALE);
  return 0;
}

NodeId UserfsHost::node_of(uint32_t life, uint32_t handle) const {
  if (handle == root_.load(std::memory_order_relaxed)) return NodeId::root;
  if (handles_last_.load(std::memory_order_relaxed)) life = 1;
  return NodeId{uint64_t{life} << 32 | handle};
}

HandleId UserfsHost::add_open(uint32_t life, const Reopen& open) {
  if (open.fh == 0) return HandleId::none;
  if (!options_.restart) return HandleId{uint64_t{life} << 32 | open.fh};
  std::lock_guard lock(m_);
  const uint64_t number = ++last_open_;
  opens_[number] = open;
  opens_[number].life = life;
  return HandleId{number};
}

void UserfsHost::forget_open(HandleId handle) {
  if (!options_.restart) return;
  std::lock_guard lock(m_);
  opens_.erase(raw(handle));
}

Result<Entry> UserfsHost::entry_of(const Now& now, const packets::Entry& w, bool named) {
  const auto attr = from_wire(w.attr);
  if (w.handle == 0 || !attr) {
    if (w.handle != 0) give_back(now, w.handle);
    return bad_answer();
  }
  Entry e;
  e.node = node_of(now.life, w.handle);
  e.generation = w.generation;
  e.attr = *attr;
  if (named && e.attr.nlink == 0) {
    e.attr.nlink = 1;
    no_links_++;
  }
  e.entry_ttl = w.name_ms;
  e.attr_ttl = w.attr_ms;
  return e;
}

/// One request at a time; what comes meanwhile goes into the next.
void UserfsHost::give_back(const Now& now, uint32_t handle, uint64_t count) {
  if (handle == 0 || handle == root_.load(std::memory_order_relaxed) || !supports(Opcode::iput)) return;
  {
    std::lock_guard lock(m_);
    if (now.life != life_.load(std::memory_order_relaxed)) return;
    for (; count > 0; count -= std::min<uint64_t>(count, UINT32_MAX))
      given_.push_back({handle, static_cast<uint32_t>(std::min<uint64_t>(count, UINT32_MAX))});
    if (iput_asked_) return;
    iput_asked_ = true;
  }
  send_given(now);
}

void UserfsHost::send_given(const Now& now) {
  constexpr size_t kMost = 4096;
  packets::IputRequest in;
  {
    std::lock_guard lock(m_);
    if (now.life != life_.load(std::memory_order_relaxed)) return;  // what was given is gone
    const size_t n = std::min(given_.size(), kMost);
    in.given.assign(given_.begin(), given_.begin() + static_cast<ptrdiff_t>(n));
    given_.erase(given_.begin(), given_.begin() + static_cast<ptrdiff_t>(n));
    iput_asked_ = n > 0;
  }
  if (!in.given.empty()) tell<Opcode::iput>(now, in, [this, now] { send_given(now); });
}

}  // namespace isthmus::userfs_host
