#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "fs/pass/pass.h"
#include "vfs/sync.h"

/// For this room's tests only: a fresh folder, a PassFs on it, and its operations in short.
namespace isthmus::fs::pass::test {

struct Names final : DirSink {
  struct Item {
    uint64_t cookie, ino;
    uint32_t type;
    NodeId node;
  };
  std::map<std::string, Item> got;
  std::vector<std::string> order;
  size_t room = SIZE_MAX;
  size_t doubled = 0;
  uint64_t last = 0;
  bool add(const DirEntry& e) override {
    if (room == 0) return false;
    room--;
    last = e.cookie;
    order.emplace_back(e.name);
    Item item{e.cookie, e.ino, e.type, e.with ? e.with->node : NodeId::none};
    if (!got.emplace(std::string(e.name), item).second) doubled++;
    return true;
  }
};

/// A caller whose permissions the door has not checked, or has.
inline Context as(uint32_t uid, uint32_t gid, bool checked = false, std::span<const uint32_t> groups = {}) {
  Context c;
  c.cred.known = true;
  c.cred.uid = uid;
  c.cred.gid = gid;
  c.cred.groups = groups;
  c.cred.groups_known = true;
  c.access_checked = checked;
  return c;
}

class Folder {
 public:
  /// to: hears the file system's upcalls; else nobody does.
  explicit Folder(const std::string& base, PassOptions options = {}, Upcalls* to = nullptr) : up(to ? *to : nobody) {
    dir = base + "/isthmus-pass-XXXXXX";
    if (!::mkdtemp(dir.data())) std::abort();
    ::chmod(dir.c_str(), 0777);
    begin(options);
  }
  ~Folder() {
    if (fs) fs->stop();
    fs.reset();
    std::error_code ec;
    std::filesystem::remove_all(dir, ec);
  }
  void begin(PassOptions options = {}) {
    if (fs) fs->stop();
    fs = std::make_unique<PassFs>(dir, options);
    auto s = fs->start(up);
    if (!s) std::abort();
  }

  template <class T>
  Result<typename T::Reply> run(T a, const Context& ctx = {}) {
    return call_and_wait<T>(*fs, std::move(a), ctx);
  }
  Result<Entry> look(NodeId d, std::string_view n, const Context& ctx = {}) {
    auto e = run(op::Lookup{{}, d, n}, ctx);
    if (e && e->node == NodeId::none) return err(ENOENT);
    return e;
  }
  Result<Created> make(NodeId d, std::string_view n, uint32_t mode = 0644, uint32_t flags = O_RDWR | O_CREAT,
                       const Context& ctx = {}) {
    op::Create a;
    a.dir = d;
    a.name = n;
    a.mode = mode;
    a.flags = flags;
    return run(a, ctx);
  }
  Result<Entry> mkdir(NodeId d, std::string_view n, uint32_t mode = 0755, const Context& ctx = {}) {
    op::Mkdir a;
    a.dir = d;
    a.name = n;
    a.mode = mode;
    return run(a, ctx);
  }
  Result<Opened> open(NodeId n, uint32_t flags, const Context& ctx = {}) {
    op::Open a;
    a.node = n;
    a.flags = flags;
    return run(a, ctx);
  }
  void close(NodeId n, HandleId h) {
    op::Release a;
    a.node = n;
    a.handle = h;
    EXPECT_TRUE(run(a));
  }
  void forget(NodeId n, uint64_t count = 1) { EXPECT_TRUE(run(op::Forget{{}, n, count})); }
  Result<size_t> write(NodeId n, HandleId h, uint64_t at, std::string_view text, bool append = false,
                       bool kill = false) {
    Buffer b = Buffer::view(as_bytes(text));
    op::Write a;
    a.node = n;
    a.handle = h;
    a.offset = at;
    a.data = &b;
    a.append = append;
    a.kill_suidgid = kill;
    return run(a);
  }
  Result<std::string> read(NodeId n, HandleId h, uint64_t at, size_t size) {
    std::string into(size, '\0');
    op::Read a;
    a.node = n;
    a.handle = h;
    a.offset = at;
    a.size = size;
    a.into = std::as_writable_bytes(std::span(into));
    auto r = run(a);
    if (!r) return r.error();
    std::string out(size, '\0');
    auto got = r->copy_to(std::as_writable_bytes(std::span(out)), as_bytes(into));
    if (!got) return got.error();
    out.resize(*got);
    return out;
  }
  Result<Attr> attr(NodeId n, HandleId h = HandleId::none) {
    auto r = run(op::Getattr{{}, n, h});
    if (!r) return r.error();
    return r->attr;
  }
  Result<Attributes> set(NodeId n, SetAttr s, const Context& ctx = {}) {
    op::Setattr a;
    a.node = n;
    a.set = s;
    return run(a, ctx);
  }
  Status unlink(NodeId d, std::string_view n, const Context& ctx = {}) { return run(op::Unlink{{}, d, n}, ctx); }
  Status rmdir(NodeId d, std::string_view n, const Context& ctx = {}) { return run(op::Rmdir{{}, d, n}, ctx); }
  Status rename(NodeId d, std::string_view n, NodeId td, std::string_view tn, uint32_t flags = 0,
                const Context& ctx = {}) {
    return run(op::Rename{{}, d, n, td, tn, flags}, ctx);
  }
  std::string path(const std::string& name) const { return dir + "/" + name; }

  std::string dir;
  Upcalls nobody;
  Upcalls& up;
  std::unique_ptr<PassFs> fs;
};

inline constexpr NodeId kRoot = NodeId::root;

/// Each test runs on a disk and on tmpfs, with kernel handles and with names only.
struct Where {
  const char* base;
  bool handles;
};
class OnStores : public ::testing::TestWithParam<Where> {
 protected:
  PassOptions options() const {
    PassOptions o;
    o.handles = GetParam().handles;
    return o;
  }
  bool on_disk() const { return GetParam().base[1] != 'd'; }
  Folder f{GetParam().base, options()};
};
inline std::string where_name(const ::testing::TestParamInfo<Where>& i) {
  return std::string(i.param.base[1] == 'd' ? "tmpfs" : "disk") + (i.param.handles ? "_handles" : "_names");
}
inline const auto kStores = ::testing::Values(Where{"/dev/shm", true}, Where{"/dev/shm", false},
                                              Where{"/var/tmp", true}, Where{"/var/tmp", false});

#define ISTHMUS_NEEDS_ROOT() \
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: acts as several users"

}  // namespace isthmus::fs::pass::test
