#pragma once
#include <isthmus/fuse3/fuse.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "libfuse/common/session.h"
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

/// A program of paths; make() makes its session. Null: that was an error.
using MakeSession = std::function<std::unique_ptr<fuse_session>(std::unique_ptr<Program>)>;
std::unique_ptr<struct fuse> make_fuse(std::unique_ptr<fuse_fs> top, const fuse_config& config,
                                       const MakeSession& make);
/// The end of it: the program's destroy() has run.
void end_fuse(struct fuse& f);
/// Serves on up to `max_threads`, 1 being the caller's (loops.h), and forgets in time what is remembered.
int loop_cleaning(struct fuse& f, unsigned max_threads);
/// What is cached of a file is stale. 0 or -errno; -ENOENT: it is not known.
int invalidate_path(struct fuse& f, const char* path);
/// fuse_notify() of fuse_winfsp.h.
int notify_path(struct fuse& f, const char* path, uint32_t action);
/// Takes the library's options out of the arguments. Null: an error, which has been told.
bool parse_fuse_options(fuse_args& args, fuse_config& config, std::string& modules);

}  // namespace isthmus::libfuse
