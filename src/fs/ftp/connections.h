#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "fs/ftp/remote.h"

namespace isthmus::fs::ftp {

/// The connections to one server, each with a thread, and the jobs that wait for one. Connections are made when there
/// are jobs for them, up to a limit (a server that refuses more lowers it), and closed when they were idle for long.
/// Any thread; the mutex is a leaf, and no job runs under it.
class Connections {
 public:
  struct Job {
    std::function<void(Remote&)> run;       ///< on a connection's thread, logged in
    std::function<void(const Said&)> fail;  ///< instead, when no connection can be had
    bool stream = false;       ///< may last for long: one connection is kept free of those, where there are two
    uint32_t patience_ms = 0;  ///< for how long a server that cannot be reached is tried again before it fails
    int64_t until_ns = 0;      ///< of Connections
  };

  Connections(std::shared_ptr<Server> server, uint32_t most, uint32_t idle_ms)
      : server_(std::move(server)), idle_ms_(idle_ms), limit_(most) {}
  ~Connections() { stop(); }

  void submit(Job job);
  /// Jobs wait that only the end of a stream can help: those with nothing to do should end.
  bool crowded() const;
  bool only_one() const;
  /// Waits; false: stop() was called.
  bool sleep(uint32_t ms);
  /// Fails what waits and cuts off what runs; those with patience (Job) have `patience_ms` to end by themselves.
  void stop(uint32_t patience_ms = 0);

  Server& server() const { return *server_; }

 private:
  struct Connection {
    std::unique_ptr<Remote> remote;
    std::thread thread;
    bool idle = false, logged_in = false, ending = false;
    /// It will look for a job.
    bool free() const { return !ending && (idle || !logged_in); }
  };

  void serve(Connection& c);
  bool log_in(Connection& c, std::unique_lock<std::mutex>& lock);
  void fail_jobs(const Said& said, bool all, std::unique_lock<std::mutex>& lock);
  bool take(Job& job);
  size_t most_streams() const { return limit_ > 1 ? limit_ - 1 : 1; }
  bool is_crowded() const;
  size_t alive() const;

  const std::shared_ptr<Server> server_;
  const uint32_t idle_ms_;
  mutable std::mutex m_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Job> jobs_, streams_;
  std::list<Connection> connections_;
  std::list<std::thread> ended_;
  size_t limit_, streams_running_ = 0;
  size_t patient_ = 0;  // jobs with patience that wait or run
  bool stopping_ = false;
  Said down_;  // why the last login failed
  int64_t down_until_ns_ = 0, down_for_ns_ = 0;
};

}  // namespace isthmus::fs::ftp
