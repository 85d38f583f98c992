#include "doors/fuse/session.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "doors/fuse/handlers.h"
#include "vfs/defaults.h"

namespace isthmus::fuse {

using namespace wire::fuse;
using namespace std::chrono_literals;

namespace {

constexpr uint32_t kHighestOpcode = static_cast<uint32_t>(Opcode::CopyFileRange64);

constexpr auto kHandlers = [] {
  std::array<Handler, kHighestOpcode + 1> t{};
  t.fill(do_nothing_known);
  auto set = [&](Opcode op, Handler h) { t[static_cast<uint32_t>(op)] = h; };
  set(Opcode::Lookup, do_lookup);
  set(Opcode::Forget, do_forget);
  set(Opcode::BatchForget, do_batch_forget);
  set(Opcode::Getattr, do_getattr);
  set(Opcode::Statx, do_statx);
  set(Opcode::Setattr, do_setattr);
  set(Opcode::Readlink, do_readlink);
  set(Opcode::Mknod, do_mknod);
  set(Opcode::Mkdir, do_mkdir);
  set(Opcode::Symlink, do_symlink);
  set(Opcode::Link, do_link);
  set(Opcode::Unlink, do_unlink);
  set(Opcode::Rmdir, do_rmdir);
  set(Opcode::Rename, do_rename);
  set(Opcode::Rename2, do_rename2);
  set(Opcode::Access, do_access);
  set(Opcode::Open, do_open);
  set(Opcode::Create, do_create);
  set(Opcode::Tmpfile, do_tmpfile);
  set(Opcode::Read, do_read);
  set(Opcode::Write, do_write);
  set(Opcode::Flush, do_flush);
  set(Opcode::Release, do_release);
  set(Opcode::Fsync, do_fsync);
  set(Opcode::Fallocate, do_fallocate);
  set(Opcode::Lseek, do_lseek);
  set(Opcode::CopyFileRange, do_copy_file_range);
  set(Opcode::CopyFileRange64, do_copy_file_range_64);
  set(Opcode::Opendir, do_opendir);
  set(Opcode::Readdir, do_readdir);
  set(Opcode::Readdirplus, do_readdirplus);
  set(Opcode::Releasedir, do_releasedir);
  set(Opcode::Fsyncdir, do_fsyncdir);
  set(Opcode::Getxattr, do_getxattr);
  set(Opcode::Listxattr, do_listxattr);
  set(Opcode::Setxattr, do_setxattr);
  set(Opcode::Removexattr, do_removexattr);
  set(Opcode::Getlk, do_getlk);
  set(Opcode::Setlk, do_setlk);
  set(Opcode::Setlkw, do_setlkw);
  set(Opcode::Init, do_init);
  set(Opcode::Destroy, do_destroy);
  set(Opcode::Interrupt, do_interrupt);
  set(Opcode::NotifyReply, do_notify_reply);
  set(Opcode::Statfs, do_statfs);
  set(Opcode::Syncfs, do_syncfs);
  set(Opcode::Ioctl, do_ioctl);
  set(Opcode::Poll, do_poll);
  set(Opcode::Bmap, do_bmap);
  return t;
}();

constexpr auto kForgetPause = 5ms;

bool may_be_read_again(Errno e) { return e == err(EINTR) || e == err(EAGAIN) || e == err(ENOENT); }

size_t data_size_for(const SessionOptions& options) {
  size_t want = options.max_write ? options.max_write : size_t{1} << 20;
  size_t most = size_t{kernel_max_pages()} * kPage;
  return round_up(std::clamp<size_t>(want, 128u << 10, std::max<size_t>(most, 128u << 10)), kPage);
}

}  // namespace

Session::Session(FileSystem& fs, Transport& transport, const SessionOptions& options)
    : fs_(fs),
      transport_(transport),
      options_(options),
      pool_(*this, transport, data_size_for(options)),
      notifier_(transport),
      backing_(transport) {}

Session::~Session() {
  for (Lane& l : lanes_)
    if (l.next) l.next->drop();
}

LineSource::Got Session::wait(unsigned thread) {
  Lane& lane = lanes_[thread];
  if (!lane.open) {
    transport_.open_lane(thread);
    lane.open = true;
  }
  if (!lane.next) {
    try {
      lane.next = pool_.take();
    } catch (const std::bad_alloc&) {
      std::this_thread::sleep_for(10ms);
      return Got::nothing;
    }
  }
  // Each wake-up for a FORGET takes the CPU from whoever makes them; after a while many come as one BATCH_FORGET.
  if (std::exchange(lane.forgot, false) && by_rings_.load(std::memory_order_relaxed)) pause_for_forgets();
  auto n = transport_.receive(thread, lane.next->frame());
  if (n) {
    forgetting_.fetch_add(1, std::memory_order_relaxed);
    lane.length = *n;
    return Got::request;
  }
  if (may_be_read_again(n.error())) return Got::nothing;
  note_end(n.error());
  return Got::closed;
}

/// The device can be read no more.
void Session::note_end(Errno e) {
  switch (static_cast<int>(e)) {
    case ENODEV:
      return mark_ended(EndReason::unmounted);
    case ECONNABORTED:
      return mark_ended(EndReason::aborted);
    default:
      log(LogLevel::error, "cannot read requests of the kernel: {}", text_of(e));
      mark_ended(EndReason::failed);
  }
}

Result<size_t> Session::receive(MutableBytes into) {
  auto n = transport_.receive(0, into);
  if (!n && !may_be_read_again(n.error())) note_end(n.error());
  return n;
}

void Session::process(Bytes message) {
  ReadExchange& x = *pool_.take();
  Exchange::Held held(x);
  x.lane = 0;
  bool ready = state_.load(std::memory_order_acquire) == State::ready;
  Negotiated agreed = ready ? negotiated_ : Negotiated{};
  constexpr size_t kHead = sizeof(InHeader) + sizeof(WriteIn);
  InHeader header{};
  if (message.size() >= sizeof header) std::memcpy(&header, message.data(), sizeof header);
  if (header.opcode == static_cast<uint32_t>(Opcode::Write) && message.size() >= kHead &&
      header.len == message.size()) {
    // As by a ring: the head in our memory, as it is needed until the answer, and the data where it is.
    auto& head = *new (x.data().data()) UringReqHeader{};
    std::memcpy(head.in_out, &header, sizeof header);
    std::memcpy(head.op_in, message.data() + sizeof header, sizeof(WriteIn));
    head.ring_ent_in_out.payload_sz = static_cast<uint32_t>(message.size() - kHead);
    return arrived(x, parse_ring_request(head, message.subspan(kHead), agreed));
  }
  if (message.size() > x.frame().size()) {
    log(LogLevel::error, "a request of {} bytes: more than was agreed on", message.size());
    return x.drop();
  }
  std::memcpy(x.frame().data(), message.data(), message.size());
  arrived(x, parse_request(Bytes(x.frame()).first(message.size()), agreed));
}

void Session::pause_for_forgets() {
  std::unique_lock lock(m_);
  uint64_t before = hurries_;
  hurry_.wait_for(lock, kForgetPause, [&] { return hurries_ != before; });
}

bool Session::hear_forgets() {
  if (!by_rings_.load(std::memory_order_relaxed)) return false;
  auto some = [&] { return transport_.readable() || forgetting_.load(std::memory_order_acquire) > 0; };
  if (!some()) return false;
  auto end = std::chrono::steady_clock::now() + 100ms;
  do {
    {
      std::lock_guard lock(m_);
      hurries_++;
      hurry_.notify_all();
    }
    std::this_thread::sleep_for(50us);
  } while (some() && std::chrono::steady_clock::now() < end);
  return true;
}

void Session::run(unsigned thread) {
  struct Through {
    std::atomic<uint32_t>& count;
    ~Through() { count.fetch_sub(1, std::memory_order_release); }
  } through{forgetting_};
  Lane& lane = lanes_[thread];
  ReadExchange& x = *std::exchange(lane.next, nullptr);
  Exchange::Held held(x);
  x.lane = thread;
  bool ready = state_.load(std::memory_order_acquire) == State::ready;
  auto parsed = parse_request(Bytes(x.frame()).first(lane.length), ready ? negotiated_ : Negotiated{});
  if (auto* request = std::get_if<Request>(&parsed))
    lane.forgot = request->opcode() == Opcode::Forget || request->opcode() == Opcode::BatchForget;
  // Several threads are there because operations block: where they run matters less.
  bool free = thread > 0 || !options_.follow_core || by_rings_.load(std::memory_order_relaxed);
  if (free || !lane.core.due()) return arrived(x, parsed);
  auto* header = reinterpret_cast<const InHeader*>(x.frame().data());
  auto client = static_cast<pid_t>(lane.length >= sizeof(InHeader) ? header->pid : 0);
  int64_t start = monotonic_ns();
  arrived(x, parsed);
  lane.core.look(client, monotonic_ns() - start);
}

void Session::ring_request(RingEntry& entry) {
  Exchange& x = entry.exchange();
  arrived(x, parse_ring_request(entry.request(), x.data(), negotiated_));
}

void Session::provoke_request() {
  bool done = false;
  for (Exchange* x : interrupts_.all()) {
    if (!done && (x->in().info->flags & kOpcodeFile)) done = static_cast<bool>(notifier_.poke(x->node()));
    x->drop();
  }
}

void Session::arrived(Exchange& x, const Parsed& parsed) {
  requests_.fetch_add(1, std::memory_order_relaxed);
  if (auto* failure = std::get_if<ParseFailure>(&parsed)) return refuse_malformed(x, *failure);
  dispatch(x, std::get<Request>(parsed));
}

void Session::refuse_malformed(Exchange& x, const ParseFailure& failure) {
  malformed_.fetch_add(1, std::memory_order_relaxed);
  bool new_to_us = failure.error == ParseError::UnknownOpcode;
  log(new_to_us ? LogLevel::debug : LogLevel::error, "request refused: {}", failure.describe());
  if (failure.wants_answer()) {
    count_error();
    static_cast<void>(x.origin().send(x, make_error(failure.header->unique, failure.answer()), {}, {}));
  }
  x.drop();
}

void Session::dispatch(Exchange& x, const Request& request) {
  under_way_.fetch_add(1, std::memory_order_relaxed);
  x.begin(request);
  bool answers = !(request.info->flags & kOpcodeNoReply);
  if ((state_.load(std::memory_order_acquire) == State::ready) == (request.opcode() == Opcode::Init)) {
    log(LogLevel::error, "{} {} INIT", request.info->name, request.opcode() == Opcode::Init ? "after" : "before");
    return answers ? x.refuse(err(EIO)) : x.finish();
  }
  if (answers) {
    if (by_rings_.load(std::memory_order_relaxed) && cut_off()) return x.refuse(err(ECONNABORTED));
    interrupts_.add(x);
    if (cut_off()) x.cancel().request();  // mark_ended() may have come too early to see it
    if (!may_ask(request)) return x.refuse(err(EACCES));
    if (is_unwanted(request.opcode(), policy_)) return x.refuse(err(ENOSYS));
    if (auto op = needed_for(request.opcode())) {
      // What changes a read-only file system is left to the waist, which says EROFS.
      if (!fs_.capabilities().has(*op) && !(kChanges.has(*op) && is_read_only(fs_))) return x.refuse(err(ENOSYS));
    }
  }
  auto number = static_cast<uint32_t>(request.opcode());
  (number <= kHighestOpcode ? kHandlers[number] : do_nothing_known)(x);
}

bool Session::may_ask(const Request& request) const {
  if (!options_.only_uid) return true;
  uint32_t uid = request.header->uid;
  bool by_kernel = uid == kInvalidUidGid && request.header->pid == 0;
  return uid == 0 || uid == *options_.only_uid || by_kernel || (request.info->flags & kOpcodeOpened);
}

void Session::init(Exchange& x) {
  const auto& in = x.in().in<Opcode::Init>();
  if (in.major > kMajor) {
    // The kernel is to ask again in our version.
    InitOut out{};
    out.major = kMajor;
    out.minor = kMinor;
    x.reply_bytes(std::as_bytes(std::span(&out, 1)).first(init_out_size(kMinor)));
    return x.finish();
  }
  if (in.major < kMajor || in.minor < kOldestMinor) {
    log(LogLevel::error, "the kernel speaks FUSE protocol {}.{}; {}.{} is the oldest that works", in.major, in.minor,
        kMajor, kOldestMinor);
    x.refuse(err(EPROTO));
    return set_state(State::refused);
  }
  PolicyFacts facts;
  facts.traits = fs_.traits();
  facts.can = fs_.capabilities();
  facts.options = options_;
  facts.offered = x.in().init_flags();
  facts.minor = in.minor;
  facts.max_readahead = in.max_readahead;
  facts.buffer_size = pool_.data_size();
  facts.rings = make_rings(facts.offered);
  policy_ = decide(facts);
  if (options_.negotiate) {
    if (Status s = negotiate(facts); !s) {
      x.refuse(s.error());
      return set_state(State::refused);
    }
  }
  dir_attr_ = facts.traits.dir_attr;
  negotiated_ = {policy_.minor, policy_.flags};
  log(LogLevel::debug, "kernel {}.{}, agreed on {}", in.major, in.minor, init_flag_names(policy_.flags));
  notifier_.begin(policy_);
  backing_.begin(policy_);
  // Ready before the answer: the next request may be read by another thread the moment it is out.
  state_.store(State::ready, std::memory_order_release);
  size_t size = 0;
  InitOut out = init_reply(policy_, size);
  bool sent = x.reply_bytes(std::as_bytes(std::span(&out, 1)).first(size));
  // From here on the kernel waits for the rings.
  if (sent && rings_) {
    by_rings_.store(true, std::memory_order_release);
    rings_->begin();
  }
  x.finish();
  if (sent) set_state(State::ready);
}

Status Session::negotiate(const PolicyFacts& facts) {
  Policy& p = policy_;
  Agreement a;
  a.minor = facts.minor;
  a.offered = facts.offered;
  a.flags = p.flags;
  a.max_write = p.max_write;
  a.max_readahead = p.max_readahead;
  a.max_background = p.max_background;
  a.congestion_threshold = p.congestion_threshold;
  a.time_granularity_ns = p.time_granularity_ns;
  if (Status s = options_.negotiate(a); !s) return s;
  // Whether requests come by rings is ours to know.
  constexpr uint64_t kOurs = kInitOverIoUring;
  p.flags = (a.flags & facts.offered & ~kOurs) | (p.flags & kOurs);
  p.max_write = std::clamp(a.max_write, uint32_t{4096}, p.max_write);
  p.max_pages = static_cast<uint16_t>((p.max_write + kPage - 1) / kPage);
  p.max_readahead = std::min(a.max_readahead, facts.max_readahead);
  p.max_background = a.max_background;
  p.congestion_threshold = a.congestion_threshold;
  p.time_granularity_ns = a.time_granularity_ns;
  if (p.has(kInitPassthrough)) p.max_stack_depth = a.max_stack_depth;
  if (p.has(kInitRequestTimeout)) p.request_timeout_s = a.request_timeout_s;
  p.flushes = p.flushes || p.has(kInitPosixLocks);
  p.entry_ttl = options_.entry_ttl;
  p.negative_ttl = options_.negative_ttl;
  return Unit{};
}

/// Queues that only have to be registered; false: requests go by the device.
bool Session::make_rings(uint64_t offered) {
  if (options_.transport == TransportChoice::classic || transport_.device() < 0) return false;
  bool asked = options_.transport == TransportChoice::uring;
  if (!(offered & kInitOverIoUring)) {
    if (asked) log(LogLevel::warning, "this kernel does not let FUSE use io_uring; requests go by /dev/fuse");
    return false;
  }
  RingLines::Options o;
  o.may_block = fs_.blocking() == Blocking::may_block;
  o.threads = options_.threads;
  o.depth = options_.uring_depth;
  o.data_size = pool_.data_size();
  o.device = transport_.device();
  auto rings = std::make_unique<RingLines>(*this, o);
  if (auto s = rings->prepare(); !s) {
    log(asked ? LogLevel::warning : LogLevel::info, "no io_uring here ({}); requests go by /dev/fuse",
        text_of(s.error()));
    return false;
  }
  rings_ = std::move(rings);
  return true;
}

void Session::interrupt(Exchange& x) {
  uint64_t unique = x.in().in<Opcode::Interrupt>().unique;
  if (Exchange* found = interrupts_.find(unique)) {
    interrupts_found_.fetch_add(1, std::memory_order_relaxed);
    found->cancel().request();
    found->drop();
    return x.finish();
  }
  // Not seen yet, or answered already: the kernel sends it again if it still has the request.
  x.error(err(EAGAIN));
  x.finish();
}

void Session::note_undelivered(Errno e, const Request& request) {
  // ENOENT: interrupted or aborted meanwhile. ENODEV, EPIPE, ECONNRESET, ENOTCONN: the connection is gone.
  switch (static_cast<int>(e)) {
    case ENOENT:
    case ENODEV:
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
      return;
    default:
      log(LogLevel::error, "answer to {} (unique {}) refused by the kernel: {}", request.info->name,
          request.header->unique, text_of(e));
  }
}

/// The last touch of the session by an exchange: drain() may return right after.
void Session::over(Exchange& x) {
  x.drop();
  under_way_.fetch_sub(1, std::memory_order_release);
}

void Session::set_state(State s) {
  std::lock_guard lock(m_);
  state_.store(s, std::memory_order_release);
  told_ = s;
  changed_.notify_all();
}

void Session::mark_ended(EndReason why) {
  if (!reason_set_.exchange(true)) reason_.store(why);
  if (cut_off()) cancel_all();
  std::lock_guard lock(m_);
  if (told_ == State::new_) told_ = State::ended;
  changed_.notify_all();
}

Status Session::wait_ready(std::chrono::milliseconds timeout) {
  std::unique_lock lock(m_);
  if (!changed_.wait_for(lock, timeout, [&] { return told_ != State::new_; })) return err(ETIMEDOUT);
  if (told_ == State::ready) return Unit{};
  return err(told_ == State::refused ? EPROTO : ENODEV);
}

void Session::cancel_all() {
  for (Exchange* x : interrupts_.all()) {
    x->cancel().request();
    x->drop();
  }
}

void Session::drain() {
  cancel_all();
  notifier_.ask_to_stop();
  // After an abort of ours the kernel does not know yet: the notifier may be stuck behind a request nobody reads.
  while (under_way_.load(std::memory_order_acquire) > 0 || !notifier_.stopped()) {
    if (!transport_.readable()) {
      std::this_thread::sleep_for(1ms);
      continue;
    }
    ReadExchange* x = pool_.take();
    x->lane = 0;
    auto n = transport_.receive(0, x->frame());
    auto parsed = n ? parse_request(Bytes(x->frame()).first(*n), negotiated_) : Parsed(ParseFailure{});
    if (auto* r = std::get_if<Request>(&parsed); r && !(r->info->flags & kOpcodeNoReply)) {
      x->begin(*r);
      x->error(err(ECONNABORTED));
    }
    x->drop();
    if (!n && n.error() != err(EINTR) && n.error() != err(EAGAIN)) std::this_thread::sleep_for(1ms);
  }
  if (rings_) rings_->stop();
}

SessionStats Session::stats() const {
  SessionStats s;
  s.requests = requests_.load(std::memory_order_relaxed);
  s.errors = errors_.load(std::memory_order_relaxed);
  s.interrupts = interrupts_found_.load(std::memory_order_relaxed);
  s.malformed = malformed_.load(std::memory_order_relaxed);
  s.notifications = notifier_.sent();
  s.by_rings = by_rings_.load(std::memory_order_acquire);
  if (s.by_rings) s.threads = rings_->threads();
  if (state_.load(std::memory_order_acquire) == State::ready) {
    s.minor = policy_.minor;
    s.settled = describe(policy_);
  }
  return s;
}

}  // namespace isthmus::fuse
