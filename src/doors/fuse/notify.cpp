#include "doors/fuse/notify.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <system_error>

#include "base/log.h"
#include "run/threads.h"
#include "wire/fuse/reply.h"

namespace isthmus::fuse {

using namespace wire::fuse;

namespace {
constexpr size_t kMaxItems = 65536;
constexpr size_t kMaxStored = size_t{64} << 20;  // bytes
constexpr size_t kMaxStore = size_t{1} << 20;    // bytes of one message
constexpr size_t kMaxAsked = 1024;
constexpr size_t kMaxPollsOfHandle = 256;
}  // namespace

Notifier::~Notifier() {
  ask_to_stop();
  if (thread_.joinable()) thread_.join();
}

void Notifier::begin(const Policy& policy) {
  std::lock_guard lock(m_);
  open_ = true;
  minor_ = policy.minor;
  // Expiry makes the kernel look the name up again, without tearing down mounts and working directories below it.
  entry_flags_ = policy.has(kInitHasExpireOnly) ? kExpireOnly : 0;
}

void Notifier::ask_to_stop() {
  std::unordered_map<uint64_t, Asked> asked;
  {
    std::unique_lock lock(m_);
    open_ = false;
    done_ = added_;
    queue_.clear();
    queued_.clear();
    queued_bytes_ = 0;
    asked.swap(asked_);
    more_.notify_all();
    run_heard(lock);
  }
  for (auto& [unique, a] : asked) a.taker(a.self, a.node, a.offset, {});
}

bool Notifier::stopped() {
  std::lock_guard lock(m_);
  return !running_;
}

std::string Notifier::key_of(const Item& item) {
  std::string key(1 + 3 * sizeof(uint64_t), '\0');
  const uint64_t numbers[] = {raw(item.node), item.offset, item.length};
  key[0] = static_cast<char>(item.kind);
  std::memcpy(key.data() + 1, numbers, sizeof(numbers));
  return key + item.text;
}

bool Notifier::add(Item item) {
  std::lock_guard lock(m_);
  if (!open_) return false;
  add_locked(std::move(item));
  return true;
}

void Notifier::add_locked(Item item) {
  if (merges(item.kind)) {
    if (!queued_.insert(key_of(item)).second) return;
  } else if (item.kind == Kind::store) {
    queued_.clear();  // an invalidation raised from now on must come after it
    queued_bytes_ += item.text.size();
  }
  if (queue_.size() >= kMaxItems) {
    lost_ = true;
    queued_.erase(key_of(queue_.front()));
    if (queue_.front().kind == Kind::store) queued_bytes_ -= queue_.front().text.size();
    queue_.pop_front();
    done_++;
  }
  queue_.push_back(std::move(item));
  added_++;
  if (thread_.joinable()) return more_.notify_one();
  SignalsBlocked blocked;
  try {
    thread_ = std::thread([this] { thread_main(); });
    running_ = true;
    name_thread(thread_, "fuse/notify");
  } catch (const std::system_error& e) {
    log(LogLevel::error, "no thread for news to the kernel: {}", e.what());
  }
}

void Notifier::thread_main() {
  std::unique_lock lock(m_);
  for (;;) {
    more_.wait(lock, [&] { return !open_ || !queue_.empty(); });
    if (!open_) break;
    bool lost = std::exchange(lost_, false);
    Item item = std::move(queue_.front());
    queue_.pop_front();
    queued_.erase(key_of(item));
    if (item.kind == Kind::store) queued_bytes_ -= item.text.size();
    lock.unlock();
    if (lost && !std::exchange(lost_told_, true))
      log(LogLevel::warning, "more than {} notifications wait for the kernel: some were dropped", kMaxItems);
    if (lost || item.kind == Kind::names) send_epoch();
    if (item.kind != Kind::names) send(item);
    lock.lock();
    done_ = std::min(done_ + 1, added_);
    run_heard(lock);
  }
  running_ = false;
}

void Notifier::run_heard(std::unique_lock<std::mutex>& lock) {
  while (!waiting_.empty() && waiting_.front().first <= done_) {
    auto done = std::move(waiting_.front().second);
    waiting_.pop_front();
    lock.unlock();
    done();
    lock.lock();
  }
}

void Notifier::when_heard(std::function<void()> done) {
  {
    std::lock_guard lock(m_);
    if (open_ && done_ < added_) return waiting_.emplace_back(added_, std::move(done)), void();
  }
  done();
}

/// Has all names looked up again, where the kernel can.
void Notifier::send_epoch() {
  if (minor_ < 44) return;
  std::array<std::byte, 64> out;
  auto n = write_notify_inc_epoch(out);
  if (n) static_cast<void>(deliver(Bytes(out).first(*n)));
}

Status Notifier::deliver(Bytes message, Bytes data) {
  std::array<iovec, 2> parts{iovec{const_cast<std::byte*>(message.data()), message.size()},
                             iovec{const_cast<std::byte*>(data.data()), data.size()}};
  Status s = transport_.notify(std::span(parts).first(data.empty() ? 1 : 2));
  if (s) sent_.fetch_add(1, std::memory_order_relaxed);
  return s;
}

void Notifier::send(const Item& item) {
  std::array<std::byte, kNotifyMax> out;
  Result<size_t> n = err(EINVAL);
  Bytes data;
  switch (item.kind) {
    case Kind::inode:
      n = write_notify_inval_inode(out, raw(item.node), static_cast<int64_t>(item.offset),
                                   static_cast<int64_t>(item.length));
      break;
    case Kind::attr:
      n = write_notify_inval_inode(out, raw(item.node), -1, 0);
      break;
    case Kind::entry:
      n = write_notify_inval_entry(out, raw(item.node), item.text, entry_flags_);
      break;
    case Kind::names:  // send_epoch()
      return;
    case Kind::gone:
      n = write_notify_delete(out, raw(item.node), raw(item.child), item.text);
      break;
    case Kind::store:
      data = as_bytes(item.text);
      n = write_notify_store(out, raw(item.node), item.offset, static_cast<uint32_t>(data.size()));
      break;
    case Kind::retrieve:
      n = write_notify_retrieve(out, item.unique, raw(item.node), item.offset, static_cast<uint32_t>(item.length));
      break;
    case Kind::poll:
      n = write_notify_poll(out, item.offset);
      break;
  }
  Status s = n ? deliver(Bytes(out).first(*n), data) : Status(err(EINVAL));
  if (s) return;
  // ENOENT: the kernel has nothing of that node or name. ENODEV, EPIPE: the connection is gone.
  int e = s.code();
  if (e != ENOENT && e != ENODEV && e != EPIPE && e != ENOTDIR && e != ENOTEMPTY && e != EBUSY)
    log(LogLevel::warning, "notification {} for node {}: {}", static_cast<int>(item.kind), raw(item.node),
        text_of(s.error()));
  if (item.kind == Kind::retrieve) retrieved(item.unique, item.node, item.offset, {});
}

void Notifier::invalidate_node(NodeId node, uint64_t offset, uint64_t length) {
  if (offset > INT64_MAX || length > INT64_MAX) return;
  add({.kind = Kind::inode, .node = node, .offset = offset, .length = length});
}

void Notifier::invalidate_attr(NodeId node) { add({.kind = Kind::attr, .node = node}); }

void Notifier::invalidate_entry(NodeId dir, std::string_view name) {
  add({.kind = Kind::entry, .node = dir, .text = std::string(name)});
}

void Notifier::invalidate_all_names() { add({.kind = Kind::names}); }

void Notifier::deleted(NodeId dir, NodeId child, std::string_view name) {
  add({.kind = Kind::gone, .node = dir, .child = child, .text = std::string(name)});
}

void Notifier::store(NodeId node, uint64_t offset, const Buffer& data) {
  {
    std::lock_guard lock(m_);
    if (!open_) return;
    // Data is a favour, but older data must not stay.
    if (queued_bytes_ + data.size() > kMaxStored)
      return add_locked({.kind = Kind::inode, .node = node, .offset = offset, .length = data.size()});
  }
  std::string all(data.size(), '\0');
  auto n = data.copy_to(std::as_writable_bytes(std::span(all)));
  if (!n) return;
  all.resize(*n);
  for (size_t at = 0; at < all.size(); at += kMaxStore)
    add({.kind = Kind::store, .node = node, .offset = offset + at, .text = all.substr(at, kMaxStore)});
}

Status Notifier::retrieve(NodeId node, uint64_t offset, size_t length, Taker taker, void* self) {
  std::lock_guard lock(m_);
  auto unique = expect_locked({taker, self, node, offset});
  if (!unique) return unique.error();
  add_locked({.kind = Kind::retrieve,
              .node = node,
              .offset = offset,
              .length = std::min<size_t>(length, kMaxStore),
              .unique = *unique});
  return Unit{};
}

Result<uint64_t> Notifier::expect_locked(const Asked& asked) {
  if (!open_) return err(ENOTCONN);
  if (asked_.size() >= kMaxAsked) return err(EAGAIN);
  uint64_t unique = new_unique();
  asked_.emplace(unique, asked);
  return unique;
}

Status Notifier::poke(NodeId node) {
  std::array<std::byte, kNotifyMax> out;
  auto n = write_notify_retrieve(out, new_unique(), raw(node), 0, 0);
  if (!n) return n.error();
  iovec part{out.data(), *n};
  return transport_.notify({&part, 1});
}

void Notifier::retrieved(uint64_t unique, NodeId node, uint64_t offset, Bytes data) {
  Asked asked;
  {
    std::lock_guard lock(m_);
    auto i = asked_.find(unique);
    if (i == asked_.end() || i->second.node != node) return;
    asked = i->second;
    asked_.erase(i);
  }
  asked.taker(asked.self, node, offset, data);
}

void Notifier::arm_poll(NodeId node, HandleId handle, uint64_t kh) {
  std::lock_guard lock(m_);
  auto& waiting = polls_[{node, handle}];
  if (std::find(waiting.begin(), waiting.end(), kh) == waiting.end() && waiting.size() < kMaxPollsOfHandle)
    waiting.push_back(kh);
}

void Notifier::disarm_polls(NodeId node, HandleId handle) {
  std::lock_guard lock(m_);
  if (!polls_.empty()) polls_.erase({node, handle});
}

void Notifier::poll_ready(NodeId node, HandleId handle, uint32_t) {
  std::vector<uint64_t> waiting;
  {
    std::lock_guard lock(m_);
    auto i = polls_.find({node, handle});
    if (i == polls_.end()) return;
    waiting = std::move(i->second);
    polls_.erase(i);
  }
  for (uint64_t kh : waiting) add({.kind = Kind::poll, .offset = kh});
}

}  // namespace isthmus::fuse
