#pragma once
#include <isthmus/fuse3/fuse.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "libfuse/v3/session.h"
#include "providers/libfuse/v3/high_level_fs.h"

/// A high-level program: its session, and what it has besides.
struct fuse {
  ~fuse();
  /// Threads that drop what is remembered. Errors as std::thread's, as -errno.
  int start_cleaning();
  void stop_cleaning();

  std::unique_ptr<fuse_session> se;
  isthmus::libfuse::HighLevelFs* fs = nullptr;  // the session's

 private:
  std::thread cleaner_;
  std::mutex m_;
  std::condition_variable stopped_;
  bool stop_ = false;
};

namespace isthmus::libfuse {

/// Takes the library's options out of the arguments. Null: an error, which has been told.
bool parse_fuse_options(fuse_args& args, fuse_config& config, std::string& modules);
/// Puts the modules of a list "one:two" over `top`, each with its options from `args`. Null: an error, which has been
/// told.
std::unique_ptr<fuse_fs> with_modules(std::unique_ptr<fuse_fs> top, const std::string& list, fuse_args& args);
/// Has each print its help.
void print_module_help(const std::string& list);

}  // namespace isthmus::libfuse
