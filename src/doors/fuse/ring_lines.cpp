#include "doors/fuse/ring_lines.h"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "doors/fuse/session.h"

namespace isthmus::fuse {

namespace {

// Threads of a CPU that are there before operations prove to block: so many block without others waiting for a look.
constexpr unsigned kSpareThreads = 4;
constexpr unsigned kMaxCpus = 65536;  // numbers of queues are 16 bits

/// CPUs the machine can have: the kernel waits for a queue of each, also of those that are off.
unsigned possible_cpus() {
  long n = ::sysconf(_SC_NPROCESSORS_CONF);
  return static_cast<unsigned>(std::clamp(n, 1l, static_cast<long>(kMaxCpus)));
}

/// Those this process may run on, below `count`.
std::vector<bool> allowed_cpus(unsigned count) {
  std::vector<bool> all(count, false);
  cpu_set_t* set = CPU_ALLOC(count);
  size_t size = CPU_ALLOC_SIZE(count);
  bool known = set && ::sched_getaffinity(0, size, set) == 0;
  for (unsigned i = 0; i < count; i++) all[i] = known && CPU_ISSET_S(i, size, set);
  if (set) CPU_FREE(set);
  return all;
}

}  // namespace

// ---- RingWork ----

RingWork::RingWork() : count_(::eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE)), in_hand_(RingLines::kMaxThreads) {}

void RingWork::add(Session& session, RingEntry& entry) {
  {
    std::lock_guard lock(m_);
    items_.push_back({&session, &entry});
  }
  static_cast<void>(::eventfd_write(count_.get(), 1));
}

LineSource::Got RingWork::wait(unsigned thread) {
  eventfd_t one = 0;
  if (::eventfd_read(count_.get(), &one) != 0) return Got::nothing;
  std::lock_guard lock(m_);
  in_hand_[thread] = items_.front();
  items_.pop_front();
  return Got::request;
}

void RingWork::run(unsigned thread) {
  Item item = in_hand_[thread];
  item.session->ring_request(*item.entry);
}

bool RingWork::readable() {
  pollfd p{count_.get(), POLLIN, 0};
  return ::poll(&p, 1, 0) == 1;
}

// ---- RingLine ----

RingLine::RingLine(Session& session, RingWork* work, Options options)
    : session_(session),
      work_(work),
      options_(std::move(options)),
      rings_(options_.max_threads),
      line_(*this, {.may_block = options_.may_block,
                    .parks = false,
                    .first_threads = options_.first_threads,
                    .max_threads = options_.max_threads,
                    .name = options_.name}) {}

RingLine::~RingLine() { stop(); }

Status RingLine::prepare() {
  if (auto s = line_.start(); !s) return s;
  std::unique_lock lock(m_);
  changed_.wait(lock, [&] { return first_opened_; });
  return first_;
}

void RingLine::begin() {
  std::lock_guard lock(m_);
  gate_ = Gate::open;
  changed_.notify_all();
}

void RingLine::stop() {
  {
    std::lock_guard lock(m_);
    if (gate_ == Gate::shut) gate_ = Gate::gone;
    changed_.notify_all();
  }
  line_.stop();
}

/// The kernel takes entries only after INIT has been answered.
bool RingLine::pass_gate(Status opened) {
  std::unique_lock lock(m_);
  if (!first_opened_) {
    first_opened_ = true;
    first_ = opened;
    changed_.notify_all();
  }
  if (!opened) return false;
  changed_.wait(lock, [&] { return gate_ != Gate::shut; });
  return gate_ == Gate::open;
}

Ring* RingLine::ring_of(unsigned thread) {
  auto& ring = rings_[thread];
  if (ring) return ring.get();
  ring = std::make_unique<Ring>(session_, options_.ring);
  Status s = ring->open(options_.device);
  if (!s && thread > 0)
    log(LogLevel::warning, "{}: no io_uring for one more thread: {}", options_.name, text_of(s.error()));
  if (!pass_gate(s)) return nullptr;
  ring->begin(thread >= options_.first_threads);
  return ring.get();
}

LineSource::Got RingLine::wait(unsigned thread) {
  Ring* ring = ring_of(thread);
  if (!ring) return Got::closed;
  return ring->wait() ? Got::request : Got::nothing;
}

void RingLine::run(unsigned thread) {
  Ring& ring = *rings_[thread];
  while (RingEntry* entry = ring.take()) {
    if (work_ && ring.has_others())
      work_->add(session_, *entry);
    else
      session_.ring_request(*entry);
  }
  ring.grow();
}

// ---- RingLines ----

RingLines::RingLines(Session& session, const Options& o) {
  unsigned cpus = possible_cpus();
  auto allowed = allowed_cpus(cpus);
  auto count = static_cast<unsigned>(std::count(allowed.begin(), allowed.end(), true));
  unsigned limit = o.threads ? std::min(o.threads, kMaxThreads) : kMaxThreads;
  unsigned depth = o.depth ? o.depth : kDepth;
  if (o.may_block) {
    work_ = std::make_unique<RingWork>();
    workers_ = std::make_unique<Line>(*work_, Line::Options{.may_block = true, .max_threads = limit, .name = "fuse/w"});
  }
  // A line for each CPU where that is allowed. CPUs that are off or not ours share one more.
  unsigned groups = o.may_block ? count : std::min(count, limit);
  std::vector<std::vector<uint16_t>> mine(std::max(groups, 1u));
  std::vector<uint16_t> others;
  unsigned next = 0;
  for (unsigned cpu = 0; cpu < cpus; cpu++) {
    auto& queues = allowed[cpu] || count == 0 ? mine[next++ % mine.size()] : others;
    queues.push_back(static_cast<uint16_t>(cpu));
  }
  auto add = [&](std::vector<uint16_t> queues, bool pinned) {
    if (queues.empty()) return;
    RingLine::Options line;
    line.ring.pinned = pinned;
    if (pinned && count > 1) line.ring.hops = &hops_;
    line.ring.depth = o.may_block ? 1 : depth;
    line.ring.low = o.may_block ? 1 : (depth + 1) / 2;
    line.ring.data_size = o.data_size;
    line.name = "fuse/" + std::to_string(queues.front());
    line.ring.queues = std::move(queues);
    line.may_block = o.may_block;
    line.max_threads = o.may_block ? limit : 1;
    line.first_threads = o.may_block ? std::min(kSpareThreads, limit) : 1;
    line.device = o.device;
    lines_.push_back(std::make_unique<RingLine>(session, work_.get(), std::move(line)));
  };
  bool one_each = groups == count && count > 0;
  for (auto& queues : mine) add(std::move(queues), one_each);
  add(std::move(others), false);
}

RingLines::~RingLines() { stop(); }

Status RingLines::prepare() {
  if (workers_)
    if (auto s = workers_->start(); !s) return s;
  for (auto& line : lines_)
    if (auto s = line->prepare(); !s) return s;
  return Unit{};
}

void RingLines::begin() {
  for (auto& line : lines_) line->begin();
}

void RingLines::stop() {
  for (auto& line : lines_) line->stop();
  if (workers_) workers_->stop();
}

unsigned RingLines::threads() const {
  unsigned n = workers_ ? workers_->started() : 0;
  for (auto& line : lines_) n += line->threads();
  return n;
}

}  // namespace isthmus::fuse
