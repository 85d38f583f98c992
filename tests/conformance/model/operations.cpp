#include "tests/conformance/model/operations.h"

#include <dirent.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <algorithm>
#include <cstdio>
#include <cstring>

namespace isthmus::conformance {
namespace {

constexpr std::size_t kMostOpen = 8;
constexpr std::size_t kMostBytes = 200'000;
constexpr std::size_t kHistory = 25;
constexpr int kAttempts = 50;        // when errors are injected
constexpr std::size_t kShown = 100;  // bytes of an answer that are told as they are, if they are text

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

std::string told(long result, int error, const std::string& text) {
  if (result < 0) return error_name(error);
  if (text.size() < kShown && std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; }))
    return std::to_string(result) + (text.empty() ? "" : " " + quoted(text));
  return std::to_string(result) + " " + std::to_string(text.size()) + " bytes, hash " +
         std::to_string(std::hash<std::string>{}(text));
}

// Calls `some` for what is left until `size` bytes are through, it gives none, or fails at once. An error in the middle
// of a read or write makes it short; where errors are injected the rest has to follow.
long whole(std::size_t size, bool persist, const std::function<ssize_t(std::size_t done)>& some) {
  std::size_t done = 0;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const ssize_t n = some(done);
    if (n < 0 && done == 0) return n;
    if (n > 0) done += static_cast<std::size_t>(n);
    if (n == 0 || done == size || !persist) break;
  }
  return static_cast<long>(done);
}

}  // namespace

World::World(const Settings& settings, const Traits& traits)
    : traits_(traits), injected_(settings.injected), state_(settings.seed * 2 + 1) {
  const std::string* const places[2] = {&settings.tested, &settings.reference};
  for (int side = 0; side < 2; ++side) {
    auto& each = sides_[side];
    each.top = *places[side] + "/model." + std::to_string(getpid()) + "." + std::to_string(settings.seed);
    int made = 0;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      made = mkdir(each.top.c_str(), 0755);
      if (made == 0 || !injected(errno)) break;
    }
    if (made != 0) {
      fprintf(stderr, "conformance_model: %s: %s\n", each.top.c_str(), strerror(errno));
      return;
    }
    for (int attempt = 0; attempt < kAttempts && !each.fd; ++attempt)
      each.fd.reset(open(each.top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!each.fd) return;
  }
  ready_ = true;
}

World::~World() {
  open_.clear();
  for (auto& side : sides_) {
    side.fd.reset();
    // An injected error ends the removal early.
    for (int attempt = 0; attempt < (injected_.empty() ? 1 : kAttempts) && exists(side.top); ++attempt)
      remove_tree(side.top);
  }
}

bool World::injected(int error) const {
  return std::find(injected_.begin(), injected_.end(), error) != injected_.end();
}

std::size_t World::below(std::size_t limit) {
  state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
  return static_cast<std::size_t>((state_ ^ (state_ >> 29)) >> 20) % limit;
}

// Few names, so that operations meet. Now and then a name that cannot be.
std::string World::any_path() {
  static constexpr const char* kNames[] = {"a", "b", "c", "d", "e"};
  if (one_in(150)) return "a/" + std::string(256, 'n');
  if (one_in(150)) return one_in(2) ? "a/." : "b/..";
  std::string path;
  for (std::size_t depth = 1 + below(3); depth > 0; --depth)
    path += std::string(path.empty() ? "" : "/") + kNames[below(5)];
  if (one_in(60)) path += "/";
  return path;
}

std::string World::any_data() {
  return pattern(below(one_in(10) ? 60'000 : 5'000) + 1, static_cast<unsigned>(below(1000)));
}

Outcome World::both(std::string what, const Act& act) {
  Outcome outcome;
  outcome.what = std::move(what);
  for (int side = 0; side < 2; ++side) {
    std::string text;
    long result = -1;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      text.clear();
      errno = 0;
      result = act(side, sides_[side].fd.get(), &text);
      if (side == 1 || result >= 0 || !injected(errno)) break;
      ++injections_;
    }
    (side == 0 ? outcome.got : outcome.expected) = told(result, errno, text);
    if (side == 1 && result >= 0) ++successes_;
  }
  history_.push_back(outcome.what + " = " + outcome.expected);
  if (history_.size() > kHistory) history_.pop_front();
  return outcome;
}

Outcome World::step() {
  switch (below(10)) {
    case 0:
    case 1:
    case 2:
      return names_step();
    case 3:
    case 4:
      return attributes_step();
    case 5:
      return open_step();
    default:
      return data_step();
  }
}

Outcome World::names_step() {
  const std::string path = any_path();
  const std::string other = any_path();
  const char* const p = path.c_str();
  const char* const o = other.c_str();
  switch (below(9)) {
    case 0:
      return both("mkdir " + quoted(path), [=](int, int dir, std::string*) { return mkdirat(dir, p, 0755); });
    case 1:
      return both("rmdir " + quoted(path), [=](int, int dir, std::string*) { return unlinkat(dir, p, AT_REMOVEDIR); });
    case 2:
      return both("unlink " + quoted(path), [=](int, int dir, std::string*) { return unlinkat(dir, p, 0); });
    case 3:
      if (!traits_.hard_links) break;
      return both("link " + quoted(path) + " " + quoted(other),
                  [=](int, int dir, std::string*) { return linkat(dir, p, dir, o, 0); });
    case 4:
      if (!traits_.symlinks) break;
      return both("symlink " + quoted(other) + " " + quoted(path),
                  [=](int, int dir, std::string*) { return symlinkat(o, dir, p); });
    case 5: {
      if (!traits_.special_files || !traits_.devices) break;
      const mode_t type = one_in(2) ? S_IFIFO : one_in(2) ? S_IFCHR : S_IFSOCK;
      return both("mknod " + quoted(path) + " type " + std::to_string(type),
                  [=](int, int dir, std::string*) { return mknodat(dir, p, type | 0640, makedev(1, 3)); });
    }
    case 6: {
      unsigned flags = 0;
      if (traits_.rename_noreplace && one_in(5)) flags = RENAME_NOREPLACE;
      if (traits_.rename_exchange && one_in(5)) flags = RENAME_EXCHANGE;
      return both("rename " + quoted(path) + " " + quoted(other) + " flags " + std::to_string(flags),
                  [=](int, int dir, std::string*) { return renameat2(dir, p, dir, o, flags); });
    }
    case 7:
      return both("readlink " + quoted(path), [=](int, int dir, std::string* text) {
        text->resize(5000);
        const ssize_t size = readlinkat(dir, p, text->data(), text->size());
        text->resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        return size;
      });
    default:
      break;
  }
  return both("readdir " + quoted(path), [=](int, int dir, std::string* text) {
    Fd fd(openat(dir, p, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    DIR* stream = fd ? fdopendir(fd.get()) : nullptr;
    if (stream == nullptr) return -1L;
    fd.release();
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = readdir(stream)) names.emplace_back(entry->d_name);
    const int error = errno;
    closedir(stream);
    if (error != 0) {
      errno = error;
      return -1L;
    }
    std::sort(names.begin(), names.end());
    for (const auto& name : names) *text += name + "\n";
    return 0L;
  });
}

Outcome World::attributes_step() {
  const std::string path = any_path();
  const char* const p = path.c_str();
  switch (below(7)) {
    case 0: {
      const auto mode = static_cast<mode_t>(below(traits_.root_keeps_setid ? 010000 : 02000));
      return both("chmod " + quoted(path) + " " + std::to_string(mode),
                  [=](int, int dir, std::string*) { return fchmodat(dir, p, mode, 0); });
    }
    case 1: {
      if (!traits_.owners) break;
      const auto uid = static_cast<uid_t>(one_in(3) ? -1 : static_cast<int>(below(3)));
      // Not both absent: POSIX leaves open whether that clears the set-id bits.
      const auto gid = static_cast<gid_t>(uid != static_cast<uid_t>(-1) && one_in(3) ? -1 : static_cast<int>(below(3)));
      const int flags = one_in(2) ? AT_SYMLINK_NOFOLLOW : 0;
      return both("chown " + quoted(path) + " " + std::to_string(uid) + " " + std::to_string(gid),
                  [=](int, int dir, std::string*) { return fchownat(dir, p, uid, gid, flags); });
    }
    case 2: {
      timespec times[2] = {{static_cast<time_t>(below(1'000'000'000)), 0},
                           {static_cast<time_t>(below(1'000'000'000)), 123'456'789}};
      if (one_in(4)) times[1].tv_nsec = UTIME_OMIT;
      const int flags = one_in(2) ? AT_SYMLINK_NOFOLLOW : 0;
      return both("utimens " + quoted(path),
                  [=](int, int dir, std::string*) { return utimensat(dir, p, times, flags); });
    }
    case 3:
    case 4: {
      if (!traits_.xattrs) break;
      const std::string name = "user." + std::string(1, static_cast<char>('a' + below(3)));
      const std::string value = pattern(below(300), static_cast<unsigned>(below(100)));
      const int flags = one_in(3) ? XATTR_CREATE : one_in(2) ? XATTR_REPLACE : 0;
      const bool remove = one_in(4);
      return both(
          (remove ? "removexattr " : "setxattr ") + quoted(path) + " " + name + " flags " + std::to_string(flags),
          [=, this](int side, int, std::string*) {
            const std::string full = sides_[side].top + "/" + path;
            if (remove) return lremovexattr(full.c_str(), name.c_str());
            return lsetxattr(full.c_str(), name.c_str(), value.data(), value.size(), flags);
          });
    }
    default:
      break;
  }
  const bool with_dir_nlink = traits_.dir_nlink;
  return both("lstat " + quoted(path), [=](int, int dir, std::string* text) {
    struct stat about {};
    if (fstatat(dir, p, &about, AT_SYMLINK_NOFOLLOW) != 0) return -1;
    const bool is_dir = S_ISDIR(about.st_mode);
    *text = std::to_string(about.st_mode) + " " + std::to_string(about.st_uid) + " " + std::to_string(about.st_gid) +
            " " + std::to_string(is_dir ? 0 : about.st_size) + " " +
            std::to_string(is_dir && !with_dir_nlink ? 0 : about.st_nlink);
    return 0;
  });
}

Outcome World::open_step() {
  if (open_.size() >= kMostOpen || (!open_.empty() && one_in(4))) {
    const std::size_t victim = below(open_.size());
    Outcome outcome = both("close " + open_[victim].what, [&](int side, int, std::string*) {
      // Whatever it answers, the file is closed.
      return close(open_[victim].fds[side].release()) == 0 || (side == 0 && injected(errno)) ? 0 : -1;
    });
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(victim));
    return outcome;
  }
  const std::string path = any_path();
  int flags = O_CLOEXEC | O_NONBLOCK | (one_in(5) ? O_RDONLY : one_in(5) ? O_WRONLY : O_RDWR);
  if (!one_in(4)) flags |= O_CREAT;
  if (one_in(6)) flags |= O_EXCL;
  if (one_in(6)) flags |= O_TRUNC;
  if (one_in(6)) flags |= O_APPEND;
  if (one_in(8)) flags |= O_NOFOLLOW;
  if ((flags & O_CREAT) == 0) flags &= ~O_EXCL;
  Open opened;
  opened.what = quoted(path) + " flags " + std::to_string(flags);
  bool kept = true;
  Outcome outcome = both("open " + opened.what, [&](int side, int dir, std::string*) {
    // Opening a device or a fifo for reading says nothing about the file system; O_PATH finds out what it is.
    struct stat about {};
    if (fstatat(dir, path.c_str(), &about, 0) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode)) {
      kept = false;
      return 0;
    }
    if (side == 0 && injected(errno)) return -1;
    opened.fds[side].reset(openat(dir, path.c_str(), flags, 0644));
    return opened.fds[side] ? 0 : -1;
  });
  if (kept && opened.fds[0] && opened.fds[1] && outcome.same()) open_.push_back(std::move(opened));
  return outcome;
}

Outcome World::data_step() {
  if (open_.empty()) return open_step();
  const auto& target = open_[below(open_.size())];
  const auto offset = static_cast<off_t>(below(kMostBytes));
  const std::string at = " " + target.what + " at " + std::to_string(offset);
  switch (below(10)) {
    case 0:
    case 1: {
      const std::string data = any_data();
      return both("pwrite of " + std::to_string(data.size()) + at, [&](int side, int, std::string*) {
        return whole(data.size(), persists(side), [&](std::size_t done) {
          return pwrite(target.fds[side].get(), data.data() + done, data.size() - done,
                        offset + static_cast<off_t>(done));
        });
      });
    }
    case 2: {
      const std::string data = any_data();
      return both("write of " + std::to_string(data.size()) + " " + target.what,
                  [&](int side, int, std::string*) -> long {
                    struct stat about {};
                    if (fstat(target.fds[side].get(), &about) != 0) return -1;
                    if (about.st_size > static_cast<off_t>(kMostBytes) * 2) return 0;
                    return whole(data.size(), persists(side), [&](std::size_t done) {
                      return write(target.fds[side].get(), data.data() + done, data.size() - done);
                    });
                  });
    }
    case 3:
      return both("ftruncate" + at,
                  [&](int side, int, std::string*) { return ftruncate(target.fds[side].get(), offset); });
    case 4: {
      if (!traits_.fallocate || !traits_.punch_hole) break;
      const int mode = one_in(2) ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : 0;
      const auto size = static_cast<off_t>(below(50'000)) + 1;
      return both("fallocate mode " + std::to_string(mode) + " of " + std::to_string(size) + at,
                  [&](int side, int, std::string*) { return fallocate(target.fds[side].get(), mode, offset, size); });
    }
    case 5: {
      if (!traits_.copy_file_range) break;
      const auto& to = open_[below(open_.size())];
      const auto size = below(20'000) + 1;
      const auto where = static_cast<off_t>(below(kMostBytes));
      return both("copy_file_range of " + std::to_string(size) + at + " to " + to.what + " at " + std::to_string(where),
                  [&](int side, int, std::string*) {
                    off_t from = offset;
                    off_t into = where;
                    return copy_file_range(target.fds[side].get(), &from, to.fds[side].get(), &into, size, 0);
                  });
    }
    case 6:
      return both("fsync " + target.what, [&](int side, int, std::string*) { return fsync(target.fds[side].get()); });
    case 7:
      return both("fstat " + target.what, [&](int side, int, std::string* text) {
        struct stat about {};
        if (fstat(target.fds[side].get(), &about) != 0) return -1;
        *text = std::to_string(about.st_mode) + " " + std::to_string(S_ISDIR(about.st_mode) ? 0 : about.st_size) + " " +
                std::to_string(S_ISDIR(about.st_mode) ? 0 : about.st_nlink);
        return 0;
      });
    default:
      break;
  }
  const std::size_t size = below(one_in(5) ? 100'000 : 8'000) + 1;
  return both("pread of " + std::to_string(size) + at, [&](int side, int, std::string* text) {
    text->resize(size);
    const long got = whole(size, persists(side), [&](std::size_t done) {
      return pread(target.fds[side].get(), text->data() + done, size - done, offset + static_cast<off_t>(done));
    });
    text->resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return got;
  });
}

void World::print_history() const {
  printf("the last operations, oldest first:\n");
  for (const auto& line : history_) printf("  %s\n", line.c_str());
}

}  // namespace isthmus::conformance
