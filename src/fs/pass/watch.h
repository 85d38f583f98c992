#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "fs/pass/watch_events.h"
#include "vfs/upcalls.h"

namespace isthmus::fs::pass {

class Nodes;
struct Mount;

/// Hears by fanotify(7) what others change in the stores of the folder and tells the doors, so that their clients may
/// believe what they have cached. What this process changes itself, its clients know already.
///
/// A thread of its own takes the news. It rests a moment after each batch: changes of this process are news too, and
/// must not wake it one by one. All is told twice, at once and some 100 ms later: an answer that holds the state
/// before the change may be under way to a client and overtaken by the first word. Any thread may call the rest, with
/// no lock that a door takes when it hears news.
class Watch {
 public:
  /// EPERM without CAP_SYS_ADMIN, EINVAL or ENOSYS before Linux 5.9.
  static Result<std::unique_ptr<Watch>> make();
  explicit Watch(Fd fanotify);
  /// Stops.
  ~Watch();

  /// Hears of changes in the whole store that `m` lies in, from now on. EOPNOTSUPP: a kind of store that changes
  /// without a word (network, overlay, FUSE), or whose handles tell nothing; else what fanotify_mark(2) says (EXDEV:
  /// a subvolume, ENODEV: a store without a number of its own).
  Status add(const Mount& m);
  /// Tells `up` of everything since add(). `folder` is the root's descriptor. All three outlive stop().
  void begin(Nodes& nodes, Upcalls& up, int folder);
  void stop();

  /// False after an error that ended the news: nothing is to be believed for long any more.
  bool works() const { return works_.load(std::memory_order_acquire); }
  /// Takes and tells what has happened by now, on this thread.
  void catch_up();
  /// A file turned out to have two nodes: what was told of it so far is to be told of all. May be called with locks
  /// held.
  void doubt();
  /// Has the thread look what there is to do: a file is open for writing that is to be closed when it is idle.
  void ring();

  /// How many events came, and how many of them were others'.
  uint64_t heard() const { return heard_.load(std::memory_order_relaxed); }
  uint64_t told() const { return told_.load(std::memory_order_relaxed); }

 private:
  struct Store {
    FsId id;
    uint64_t dev;
  };

  void run();
  int ms_to_next();
  /// With take_m_ held. Whether there were any.
  bool take();
  void tell(const FsEvent& e);
  void tell_name(uint64_t dev, const KernelHandle& dir, const std::string& name);
  void tell_again(int64_t now);
  void tell_all(int64_t now);
  void close_idle();
  void mounts_changed();
  uint64_t dev_of_store(const FsId& id);

  const Fd fanotify_, bell_;  // bell_: eventfd, rung to stop, for doubt() and by others
  std::atomic<bool> works_{true}, stopping_{false}, doubt_{false};
  std::atomic<uint64_t> heard_{0}, told_{0};
  std::mutex m_;  // guards stores_; a leaf
  std::vector<Store> stores_;
  std::mutex take_m_;  // held while news is taken and told, before all others; guards the next five
  std::unique_ptr<std::byte[]> block_;
  std::vector<FsEvent> older_, newer_;  // told once; older_ is due at again_
  bool too_many_ = false;               // newer_ is not complete
  int64_t again_ = 0;                   // monotonic ns; 0: nothing to tell again

  Nodes* nodes_ = nullptr;
  Upcalls* up_ = nullptr;
  int folder_ = -1;

  // The thread's own.
  size_t sweep_ = SIZE_MAX;  // the next part of the nodes that tell_all() does
  int64_t sweep_due_ = 0, close_due_ = 0;
  Fd mount_table_;
  std::vector<std::string> mount_points_;
  std::thread thread_;
};

}  // namespace isthmus::fs::pass
