#pragma once
#include <liburing.h>

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "doors/fuse/client_hops.h"
#include "doors/fuse/exchange.h"
#include "doors/fuse/page_memory.h"
#include "wire/fuse/device.h"

namespace isthmus::fuse {

class Ring;

/// A place for one request in the kernel's queue of a CPU: the memory that the kernel writes requests to and reads
/// answers from, and the exchange that lives in it. The kernel has it until a request comes, and gets it back with the
/// answer, in one step. So the answer, from whichever thread, only fills the memory; the entry goes back to the kernel
/// by its ring's thread once nobody uses the exchange any more.
class RingEntry final : public Origin {
 public:
  RingEntry(Session& session, Ring& ring, uint16_t queue, size_t data_size);  ///< std::bad_alloc

  const wire::fuse::UringReqHeader& request() const { return *header_; }
  Exchange& exchange() { return exchange_; }

  Status send(Exchange& x, const wire::fuse::OutHeader& header, Bytes a, Bytes b) override;
  Result<bool> send_file(Exchange&, const wire::fuse::OutHeader&, const Buffer::FileRange&) override { return false; }
  void take_back(Exchange& x) override;

 private:
  friend class Ring;
  Ring& ring_;
  const uint16_t queue_;
  bool known_ = false;  // the kernel has accepted it once
  PageMemory memory_;   // a page for the header, then the data
  wire::fuse::UringReqHeader* const header_;
  std::array<iovec, 2> parts_;
  Exchange exchange_;
  wire::fuse::OutHeader out_{};
  uint32_t out_size_ = 0;  // bytes of the answer behind its header
  RingEntry* next_mailed_ = nullptr;
};

/// One thread's io_uring and its entries in the kernel's queues. The kernel runs its half of each request on the thread
/// that gave it the entry: a request promised to an entry waits for that thread and for no other (docs/fuse.md).
/// All methods but mail() are for that one thread, open() first; destroyed when it has ended.
class Ring {
 public:
  struct Options {
    std::vector<uint16_t> queues;  ///< CPUs whose queues it serves
    unsigned depth = 1;            ///< entries of each queue at first, and added at a time
    unsigned low = 1;              ///< fewer than these free: more are added
    bool pinned = false;           ///< the thread stays on the CPU of its one queue
    size_t data_size = 0;          ///< bytes of data of a request or answer, in whole pages
    ClientHops* hops = nullptr;    ///< of all rings of the connection, where they are pinned; null: nobody looks
  };

  Ring(Session& session, Options options);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// Makes the io_uring. `device`: /dev/fuse.
  Status open(int device);
  /// Gives the kernel the first entries. `late`: others serve the queues already; requests that wait there are to come.
  void begin(bool late);
  /// Until a request came; false: woken by something else.
  bool wait();
  /// Whether something could wait for this thread while it runs a request: one promised to another entry, or the answer
  /// to one of another entry, which only it can send.
  bool has_others() const { return entries_.size() > 1; }
  /// The next request that has come; null: no more.
  RingEntry* take();
  /// After the requests in hand have been run: more entries if too few are free because answers are pending.
  void grow();
  /// Any thread: the entry may go back to the kernel.
  void mail(RingEntry& entry);

 private:
  struct Queue {
    uint16_t cpu = 0;
    unsigned entries = 0;
    unsigned free = 0;  // with the kernel, or on their way
  };
  static constexpr unsigned kSubmissions = 64;
  static constexpr unsigned kCompletions = 256;  // the kernel keeps what does not fit
  static constexpr unsigned kMaxEntries = 4096;  // of a ring
  static constexpr int64_t kHoldNs = 150'000;    // a few round trips between CPUs
  static constexpr unsigned kFirstPause = 32, kLongestPause = 65536;

  io_uring_sqe* next_sqe();
  void command(RingEntry& entry, wire::fuse::UringCmd what);
  void add_entries(Queue& queue, unsigned count);
  void give_back(RingEntry& entry);
  void open_mail();
  void expect_mail();
  void lost(RingEntry& entry, int error);
  void ask_for_waiting();
  void look_for_hops(const RingEntry& entry);
  void hold_cpu();
  Queue& queue_of(const RingEntry& entry);

  Session& session_;
  const Options options_;
  io_uring ring_{};
  bool open_ = false;
  std::thread::id thread_;
  Fd bell_;  // an eventfd: mail has come
  uint64_t bell_count_ = 0;
  std::vector<Queue> queues_;
  bool over_ = false;  // the kernel takes nothing any more
  bool limit_told_ = false;
  std::vector<std::unique_ptr<RingEntry>> entries_;
  std::atomic<RingEntry*> mailed_{nullptr};
  pid_t hopping_ = 0;               // the client in hand that changes CPU with each request; 0: none
  unsigned look_again_in_ = 0;      // requests for which nobody is looked at, as it did not help
  unsigned in_vain_ = kFirstPause;  // that many, next time
};

}  // namespace isthmus::fuse
