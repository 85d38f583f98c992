#pragma once
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/log.h"
#include "fs/archive/archive_fs.h"
#include "vfs/sync.h"

/// Helpers of this room's tests.
namespace isthmus::fs::archive::test {

/// Ends the test that is running when `fine` is false.
inline void must(bool fine, const std::string& what) {
  if (!fine) throw std::runtime_error(what);
}

/// A folder that goes away.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "isthmus-archive-XXXXXX").string();
    path_ = ::mkdtemp(name.data()) ? name : "";
  }
  ~Folder() {
    std::error_code e;
    std::filesystem::remove_all(path_, e);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline void write_file(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
}
inline std::string read_file(const std::string& path) {
  std::ifstream f(path, std::ios::binary);
  std::ostringstream s;
  s << f.rdbuf();
  return s.str();
}
/// True when it exits with 0. Its output goes to /dev/null.
inline bool run(const std::string& command) {
  // NOLINTNEXTLINE(cert-env33-c): tests run archivers as people do
  return std::system(("{ " + command + "; } >/dev/null 2>&1").c_str()) == 0;
}
inline bool have(const std::string& tool) { return run("command -v " + tool); }

inline std::string random_bytes(size_t n, unsigned seed) {
  std::mt19937_64 g(seed);
  std::string s(n, '\0');
  for (auto& c : s) c = static_cast<char>(g());
  return s;
}
inline std::string text_bytes(size_t n, unsigned seed) {
  std::mt19937 g(seed);
  std::string s;
  while (s.size() < n) s += fmt::format("line {} of a text that compresses well\n", g() % 1000);
  s.resize(n);
  return s;
}

/// Log lines while one lives, instead of on stderr.
class LogCatcher {
 public:
  LogCatcher() {
    current() = this;
    set_log_sink([](LogLevel, std::string_view line) {
      std::lock_guard lock(current()->m_);
      current()->text_ += std::string(line) + "\n";
    });
  }
  ~LogCatcher() {
    set_log_sink(nullptr);
    current() = nullptr;
  }
  std::string text() {
    std::lock_guard lock(m_);
    return text_;
  }

 private:
  static LogCatcher*& current() {
    static LogCatcher* c = nullptr;
    return c;
  }
  std::mutex m_;
  std::string text_;
};

inline std::unique_ptr<ArchiveFs> open_archive(const std::string& path, const ArchiveOptions& o = {},
                                               const ArchiveHooks& hooks = {}) {
  OpenError error;
  auto fs = ArchiveFs::open(path, o, hooks, error);
  must(fs != nullptr, error.text);
  return fs;
}
/// The error's text; "" when it opened.
inline std::string open_error(const std::string& path, const ArchiveOptions& o = {}, const ArchiveHooks& hooks = {}) {
  OpenError error;
  auto fs = ArchiveFs::open(path, o, hooks, error);
  return fs ? "" : error.text;
}

struct Listed {
  std::string name;
  uint64_t ino, cookie;
  uint32_t type;
};
/// Names of a directory, without dots, in steps of `at_once`.
inline std::vector<Listed> list(ArchiveFs& fs, NodeId dir, size_t at_once = 1000) {
  struct Sink : DirSink {
    bool add(const DirEntry& e) override {
      if (left == 0) return false;
      left--;
      cookie = e.cookie;
      added = true;
      if (e.name != "." && e.name != "..") all.push_back({std::string(e.name), e.ino, e.cookie, e.type});
      if (e.with) {
        must(e.with->attr.ino == e.ino, "other inode in DirEntry::with");
      }
      return true;
    }
    std::vector<Listed> all;
    size_t left = 0;
    uint64_t cookie = 0;
    bool added = false;
  } sink;
  do {
    sink.left = at_once;
    sink.added = false;
    op::ReadDir a;
    a.node = dir;
    a.cookie = sink.cookie;
    a.with_attr = true;
    a.sink = &sink;
    must(call_and_wait(fs, a).ok(), "read_dir");
  } while (sink.added);
  return sink.all;
}

/// A node by path; nothing when there is none.
inline std::optional<Entry> find(ArchiveFs& fs, const std::string& path) {
  Entry e;
  e.node = NodeId::root;
  e.attr = call_and_wait(fs, op::Getattr{{}, NodeId::root, {}})->attr;
  for (auto& part : std::filesystem::path(path)) {
    auto r = call_and_wait(fs, op::Lookup{{}, e.node, part.native()});
    if (!r || r->node == NodeId::none) return {};
    e = *r;
  }
  return e;
}

inline Result<std::string> read_at(ArchiveFs& fs, NodeId node, uint64_t offset, size_t size) {
  op::Read a;
  a.node = node;
  a.offset = offset;
  a.size = size;
  auto r = call_and_wait(fs, a);
  if (!r) return r.error();
  std::string out(r->size(), '\0');
  auto n = r->copy_to(MutableBytes(reinterpret_cast<std::byte*>(out.data()), out.size()));
  if (!n) return n.error();
  if (*n != out.size()) return err(EIO);
  return out;
}
inline Result<std::string> content(ArchiveFs& fs, const std::string& path) {
  auto e = find(fs, path);
  if (!e) return err(ENOENT);
  std::string all;
  for (;;) {
    auto part = read_at(fs, e->node, all.size(), 131'072);
    if (!part) return part.error();
    if (part->empty()) return all;
    all += *part;
  }
}

/// All paths below a node.
inline void walk(ArchiveFs& fs, NodeId dir, const std::string& at, std::map<std::string, Attr>& out) {
  for (auto& l : list(fs, dir)) {
    auto e = call_and_wait(fs, op::Lookup{{}, dir, l.name});
    must(e.ok() && e->attr.ino == l.ino && IFTODT(e->attr.mode) == l.type, "lookup and read_dir disagree on " + l.name);
    out[at + l.name] = e->attr;
    if (S_ISDIR(e->attr.mode)) walk(fs, e->node, at + l.name + "/", out);
  }
}
inline std::map<std::string, Attr> walk(ArchiveFs& fs) {
  std::map<std::string, Attr> out;
  walk(fs, NodeId::root, "", out);
  return out;
}

/// Makes an archive with libarchive's writer, entry by entry.
class Maker {
 public:
  Maker(const std::string& path, int format, int filter = ARCHIVE_FILTER_NONE) : a_(archive_write_new()) {
    archive_write_set_format(a_, format);
    archive_write_add_filter(a_, filter);
    archive_write_set_bytes_in_last_block(a_, 1);
    must(archive_write_open_filename(a_, path.c_str()) == ARCHIVE_OK, path);
  }
  ~Maker() { archive_write_free(a_); }
  Maker(const Maker&) = delete;
  Maker& operator=(const Maker&) = delete;

  Maker& file(const std::string& name, std::string_view data, uint32_t mode = S_IFREG | 0644) {
    return add(name, mode, data, nullptr, nullptr);
  }
  Maker& dir(const std::string& name, uint32_t mode = 0755) { return add(name, S_IFDIR | mode, "", nullptr, nullptr); }
  Maker& symlink(const std::string& name, const std::string& to) {
    return add(name, S_IFLNK | 0777, "", to.c_str(), nullptr);
  }
  Maker& link(const std::string& name, const std::string& to) {
    return add(name, S_IFREG | 0644, "", nullptr, to.c_str());
  }
  Maker& add(const std::string& name, uint32_t mode, std::string_view data, const char* symlink, const char* link) {
    archive_entry* e = archive_entry_new();
    archive_entry_copy_pathname(e, name.c_str());
    archive_entry_set_mode(e, mode);
    archive_entry_set_mtime(e, 1'000'000'000, 0);
    if (symlink) archive_entry_copy_symlink(e, symlink);
    if (link) archive_entry_copy_hardlink(e, link);
    if (S_ISREG(mode) && !link) archive_entry_set_size(e, static_cast<la_int64_t>(data.size()));
    must(archive_write_header(a_, e) >= ARCHIVE_WARN, name);
    if (!data.empty()) {
      must(archive_write_data(a_, data.data(), data.size()) == static_cast<la_ssize_t>(data.size()), name);
    }
    archive_entry_free(e);
    return *this;
  }
  struct archive* raw() {
    return a_;
  }
  void close() { must(archive_write_close(a_) == ARCHIVE_OK, "close"); }

 private:
  struct archive* a_;
};

}  // namespace isthmus::fs::archive::test
