/// What a daemon says.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/log.h"
#include "providers/fuse_host/connection.h"
#include "providers/fuse_host/message.h"
#include "wire/fuse/flags.h"

namespace isthmus::fuse_host {

using namespace wire::fuse;

namespace {

constexpr size_t kMostNews = 10'000;  // that wait: a daemon must not fill our memory
constexpr int kLookMs = 100;
constexpr uint64_t kInterruptBit = 1;
/// Of what is spliced into a socket: the first piece is the header and kWholeData bytes, the others are these.
constexpr size_t kPiece = size_t{64} << 10;

bool known_news(int32_t code) {
  return code >= static_cast<int32_t>(NotifyCode::Poll) && code <= static_cast<int32_t>(NotifyCode::Prune);
}

}  // namespace

Result<Connection::First> Connection::ask_first(Opcode opcode, Bytes body, const std::function<bool()>& stop) {
  // Who answers is whom we serve for: a program that has gone to the background is another process than at first.
  int on = 1;
  setsockopt(socket_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  InHeader h{};
  h.opcode = static_cast<uint32_t>(opcode);
  {
    std::lock_guard sending(send_m_);
    h.unique = next_unique();
    if (Status sent = send(Message(h, std::span(&body, 1))); !sent) return sent.error();
  }
  std::vector<std::byte> room(kMinReadBuffer);
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
    if (n <= 0) return err(ENOTCONN);
    OutHeader out{};
    if (n < static_cast<ssize_t>(sizeof out)) {
      refuse("is shorter than its header");
      continue;
    }
    memcpy(&out, room.data(), sizeof out);
    if (out.unique != h.unique || out.len != n) {
      refuse("comes before INIT is answered");
      continue;
    }
    if (out.error != 0) return out.error > -512 && out.error < 0 ? err(-out.error) : err(EIO);
    First first;
    for (cmsghdr* c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
      if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof(ucred))) {
        ucred who{};
        memcpy(&who, CMSG_DATA(c), sizeof who);
        first.pid = who.pid;
      }
    first.body.assign(room.begin() + sizeof out, room.begin() + n);
    on = 0;  // it costs each message something
    setsockopt(socket_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    return first;
  }
}

void Connection::hear() {
  // 8-byte alignment, as structs are copied from there.
  std::vector<uint64_t> room(kMostMessage / sizeof(uint64_t));
  auto memory = std::as_writable_bytes(std::span(room));
  while (true) {
    const ssize_t n = recv(socket_.get(), memory.data(), memory.size(), MSG_TRUNC);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    if (static_cast<size_t>(n) > memory.size())
      refuse("is longer than anything that was asked for");
    else
      hear_one(memory.first(static_cast<size_t>(n)));
  }
  std::function<void()> ended;
  {
    std::lock_guard lock(m_);
    over_ = true;
    ended.swap(ended_);
    outgoing_waits_ = false;
    wake_sender();
  }
  more_.notify_all();
  fail_all();
  if (ended) ended();
}

void Connection::hear_one(Bytes message) {
  if (pieces_.unique != 0 && add_piece(message)) return;
  OutHeader h{};
  if (message.size() < sizeof h) return refuse("is shorter than its header");
  memcpy(&h, message.data(), sizeof h);
  if (h.len != message.size()) return begin_pieces(h, message);
  const Bytes body = message.subspan(sizeof h);
  if (h.unique == 0) {
    if (!known_news(h.error)) return refuse("is no news that we know");
    {
      std::lock_guard lock(m_);
      if (queue_.size() < kMostNews) queue_.emplace_back(message.begin(), message.end());
    }
    more_.notify_one();
    return;
  }
  h.unique &= ~kUniqueResend;
  if (!(h.unique & kInterruptBit)) return hear_answer(h, body);
  if (!body.empty()) return refuse("answers an interrupt with data");
  if (h.error == -EAGAIN) return want_interrupt(h.unique & ~kInterruptBit, false);  // it has not seen the request yet
  std::lock_guard lock(m_);
  deaf_to_interrupts_ |= h.error == -ENOSYS;
}

void Connection::hear_answer(const OutHeader& h, Bytes body) {
  if (pieces_.unique == h.unique) pieces_ = {};  // it has thought better of it
  Asked asked = take(h.unique);
  if (!asked.waiter) return refuse("answers nothing that was asked");
  Errno e{};
  if (h.error > 0 || h.error <= -512) {
    refuse("has an error number that is none");
    e = err(EIO);
  } else if (h.error != 0 && !body.empty()) {
    refuse("has both an error and data");
    e = err(EIO);
  } else if (h.error != 0) {
    e = err(-h.error);
  } else if (body.size() < asked.least || body.size() > asked.most) {
    refuse("is not as long as such an answer is");
    e = err(EIO);
  }
  answer_heard(std::move(asked), e, body);
}

void Connection::answer_heard(Asked asked, Errno e, Bytes body) {
  if (asked.lends) std::lock_guard sending(send_m_);
  answer(std::move(asked), e, e == Errno{} ? body : Bytes{});
}

// ---- answers in several messages ----

// Whoever splices into a socket sends a long answer in pieces, and the kernel puts no mark on them. They come in order,
// but other threads' messages may stand between them. Nobody can make file data look like those: an answer has a number
// that cannot be guessed, and news is taken for a piece where it has just a piece's length.

void Connection::begin_pieces(const OutHeader& h, Bytes message) {
  const auto most = h.unique == 0 || (h.unique & kInterruptBit) ? std::nullopt : most_of(h.unique & ~kUniqueResend);
  if (h.error != 0 || h.len < message.size() || h.len <= sizeof h + kWholeData || !most || h.len - sizeof h > *most)
    return refuse("is not as long as its header says");
  comes_in_pieces_.store(true, std::memory_order_relaxed);
  if (pieces_.unique != 0) {
    // The pieces of two answers cannot be told apart.
    refuse("is mixed with the pieces of another answer");
    end_pieces(err(EIO));
    return answer_heard(take(h.unique & ~kUniqueResend), err(EIO), {});
  }
  pieces_.unique = h.unique & ~kUniqueResend;
  pieces_.length = h.len - sizeof h;
  pieces_.room.resize((pieces_.length + 7) / 8);
  const Bytes data = message.subspan(sizeof h);
  memcpy(pieces_.room.data(), data.data(), data.size());
  pieces_.have = data.size();
}

// False: it is something else.
bool Connection::add_piece(Bytes message) {
  const size_t missing = pieces_.length - pieces_.have;
  OutHeader h{};
  if (message.size() >= sizeof h) {
    memcpy(&h, message.data(), sizeof h);
    const bool whole = h.len == message.size();
    if (h.unique == 0) {
      if (whole && known_news(h.error) && message.size() != std::min(missing, kPiece)) return false;
    } else if (most_of(h.unique & ~kUniqueResend & ~kInterruptBit)) {
      return false;  // an answer, or the first piece of one
    }
  }
  if (message.size() > missing) {
    refuse("is no piece of the answer that is under way");
    end_pieces(err(EIO));
    return true;
  }
  memcpy(reinterpret_cast<std::byte*>(pieces_.room.data()) + pieces_.have, message.data(), message.size());
  pieces_.have += message.size();
  if (pieces_.have == pieces_.length) end_pieces({});
  return true;
}

void Connection::end_pieces(Errno e) {
  const Pieces all = std::exchange(pieces_, {});
  Asked asked = take(all.unique);
  answer_heard(std::move(asked), e, std::as_bytes(std::span(all.room)).first(all.length));
}

std::optional<size_t> Connection::most_of(uint64_t unique) const {
  std::lock_guard lock(m_);
  auto found = waiting_.find(unique);
  return found == waiting_.end() ? std::nullopt : std::optional(found->second.most);
}

void Connection::refuse(std::string_view why) {
  const uint64_t n = refused_.fetch_add(1, std::memory_order_relaxed) + 1;
  // A daemon must not fill our log either.
  if (std::has_single_bit(n)) log(LogLevel::warning, "a message of the daemon's {}; refused so far: {}", why, n);
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
    if (!news_(h.error, Bytes(message).subspan(sizeof h))) refuse("is news that makes no sense");
    lock.lock();
  }
}

}  // namespace isthmus::fuse_host
