#include "doors/smb/link.h"

#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "wire/smb2/compound.h"

namespace isthmus::smb {
namespace {

constexpr std::chrono::milliseconds kSendTime{60'000};  // that a client may leave an answer lie
constexpr size_t kMostParts = 64;                       // of one call
constexpr size_t kMostNews = 4096;                      // that a client has not taken

MutableBytes mutable_bytes(std::string& s) { return std::as_writable_bytes(std::span(s.data(), s.size())); }

}  // namespace

/// A frame on its way to the socket.
struct Link::Frame {
  std::array<std::byte, smb2::kFrameHead> head{};
  std::array<std::byte, smb2::kTransformHeader> seal{};
  std::vector<Bytes> parts;  // of these, and of the messages
  struct File {
    size_t before;  // parts that go before it
    const Buffer::FileRange* range;
  };
  std::vector<File> files;
};

/// With send_m_ held. The messages are sealed where they are. False: it cannot be sent.
bool Link::assemble(std::vector<Outgoing>& messages, Channel* seal_by, Frame& frame) {
  // The padding belongs to the message before it, also for its signature. Windows pads the last of a compound, too.
  for (size_t i = 0; messages.size() > 1 && i < messages.size(); i++) {
    Outgoing& m = messages[i];
    m.padding.assign(round_up(m.size(), 8) - m.size(), '\0');
    const auto next = static_cast<uint32_t>(i + 1 < messages.size() ? m.size() : 0);
    for (size_t b = 0; b < 4; b++) m.head[smb2::kNextCommandAt + b] = static_cast<char>(next >> 8 * b & 0xff);
  }
  frame.parts = {frame.head};
  if (seal_by) frame.parts.push_back(frame.seal);
  std::vector<MutableBytes> sealed;
  size_t size = 0;
  for (Outgoing& m : messages) {
    const MutableBytes head = mutable_bytes(m.head), body = mutable_bytes(m.body), padding = mutable_bytes(m.padding),
                       data = m.data.bytes().first(m.data_size);
    if (m.file.length > 0 && (seal_by || m.sign_by)) return false;
    if (m.sign_by && !seal_by && !m.sign_by->sign(head, std::array<Bytes, 3>{body, data, padding})) return false;
    for (MutableBytes part : {head, body, data, padding}) {
      if (part.data() == padding.data() && m.file.length > 0) frame.files.push_back({frame.parts.size(), &m.file});
      if (part.empty()) continue;
      frame.parts.push_back(part);
      sealed.push_back(part);
    }
    size += m.size();
  }
  if (seal_by) {
    if (!seal_by->seal(sealed, frame.seal)) return false;
    size += frame.seal.size();
  }
  if (size > smb2::kMaxFrame) return false;
  frame.head = smb2::frame_head(static_cast<uint32_t>(size));
  return true;
}

void Link::send(std::vector<Outgoing>& messages, Channel* seal_by) {
  {
    std::lock_guard lock(send_m_);
    if (socket_ < 0 || ended()) return;
    Frame frame;
    std::vector<Bytes> before{as_bytes(backlog_)};
    if (!assemble(messages, seal_by, frame) || !write(before, true) || !write(frame)) return end();
    backlog_.clear();
  }
  flush_news();
}

void Link::send_news(Outgoing message, std::shared_ptr<Channel> seal_by) {
  {
    std::lock_guard lock(news_m_);
    if (news_.size() >= kMostNews) return end();
    news_.push_back({std::move(message), std::move(seal_by)});
  }
  flush_news();
}

/// Whoever has send_m_ sends the news of those who have not, when he lets it go.
void Link::flush_news() {
  while (true) {
    {
      std::lock_guard lock(news_m_);
      if (news_.empty()) return;
    }
    std::unique_lock lock(send_m_, std::try_to_lock);
    if (!lock || socket_ < 0 || ended()) return;
    std::vector<Bytes> before{as_bytes(backlog_)};
    if (!write(before, false)) return end();
    backlog_.erase(0, backlog_.size() - (before.empty() ? 0 : before.front().size()));
    if (!backlog_.empty()) return try_later();  // the client reads nothing now
    News one;
    {
      std::lock_guard news(news_m_);
      if (news_.empty()) continue;  // and look again, without the lock
      one = std::move(news_.front());
      news_.pop_front();
    }
    std::vector<Outgoing> messages;
    messages.push_back(std::move(one.message));
    Frame frame;
    if (!assemble(messages, one.seal_by.get(), frame) || !write(frame.parts, false)) return end();
    for (Bytes b : frame.parts) backlog_ += as_text(b);
    if (!backlog_.empty()) return try_later();
  }
}

void Link::try_later() {
  if (backlogs) backlogs->add(weak_from_this());
}

bool Link::has_backlog() {
  std::lock_guard lock(send_m_);
  return !backlog_.empty() && !ended();
}

/// What has been written leaves `parts`; with `wait` that is all, or the client has taken too long. False: the
/// connection is at its end.
bool Link::write(std::vector<Bytes>& parts, bool wait, bool more) {
  const auto deadline = std::chrono::steady_clock::now() + kSendTime;
  size_t first = 0;
  const auto drop = [&](size_t gone) {
    while (first < parts.size() && (gone > 0 || parts[first].empty())) {
      const size_t taken = std::min(gone, parts[first].size());
      parts[first] = parts[first].subspan(taken);
      gone -= taken;
      if (parts[first].empty()) first++;
    }
  };
  drop(0);
  while (first < parts.size()) {
    iovec v[kMostParts];
    const size_t n = std::min(parts.size() - first, kMostParts);
    for (size_t i = 0; i < n; i++) v[i] = {const_cast<std::byte*>(parts[first + i].data()), parts[first + i].size()};
    msghdr m{};
    m.msg_iov = v;
    m.msg_iovlen = n;
    const ssize_t sent = sendmsg(socket_, &m, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
    if (sent >= 0) {
      drop(static_cast<size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return false;
    if (!wait) break;
    if (!wait_for_room(deadline)) return false;
  }
  parts.erase(parts.begin(), parts.begin() + static_cast<ptrdiff_t>(first));
  return true;
}

bool Link::wait_for_room(std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  pollfd p{socket_, POLLOUT, 0};
  return left.count() > 0 && poll(&p, 1, static_cast<int>(left.count())) != 0 && !(p.revents & (POLLERR | POLLHUP)) &&
         !ended();
}

/// All of it.
bool Link::write(Frame& frame) {
  size_t written = 0;
  for (const Frame::File& file : frame.files) {
    const auto first = frame.parts.begin() + static_cast<ptrdiff_t>(written);
    std::vector<Bytes> before(first, frame.parts.begin() + static_cast<ptrdiff_t>(file.before));
    if (!write(before, true, true) || !send_file(*file.range)) return false;
    written = file.before;
  }
  frame.parts.erase(frame.parts.begin(), frame.parts.begin() + static_cast<ptrdiff_t>(written));
  return write(frame.parts, true);
}

bool Link::send_file(const Buffer::FileRange& range) {
  const auto deadline = std::chrono::steady_clock::now() + kSendTime;
  auto at = static_cast<off_t>(range.offset);
  size_t left = range.length;
  while (left > 0) {
    const ssize_t sent = sendfile(socket_, range.fd, &at, left);
    if (sent > 0) {
      left -= static_cast<size_t>(sent);
      continue;
    }
    if (sent == 0) break;
    if (errno == EINTR) continue;
    if (errno != EAGAIN || !wait_for_room(deadline)) return false;
  }
  // The client has been told how much comes: of a file that was cut since, zeros.
  static constexpr std::array<std::byte, 4096> kZeros{};
  while (left > 0) {
    std::vector<Bytes> zeros{Bytes(kZeros).first(std::min(left, kZeros.size()))};
    left -= zeros.front().size();
    if (!write(zeros, true)) return false;
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
  frames.drop();
  order.drop();
  cancel_all(false);
}

void Link::add_pending(uint64_t message_id, std::shared_ptr<Cancel> cancel) {
  std::lock_guard lock(pending_m_);
  pending_[message_id] = {.cancel = std::move(cancel)};
}

uint64_t Link::make_async(uint64_t message_id, const std::shared_ptr<Cancel>& cancel) {
  std::lock_guard lock(pending_m_);
  Waiting& w = pending_[message_id];
  w.cancel = cancel;
  return w.async_id = next_async_++;
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

void Link::outlive(uint64_t message_id) {
  std::lock_guard lock(pending_m_);
  const auto it = pending_.find(message_id);
  if (it != pending_.end()) it->second.outlives = true;
}

void Link::cancel_all(bool those_that_outlive) {
  std::vector<std::shared_ptr<Cancel>> all;
  {
    std::lock_guard lock(pending_m_);
    for (const auto& [message_id, w] : pending_)
      if (those_that_outlive || !w.outlives) all.push_back(w.cancel);
  }
  for (const auto& c : all) c->request();
}

}  // namespace isthmus::smb
