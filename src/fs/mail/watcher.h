#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "base/fd.h"

namespace isthmus::fs::mail {

/// Hears by inotify(7) that names in directories change, and has those who care look: what comes together is one look,
/// and looks take at most a fifth of the time.
class Watcher {
 public:
  /// look(id), on a thread of its own, without a lock.
  explicit Watcher(std::function<void(uint32_t id)> look) : look_(std::move(look)) {}
  ~Watcher() { stop(); }

  /// `what`: whose changes are not heard if there is no thread or no inotify, for one line in the log.
  void start(const std::string& what);
  void stop();
  /// Changes in `directory` are `id`'s from now on. only: of this name, and of its content; empty: names, of all.
  /// False: it is not watched (errno).
  bool add(const std::string& directory, uint32_t id, const std::string& only = {});
  bool works() const { return works_.load(std::memory_order_relaxed); }

 private:
  struct Watched {
    uint32_t id;
    std::string only;
  };
  void run();
  void hear(std::unordered_set<uint32_t>& dirty);

  const std::function<void(uint32_t)> look_;
  Fd inotify_, bell_;  // made by start()
  std::mutex m_;       // a leaf; guards watched_
  std::unordered_map<int, Watched> watched_;
  std::atomic<bool> stopping_{false}, works_{false};
  std::thread thread_;
};

}  // namespace isthmus::fs::mail
