// The random operations of the model test, done in a tested and in a reference folder.
#pragma once
#include "tests/conformance/folder.h"

#include <array>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace isthmus::conformance {

// What one operation did in both folders: result, error and bytes as text.
struct Outcome {
  std::string what;
  std::string expected;
  std::string got;
  bool same() const { return expected == got; }
};

class World {
 public:
  struct Settings {
    std::string tested;
    std::string reference;
    std::uint64_t seed = 0;
    // Errors that the tested side may answer at any time, as `fault+` does before it does anything: no operation of the
    // model has them otherwise. The operation is then done again.
    std::vector<int> injected;
  };
  // Makes an empty folder, which tells worlds of one process apart by the seed, in each of the two; both are removed at
  // the end. A world belongs to one thread.
  World(const Settings& settings, const Traits& traits);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  bool ready() const { return ready_; }
  Outcome step();
  void close_all() { open_.clear(); }
  void print_history() const;  // the last operations before a difference
  std::uint64_t successes() const { return successes_; }
  std::uint64_t injections() const { return injections_; }
  const std::string& tested_top() const { return sides_[0].top; }
  const std::string& reference_top() const { return sides_[1].top; }

 private:
  struct Side {
    std::string top;
    Fd fd;
  };
  struct Open {
    std::array<Fd, 2> fds;  // as sides_
    std::string what;
  };
  // What an operation does on a side: fills `text` with data to compare, returns as a system call does.
  using Act = std::function<long(int side, int dir, std::string* text)>;

  std::size_t below(std::size_t limit);  // random
  bool one_in(std::size_t n) { return below(n) == 0; }
  std::string any_path();
  std::string any_data();
  bool injected(int error) const;
  bool persists(int side) const { return side == 0 && !injected_.empty(); }
  Outcome both(std::string what, const Act& act);
  Outcome names_step();
  Outcome attributes_step();
  Outcome data_step();
  Outcome open_step();

  Side sides_[2];  // tested, reference
  Traits traits_;
  std::vector<int> injected_;
  std::uint64_t state_;
  bool ready_ = false;
  std::vector<Open> open_;
  std::deque<std::string> history_;
  std::uint64_t successes_ = 0;
  std::uint64_t injections_ = 0;
};

}  // namespace isthmus::conformance
