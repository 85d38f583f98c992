#pragma once
#include <fcntl.h>
#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "base/fd.h"

namespace isthmus::bench {

/// Ends the program with `measure: WHAT: reason from errno`. A benchmark has nothing to go on with after a failure; the
/// driver takes the files away and shows the message.
[[noreturn]] void die(const std::string& what);

/// Ends the program unless `ok`.
inline void need(bool ok, const char* what) {
  if (!ok) die(what);
}

/// open(2) that succeeds or ends the program.
Fd open_file(const std::string& path, int flags, mode_t mode = 0644);

/// Has the kernel forget dentries and inodes that nobody uses, of every file system; what is asked next is asked of the
/// server again. Without the privilege nothing happens, and "cold" is warm.
void drop_dentries();

/// Times phases and prints a line for each: `NAME wall client daemon`, in microseconds an operation.
class Meter {
 public:
  /// `daemons`: processes that serve the file system; their CPU time, of all threads, ended ones too, is the third
  /// figure. `marks`: each phase's name goes to the kernel's trace before it begins, so that its requests can be told
  /// apart.
  Meter(const std::vector<pid_t>& daemons, const std::string& marks);

  /// Runs `f`, which does `operations` operations.
  template <class F>
  void phase(const std::string& name, long operations, F&& f) {
    begin(name);
    f();
    end(name, operations);
  }
  /// The halves of phase(), for work whose number of operations is known only afterwards.
  void begin(const std::string& name);
  void end(const std::string& name, long operations);
  /// A figure that was measured elsewhere.
  static void print(const std::string& name, double wall, double client, double daemon);
  /// Counts ended child processes as the client instead of this process.
  void client_is_children() { children_ = true; }

 private:
  /// In microseconds.
  struct Clocks {
    double wall = 0, client = 0, daemon = 0;
  };
  Clocks read_clocks() const;

  std::vector<clockid_t> daemon_clocks_;
  Fd marks_;
  bool children_ = false;
  Clocks start_;
};

/// What the command line says. Each measurement takes what concerns it.
struct Setup {
  std::string folder;          ///< where everything is made
  int files = 2000;            ///< of a folder or tree
  long mib = 256;              ///< size of a stream's file
  int threads = 1;             ///< clients at a time
  double seconds = 1;          ///< of a random I/O phase
  std::vector<char*> command;  ///< for `exec`, ended by a null
};

// The measurements, by the name of their sub-command.
void measure_meta(Meter& meter, const Setup& setup);
void measure_tree(Meter& meter, const Setup& setup);
void measure_io(Meter& meter, const Setup& setup);
void measure_streams(Meter& meter, const Setup& setup);
void measure_many(Meter& meter, const Setup& setup);
void measure_threads(Meter& meter, const Setup& setup);
void measure_exec(Meter& meter, const Setup& setup);
void measure_floor(Meter& meter, const Setup& setup);

}  // namespace isthmus::bench
