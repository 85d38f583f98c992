#include "libfuse/common/fuse.h"

#include <system_error>

#include "libfuse/common/loops.h"
#include "libfuse/common/notify.h"
#include "run/threads.h"

using namespace isthmus::libfuse;

fuse::~fuse() { stop_cleaning(); }

int fuse::start_cleaning() {
  if (fs->config().remember <= 0 || cleaner_.joinable()) return 0;
  stop_ = false;
  try {
    isthmus::SignalsBlocked blocked;
    cleaner_ = std::thread([this] {
      std::unique_lock lock(m_);
      while (!stop_) {
        lock.unlock();
        int seconds = fs->paths().clean();
        lock.lock();
        stopped_.wait_for(lock, std::chrono::seconds(seconds), [this] { return stop_; });
      }
    });
  } catch (const std::system_error& e) {
    message(FUSE_LOG_ERR, "fuse: no thread can be started to drop what is remembered: %s\n", e.what());
    return -1;
  }
  return 0;
}

void fuse::stop_cleaning() {
  if (!cleaner_.joinable()) return;
  {
    std::lock_guard lock(m_);
    stop_ = true;
  }
  stopped_.notify_all();
  cleaner_.join();
}

int isthmus::libfuse::loop_cleaning(struct fuse& f, unsigned max_threads) {
  if (f.start_cleaning() < 0) return -1;
  int result = max_threads == 1 ? loop_here(*f.se) : loop_on_threads(*f.se, max_threads);
  f.stop_cleaning();
  return result;
}

int isthmus::libfuse::invalidate_path(struct fuse& f, const char* path) {
  auto node = f.fs->paths().find(path);
  return node ? notify_inval_inode(f.se.get(), isthmus::raw(*node), 0, 0) : -node.code();
}

std::unique_ptr<struct fuse> isthmus::libfuse::make_fuse(std::unique_ptr<fuse_fs> top, const fuse_config& config,
                                                         const MakeSession& make) {
  auto f = std::make_unique<struct fuse>();
  auto files = std::make_unique<HighLevelFs>(std::move(top), config);
  files->owner = f.get();
  f->fs = files.get();
  f->se = make(std::move(files));
  return f->se ? std::move(f) : nullptr;
}

void isthmus::libfuse::end_fuse(struct fuse& f) {
  f.stop_cleaning();
  if (f.se->initialised) f.fs->remove_hidden();
  end_session(*f.se);
}
