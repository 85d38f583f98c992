#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <string>
#include <thread>

#include "base/log.h"
#include "fs/ftp/ftp_fs.h"
#include "fs/ftp/test_server.h"
#include "vfs/sync.h"

/// What the tests of this room share.
namespace isthmus::fs::ftp {

struct ListSink final : DirSink {
  bool add(const DirEntry& e) override {
    if (seen.size() >= room) return false;
    EXPECT_FALSE(seen.contains(std::string(e.name))) << e.name;
    if (e.with) with.emplace(e.name, *e.with);
    seen[std::string(e.name)] = e.type;
    last = e.cookie;
    return true;
  }
  size_t room = SIZE_MAX;
  uint64_t last = 0;
  std::map<std::string, uint32_t> seen;
  std::map<std::string, Entry> with;
};

/// A server, its files as a file system, and short forms of operations.
class Ftp {
 public:
  explicit Ftp(TestServer::Options o = {}, FtpOptions options = quick()) : server(std::move(o)) { mount(options); }
  ~Ftp() {
    if (fs) fs->stop();
  }
  static FtpOptions quick() {
    FtpOptions o;
    o.timeout_ms = 20'000;
    o.retry_ms = 60'000;
    return o;
  }
  void mount(const FtpOptions& options, std::string path = "") {
    set_log_level(LogLevel::off);
    Place p;
    p.host = "127.0.0.1";
    p.port = server.port();
    auto made = FtpFs::open(p, path, false, options, {});
    ASSERT_TRUE(made) << made.problem().text();
    fs = std::move(*made);
    ASSERT_TRUE(fs->start(up));
  }

  template <class T>
  Result<typename T::Reply> run(T args) {
    return call_and_wait(*fs, std::move(args), ctx);
  }
  Result<Entry> lookup(const std::string& path) {
    Entry e;
    e.node = NodeId::root;
    std::string rest = path;
    while (!rest.empty()) {
      const size_t slash = std::min(rest.find('/'), rest.size());
      const std::string name = rest.substr(0, slash);
      rest.erase(0, slash + 1);
      auto r = run(op::Lookup{{}, e.node, name});
      if (!r) return r.error();
      if (r->node == NodeId::none) return err(ENOENT);
      e = *r;
    }
    return e;
  }
  NodeId node(const std::string& path) {
    auto e = lookup(path);
    EXPECT_TRUE(e) << path << ": " << name_of(e ? Errno{} : e.error());
    return e ? e->node : NodeId::none;
  }
  Result<HandleId> open(NodeId n, uint32_t flags) {
    op::Open o;
    o.node = n;
    o.flags = flags;
    auto r = run(o);
    return r ? Result<HandleId>(r->handle) : Result<HandleId>(r.error());
  }
  struct File {
    NodeId node;
    HandleId handle;
  };
  Result<File> create(const std::string& path, uint32_t flags = O_WRONLY | O_CREAT, uint32_t mode = 0644) {
    const size_t slash = path.rfind('/');
    op::Create c;
    c.dir = slash == std::string::npos ? NodeId::root : node(path.substr(0, slash));
    const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
    c.name = name;
    c.mode = S_IFREG | mode;
    c.flags = flags;
    auto r = run(c);
    if (!r) return r.error();
    return File{r->entry.node, r->opened.handle};
  }
  Result<size_t> write(const File& f, uint64_t offset, std::string_view text) {
    const Buffer b = Buffer::view(as_bytes(text));
    op::Write w;
    w.node = f.node;
    w.handle = f.handle;
    w.offset = offset;
    w.data = &b;
    return run(w);
  }
  Result<std::string> read(const File& f, uint64_t offset, size_t size) {
    op::Read r;
    r.node = f.node;
    r.handle = f.handle;
    r.offset = offset;
    r.size = size;
    auto got = run(r);
    if (!got) return got.error();
    std::string text(got->size(), 0);
    auto n = got->copy_to({reinterpret_cast<std::byte*>(text.data()), text.size()});
    EXPECT_TRUE(n && *n == text.size());
    return text;
  }
  Status flush(const File& f) { return run(op::Flush{{}, f.node, f.handle, 0}); }
  void release(const File& f) {
    op::Release r;
    r.node = f.node;
    r.handle = f.handle;
    EXPECT_TRUE(run(r));
  }
  /// Opened, read in pieces, closed.
  Result<std::string> content(const std::string& path, size_t piece = 128 << 10) {
    auto e = lookup(path);
    if (!e) return e.error();
    auto h = open(e->node, O_RDONLY);
    if (!h) return h.error();
    const File f{e->node, *h};
    std::string all;
    Result<std::string> part = std::string();
    while ((part = read(f, all.size(), piece)) && !part->empty()) all += *part;
    release(f);
    if (!part) return part.error();
    return all;
  }
  /// Created or opened and emptied, written in pieces, flushed, closed.
  Status store(const std::string& path, const std::string& text, size_t piece = 128 << 10) {
    auto f = create(path, O_WRONLY | O_CREAT | O_TRUNC);
    if (!f) return f.error();
    Status s = Unit{};
    for (size_t at = 0; s && at < text.size(); at += piece)
      if (auto n = write(*f, at, std::string_view(text).substr(at, piece)); !n) s = n.error();
    if (s) s = flush(*f);
    release(*f);
    return s;
  }
  ListSink list(NodeId dir, size_t room = SIZE_MAX, bool with_attr = true) {
    ListSink sink;
    auto h = run(op::OpenDir{{}, dir, 0});
    EXPECT_TRUE(h);
    if (!h) return sink;
    for (size_t before = SIZE_MAX; before != sink.seen.size();) {
      before = sink.seen.size();
      sink.room = room == SIZE_MAX ? room : before + room;
      op::ReadDir r;
      r.node = dir;
      r.handle = h->handle;
      r.cookie = sink.last;
      r.with_attr = with_attr;
      r.sink = &sink;
      auto read = run(r);
      EXPECT_TRUE(read);
    }
    EXPECT_TRUE(run(op::ReleaseDir{{}, dir, h->handle}));
    return sink;
  }

  TestServer server;
  Upcalls up;
  Context ctx;
  std::unique_ptr<FtpFs> fs;
};

inline std::string pattern(size_t size) {
  std::string s(size, 0);
  uint32_t x = 12345;
  for (char& c : s) {
    x = x * 1664525 + 1013904223;
    c = static_cast<char>(x >> 24);
  }
  return s;
}

/// Until it holds; a machine under load gets a minute.
template <class F>
bool soon(F holds) {
  for (int i = 0; i < 6000; i++) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace isthmus::fs::ftp
