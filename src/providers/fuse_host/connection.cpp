#include "providers/fuse_host/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <system_error>

#include "base/log.h"
#include "run/threads.h"
#include "wire/fuse/flags.h"

namespace isthmus::fuse_host {

using namespace wire::fuse;

namespace {

constexpr size_t kMostMessage = kMostData + 8192;
constexpr size_t kMostParts = 8;
constexpr size_t kMostNews = 10'000;  // that wait: a daemon must not fill our memory
constexpr int kLookMs = 100;
constexpr uint64_t kInterruptBit = 1;     // of the number of an interrupt: that of its request and this
constexpr unsigned kMostInterrupts = 16;  // for one request: a daemon may ask for them again, without end

/// Of an answer: the kernel takes no others.
Errno error_of(const OutHeader& h) { return h.error > -512 && h.error < 0 ? err(-h.error) : err(EIO); }

}  // namespace

Status Connection::send(InHeader& header, std::span<const Bytes> parts) {
  std::array<iovec, kMostParts + 1> iov;
  iov[0] = {&header, sizeof header};
  size_t n = 1, length = sizeof header;
  for (Bytes p : parts) {
    iov[n++] = {const_cast<std::byte*>(p.data()), p.size()};
    length += p.size();
  }
  header.len = static_cast<uint32_t>(length);
  const std::span<const iovec> message(iov.data(), n);
  if (outbox_.empty()) {
    Status sent = send_message(message, MSG_DONTWAIT);
    if (sent || sent.error() != err(EAGAIN)) return sent;
  }
  std::vector<std::byte>& copy = outbox_.emplace_back();
  for (auto& part : message) {
    auto* from = static_cast<const std::byte*>(part.iov_base);
    copy.insert(copy.end(), from, from + part.iov_len);
  }
  {
    std::lock_guard lock(m_);
    outgoing_waits_ = true;
  }
  outgoing_.notify_one();
  return Unit{};
}

Status Connection::send_message(std::span<const iovec> message, int flags) {
  msghdr m{};
  m.msg_iov = const_cast<iovec*>(message.data());
  m.msg_iovlen = message.size();
  ssize_t sent;
  do sent = sendmsg(socket_.get(), &m, MSG_NOSIGNAL | flags);
  while (sent < 0 && errno == EINTR);
  if (sent >= 0) return Unit{};
  return errno == EPIPE || errno == ECONNRESET ? err(ENOTCONN) : last_errno();
}

void Connection::send_what_waits() {
  while (true) {
    std::vector<uint64_t> interrupts;
    {
      std::unique_lock lock(m_);
      outgoing_.wait(lock, [this] { return over_ || outgoing_waits_; });
      if (over_) return;
      outgoing_waits_ = false;
      interrupts.swap(interrupts_);
    }
    for (uint64_t unique : interrupts) send_interrupt(unique);
    std::unique_lock sending(send_m_);
    while (!outbox_.empty()) {
      const iovec whole{outbox_.front().data(), outbox_.front().size()};
      sending.unlock();
      // An error is the end of the connection, which hear() sees.
      static_cast<void>(send_message(std::span(&whole, 1), 0));
      sending.lock();
      outbox_.pop_front();
    }
  }
}

void Connection::want_interrupt(uint64_t unique) {
  {
    std::lock_guard lock(m_);
    auto found = waiting_.find(unique);
    if (deaf_to_interrupts_ || found == waiting_.end() || found->second.interrupts++ >= kMostInterrupts) return;
    interrupts_.push_back(unique);
    outgoing_waits_ = true;
  }
  outgoing_.notify_one();
}

void Connection::send_interrupt(uint64_t unique) {
  std::lock_guard sending(send_m_);
  {
    std::lock_guard lock(m_);
    if (!waiting_.contains(unique)) return;
  }
  const InterruptIn in{unique};
  InHeader h{};
  h.opcode = static_cast<uint32_t>(Opcode::Interrupt);
  h.unique = unique | kInterruptBit;
  const Bytes body = std::as_bytes(std::span(&in, 1));
  static_cast<void>(send(h, std::span(&body, 1)));
}

Result<Connection::First> Connection::ask_first(Opcode opcode, Bytes body, const std::function<bool()>& stop) {
  // Who answers is whom we serve for: a program that has gone to the background is another process than at first.
  int on = 1;
  setsockopt(socket_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  InHeader h{};
  h.opcode = static_cast<uint32_t>(opcode);
  h.unique = last_unique_ += 2;
  {
    std::lock_guard sending(send_m_);
    if (Status sent = send(h, std::span(&body, 1)); !sent) return sent.error();
  }
  std::vector<std::byte> room(kMostMessage);
  while (true) {
    pollfd p{socket_.get(), POLLIN, 0};
    if (poll(&p, 1, kLookMs) <= 0) {
      if (stop()) return err(EINTR);
      continue;
    }
    iovec data{room.data(), room.size()};
    alignas(cmsghdr) char space[CMSG_SPACE(sizeof(ucred))];
    msghdr m{};
    m.msg_iov = &data;
    m.msg_iovlen = 1;
    m.msg_control = space;
    m.msg_controllen = sizeof space;
    const ssize_t n = recvmsg(socket_.get(), &m, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR) continue;
    OutHeader out{};
    if (n < static_cast<ssize_t>(sizeof out)) return err(ENOTCONN);
    memcpy(&out, room.data(), sizeof out);
    if (out.unique != h.unique) continue;
    if (out.error != 0) return error_of(out);
    First first;
    for (cmsghdr* c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
      if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof(ucred))) {
        ucred who{};
        memcpy(&who, CMSG_DATA(c), sizeof who);
        first.pid = who.pid;
      }
    first.body.assign(room.begin() + sizeof out, room.begin() + n);
    return first;
  }
}

Status Connection::start(News news, std::function<void()> ended) {
  news_ = std::move(news);
  ended_ = std::move(ended);
  try {
    SignalsBlocked blocked;
    hearing_ = std::thread([this] { hear(); });
    passing_ = std::thread([this] { pass_news_on(); });
    sending_ = std::thread([this] { send_what_waits(); });
  } catch (const std::system_error& e) {
    close();
    return err(e.code().value());
  }
  name_thread(hearing_, "fuse host");
  name_thread(passing_, "fuse news");
  name_thread(sending_, "fuse send");
  return Unit{};
}

void Connection::close() {
  {
    std::lock_guard lock(line_->m);
    line_->to = nullptr;
  }
  {
    std::lock_guard lock(m_);
    ended_ = nullptr;
    over_ = true;
  }
  more_.notify_all();
  outgoing_.notify_all();
  shutdown(socket_.get(), SHUT_RDWR);
  if (hearing_.joinable()) hearing_.join();
  if (passing_.joinable()) passing_.join();
  if (sending_.joinable()) sending_.join();
  fail_all();
}

void Connection::ask(Opcode opcode, uint64_t node, const Context& ctx, std::span<const Bytes> parts,
                     std::unique_ptr<Waiter> waiter) {
  InHeader h{};
  h.opcode = static_cast<uint32_t>(opcode);
  h.nodeid = node;
  if (ctx.cred.known) {
    h.uid = ctx.cred.uid;
    h.gid = ctx.cred.gid;
    h.pid = ctx.cred.pid;
  }
  Status sent = Unit{};
  bool over = false;
  {
    std::lock_guard sending(send_m_);
    {
      std::lock_guard lock(m_);
      over = over_;
      if (!over) {
        h.unique = last_unique_ += 2;  // odd ones are interrupts
        waiting_.emplace(h.unique, Asked{std::move(waiter), ctx.cancel});
      }
    }
    if (!over) {
      sent = send(h, parts);
      // Nobody has answered yet: `ctx` lives.
      if (ctx.cancel)
        ctx.cancel->on_request([line = line_, unique = h.unique] {
          std::lock_guard lock(line->m);
          if (line->to) line->to->want_interrupt(unique);
        });
    }
  }
  if (over) return waiter->answered(err(ENOTCONN), {});  // NOLINT(bugprone-use-after-move): moved if not over
  if (!sent) answer(take(h.unique), sent.error(), {});
}

void Connection::tell(Opcode opcode, uint64_t node, Bytes body) {
  InHeader h{};
  h.opcode = static_cast<uint32_t>(opcode);
  h.nodeid = node;
  std::lock_guard sending(send_m_);
  {
    std::lock_guard lock(m_);
    if (over_) return;
    h.unique = last_unique_ += 2;
  }
  static_cast<void>(send(h, std::span(&body, 1)));
}

Connection::Asked Connection::take(uint64_t unique) {
  std::lock_guard lock(m_);
  auto found = waiting_.find(unique);
  if (found == waiting_.end()) return {};
  Asked asked = std::move(found->second);
  waiting_.erase(found);
  return asked;
}

void Connection::answer(Asked asked, Errno e, Bytes body) {
  if (!asked.waiter) return;  // nobody asked, or it was answered before
  if (asked.cancel) asked.cancel->clear();
  asked.waiter->answered(e, body);
}

void Connection::fail_all() {
  std::unordered_map<uint64_t, Asked> left;
  {
    std::scoped_lock lock(send_m_, m_);
    left.swap(waiting_);
  }
  for (auto& [unique, asked] : left) answer(std::move(asked), err(ENOTCONN), {});
}

void Connection::hear() {
  // 8-byte alignment, as structs are copied from there.
  std::vector<uint64_t> room(kMostMessage / sizeof(uint64_t));
  auto memory = std::as_writable_bytes(std::span(room));
  while (true) {
    const ssize_t n = recv(socket_.get(), memory.data(), memory.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    hear_one(memory.first(static_cast<size_t>(n)));
  }
  std::function<void()> ended;
  {
    std::lock_guard lock(m_);
    over_ = true;
    ended.swap(ended_);
  }
  more_.notify_all();
  outgoing_.notify_all();
  fail_all();
  if (ended) ended();
}

void Connection::hear_one(Bytes message) {
  OutHeader h{};
  if (message.size() < sizeof h) return;
  memcpy(&h, message.data(), sizeof h);
  if (h.len != message.size()) return;
  if (h.unique == 0) {
    std::lock_guard lock(m_);
    if (queue_.size() < kMostNews) queue_.emplace_back(message.begin(), message.end());
    more_.notify_one();
    return;
  }
  if (h.unique & kInterruptBit) {
    if (h.error == -EAGAIN) return want_interrupt(h.unique & ~kInterruptBit);  // it has not seen the request yet
    std::lock_guard lock(m_);
    deaf_to_interrupts_ |= h.error == -ENOSYS;
    return;
  }
  Asked asked = take(h.unique);
  { std::lock_guard sending(send_m_); }
  answer(std::move(asked), h.error == 0 ? Errno{} : error_of(h), message.subspan(sizeof h));
}

void Connection::pass_news_on() {
  std::unique_lock lock(m_);
  while (true) {
    more_.wait(lock, [this] { return over_ || !queue_.empty(); });
    if (over_) return;
    const std::vector<std::byte> message = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    OutHeader h{};
    memcpy(&h, message.data(), sizeof h);
    news_(h.error, Bytes(message).subspan(sizeof h));
    lock.lock();
  }
}

}  // namespace isthmus::fuse_host
