#include "libfuse/common/fuse.h"

#include <isthmus/fuse3/fuse_winfsp.h>

#include <system_error>

#include "libfuse/common/loops.h"
#include "libfuse/common/notify.h"
#include "providers/libfuse/common/no_throw.h"
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

namespace {

/// What the kernel does not know need not be told.
int unless_unknown(int result) { return result == -ENOENT ? 0 : result; }

int notify_name(struct fuse& f, std::string_view path, bool gone) {
  const size_t slash = path.find_last_of('/');
  const std::string_view name = path.substr(slash + 1);
  if (name.empty()) return -EINVAL;
  PathTable& paths = f.fs->paths();
  const auto dir = paths.find(slash == 0 ? "/" : path.substr(0, slash));
  if (!dir) return unless_unknown(-dir.code());
  const isthmus::NodeId child = paths.find(*dir, name);
  const int told = gone && child != isthmus::NodeId::none
                       ? notify_delete(f.se.get(), isthmus::raw(*dir), isthmus::raw(child), name)
                       : notify_inval_entry(f.se.get(), isthmus::raw(*dir), name, false);
  if (int rc = unless_unknown(told)) return rc;
  return unless_unknown(notify_inval_inode(f.se.get(), isthmus::raw(*dir), 0, 0));  // its listing and times
}

}  // namespace

int isthmus::libfuse::notify_path(struct fuse& f, const char* path, uint32_t action) {
  constexpr uint32_t kGone = FUSE_NOTIFY_RMDIR | FUSE_NOTIFY_UNLINK;
  constexpr uint32_t kNames = kGone | FUSE_NOTIFY_MKDIR | FUSE_NOTIFY_CREATE;
  constexpr uint32_t kAttributes = FUSE_NOTIFY_CHMOD | FUSE_NOTIFY_CHOWN | FUSE_NOTIFY_UTIME | FUSE_NOTIFY_CHFLAGS;
  if (!path || *path != '/' || action == 0 || (action & ~(kNames | kAttributes | FUSE_NOTIFY_TRUNCATE))) return -EINVAL;
  return no_throw(-ENOMEM, [&] {
    if (action & kNames)
      if (int rc = notify_name(f, path, action & kGone)) return rc;
    if (!(action & ~kNames)) return 0;
    const auto node = f.fs->paths().find(path);
    const off_t from = action & FUSE_NOTIFY_TRUNCATE ? 0 : -1;  // or attributes alone
    return unless_unknown(node ? notify_inval_inode(f.se.get(), isthmus::raw(*node), from, 0) : -node.code());
  });
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
