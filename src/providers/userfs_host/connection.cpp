#include "providers/userfs_host/connection.h"

#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "base/clock.h"
#include "base/log.h"
#include "run/threads.h"
#include "wire/userfs/print.h"

namespace isthmus::userfs_host {

using namespace wire::userfs;

namespace {

constexpr int64_t kLookNs = 100'000'000;
constexpr size_t kMostGivenUp = 10'000;  // unanswered requests that nobody waits for: the process is as good as dead

Result<size_t> length_of(Bytes have) {
  if (have.size() < kHeader) return size_t{0};
  const auto type = load_be<uint32_t>(have, 8);
  if (type == static_cast<uint32_t>(PacketType::reply) && have.size() < kReplyHeader) return size_t{0};
  const auto h = read_header(have);
  if (!h || h->type != PacketType::reply) return err(EPROTO);
  return h->length() + h->size;
}

Errno error_of(const Header& h) { return err(static_cast<int>(h.error)); }

/// The header, over the room that the packet has for it.
void put_header(std::string& packet, const Header& h) {
  std::string head;
  append_header(head, h);
  std::copy(head.begin(), head.end(), packet.begin());
}

}  // namespace

Cred cred_of(const Context& ctx) {
  Cred c;
  const auto& from = ctx.cred;
  const std::pair<bool, uint32_t> flags[] = {{from.known, kCredKnown},
                                             {ctx.access_checked, kCredAccessChecked},
                                             {ctx.umask_pending, kCredUmaskPending},
                                             {ctx.client_times, kCredClientTimes},
                                             {from.groups_known, kCredGroupsKnown}};
  for (auto [is, flag] : flags)
    if (is) c.flags |= flag;
  c.uid = from.uid;
  c.gid = from.gid;
  c.pid = from.pid;
  c.umask = from.umask;
  c.groups.assign(from.groups.begin(), from.groups.end());
  return c;
}

Connection::Connection(Fd in, Fd out, Limits limits)
    : in_(std::move(in)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      out_(std::move(out)),
      limits_(limits),
      reader_(in_.get(), timer_.get(), length_of) {}

/// From then on who hears is woken; 0: not at all.
void Connection::wake_at(int64_t ns) const {
  itimerspec at{};
  at.it_value.tv_sec = ns / kNsPerSec;
  at.it_value.tv_nsec = ns % kNsPerSec;
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &at, nullptr);
}

uint32_t Connection::next_sequence_locked() {
  do last_sequence_++;
  while (last_sequence_ == 0 || waiting_.contains(last_sequence_));
  return last_sequence_;
}

Result<std::vector<Connection::Answer>> Connection::ask_first(const std::vector<Question>& questions, int64_t limit_ns,
                                                              const std::function<bool()>& stop) {
  const int64_t until = monotonic_ns() + limit_ns;
  const uint32_t first = last_sequence_ + 1;
  {
    std::lock_guard sending(send_m_);
    for (const auto& q : questions) {
      Packet packet;
      packet.bytes.assign(kHeader, '\0');
      packet.bytes += q.body;
      put_header(
          packet.bytes,
          {.sequence = ++last_sequence_, .op = q.op, .type = q.type, .size = static_cast<uint32_t>(q.body.size())});
      if (Status s = send_locked(packet); !s) return s.error();
    }
    send_what_waits();
    if (!outbox_.empty()) return err(EPROTO);  // it reads nothing at all
  }
  std::vector<Answer> answers(questions.size());
  std::vector<bool> there(questions.size());
  for (size_t left = questions.size(); left > 0;) {
    wake_at(std::min(until, monotonic_ns() + kLookNs));
    const auto packet = reader_.next(room_);
    if (!packet) {
      const Errno e = packet.error();
      if (e != err(ECANCELED) && e != err(EINTR)) return e;
      if (stop && stop()) return err(EINTR);
      if (monotonic_ns() >= until) return err(ETIMEDOUT);
      continue;
    }
    const Header h = *read_header(*packet);
    const uint32_t at = h.sequence - first;
    if (at >= questions.size() || there[at] || h.op != questions[at].op) return err(EPROTO);
    if (h.version != kVersion && h.op != Opcode::mount) return err(EPROTO);
    there[at] = true;
    left--;
    answers[at] = {error_of(h), h.version, std::string(as_text(packet->subspan(kReplyHeader)))};
  }
  wake_at(0);
  return answers;
}

Status Connection::start(bool interrupts, std::function<void(std::string_view)> ended) {
  interrupts_work_ = interrupts;
  ended_ = std::move(ended);
  try {
    SignalsBlocked blocked;
    hearing_ = std::thread([this] { hear(); });
    sending_ = std::thread([this] { send_thread(); });
  } catch (const std::system_error& e) {
    close();
    return err(e.code().value());
  }
  name_thread(hearing_, "userfs hear");
  name_thread(sending_, "userfs send");
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
  outgoing_.notify_all();
  wake_at(1);
  if (hearing_.joinable()) hearing_.join();
  if (sending_.joinable()) sending_.join();
  fail_all();
}

/// With send_m_ held.
Status Connection::send_locked(Packet& packet) {
  std::array<iovec, 2> parts{iovec{packet.bytes.data(), packet.bytes.size()},
                             iovec{const_cast<std::byte*>(packet.tail.data()), packet.tail.size()}};
  size_t done = 0;
  if (outbox_.empty()) {
    const auto n = out_.write_some(std::span(parts).first(packet.tail.empty() ? 1 : 2), false);
    if (!n && n.error() != err(EAGAIN) && n.error() != err(EINTR)) return n.error();
    if (n) done = *n;
  }
  if (done == packet.bytes.size() + packet.tail.size()) return Unit{};
  std::string rest = done < packet.bytes.size() ? packet.bytes.substr(done) : std::string();
  rest += as_text(packet.tail.subspan(done > packet.bytes.size() ? done - packet.bytes.size() : 0));
  outbox_.push_back(std::move(rest));
  std::lock_guard lock(m_);
  outgoing_waits_ = true;
  outgoing_.notify_one();
  return Unit{};
}

void Connection::ask(Opcode op, const Context& ctx, Packet packet, std::unique_ptr<Waiter> waiter, bool patient) {
  Header h{.op = op, .type = PacketType::request};
  h.size = static_cast<uint32_t>(packet.bytes.size() - kHeader + packet.tail.size());
  if (h.size > kMostBody) return waiter->answered(err(E2BIG), {});
  Status sent = Unit{};
  bool over = false;
  {
    std::lock_guard sending(send_m_);
    {
      std::lock_guard lock(m_);
      over = over_;
      if (!over) {
        Asked asked{std::move(waiter), op, ctx.cancel};
        if (limits_.timeout_ns > 0 && !patient) {
          asked.until = monotonic_ns() + limits_.timeout_ns;
          if (watched_++ == 0) outgoing_.notify_one();
        }
        h.sequence = next_sequence_locked();
        waiting_.emplace(h.sequence, std::move(asked));
      }
    }
    if (!over) {
      put_header(packet.bytes, h);
      if (log_enabled(LogLevel::debug)) {
        const std::string whole = packet.bytes.substr(kHeader) + std::string(as_text(packet.tail));
        log(LogLevel::debug, "userfs: {}", print(h, as_bytes(whole)));
      }
      // What cannot be sent is the end, which hear() sees.
      sent = send_locked(packet);
      // Nobody has answered yet: `ctx` lives.
      if (ctx.cancel)
        ctx.cancel->on_request([line = line_, sequence = h.sequence] {
          std::lock_guard lock(line->m);
          if (line->to) line->to->want_interrupt(sequence);
        });
    }
  }
  if (over) return waiter->answered(err(EIO), {});  // NOLINT(bugprone-use-after-move): moved if not over
  if (sent) return;
  Asked asked;
  {
    std::lock_guard lock(m_);
    const auto found = waiting_.find(h.sequence);
    if (found == waiting_.end()) return;  // who hears has seen the end, too
    asked = std::move(found->second);
    waiting_.erase(found);
  }
  answer(std::move(asked), err(EIO), {});
}

void Connection::want_interrupt(uint32_t sequence) {
  {
    std::lock_guard lock(m_);
    const auto found = waiting_.find(sequence);
    if (found == waiting_.end() || found->second.interrupted) return;
    Asked& asked = found->second;
    asked.interrupted = true;
    if (asked.until == INT64_MAX) watched_++;
    asked.until = std::min(asked.until, monotonic_ns() + limits_.interrupted_ns);
    if (interrupts_work_) interrupts_.push_back(sequence);
    outgoing_waits_ = true;
  }
  outgoing_.notify_one();
}

void Connection::send_interrupts(const std::vector<uint32_t>& sequences) {
  class Ignored final : public Waiter {
    void answered(Errno, Bytes) noexcept override {}
    std::function<void(Errno)> give_up() override {
      return [](Errno) {};
    }
  };
  for (uint32_t s : sequences)
    ask(Opcode::interrupt, {}, packet_of({}, InterruptRequest{s}), std::make_unique<Ignored>());
}

void Connection::send_thread() {
  while (true) {
    std::vector<uint32_t> interrupts;
    {
      std::unique_lock lock(m_);
      const auto ready = [this] { return over_ || outgoing_waits_; };
      if (watched_ > 0)
        outgoing_.wait_for(lock, std::chrono::nanoseconds(kLookNs), ready);
      else
        outgoing_.wait(lock, [&] { return ready() || watched_ > 0; });
      if (over_) return;
      outgoing_waits_ = false;
      interrupts.swap(interrupts_);
    }
    send_interrupts(interrupts);
    give_up_late();
    std::unique_lock sending(send_m_);
    while (!outbox_.empty()) {
      send_what_waits();
      if (outbox_.empty()) break;
      sending.unlock();
      out_.wait_for_room();
      give_up_late();
      {
        std::lock_guard lock(m_);
        if (over_) return;
      }
      sending.lock();
    }
  }
}

/// As much as goes. With send_m_ held.
void Connection::send_what_waits() {
  while (!outbox_.empty()) {
    std::string& first = outbox_.front();
    const iovec rest{first.data() + sent_of_first_, first.size() - sent_of_first_};
    const auto n = out_.write_some(std::span(&rest, 1), false);
    if (!n && n.error() == err(ENOTCONN)) outbox_.clear();  // hear() sees the end
    if (!n) return;
    sent_of_first_ += *n;
    if (sent_of_first_ < first.size()) continue;
    outbox_.pop_front();
    sent_of_first_ = 0;
  }
}

void Connection::give_up_late() {
  struct Late {
    std::function<void(Errno)> tell;
    Cancel* cancel;
    Errno error;
  };
  std::vector<Late> late;
  bool hopeless = false;
  {
    std::lock_guard lock(m_);
    if (watched_ == 0) return;
    const int64_t now = monotonic_ns();
    for (auto& [sequence, asked] : waiting_) {
      if (asked.until > now || asked.given_up) continue;
      asked.given_up = true;
      watched_--;
      given_up_++;
      late.push_back(
          {asked.waiter->give_up(), std::exchange(asked.cancel, nullptr), err(asked.interrupted ? EINTR : ETIMEDOUT)});
    }
    hopeless = given_up_ > kMostGivenUp;
  }
  { std::lock_guard sending(send_m_); }
  for (auto& l : late) {
    if (l.cancel) l.cancel->clear();
    l.tell(l.error);
  }
  if (hopeless) wake_at(1);
}

void Connection::answer(Asked asked, Errno e, Bytes body) {
  if (asked.cancel) asked.cancel->clear();
  asked.waiter->answered(e, body);
}

void Connection::fail_all() {
  std::unordered_map<uint32_t, Asked> left;
  {
    std::scoped_lock lock(send_m_, m_);
    left.swap(waiting_);
    watched_ = 0;
    outbox_.clear();
  }
  for (auto& [sequence, asked] : left) answer(std::move(asked), err(EIO), {});
}

void Connection::hear() {
  const char* why = nullptr;
  while (!why) {
    const auto packet = reader_.next(room_);
    if (packet)
      why = hear_one(*packet);
    else if (packet.error() == err(ENOTCONN))
      why = "it has ended";
    else if (packet.error() == err(ECANCELED))
      why = "it answers no more";
    else if (packet.error() != err(EINTR))
      why = "what it sends is no packet, or only a part of one";
  }
  std::function<void(std::string_view)> ended;
  {
    std::lock_guard lock(m_);
    over_ = true;
    ended.swap(ended_);
  }
  outgoing_.notify_all();
  fail_all();
  if (ended) ended(why);
}

/// Why this is the end, or null.
const char* Connection::hear_one(Bytes packet) {
  const Header h = *read_header(packet);
  const Bytes body = packet.subspan(kReplyHeader);
  if (log_enabled(LogLevel::debug)) log(LogLevel::debug, "userfs: {}", print(h, body));
  if (h.version != kVersion) return "it answers in another version of the protocol";
  Asked asked;
  {
    std::lock_guard lock(m_);
    const auto found = waiting_.find(h.sequence);
    if (found == waiting_.end()) return "it answers what was not asked";
    if (found->second.op != h.op) return "it answers with another operation than was asked";
    asked = std::move(found->second);
    waiting_.erase(found);
    if (asked.given_up)
      given_up_--;
    else if (asked.until != INT64_MAX)
      watched_--;
  }
  { std::lock_guard sending(send_m_); }
  served_.store(true, std::memory_order_relaxed);
  answer(std::move(asked), error_of(h), body);
  return nullptr;
}

}  // namespace isthmus::userfs_host
