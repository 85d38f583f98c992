#include "doors/smb/link.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>

#include "wire/smb2/compound.h"

namespace isthmus::smb {
namespace {

constexpr int kSendTime = 60'000;  // ms that a peer may leave our answers lie
constexpr size_t kMostParts = 64;  // of one call

MutableBytes mutable_bytes(std::string& s) { return std::as_writable_bytes(std::span(s.data(), s.size())); }

}  // namespace

void Link::send(std::vector<Outgoing>& messages, Session* seal_by) {
  // The padding belongs to the message before it, also for its signature.
  for (size_t i = 0; i + 1 < messages.size(); i++) {
    Outgoing& m = messages[i];
    const size_t padded = round_up(m.size(), 8);
    if (m.data_size) {  // rare: data in the middle of a compound goes with the body
      m.body.append(reinterpret_cast<const char*>(m.data.get()), std::exchange(m.data_size, 0));
      m.data.reset();
    }
    m.body.append(padded - m.size(), '\0');
    const auto next = static_cast<uint32_t>(padded);
    for (size_t b = 0; b < 4; b++) m.head[smb2::kNextCommandAt + b] = static_cast<char>(next >> 8 * b & 0xff);
  }
  std::vector<Bytes> parts(1);  // the frame's head comes last
  size_t size = 0;
  std::lock_guard lock(send_m_);
  if (socket_ < 0 || ended()) return;
  for (Outgoing& m : messages) {
    const Bytes rest[] = {as_bytes(m.body), Bytes(m.data.get(), m.data_size)};
    if (m.sign_by && !seal_by && m.sign_by->signer && !m.sign_by->signer->sign(mutable_bytes(m.head), rest))
      return end();
    parts.push_back(as_bytes(m.head));
    for (Bytes b : rest)
      if (!b.empty()) parts.push_back(b);
    size += m.size();
  }
  std::string sealed;
  if (seal_by) {
    if (!seal_by->sealer || size + smb2::kTransformHeader > smb2::kMaxFrame) return end();
    sealed.resize(size + smb2::kTransformHeader);
    if (!seal_by->sealer->seal(seal_by->id, std::span(parts).subspan(1), mutable_bytes(sealed))) return end();
    parts.resize(1);
    parts.push_back(as_bytes(sealed));
    size = sealed.size();
  }
  if (size > smb2::kMaxFrame) return end();
  const auto head = smb2::frame_head(static_cast<uint32_t>(size));
  parts[0] = head;
  if (!write(parts) || ending_.load(std::memory_order_relaxed)) end();
}

bool Link::write(std::vector<Bytes>& parts) {
  size_t first = 0;
  while (first < parts.size()) {
    iovec v[kMostParts];
    const size_t n = std::min(parts.size() - first, kMostParts);
    for (size_t i = 0; i < n; i++) v[i] = {const_cast<std::byte*>(parts[first + i].data()), parts[first + i].size()};
    msghdr m{};
    m.msg_iov = v;
    m.msg_iovlen = n;
    ssize_t sent = sendmsg(socket_, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return false;
      pollfd p{socket_, POLLOUT, 0};
      if (poll(&p, 1, kSendTime) == 0 || (p.revents & (POLLERR | POLLHUP)) || ended()) return false;
      continue;
    }
    for (auto left = static_cast<size_t>(sent); left > 0 || (first < parts.size() && parts[first].empty());) {
      const size_t taken = std::min(left, parts[first].size());
      parts[first] = parts[first].subspan(taken);
      left -= taken;
      if (parts[first].empty()) first++;
    }
  }
  return true;
}

void Link::end() {
  // Also wakes whoever waits for room with the send mutex.
  std::lock_guard lock(socket_m_);
  if (!ended_.exchange(true) && socket_ >= 0) ::shutdown(socket_, SHUT_RDWR);
}

void Link::detach() {
  end();
  {
    std::scoped_lock lock(send_m_, socket_m_);
    socket_ = -1;
  }
  cancel_all();
}

void Link::add_pending(uint64_t message_id, std::shared_ptr<Cancel> cancel) {
  std::lock_guard lock(pending_m_);
  pending_[message_id] = {std::move(cancel), 0};
}

uint64_t Link::make_async(uint64_t message_id) {
  std::lock_guard lock(pending_m_);
  return pending_[message_id].async_id = next_async_++;
}

void Link::remove_pending(uint64_t message_id) {
  std::lock_guard lock(pending_m_);
  pending_.erase(message_id);
}

void Link::cancel(bool by_async_id, uint64_t id) {
  std::shared_ptr<Cancel> found;
  {
    std::lock_guard lock(pending_m_);
    for (const auto& [message_id, w] : pending_)
      if (by_async_id ? w.async_id == id : message_id == id) found = w.cancel;
  }
  if (found) found->request();
}

void Link::cancel_all() {
  std::vector<std::shared_ptr<Cancel>> all;
  {
    std::lock_guard lock(pending_m_);
    for (const auto& [message_id, w] : pending_) all.push_back(w.cancel);
  }
  for (const auto& c : all) c->request();
}

}  // namespace isthmus::smb
