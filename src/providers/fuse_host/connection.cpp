#include "providers/fuse_host/connection.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <system_error>

#include "base/log.h"
#include "providers/fuse_host/device.h"
#include "providers/fuse_host/message.h"
#include "run/threads.h"
#include "wire/fuse/flags.h"

namespace isthmus::fuse_host {

using namespace wire::fuse;

namespace {

constexpr std::chrono::milliseconds kLook{10};  // for late answers, at most so often
constexpr uint64_t kInterruptBit = 1;           // of the number of an interrupt: that of its request and this
constexpr unsigned kMostInterrupts = 16;        // for one request: a daemon may ask for them again, without end
/// Every daemon reads at least 8 KiB at once (FUSE_MIN_READ_BUFFER).
constexpr size_t kMostForgets = (kMinReadBuffer - sizeof(InHeader) - sizeof(BatchForgetIn)) / sizeof(ForgetOne);
constexpr uint32_t kBatchForgetMinor = 16;

/// Where requests' numbers begin: file data cannot be made to look like an answer, as nobody knows a number before.
uint64_t random_unique() {
  uint64_t n = 0;
  if (getrandom(&n, sizeof n, 0) != sizeof n) n = 0;
  return n >> 2 & ~uint64_t{kInterruptBit};
}

uint64_t unique_of(const std::vector<std::byte>& message) {
  InHeader h;
  memcpy(&h, message.data(), sizeof h);
  return h.unique & ~kUniqueResend;
}

}  // namespace

Connection::Connection(Fd socket)
    : socket_(std::move(socket)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      most_message_(std::min(raise_message_size(socket_.get()), kMostMessage)),
      last_unique_(random_unique()) {}

uint64_t Connection::next_unique() {
  return (last_unique_.fetch_add(2, std::memory_order_relaxed) + 2) & ~kUniqueResend;
}

Status Connection::send(const Message& message) {
  if (message.length() > most_message_) return err(E2BIG);
  const uint32_t opcode = message.header().opcode;
  if (opcode < requests_.size()) requests_[opcode].fetch_add(1, std::memory_order_relaxed);
  if (outbox_.empty()) {
    Status sent = send_message(message.parts());
    if (sent || sent.error() != err(EAGAIN)) return sent;
  }
  outbox_.push_back(message.whole());
  std::lock_guard lock(m_);
  wake_sender();
  return Unit{};
}

Status Connection::send_message(std::span<const iovec> message) {
  constexpr int kHow = MSG_NOSIGNAL | MSG_DONTWAIT;
  msghdr m{};
  m.msg_iov = const_cast<iovec*>(message.data());
  m.msg_iovlen = message.size();
  ssize_t sent;
  do
    sent = message.size() == 1 ? ::send(socket_.get(), message[0].iov_base, message[0].iov_len, kHow)
                               : sendmsg(socket_.get(), &m, kHow);
  while (sent < 0 && errno == EINTR);
  if (sent >= 0) return Unit{};
  return errno == EPIPE || errno == ECONNRESET ? err(ENOTCONN) : last_errno();
}

/// With m_ held.
void Connection::wake_sender() {
  if (std::exchange(outgoing_waits_, true)) return;
  const uint64_t one = 1;
  static_cast<void>(!write(wake_.get(), &one, sizeof one));  // the thread looks at it, or is not there
}

// With m_ held.
bool Connection::too_late() const {
  const auto now = Clock::now();
  return std::any_of(waiting_.begin(), waiting_.end(), [&](auto& w) { return w.second.until < now; });
}

void Connection::send_what_waits() {
  const auto timeout = agreed_.request_timeout;
  const auto look = std::clamp<std::chrono::milliseconds>(timeout / 8, kLook, std::chrono::seconds(1));
  while (true) {
    std::vector<uint64_t> interrupts;
    {
      std::lock_guard lock(m_);
      if (over_) return;
      if (timeout.count() > 0 && too_late()) break;
      outgoing_waits_ = false;
      interrupts.swap(interrupts_);
    }
    for (uint64_t unique : interrupts) send_interrupt(unique);
    flush_forgets();
    pollfd p[] = {{wake_.get(), POLLIN, 0}, {send_outbox() ? -1 : socket_.get(), POLLOUT, 0}};
    ::poll(p, std::size(p), timeout.count() == 0 ? -1 : static_cast<int>(look.count()));
    uint64_t times;
    static_cast<void>(!::read(wake_.get(), &times, sizeof times));
  }
  log(LogLevel::error, "the daemon has not answered a request for {} ms: it is taken for dead", timeout.count());
  abort();
}

/// False: the daemon has to read first.
bool Connection::send_outbox() {
  std::lock_guard sending(send_m_);
  for (; !outbox_.empty(); outbox_.pop_front()) {
    const iovec whole{outbox_.front().data(), outbox_.front().size()};
    // Another error is the end of the connection, which hear() sees.
    if (Status sent = send_message(std::span(&whole, 1)); !sent && sent.error() == err(EAGAIN)) return false;
  }
  return true;
}

void Connection::want_interrupt(uint64_t unique, bool first) {
  std::lock_guard lock(m_);
  auto found = waiting_.find(unique);
  if (found == waiting_.end() || found->second.interrupts >= (first ? 1 : kMostInterrupts)) return;
  found->second.interrupts++;
  interrupts_.push_back(unique);
  wake_sender();
}

void Connection::send_interrupt(uint64_t unique) {
  std::unique_lock sending(send_m_);
  // The daemon need not hear of what it has not got yet.
  auto unsent =
      std::find_if(outbox_.begin(), outbox_.end(), [&](auto& message) { return unique_of(message) == unique; });
  if (unsent != outbox_.end()) {
    outbox_.erase(unsent);
    sending.unlock();
    return answer(take(unique), err(EINTR), {});
  }
  {
    std::lock_guard lock(m_);
    if (deaf_to_interrupts_ || !waiting_.contains(unique)) return;
  }
  const InterruptIn in{unique};
  InHeader h{};
  h.opcode = static_cast<uint32_t>(Opcode::Interrupt);
  h.unique = unique | kInterruptBit;
  const Bytes body = std::as_bytes(std::span(&in, 1));
  static_cast<void>(send(Message(h, std::span(&body, 1))));
}

void Connection::forget(uint64_t node, uint64_t count) {
  std::lock_guard lock(m_);
  if (over_) return;
  forgets_.push_back({node, count});
  wake_sender();
}

void Connection::flush_forgets() {
  std::lock_guard sending(send_m_);
  std::vector<ForgetOne> all;
  {
    std::lock_guard lock(m_);
    all.swap(forgets_);
  }
  const size_t at_once = agreed_.minor < kBatchForgetMinor ? 1 : kMostForgets;
  for (std::span<const ForgetOne> left(all); !left.empty();) {
    const auto some = left.first(std::min(left.size(), at_once));
    left = left.subspan(some.size());
    InHeader h{};
    h.unique = next_unique();
    if (some.size() == 1) {
      const ForgetIn in{some[0].nlookup};
      h.opcode = static_cast<uint32_t>(Opcode::Forget);
      h.nodeid = some[0].nodeid;
      const Bytes body = std::as_bytes(std::span(&in, 1));
      static_cast<void>(send(Message(h, std::span(&body, 1))));
      continue;
    }
    const BatchForgetIn in{static_cast<uint32_t>(some.size()), 0};
    h.opcode = static_cast<uint32_t>(Opcode::BatchForget);
    const Bytes parts[] = {std::as_bytes(std::span(&in, 1)), std::as_bytes(some)};
    static_cast<void>(send(Message(h, parts)));
  }
}

void Connection::reply_to_news(uint64_t unique, uint64_t node, std::span<const Bytes> parts) {
  InHeader h{};
  h.opcode = static_cast<uint32_t>(Opcode::NotifyReply);
  h.unique = unique;
  h.nodeid = node;
  std::lock_guard sending(send_m_);
  static_cast<void>(send(Message(h, parts)));
}

void Connection::resend() {
  if (!agreed_.resends) return;
  std::lock_guard sending(send_m_);
  std::set<uint64_t> unsent;
  for (auto& message : outbox_) unsent.insert(unique_of(message));
  std::lock_guard lock(m_);
  std::vector<uint64_t> order;
  for (auto& [unique, asked] : waiting_)
    if (!asked.message.empty() && !unsent.contains(unique)) order.push_back(unique);
  std::sort(order.begin(), order.end());
  for (uint64_t unique : order) {
    std::vector<std::byte>& again = outbox_.emplace_back(waiting_.at(unique).message);
    InHeader h;
    memcpy(&h, again.data(), sizeof h);
    h.unique |= kUniqueResend;
    memcpy(again.data(), &h, sizeof h);
  }
  wake_sender();
}

Status Connection::start(const Agreed& agreed, News news, std::function<void()> ended) {
  agreed_ = agreed;
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

void Connection::abort() { shutdown(socket_.get(), SHUT_RDWR); }

void Connection::close() {
  {
    std::lock_guard lock(line_->m);
    line_->to = nullptr;
  }
  {
    std::lock_guard lock(m_);
    ended_ = nullptr;
    over_ = true;
    outgoing_waits_ = false;
    wake_sender();
  }
  more_.notify_all();
  abort();
  if (hearing_.joinable()) hearing_.join();
  if (passing_.joinable()) passing_.join();
  if (sending_.joinable()) sending_.join();
  fail_all();
}

void Connection::ask(const Request& request, const Context& ctx, std::span<const Bytes> parts,
                     std::unique_ptr<Waiter> waiter) {
  InHeader h{};
  h.opcode = static_cast<uint32_t>(request.opcode);
  h.nodeid = request.node;
  h.uid = ctx.cred.known ? ctx.cred.uid : user_;
  h.gid = ctx.cred.known ? ctx.cred.gid : group_;
  h.pid = ctx.cred.known ? ctx.cred.pid : 0;
  h.total_extlen = request.extension;
  h.unique = next_unique();  // odd ones are interrupts
  // What comes of it before it is among those that wait is looked for then.
  if (ctx.cancel)
    ctx.cancel->on_request([line = line_, unique = h.unique] {
      std::lock_guard lock(line->m);
      if (line->to) line->to->want_interrupt(unique, true);
    });
  const Message message(h, parts);
  Asked asked{.waiter = std::move(waiter), .cancel = ctx.cancel, .least = request.least, .most = request.most};
  asked.lends = message.lends();
  if (agreed_.resends) asked.message = message.whole();
  // One who waits for a lock may wait as long as it is held.
  if (agreed_.request_timeout.count() > 0 && request.opcode != Opcode::Setlkw)
    asked.until = Clock::now() + agreed_.request_timeout;
  Status sent = Unit{};
  bool over = false;
  {
    std::lock_guard sending(send_m_);
    {
      std::lock_guard lock(m_);
      over = over_;
      if (!over) {
        Asked& at = waiting_.emplace(h.unique, std::move(asked)).first->second;
        if (at.cancel && at.cancel->requested() && at.interrupts++ == 0) {
          interrupts_.push_back(h.unique);
          wake_sender();
        }
      }
    }
    // From here on it may be answered: `ctx` may be gone, and `parts` with it unless it lends them.
    if (!over) sent = send(message);
  }
  if (over) return answer(std::move(asked), err(ENOTCONN), {});  // NOLINT(bugprone-use-after-move): moved if not over
  if (!sent) answer(take(h.unique), sent.error(), {});
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

}  // namespace isthmus::fuse_host
