#pragma once
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "fs/mail/mail_fs.h"
#include "vfs/sync.h"

/// What the tests of this room share.
namespace isthmus::fs::mail {

class TempFolder {
 public:
  TempFolder() {
    std::string name = std::filesystem::temp_directory_path() / "isthmus-mail-test-XXXXXX";
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string operator/(std::string_view below) const { return path_ + "/" + std::string(below); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline void put_file(const std::string& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  if (!out.flush()) throw std::runtime_error(path);
}
inline std::string get_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void make_maildir(const std::string& path) {
  for (const char* part : {"tmp", "new", "cur"}) std::filesystem::create_directories(path + "/" + part);
}
/// As a delivery agent does.
inline void deliver(const std::string& maildir, const std::string& name, std::string_view text) {
  put_file(maildir + "/tmp/" + name, text);
  std::filesystem::rename(maildir + "/tmp/" + name, maildir + "/new/" + name);
}
inline std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> names;
  for (auto& e : std::filesystem::directory_iterator(folder)) names.push_back(e.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}
inline std::string message(std::string_view subject, std::string_view body = "text\n") {
  return "From: somebody@example.org\nSubject: " + std::string(subject) + "\n\n" + std::string(body);
}

/// Until it holds; a machine may be busy.
template <class F>
bool within_a_minute(F holds) {
  for (int i = 0; i < 6000; i++) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

/// Remembers what doors are told.
class Ears final : public Upcalls {
 public:
  void invalidate_entry(NodeId, std::string_view name) override { add("entry " + std::string(name)); }
  void deleted(NodeId, NodeId, std::string_view name) override { add("deleted " + std::string(name)); }
  void invalidate_node(NodeId n, uint64_t, uint64_t) override { add("node " + std::to_string(raw(n))); }
  bool heard(const std::string& what) const {
    std::lock_guard lock(m_);
    return heard_.contains(what);
  }
  void forget() {
    std::lock_guard lock(m_);
    heard_.clear();
  }

 private:
  void add(const std::string& what) {
    std::lock_guard lock(m_);
    heard_.insert(what);
  }
  mutable std::mutex m_;
  std::set<std::string> heard_;
};

/// A mail file system and paths in it.
class Mail {
 public:
  explicit Mail(const std::string& place, MailOptions options = {}) {
    auto made = MailFs::open(place, options, {});
    if (!made) throw std::runtime_error(made.problem().text());
    fs = std::move(*made);
    begin();
  }
  explicit Mail(std::unique_ptr<MailFs> of) : fs(std::move(of)) { begin(); }
  ~Mail() { fs->stop(); }

  template <class T>
  Result<typename T::Reply> run(T args) {
    return call_and_wait(*fs, std::move(args), ctx);
  }
  Result<Entry> find(std::string_view path) {
    Entry at;
    at.node = NodeId::root;
    if (path.empty()) return run(op::Lookup{{}, at.node, "."});
    while (!path.empty()) {
      const auto name = path.substr(0, path.find('/'));
      path.remove_prefix(std::min(name.size() + 1, path.size()));
      auto next = run(op::Lookup{{}, at.node, name});
      if (!next) return next;
      at = *next;
    }
    return at;
  }
  std::pair<NodeId, std::string> parent(std::string_view path) {
    const size_t slash = path.rfind('/');
    const auto dir = find(slash == path.npos ? "" : path.substr(0, slash));
    return {dir ? dir->node : NodeId::none, std::string(path.substr(slash == path.npos ? 0 : slash + 1))};
  }
  /// The names in a directory, sorted; in pieces of `room`. Each name must come once.
  std::vector<std::string> list(std::string_view path, size_t room = SIZE_MAX) {
    struct Sink final : DirSink {
      bool add(const DirEntry& e) override {
        if (left == 0) return false;
        left--;
        last = e.cookie;
        if (e.name != "." && e.name != "..") names.emplace_back(e.name);
        return true;
      }
      size_t left = 0;
      uint64_t last = 0;
      std::vector<std::string> names;
    } sink;
    auto dir = find(path);
    if (!dir) return {"error " + std::string(name_of(dir.error()))};
    op::ReadDir a;
    a.node = dir->node;
    a.sink = &sink;
    a.with_attr = true;
    for (;;) {
      const size_t had = sink.names.size();
      const uint64_t cookie = sink.last;
      sink.left = room;
      a.cookie = cookie;
      if (auto done = run(a); !done) return {"error " + std::string(name_of(done.error()))};
      if (sink.last == cookie && sink.names.size() == had) break;
    }
    std::sort(sink.names.begin(), sink.names.end());
    EXPECT_TRUE(std::adjacent_find(sink.names.begin(), sink.names.end()) == sink.names.end());
    return sink.names;
  }
  /// A whole file, as cat(1) reads it; "error ENOENT".
  std::string cat(std::string_view path) {
    auto n = find(path);
    if (!n) return "error " + std::string(name_of(n.error()));
    auto opened = run(op::Open{{}, n->node, O_RDONLY, 7, false, 0});
    if (!opened) return "error " + std::string(name_of(opened.error()));
    std::string all;
    for (;;) {
      op::Read r;
      r.node = n->node;
      r.handle = opened->handle;
      r.offset = all.size();
      r.size = 100'000;
      auto got = run(r);
      if (!got) return "error " + std::string(name_of(got.error()));
      std::string piece(got->size(), '\0');
      auto copied = got->copy_to(std::as_writable_bytes(std::span(piece)));
      if (!copied) return "error " + std::string(name_of(copied.error()));
      piece.resize(*copied);
      if (piece.empty()) break;
      all += piece;
    }
    auto attr = run(op::Getattr{{}, n->node, {}, false, 0, 0});
    if (attr) {
      EXPECT_EQ(attr->attr.size, all.size()) << path;
    }
    EXPECT_TRUE(run(op::Release{{}, n->node, opened->handle, 0, 0, false, false}));
    return all;
  }
  /// As `echo text >path`; the errno.
  int put(std::string_view path, std::string_view text) {
    auto n = find(path);
    if (!n) return n.code();
    auto opened = run(op::Open{{}, n->node, O_WRONLY | O_TRUNC, 7, false, 0});
    if (!opened) return opened.code();
    const Buffer data = Buffer::view(as_bytes(text));
    op::Write w;
    w.node = n->node;
    w.handle = opened->handle;
    w.data = &data;
    const int code = run(w).code();
    EXPECT_TRUE(run(op::Release{{}, n->node, opened->handle, 0, 0, false, false}));
    return code;
  }
  int rm(std::string_view path) {
    auto [dir, name] = parent(path);
    return run(op::Unlink{{}, dir, name, {}}).code();
  }
  int rmdir(std::string_view path) {
    auto [dir, name] = parent(path);
    return run(op::Rmdir{{}, dir, name, {}}).code();
  }
  /// As rm -r; the first errno.
  int rm_r(std::string_view path) {
    for (auto& name : list(path)) {
      const std::string below = std::string(path) + "/" + name;
      auto n = find(below);
      if (!n) return n.code();
      if (int code = S_ISDIR(n->attr.mode) ? rm_r(below) : rm(below)) return code;
    }
    return rmdir(path);
  }

  Ears ears;
  std::unique_ptr<MailFs> fs;
  Context ctx;

 private:
  void begin() {
    if (auto started = fs->start(ears); !started) throw std::runtime_error("start");
  }
};

}  // namespace isthmus::fs::mail
