#include "fs/pass/watch.h"

#include <linux/magic.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include <linux/openat2.h>

#include "base/clock.h"
#include "base/log.h"
#include "fs/pass/nodes.h"
#include "run/threads.h"

namespace isthmus::fs::pass {

namespace {

constexpr size_t kBlock = size_t{64} << 10;                 // bytes read at once
constexpr int kRestMs = 2;                                  // after each batch
constexpr int64_t kAgainNs = 100'000'000;                   // until news is told once more
constexpr int64_t kCloseNs = 100'000'000;                   // between looks for files written to no more
constexpr size_t kMostAgain = 65536;                        // news kept for that
constexpr size_t kSweepAtOnce = 1024;                       // nodes told of in one go when news was lost...
constexpr int64_t kSweepNsEach = 4000;                      // ...and the time that a door needs for each
constexpr uint64_t kMoves = FAN_MOVED_FROM | FAN_MOVED_TO;  // before Linux 5.17, which has one event for both
constexpr uint64_t kNames = FAN_CREATE | FAN_DELETE | FAN_RENAME | kMoves;
constexpr uint64_t kData = FAN_MODIFY | FAN_CLOSE_WRITE;  // writes through a mapping are seen when it is closed
constexpr uint64_t kMask = FAN_CREATE | FAN_DELETE | kData | FAN_ATTRIB | FAN_ONDIR;

/// Watches of this process. With more than one, one's changes are news to the others.
std::atomic<int> watches{0};

/// Stores that only this kernel changes, by calls that fanotify sees.
bool is_local(const struct ::statfs& s) {
  constexpr uint32_t kStores[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC, F2FS_SUPER_MAGIC};
  return std::find(std::begin(kStores), std::end(kStores), static_cast<uint32_t>(s.f_type)) != std::end(kStores);
}

FsId id_of(const struct ::statfs& s) {
  FsId id;
  static_assert(sizeof id == sizeof s.f_fsid);
  std::memcpy(&id, &s.f_fsid, sizeof id);
  return id;
}

std::string read_mount_table() {
  std::ifstream in("/proc/thread-self/mountinfo");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The directory `path` below `folder`, as it is now.
Result<Look> look_below(int folder, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  Fd fd(static_cast<int>(::syscall(SYS_openat2, folder, path.empty() ? "." : path.c_str(), &how, sizeof how)));
  if (!fd) return last_errno();
  return look_at(fd.get(), "", true);
}

}  // namespace

Result<std::unique_ptr<Watch>> Watch::make() {
  Fd fd(
      ::fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DFID_NAME | FAN_REPORT_FID, O_RDONLY));
  if (!fd) return last_errno();
  return std::make_unique<Watch>(std::move(fd));
}

Watch::Watch(Fd fanotify)
    : fanotify_(std::move(fanotify)),
      bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      block_(std::make_unique<std::byte[]>(kBlock)),
      mount_table_(::open("/proc/thread-self/mountinfo", O_RDONLY | O_CLOEXEC)) {
  watches.fetch_add(1);
}

Watch::~Watch() {
  stop();
  watches.fetch_sub(1);
}

Status Watch::add(const Mount& m) {
  struct ::statfs s {};
  if (::fstatfs(m.fd->get(), &s) < 0) return last_errno();
  if (!is_local(s)) return err(EOPNOTSUPP);
  FsId id = id_of(s);
  std::lock_guard lock(m_);
  for (auto& known : stores_)
    if (known.id == id) return known.dev == m.dev ? Status(Unit{}) : Status(err(EXDEV));
  auto mark = [&](uint64_t mask) {
    return check(::fanotify_mark(fanotify_.get(), FAN_MARK_ADD | FAN_MARK_FILESYSTEM, mask, m.fd->get(), nullptr));
  };
  auto marked = mark(kMask | FAN_RENAME);
  if (!marked && marked.error() == err(EINVAL)) marked = mark(kMask | kMoves);
  if (!marked) return marked;
  std::erase_if(stores_, [&](auto& known) { return known.dev == m.dev; });  // unmounted since
  stores_.push_back({id, m.dev});
  return Unit{};
}

uint64_t Watch::dev_of_store(const FsId& id) {
  std::lock_guard lock(m_);
  for (auto& s : stores_)
    if (s.id == id) return s.dev;
  return 0;
}

void Watch::begin(Nodes& nodes, Upcalls& up, int folder) {
  nodes_ = &nodes;
  up_ = &up;
  folder_ = folder;
  mount_points_ = mount_points_below(read_mount_table(), path_of(folder));
  SignalsBlocked blocked;
  try {
    thread_ = std::thread([this] { run(); });
    name_thread(thread_, "pass/watch");
  } catch (const std::system_error& e) {
    log(LogLevel::error, "no thread to hear of changes: {}", e.what());
    works_ = false;
  }
}

void Watch::stop() {
  stopping_ = true;
  ring();
  if (thread_.joinable()) thread_.join();
}

void Watch::doubt() {
  doubt_ = true;
  ring();
}

void Watch::ring() {
  uint64_t one = 1;
  (void)!::write(bell_.get(), &one, sizeof one);
}

void Watch::run() {
  for (;;) {
    pollfd at[] = {
        {bell_.get(), POLLIN, 0}, {works() ? fanotify_.get() : -1, POLLIN, 0}, {mount_table_.get(), POLLPRI, 0}};
    if (::poll(at, 3, ms_to_next()) < 0 && errno != EINTR) break;
    if (stopping_) return;
    if (at[0].revents) {
      uint64_t rings = 0;
      (void)!::read(bell_.get(), &rings, sizeof rings);
    }
    int64_t now = monotonic_ns();
    if (doubt_.exchange(false)) sweep_ = 0, sweep_due_ = now;
    if (at[2].revents) mounts_changed();
    bool some = false;
    {
      std::lock_guard lock(take_m_);
      some = at[1].revents && take();
      now = monotonic_ns();
      tell_again(now);
    }
    if (sweep_ != SIZE_MAX && now >= sweep_due_) tell_all(now);
    if (close_due_ && now >= close_due_) close_idle();
    // Somebody rings when the first one is opened.
    if (!close_due_ && (!works() || nodes_->fds().has_writers())) close_due_ = now + kCloseNs;
    if (some) ::poll(at, 1, kRestMs);
  }
  works_ = false;
}

void Watch::close_idle() {
  close_due_ = 0;
  if (works()) return nodes_->fds().drop_idle_writers();
  // Nobody tells any more when others remove a file, whose space an open one would keep.
  nodes_->fds().drop_all();
}

int Watch::ms_to_next() {
  int64_t next = INT64_MAX, again = 0;
  {
    std::lock_guard lock(take_m_);
    again = again_;
  }
  for (int64_t due : {again, close_due_, sweep_ != SIZE_MAX ? sweep_due_ : 0})
    if (due) next = std::min(next, due);
  if (next == INT64_MAX) return -1;
  return static_cast<int>(std::max<int64_t>(0, next - monotonic_ns()) / 1'000'000) + 1;
}

void Watch::catch_up() {
  if (!works()) return;
  std::lock_guard lock(take_m_);
  const bool waits = again_ != 0;
  take();
  if (!waits && again_ != 0) ring();  // the thread sleeps longer than that
}

bool Watch::take() {
  bool some = false;
  for (;;) {
    ssize_t got = no_eintr([&] { return ::read(fanotify_.get(), block_.get(), kBlock); });
    if (got < 0 && errno == EAGAIN) return some;
    if (got <= 0) {
      log(LogLevel::error, "changes of others are not heard any more, until unmounted nothing is believed for long: {}",
          text_of(last_errno()));
      works_ = false;
      doubt();
      return false;
    }
    int own = watches.load(std::memory_order_relaxed) > 1 ? -1 : ::getpid();
    Bytes left(block_.get(), static_cast<size_t>(got));
    uint64_t heard = 0, told = 0;
    while (auto e = next_event(left, own)) {
      heard++;
      if (e->pid == own) continue;
      told++;
      heard_.fetch_add(std::exchange(heard, 0), std::memory_order_relaxed);  // before somebody acts upon it
      if (e->mask & FAN_Q_OVERFLOW) {
        doubt();
        continue;
      }
      tell(*e);
      if (newer_.size() < kMostAgain)
        newer_.push_back(std::move(*e));
      else
        too_many_ = true;
      if (!again_) again_ = monotonic_ns() + kAgainNs;
    }
    heard_.fetch_add(heard, std::memory_order_relaxed);
    told_.fetch_add(told, std::memory_order_relaxed);
    some = true;
    if (static_cast<size_t>(got) < kBlock / 2) return true;  // what came meanwhile can wait
  }
}

void Watch::tell_name(uint64_t dev, const KernelHandle& handle, const std::string& name) {
  auto dir = nodes_->find_handle(dev, handle);
  if (!dir.get()) return;
  up_->invalidate_entry(dir.get()->id, name);
  up_->invalidate_node(dir.get()->id, 0, 0);  // its listing
}

void Watch::tell(const FsEvent& e) {
  uint64_t dev = dev_of_store(e.store);
  if (!dev) return;
  if (e.mask & kNames) {
    tell_name(dev, e.dir, e.name);
    tell_name(dev, e.to_dir, e.to_name);
  }
  if (!(e.mask & (kData | FAN_ATTRIB))) return;
  // The directory itself is "." in it.
  bool itself = e.self.empty() && e.name == ".";
  auto node = nodes_->find_handle(dev, itself ? e.dir : e.self);
  if (!node.get()) {
    // Nobody has looked it up, or not for long, but listings show it.
    const auto dir = nodes_->find_handle(dev, e.dir);
    if (!itself && dir.get()) up_->changed(dir.get()->id, e.name, e.mask & kData ? kWatchModified : kWatchAttributes);
    return;
  }
  if (e.mask & kData)
    up_->invalidate_node(node.get()->id, 0, 0);
  else
    up_->invalidate_attr(node.get()->id);
  if (!(e.mask & FAN_ATTRIB)) return;
  node.get()->changed();
  // It may have lost its last name: then nothing of ours is to keep it on the store.
  nodes_->fds().drop(node.get()->id);
}

/// Two generations, so that each news waits for kAgainNs at least.
void Watch::tell_again(int64_t now) {
  if (!again_ || now < again_) return;
  for (auto& e : older_) tell(e);
  older_ = std::move(newer_);
  newer_.clear();
  if (std::exchange(too_many_, false)) doubt();
  again_ = older_.empty() ? 0 : now + kAgainNs;
}

void Watch::tell_all(int64_t now) {
  if (sweep_ == 0) up_->invalidate_all_names();
  size_t said = 0;
  while (sweep_ < Nodes::kShards && said < kSweepAtOnce) {
    for (NodeId id : nodes_->doubt(sweep_)) {
      up_->invalidate_node(id, 0, 0);
      said++;
    }
    sweep_++;
  }
  if (sweep_ == Nodes::kShards) sweep_ = SIZE_MAX;
  sweep_due_ = now + static_cast<int64_t>(said) * kSweepNsEach;
}

void Watch::mounts_changed() {
  auto now = mount_points_below(read_mount_table(), path_of(folder_));
  std::vector<std::string> differ;
  std::set_symmetric_difference(now.begin(), now.end(), mount_points_.begin(), mount_points_.end(),
                                std::back_inserter(differ));
  mount_points_ = std::move(now);
  for (auto& path : differ) {
    size_t slash = path.rfind('/');
    std::string above = slash == path.npos ? "" : path.substr(0, slash);
    auto look = look_below(folder_, above);
    if (!look) continue;
    auto dir = nodes_->find_file(*look);
    if (!dir.get()) continue;
    up_->invalidate_entry(dir.get()->id, path.substr(slash == path.npos ? 0 : slash + 1));
  }
}

}  // namespace isthmus::fs::pass
