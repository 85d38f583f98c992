#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "doors/fuse/news.h"
#include "doors/fuse/policy.h"
#include "doors/fuse/transport.h"
#include "vfs/upcalls.h"

namespace isthmus::fuse {

/// News for the kernel: upcalls become notifications. The kernel may have to wait for the lock of a directory whose
/// holder waits for one of our answers, so a thread of its own, started with the first news, sends them, in order, and
/// upcalls only add to its queue. An invalidation that is queued already is not queued again.
/// Upcalls::changed means nothing here: no kernel takes events of a file system's own.
class Notifier final : public Upcalls, public News {
 public:
  explicit Notifier(Transport& transport) : transport_(transport) {}
  ~Notifier() override;

  /// INIT has been answered; until then, and after ask_to_stop(), there is nobody to tell.
  void begin(const Policy& policy);
  /// Drops the queue; takers of retrieve hear that there is nothing.
  void ask_to_stop();
  /// Whether the thread has left: it may be blocked in the kernel until requests have been answered.
  bool stopped();
  uint64_t sent() const { return sent_.load(std::memory_order_relaxed); }

  void invalidate_node(NodeId node, uint64_t offset, uint64_t length) override;
  void invalidate_attr(NodeId node) override;
  void invalidate_entry(NodeId dir, std::string_view name) override;
  void invalidate_all_names() override;
  void deleted(NodeId dir, NodeId child, std::string_view name) override;
  void store(NodeId node, uint64_t offset, const Buffer& data) override;
  Status retrieve(NodeId node, uint64_t offset, size_t length, Taker taker, void* self) override;
  void poll_ready(NodeId node, HandleId handle, uint32_t events) override;
  void when_heard(std::function<void()> done) override;

  Status tell_node(NodeId node, int64_t offset, int64_t length) override;
  Status tell_entry(NodeId dir, std::string_view name, bool expire) override;
  Status tell_deleted(NodeId dir, NodeId child, std::string_view name) override;
  Status tell_epoch() override;
  Status tell_unused(std::span<const uint64_t> nodes) override;
  Status tell_store(NodeId node, uint64_t offset, Bytes data) override;
  Status ask(NodeId node, uint64_t offset, size_t length, Taker taker, void* self) override;

  /// Has the kernel send a NOTIFY_REPLY that nobody waits for, from the CPU of the caller. `node`: a regular file that
  /// a request under way concerns, so that nothing of it ends here. Any thread, also one that answers: no lock of a
  /// file is taken. EINVAL: not a regular file; ENOENT: not known.
  Status poke(NodeId node);
  /// A NOTIFY_REPLY: passes what it brings to the taker that asked.
  void retrieved(uint64_t unique, NodeId node, uint64_t offset, Bytes data);
  /// The poll with the kernel's handle `kh` wants to hear of (node, handle), once.
  void arm_poll(NodeId node, HandleId handle, uint64_t kh);
  void disarm_polls(NodeId node, HandleId handle);

 private:
  enum class Kind : uint8_t { inode, attr, entry, names, gone, store, retrieve, poll };
  struct Item {
    Kind kind;
    NodeId node{}, child{};
    uint64_t offset = 0, length = 0;  // poll: offset is kh; retrieve: offset is unique's
    uint64_t unique = 0;
    std::string text{};  // a name, or the data of a store
  };
  struct Asked {
    Taker taker;
    void* self;
    NodeId node;
    uint64_t offset;
  };
  using PollKey = std::pair<NodeId, HandleId>;

  static std::string key_of(const Item& item);
  static bool merges(Kind kind) { return kind <= Kind::names; }
  bool add(Item item);
  /// Runs those of waiting_ whose news is done, without the lock.
  void run_heard(std::unique_lock<std::mutex>& lock);
  void add_locked(Item item);
  void thread_main();
  void send(const Item& item);
  void send_epoch();
  /// Sends, and counts what the kernel took.
  Status deliver(Bytes message, Bytes data = {});
  /// The same, unless there is nobody to tell.
  Status tell(Bytes message, Bytes data = {});
  /// Remembers who asks for data, before the kernel is asked: the number of the question. ENOTCONN: nobody to ask;
  /// EAGAIN: too many wait.
  Result<uint64_t> expect_locked(const Asked& asked);

  /// Numbers the kernel does not use for requests of its own: those are even, too, and lower.
  uint64_t new_unique() { return next_unique_.fetch_add(2, std::memory_order_relaxed); }

  Transport& transport_;
  std::atomic<uint64_t> sent_{0};
  std::atomic<uint64_t> next_unique_{uint64_t{1} << 62};

  std::mutex m_;  // leaf; never held while sending
  std::condition_variable more_;
  bool open_ = false, running_ = false, lost_ = false, lost_told_ = false;
  uint32_t minor_ = 0;
  uint32_t entry_flags_ = 0;
  std::deque<Item> queue_;
  std::unordered_set<std::string> queued_;                          // keys of the invalidations in queue_
  size_t queued_bytes_ = 0;                                         // of stores
  uint64_t added_ = 0, done_ = 0;                                   // news so far: put into the queue; sent or dropped
  std::deque<std::pair<uint64_t, std::function<void()>>> waiting_;  // for done_ to come so far
  std::unordered_map<uint64_t, Asked> asked_;
  std::map<PollKey, std::vector<uint64_t>> polls_;
  std::thread thread_;
};

}  // namespace isthmus::fuse
