#include "vfs/volume/exports.h"

#include <sys/random.h>

#include <cstring>
#include <stdexcept>

namespace isthmus::volume {

namespace {

constexpr size_t kHead = 1 + 8;  // kind, check
enum Kind : uint8_t { kLasting = 1, kOfThisRun = 2 };

template <class T>
T random() {
  T value;
  size_t have = 0;
  while (have < sizeof value) {
    ssize_t n = getrandom(reinterpret_cast<std::byte*>(&value) + have, sizeof value - have, 0);
    if (n < 0 && errno != EINTR) throw std::runtime_error("getrandom");
    if (n > 0) have += static_cast<size_t>(n);
  }
  return value;
}

}  // namespace

Exports::Exports(std::optional<SipKey> key) : key_(key ? *key : random<SipKey>()), run_(random<uint64_t>()) {}

ExportHandle Exports::with_check(uint8_t kind, Bytes body) const {
  ExportHandle h;
  h.size = static_cast<uint8_t>(kHead + body.size());
  h.bytes[0] = std::byte{kind};
  std::memcpy(h.bytes.data() + kHead, body.data(), body.size());
  // The check covers the kind, too: it lies before the body while the hash is made.
  std::array<std::byte, sizeof h.bytes> text{};
  text[0] = std::byte{kind};
  std::memcpy(text.data() + 1, body.data(), body.size());
  uint64_t check = sip_hash(key_, Bytes(text).first(1 + body.size()));
  std::memcpy(h.bytes.data() + 1, &check, sizeof check);
  return h;
}

Result<ExportHandle> Exports::seal(const ExportHandle& inner) const {
  if (inner.size > ExportHandle{}.bytes.size() - kHead) return err(EOVERFLOW);
  return with_check(kLasting, inner.view());
}

ExportHandle Exports::seal(NodeId node) const {
  const uint64_t body[] = {run_, raw(node)};
  return with_check(kOfThisRun, std::as_bytes(std::span(body)));
}

Result<Exports::Opened> Exports::open(const ExportHandle& sealed) const {
  if (sealed.size < kHead || sealed.size > sealed.bytes.size()) return err(ESTALE);
  Bytes body = sealed.view().subspan(kHead);
  auto kind = static_cast<uint8_t>(sealed.bytes[0]);
  ExportHandle right = with_check(kind, body);
  // Without a hint by its duration of how many bytes were right.
  unsigned differ = 0;
  for (size_t i = 0; i < kHead; i++)
    differ |= static_cast<unsigned>(sealed.bytes[i]) ^ static_cast<unsigned>(right.bytes[i]);
  if (differ) return err(ESTALE);
  Opened o;
  if (kind == kLasting) {
    o.inner.size = static_cast<uint8_t>(body.size());
    std::memcpy(o.inner.bytes.data(), body.data(), body.size());
    return o;
  }
  uint64_t of_run[2];
  if (kind != kOfThisRun || body.size() != sizeof of_run) return err(ESTALE);
  std::memcpy(of_run, body.data(), sizeof of_run);
  if (of_run[0] != run_ || of_run[1] == 0) return err(ESTALE);
  o.node = NodeId{of_run[1]};
  return o;
}

NodeId Exports::pin(NodeId node, bool& fresh) {
  std::lock_guard lock(m_);
  auto [it, is_new] = pins_.try_emplace(node);
  fresh = is_new;
  if (!is_new) {
    recent_.splice(recent_.begin(), recent_, it->second);
    return NodeId::none;
  }
  recent_.push_front(node);
  it->second = recent_.begin();
  if (pins_.size() <= kMostPinned) return NodeId::none;
  NodeId oldest = recent_.back();
  recent_.pop_back();
  pins_.erase(oldest);
  return oldest;
}

bool Exports::pinned(NodeId node) {
  std::lock_guard lock(m_);
  auto it = pins_.find(node);
  if (it == pins_.end()) return false;
  recent_.splice(recent_.begin(), recent_, it->second);
  return true;
}

}  // namespace isthmus::volume
