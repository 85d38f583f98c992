#include "tests/conformance/tree.h"

#include "tests/conformance/folder.h"

#include <dirent.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

namespace isthmus::conformance {
namespace {

using Key = std::pair<dev_t, ino_t>;

std::string octal(mode_t mode) {
  char text[16];
  snprintf(text, sizeof text, "0%o", mode);
  return text;
}

class Comparison {
 public:
  Comparison(std::string expected, std::string got, const TreeRules& rules, std::size_t limit)
      : expected_(std::move(expected)), got_(std::move(got)), rules_(rules), limit_(limit) {}

  std::vector<std::string> run() {
    visit("", rules_.root);
    return std::move(findings_);
  }

 private:
  template <class T>
  void expect_same(const std::string& path, const char* what, const T& wanted, const T& found) {
    if (wanted == found) return;
    if constexpr (std::is_same_v<T, std::string>) {
      complain(path, what, wanted, found);
    } else {
      complain(path, what, std::to_string(wanted), std::to_string(found));
    }
  }

  void complain(const std::string& path, const std::string& what, const std::string& wanted, const std::string& found) {
    if (findings_.size() < limit_)
      findings_.push_back((path.empty() ? "/" : path) + ": " + what + ": expected " + wanted + ", got " + found);
  }

  std::optional<std::vector<std::string>> list(const std::string& dir) {
    DIR* stream = opendir(dir.c_str());
    if (stream == nullptr) return std::nullopt;
    std::vector<std::string> names;
    while (const dirent* entry = readdir(stream)) names.emplace_back(entry->d_name);
    closedir(stream);
    std::erase_if(names, [](const std::string& name) { return name == "." || name == ".."; });
    std::sort(names.begin(), names.end());
    return names;
  }

  void compare_content(const std::string& path) {
    const Fd a(open((expected_ + path).c_str(), O_RDONLY | O_CLOEXEC));
    const Fd b(open((got_ + path).c_str(), O_RDONLY | O_CLOEXEC));
    if (!a || !b) {
      complain(path, "open", a ? "success" : "?", error_name(errno));
      return;
    }
    std::vector<char> x(1 << 17);
    std::vector<char> y(1 << 17);
    for (off_t offset = 0;;) {
      const ssize_t n = pread(a.get(), x.data(), x.size(), offset);
      const ssize_t m = pread(b.get(), y.data(), y.size(), offset);
      if (n != m) {
        complain(path, "bytes read at " + std::to_string(offset), std::to_string(n),
                 m < 0 ? error_name(errno) : std::to_string(m));
        return;
      }
      if (n <= 0) return;
      if (memcmp(x.data(), y.data(), static_cast<std::size_t>(n)) != 0) {
        const auto at = std::mismatch(x.begin(), x.begin() + n, y.begin()).first - x.begin();
        complain(path, "content at " + std::to_string(offset + at),
                 "byte " + std::to_string(x[static_cast<std::size_t>(at)]),
                 "byte " + std::to_string(y[static_cast<std::size_t>(at)]));
        return;
      }
      offset += n;
    }
  }

  static std::map<std::string, std::string> attributes(const std::string& path) {
    std::map<std::string, std::string> all;
    std::vector<char> names(65536);
    const ssize_t size = llistxattr(path.c_str(), names.data(), names.size());
    for (ssize_t at = 0; at < size;) {
      const std::string name = names.data() + at;
      at += static_cast<ssize_t>(name.size()) + 1;
      if (name.starts_with("security.") || name.starts_with("system.")) continue;
      std::string value(65536, '\0');
      const ssize_t length = lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
      value.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
      all[name] = value;
    }
    return all;
  }

  void compare_times(const std::string& path, const struct stat& a, const struct stat& b) {
    if (S_ISDIR(a.st_mode) && !rules_.dir_mtime) return;
    if (rules_.recent_from != 0 && a.st_mtim.tv_sec >= rules_.recent_from) {
      if (b.st_mtim.tv_sec < rules_.recent_from)
        complain(path, "mtime", "recent", std::to_string(ns_of(b.st_mtim)) + " ns");
      return;
    }
    const auto unit = static_cast<std::int64_t>(rules_.time_ns);
    expect_same(path, "mtime", ns_of(a.st_mtim) / unit, ns_of(b.st_mtim) / unit);
  }

  // The n-th name of a file in `expected` must be a name of the same file in `got`, and no other's.
  void compare_identity(const std::string& path, const struct stat& a, const struct stat& b) {
    const auto [there, fresh] = twins_.try_emplace(Key{a.st_dev, a.st_ino}, Key{b.st_dev, b.st_ino});
    const auto [back, fresh_back] = owners_.try_emplace(Key{b.st_dev, b.st_ino}, Key{a.st_dev, a.st_ino});
    if (!fresh && there->second != Key{b.st_dev, b.st_ino})
      complain(path, "identity", "a hard link of another name", "a file of its own");
    if (!fresh_back && back->second != Key{a.st_dev, a.st_ino})
      complain(path, "identity", "a file of its own", "the inode of another file");
  }

  void visit(const std::string& path, bool with_self) {
    struct stat a {};
    struct stat b {};
    if (lstat((expected_ + path).c_str(), &a) != 0)
      return complain(path, "lstat of expected", "success", error_name(errno));
    if (lstat((got_ + path).c_str(), &b) != 0) return complain(path, "lstat", "success", error_name(errno));
    expect_same(path, "type", octal(a.st_mode & S_IFMT), octal(b.st_mode & S_IFMT));
    if ((a.st_mode & S_IFMT) != (b.st_mode & S_IFMT)) return;
    const bool is_dir = S_ISDIR(a.st_mode);
    if (with_self) {
      expect_same(path, "mode", octal(a.st_mode & 07777), octal(b.st_mode & 07777));
      if (rules_.owners) {
        expect_same(path, "uid", a.st_uid, b.st_uid);
        expect_same(path, "gid", a.st_gid, b.st_gid);
      }
      if (!is_dir || rules_.dir_nlink) expect_same(path, "link count", a.st_nlink, b.st_nlink);
      if (rules_.times) compare_times(path, a, b);
      if (rules_.xattrs && attributes(expected_ + path) != attributes(got_ + path))
        complain(path, "xattrs", "the same", "others");
    }
    if (S_ISREG(a.st_mode) || S_ISLNK(a.st_mode)) expect_same(path, "size", a.st_size, b.st_size);
    if (S_ISCHR(a.st_mode) || S_ISBLK(a.st_mode)) expect_same(path, "device", a.st_rdev, b.st_rdev);
    if (!is_dir) compare_identity(path, a, b);
    if (S_ISREG(a.st_mode) && rules_.content) compare_content(path);
    if (S_ISLNK(a.st_mode)) expect_same(path, "target", target(expected_ + path), target(got_ + path));
    if (!is_dir) return;
    const auto wanted = list(expected_ + path);
    const auto found = list(got_ + path);
    if (!wanted || !found) return complain(path, "opendir", "success", error_name(errno));
    const std::string below = path + "/";
    std::vector<std::string> missing;
    std::vector<std::string> extra;
    std::set_difference(wanted->begin(), wanted->end(), found->begin(), found->end(), std::back_inserter(missing));
    std::set_difference(found->begin(), found->end(), wanted->begin(), wanted->end(), std::back_inserter(extra));
    for (const auto& name : missing) complain(below + name, "in readdir", "an entry", "none (or fewer)");
    for (const auto& name : extra) complain(below + name, "in readdir", "no entry", "one (or more)");
    for (const auto& name : *wanted) {
      if (findings_.size() >= limit_) return;
      if (std::find(missing.begin(), missing.end(), name) == missing.end()) visit(below + name, true);
    }
  }

  static std::string target(const std::string& path) {
    std::string text(8192, '\0');
    const ssize_t size = readlink(path.c_str(), text.data(), text.size());
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return size < 0 ? "readlink: " + error_name(errno) : text;
  }

  std::string expected_;
  std::string got_;
  TreeRules rules_;
  std::size_t limit_;
  std::map<Key, Key> twins_;
  std::map<Key, Key> owners_;
  std::vector<std::string> findings_;
};

}  // namespace

std::vector<std::string> compare_trees(const std::string& expected, const std::string& got, const TreeRules& rules,
                                       std::size_t limit) {
  return Comparison(expected, got, rules, limit).run();
}

}  // namespace isthmus::conformance
