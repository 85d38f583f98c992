#pragma once
#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/problem.h"

namespace isthmus::ctl {

/// A program with pipes of ours for its standard input, output and error. What it says on the last goes to our log, a
/// line each. When this ends, the pipes of the caller being closed, it is waited for, and ended if it does not end.
class Child {
 public:
  struct Job {
    std::string file;                ///< a path
    std::vector<std::string> words;  ///< with argv[0]
    int folder = -1;                 ///< where it starts; -1: where we are
    /// In a group of its own, so that the terminal's Ctrl-C reaches us alone. Not for what asks for passwords there.
    bool own_group = true;
  };
  struct Started {
    std::shared_ptr<Child> child;
    Fd in, out;  ///< what it says; what it hears
  };
  /// No thread is made.
  static Expected<Started> start(const Job& job);
  /// What it says is passed on as it comes, by a thread; before, when it has ended.
  void follow();
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

 private:
  Child() = default;
  bool gone(int ms);
  void signal_it(int signal) const;
  void say(std::string& text, bool all) const;

  std::string name_;
  pid_t pid_ = -1;
  bool own_group_ = true;
  Fd said_, stop_;
  std::thread following_;
};

}  // namespace isthmus::ctl
