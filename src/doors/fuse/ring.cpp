#include "doors/fuse/ring.h"

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/clock.h"
#include "base/log.h"
#include "doors/fuse/session.h"
#include "wire/fuse/reply.h"

namespace isthmus::fuse {

using namespace wire::fuse;

RingEntry::RingEntry(Session& session, Ring& ring, uint16_t queue, size_t data_size)
    : ring_(ring),
      queue_(queue),
      memory_(kPage + data_size),
      header_(reinterpret_cast<UringReqHeader*>(memory_.get())),
      parts_{iovec{header_, sizeof(*header_)}, iovec{memory_.get() + kPage, data_size}},
      exchange_(session, *this, {memory_.get() + kPage, data_size}) {}

/// The request's header stays readable until the entry goes back.
Status RingEntry::send(Exchange& x, const OutHeader& header, Bytes a, Bytes b) {
  MutableBytes data = x.data();
  if (a.size() > data.size() || b.size() > data.size() - a.size()) return err(EINVAL);
  // What the provider filled in place lies there already. Part b never does while a is before it.
  if (!a.empty() && a.data() != data.data()) std::memmove(data.data(), a.data(), a.size());
  if (!b.empty()) std::memmove(data.data() + a.size(), b.data(), b.size());
  out_ = header;
  out_size_ = static_cast<uint32_t>(a.size() + b.size());
  return Unit{};
}

void RingEntry::take_back(Exchange&) { ring_.mail(*this); }

Ring::Ring(Session& session, Options options) : session_(session), options_(std::move(options)) {
  for (uint16_t cpu : options_.queues) queues_.push_back({cpu});
}

Ring::~Ring() {
  if (open_) io_uring_queue_exit(&ring_);
}

Status Ring::open(int device) {
  thread_ = std::this_thread::get_id();
  if (options_.pinned) {
    cpu_set_t* set = CPU_ALLOC(queues_[0].cpu + 1u);
    size_t size = CPU_ALLOC_SIZE(queues_[0].cpu + 1u);
    if (set) {
      CPU_ZERO_S(size, set);
      CPU_SET_S(queues_[0].cpu, size, set);
      // Refused where the CPU is off or not ours: slower, not wrong.
      static_cast<void>(pthread_setaffinity_np(pthread_self(), size, set));
      CPU_FREE(set);
    }
  }
  bell_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!bell_) return last_errno();
  io_uring_params p{};
  p.flags = IORING_SETUP_SQE128 | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
            IORING_SETUP_CQSIZE | IORING_SETUP_TASKRUN_FLAG;
  p.cq_entries = kCompletions;
  if (int e = io_uring_queue_init_params(kSubmissions, &ring_, &p); e < 0) return err(-e);
  open_ = true;
  if (int e = io_uring_register_files(&ring_, &device, 1); e < 0) return err(-e);
  return Unit{};
}

void Ring::begin(bool late) {
  for (Queue& q : queues_) add_entries(q, options_.depth);
  expect_mail();
  if (late) ask_for_waiting();
}

io_uring_sqe* Ring::next_sqe() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  while (!sqe) {
    io_uring_submit(&ring_);
    sqe = io_uring_get_sqe(&ring_);
  }
  std::memset(static_cast<void*>(sqe), 0, 2 * sizeof(*sqe));
  return sqe;
}

void Ring::command(RingEntry& entry, UringCmd what) {
  io_uring_sqe* sqe = next_sqe();
  sqe->opcode = IORING_OP_URING_CMD;
  sqe->flags = IOSQE_FIXED_FILE;
  sqe->fd = 0;
  sqe->cmd_op = static_cast<uint32_t>(what);
  UringCmdReq request{};
  request.qid = entry.queue_;
  if (what == UringCmd::Register) {
    sqe->addr = reinterpret_cast<uintptr_t>(entry.parts_.data());
    sqe->len = static_cast<uint32_t>(entry.parts_.size());
  } else {
    request.commit_id = entry.header_->ring_ent_in_out.commit_id;
  }
  std::memcpy(sqe->cmd, &request, sizeof(request));
  io_uring_sqe_set_data(sqe, &entry);
  queue_of(entry).free++;
}

Ring::Queue& Ring::queue_of(const RingEntry& entry) {
  auto at = std::find_if(queues_.begin(), queues_.end(), [&](const Queue& q) { return q.cpu == entry.queue_; });
  return *at;
}

void Ring::add_entries(Queue& queue, unsigned count) {
  count = std::min(count, kMaxEntries - static_cast<unsigned>(entries_.size()));
  if (count == 0 && !std::exchange(limit_told_, true))
    log(LogLevel::warning, "io_uring queue of CPU {}: {} requests are unanswered; more wait for one of them", queue.cpu,
        entries_.size());
  try {
    for (unsigned i = 0; i < count; i++) {
      entries_.push_back(std::make_unique<RingEntry>(session_, *this, queue.cpu, options_.data_size));
      queue.entries++;
      command(*entries_.back(), UringCmd::Register);
    }
  } catch (const std::bad_alloc&) {
    log(LogLevel::error, "io_uring queue of CPU {}: no memory for more than {} requests", queue.cpu, queue.entries);
  }
}

void Ring::grow() {
  if (over_) return;
  for (Queue& q : queues_) {
    if (q.free >= options_.low) continue;
    bool none = q.free == 0;
    add_entries(q, options_.depth);
    // With none free, requests may wait in the kernel for one to come back; a new one does not make it look.
    if (none) ask_for_waiting();
  }
}

/// The kernel looks for waiting requests only when an answer gives an entry back.
void Ring::ask_for_waiting() {
  io_uring_submit(&ring_);
  session_.provoke_request();
}

void Ring::expect_mail() {
  io_uring_sqe* sqe = next_sqe();
  io_uring_prep_read(sqe, bell_.get(), &bell_count_, sizeof(bell_count_), 0);
  io_uring_sqe_set_data(sqe, nullptr);
}

void Ring::mail(RingEntry& entry) {
  if (std::this_thread::get_id() == thread_) return give_back(entry);
  RingEntry* head = mailed_.load(std::memory_order_relaxed);
  do entry.next_mailed_ = head;
  while (!mailed_.compare_exchange_weak(head, &entry, std::memory_order_release, std::memory_order_relaxed));
  if (head) return;  // the bell has been rung for that one
  static_cast<void>(::eventfd_write(bell_.get(), 1));
}

void Ring::open_mail() {
  RingEntry* entry = mailed_.exchange(nullptr, std::memory_order_acquire);
  while (entry) {
    RingEntry* next = entry->next_mailed_;
    give_back(*entry);
    entry = next;
  }
}

void Ring::give_back(RingEntry& entry) {
  std::memcpy(entry.header_->in_out, &entry.out_, sizeof(entry.out_));
  entry.header_->ring_ent_in_out.payload_sz = entry.out_size_;
  command(entry, UringCmd::CommitAndFetch);
}

void Ring::look_for_hops(const RingEntry& entry) {
  if (!options_.hops) return;
  auto client = static_cast<pid_t>(reinterpret_cast<const InHeader*>(entry.header_->in_out)->pid);
  if (client == 0) return;  // the kernel's own
  unsigned moves = options_.hops->note(client, entry.queue_);
  if (look_again_in_ > 0)
    look_again_in_--;
  else if (moves >= ClientHops::kMany)
    hopping_ = client;
}

/// Keeps this CPU from being idle until the client, which has been woken on another, has been answered there: then it
/// stays. Less than what one such round trip costs it, and seldom where it does not help.
void Ring::hold_cpu() {
  pid_t client = std::exchange(hopping_, 0);
  if (client == 0) return;
  io_uring_submit(&ring_);
  int64_t end = monotonic_ns() + kHoldNs;
  bool stays = false;
  do stays = options_.hops->stays(client);
  while (!stays && !(__atomic_load_n(ring_.sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_TASKRUN) && monotonic_ns() < end);
  if (stays) {
    in_vain_ = kFirstPause;
  } else {
    look_again_in_ = in_vain_;
    in_vain_ = std::min(in_vain_ * 2, kLongestPause);
  }
}

bool Ring::wait() {
  open_mail();
  hold_cpu();
  int e = io_uring_submit_and_wait(&ring_, 1);
  if (e < 0 && e != -EINTR && e != -EAGAIN && e != -EBUSY) {
    log(LogLevel::error, "cannot wait for requests by io_uring: {}", text_of(err(-e)));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return io_uring_cq_ready(&ring_) > 0;
}

RingEntry* Ring::take() {
  io_uring_cqe* cqe = nullptr;
  while (io_uring_cq_ready(&ring_) > 0 && io_uring_peek_cqe(&ring_, &cqe) == 0) {
    auto* entry = static_cast<RingEntry*>(io_uring_cqe_get_data(cqe));
    int result = cqe->res;
    io_uring_cqe_seen(&ring_, cqe);
    if (!entry) {
      expect_mail();
      open_mail();
      continue;
    }
    queue_of(*entry).free--;
    if (result < 0) {
      lost(*entry, -result);
      continue;
    }
    entry->known_ = true;
    // What the kernel gets of a request that has no answer, such as NOTIFY_REPLY.
    entry->out_ = make_reply(reinterpret_cast<const InHeader*>(entry->header_->in_out)->unique, 0);
    entry->out_size_ = 0;
    entry->exchange_.renew();
    look_for_hops(*entry);
    return entry;
  }
  return nullptr;
}

/// The kernel will send nothing more by this entry.
void Ring::lost(RingEntry& entry, int error) {
  switch (error) {
    case ENOTCONN:
    case ECONNABORTED:
    case ECANCELED:
    case ENODEV:
      over_ = true;
      return;
  }
  if (!entry.known_) {
    over_ = true;
    log(LogLevel::warning, "the kernel refuses requests by io_uring ({}); they go by /dev/fuse", text_of(err(error)));
    return;
  }
  log(LogLevel::error, "an answer by io_uring was refused: {}", text_of(err(error)));
  entry.known_ = false;
  command(entry, UringCmd::Register);
}

}  // namespace isthmus::fuse
