#include "providers/userfs_host/userfs_host.h"

#include <algorithm>

#include "base/clock.h"
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

/// Many at a time, or those of a moment: each alone would cost as much as what the client waits for.
void UserfsHost::give_back(const Now& now, uint32_t handle, uint64_t count) {
  if (handle == 0 || handle == root_.load(std::memory_order_relaxed) || !supports(Opcode::iput)) return;
  {
    std::lock_guard lock(m_);
    if (now.life != life_.load(std::memory_order_relaxed)) return;
    for (; count > 0; count -= std::min<uint64_t>(count, UINT32_MAX))
      given_.push_back({handle, static_cast<uint32_t>(std::min<uint64_t>(count, UINT32_MAX))});
    if (iput_asked_) return;
    iput_asked_ = given_.size() >= kGivenTogether;
    if (!iput_asked_) return expect_given();
  }
  send_given(now, false);
}

/// With m_ held: they go soon.
void UserfsHost::expect_given() {
  if (given_due_ != 0 || given_.empty()) return;
  given_due_ = monotonic_ns() + kGivenNs;
  changed_.notify_all();
}

/// One request at a time; few wait for more, unless `few`.
void UserfsHost::send_given(const Now& now, bool few) {
  constexpr size_t kMost = 4096;
  packets::IputRequest in;
  {
    std::lock_guard lock(m_);
    if (now.life != life_.load(std::memory_order_relaxed)) return;  // what was given is gone
    iput_asked_ = !given_.empty() && (few || given_.size() >= kGivenTogether);
    if (!iput_asked_) return expect_given();
    const size_t n = std::min(given_.size(), kMost);
    in.given.assign(given_.begin(), given_.begin() + static_cast<ptrdiff_t>(n));
    given_.erase(given_.begin(), given_.begin() + static_cast<ptrdiff_t>(n));
  }
  tell<Opcode::iput>(now, in, [this, now] { send_given(now, false); });
}

/// Kernels ask whether a file has capabilities before its first byte is written. One that was made a moment ago, and is
/// empty, has none that writing would not take.
void UserfsHost::made(NodeId node) {
  std::lock_guard lock(m_);
  made_[raw(node) % made_.size()] = {node, monotonic_ns() + kMadeNs};
}

bool UserfsHost::was_just_made(NodeId node) {
  std::lock_guard lock(m_);
  Made& m = made_[raw(node) % made_.size()];
  if (m.node != node) return false;
  const bool is = monotonic_ns() < m.until;
  m = {};
  return is;
}

}  // namespace isthmus::userfs_host
