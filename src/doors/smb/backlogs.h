#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace isthmus::smb {

class Link;

/// Connections whose clients have not taken all that they are told: it is offered again until they do, as clients that
/// work with what they cache may say nothing for long. Any thread. Its mutex is a leaf.
class Backlogs {
 public:
  Backlogs() = default;
  ~Backlogs() { stop(); }
  Backlogs(const Backlogs&) = delete;
  Backlogs& operator=(const Backlogs&) = delete;

  void add(std::weak_ptr<Link> link);
  void stop();

 private:
  void run();

  std::mutex m_;
  std::condition_variable changed_;
  std::vector<std::weak_ptr<Link>> links_;
  bool stopping_ = false;
  std::thread thread_;  // made with the first
};

}  // namespace isthmus::smb
