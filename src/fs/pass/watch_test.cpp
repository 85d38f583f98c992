#include <sched.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <chrono>
#include <condition_variable>
#include <fstream>
#include <set>
#include <thread>

#include "fs/pass/pass_test.h"

namespace isthmus::fs::pass::test {

using namespace std::chrono_literals;

constexpr auto kPatience = 60s;  // with a busy machine

/// Notes what is told: "entry NODE NAME", "node NODE", "attr NODE", "changed NODE NAME", "names".
class News final : public Upcalls {
 public:
  void invalidate_node(NodeId n, uint64_t, uint64_t) override { add("node", n); }
  void invalidate_attr(NodeId n) override { add("attr", n); }
  void invalidate_entry(NodeId n, std::string_view name) override { add("entry", n, name); }
  void invalidate_all_names() override { add("names", NodeId::none); }
  void changed(NodeId n, std::string_view name, uint32_t) override { add("changed", n, name); }

  bool came(const std::string& what, NodeId n = NodeId::none, std::string_view name = {}, size_t times = 1) {
    std::unique_lock lock(m_);
    return more_.wait_for(lock, kPatience, [&] { return told_.count(text(what, n, name)) >= times; });
  }
  bool came_any(NodeId n) {
    std::unique_lock lock(m_);
    return more_.wait_for(lock, kPatience,
                          [&] { return told_.contains(text("attr", n, {})) || told_.contains(text("node", n, {})); });
  }
  bool has(const std::string& what, NodeId n = NodeId::none, std::string_view name = {}) {
    std::lock_guard lock(m_);
    return told_.contains(text(what, n, name));
  }
  void clear() {
    std::lock_guard lock(m_);
    told_.clear();
  }
  /// Whoever tells something waits until it is let go.
  void hold(bool held) {
    std::lock_guard lock(m_);
    held_ = held;
    more_.notify_all();
  }

 private:
  static std::string text(const std::string& what, NodeId n, std::string_view name) {
    return what + " " + std::to_string(raw(n)) + " " + std::string(name);
  }
  void add(const std::string& what, NodeId n, std::string_view name = {}) {
    std::unique_lock lock(m_);
    more_.wait(lock, [&] { return !held_; });
    told_.insert(text(what, n, name));
    more_.notify_all();
  }
  std::mutex m_;
  std::condition_variable more_;
  std::multiset<std::string> told_;
  bool held_ = false;
};

/// Another process does something in the folder.
void others(const Folder& f, const std::string& command) {
  ASSERT_EQ(std::system(("cd '" + f.dir + "' && { " + command + "; }").c_str()), 0) << command;
}

class WatchOn : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ISTHMUS_NEEDS_ROOT();
    if (!f.fs->watching()) GTEST_SKIP() << "changes in " << GetParam() << " cannot be heard here";
  }
  News news;
  Folder f{GetParam(), {}, &news};
};
INSTANTIATE_TEST_SUITE_P(Stores, WatchOn, ::testing::Values("/dev/shm", "/var/tmp"),
                         [](auto& i) { return std::string(i.param[1] == 'd' ? "tmpfs" : "disk"); });

TEST_P(WatchOn, MoreIsBelieved) {
  EXPECT_TRUE(f.fs->traits().tells_changes);
  auto d = f.mkdir(kRoot, "d");
  ASSERT_TRUE(d);
  EXPECT_EQ(d->entry_ttl, 60'000u);
  EXPECT_EQ(d->attr_ttl, 10'000u);
  auto none = f.run(op::Lookup{{}, kRoot, "missing"});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->node, NodeId::none);
  EXPECT_EQ(none->entry_ttl, 60'000u);
  auto c = f.make(d->node, "f");
  ASSERT_TRUE(c);
  EXPECT_EQ(c->entry.entry_ttl, 60'000u);
  EXPECT_TRUE(c->opened.flags & kOpenedKeepCache);
  f.close(c->entry.node, c->opened.handle);
}

TEST_P(WatchOn, NamesOfOthers) {
  NodeId d = f.mkdir(kRoot, "d")->node;
  others(f, "echo x > file");
  EXPECT_TRUE(news.came("entry", kRoot, "file"));
  EXPECT_TRUE(news.came("node", kRoot));
  std::this_thread::sleep_for(250ms);  // all is told twice
  news.clear();
  others(f, "mv file d/other");
  EXPECT_TRUE(news.came("entry", d, "other"));
  EXPECT_TRUE(news.came("entry", kRoot, "file"));
  EXPECT_TRUE(news.came("node", d));
  EXPECT_TRUE(news.came("node", kRoot));
  others(f, "ln d/other link; mkdir d/e; ln -s x sym; mkfifo d/p; rmdir d/e; rm link");
  for (auto name : {"link", "sym"}) EXPECT_TRUE(news.came("entry", kRoot, name)) << name;
  for (auto name : {"e", "p"}) EXPECT_TRUE(news.came("entry", d, name)) << name;
  news.clear();
  others(f, "rm d/other");
  EXPECT_TRUE(news.came("entry", d, "other"));
  EXPECT_TRUE(news.came("node", d));
  // Directories are found wherever they are.
  others(f, "mkdir -p top/below; mv d top/below/D");
  EXPECT_TRUE(news.came("entry", kRoot, "d"));
  others(f, "echo > top/below/D/deep");
  EXPECT_TRUE(news.came("entry", d, "deep"));
}

TEST_P(WatchOn, FilesThatNobodyHasLookedUp) {
  const NodeId d = f.mkdir(kRoot, "d")->node;
  others(f, "echo x > d/unseen");
  EXPECT_TRUE(news.came("changed", d, "unseen"));
  std::this_thread::sleep_for(250ms);  // all is told twice
  news.clear();
  others(f, "chmod 600 d/unseen");
  EXPECT_TRUE(news.came("changed", d, "unseen"));
}

TEST_P(WatchOn, FilesOfOthers) {
  auto c = f.make(kRoot, "file");
  ASSERT_TRUE(c);
  NodeId n = c->entry.node;
  f.close(n, c->opened.handle);
  others(f, "ln file another");
  EXPECT_TRUE(news.came("attr", n));
  for (auto command : {"echo text >> file", "truncate -s 1 another", "cp /etc/hostname file"}) {
    std::this_thread::sleep_for(250ms);  // all is told twice
    news.clear();
    others(f, command);
    EXPECT_TRUE(news.came("node", n)) << command;
  }
  for (auto command : {"chmod 600 file", "touch -d 2001-01-01 file", "chown 1 another", "rm another"}) {
    std::this_thread::sleep_for(250ms);
    news.clear();
    others(f, command);
    EXPECT_TRUE(news.came_any(n)) << command;  // some write as well
  }
  news.clear();
  NodeId d = f.mkdir(kRoot, "d")->node;
  others(f, "chmod 700 d");
  EXPECT_TRUE(news.came("attr", d));
}

TEST_P(WatchOn, ToldOnceMore) {
  others(f, "echo > file");
  EXPECT_TRUE(news.came("entry", kRoot, "file", 2));  // for answers that the first word overtook
}

// So who lists from what he knows sees no less than one who lists anew.
TEST_P(WatchOn, AllThatHasHappenedIsToldWhenADirectoryIsOpened) {
  for (int i = 0; i < 20; i++) {
    const std::string name = "file" + std::to_string(i);
    others(f, "echo > " + name);
    op::OpenDir open;
    open.node = kRoot;
    const auto opened = f.run(open);
    ASSERT_TRUE(opened);
    EXPECT_TRUE(opened->flags & kOpenedKeepCache);
    EXPECT_TRUE(news.has("entry", kRoot, name)) << name;
    EXPECT_TRUE(f.run(op::ReleaseDir{{}, kRoot, opened->handle}));
  }
  EXPECT_TRUE(news.came("entry", kRoot, "file19", 2)) << "and once more";
}

TEST_P(WatchOn, OwnChangesAreNoNews) {
  auto before = f.fs->watching()->heard();
  auto c = f.make(kRoot, "own");
  ASSERT_TRUE(c);
  ASSERT_TRUE(f.write(c->entry.node, c->opened.handle, 0, "text"));
  f.close(c->entry.node, c->opened.handle);
  ASSERT_TRUE(f.rename(kRoot, "own", kRoot, "moved"));
  ASSERT_TRUE(f.unlink(kRoot, "moved"));
  others(f, "echo > last");
  EXPECT_TRUE(news.came("entry", kRoot, "last"));
  EXPECT_GT(f.fs->watching()->heard(), before + 3);
  EXPECT_FALSE(news.has("entry", kRoot, "own"));
  EXPECT_FALSE(news.has("entry", kRoot, "moved"));
  EXPECT_FALSE(news.has("node", c->entry.node));
}

TEST_P(WatchOn, TwoOfOneFolderHearEachOther) {
  News second_news;
  Folder second(GetParam(), {}, &second_news);
  std::string own = std::exchange(second.dir, f.dir);
  second.begin();
  auto c = second.make(kRoot, "file");
  ASSERT_TRUE(c);
  EXPECT_TRUE(news.came("entry", kRoot, "file"));
  NodeId n = f.look(kRoot, "file")->node;
  std::this_thread::sleep_for(250ms);
  news.clear();
  ASSERT_TRUE(second.write(c->entry.node, c->opened.handle, 0, "text"));
  EXPECT_TRUE(news.came("node", n));
  second.close(c->entry.node, c->opened.handle);
  ASSERT_TRUE(f.unlink(kRoot, "file"));
  EXPECT_TRUE(second_news.came("attr", c->entry.node));
  second.fs->stop();
  second.fs.reset();
  second.dir = own;
}

TEST_P(WatchOn, WhenTooMuchHappensAllIsDoubted) {
  auto c = f.make(kRoot, "file");
  ASSERT_TRUE(c);
  f.close(c->entry.node, c->opened.handle);
  unsigned long most = 0;
  std::ifstream("/proc/sys/fs/fanotify/max_queued_events") >> most;
  if (most == 0 || most > 50'000) GTEST_SKIP() << "a queue of " << most << " events is not filled so soon";
  news.hold(true);
  others(f, "echo > file");  // the watch waits for us now
  pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    for (unsigned long i = 0; i < most + 3000; i++)
      if (::mknodat(AT_FDCWD, f.path("n" + std::to_string(i)).c_str(), S_IFREG | 0600, 0) < 0) ::_exit(1);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  news.hold(false);
  EXPECT_TRUE(news.came("names"));
  EXPECT_TRUE(news.came("node", c->entry.node));
  EXPECT_TRUE(news.came("node", kRoot));
}

/// Runs `body` in a mount namespace of its own; false where that is not possible.
bool with_own_mounts(const std::function<void()>& body) {
  bool able = false;
  std::thread([&] {
    able = ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    if (able) body();
  }).join();
  return able;
}

TEST_P(WatchOn, MountsBelow) {
  for (auto name : {"heard", "unheard", "later", "a b"}) ASSERT_TRUE(f.mkdir(kRoot, name));
  f.fs->stop();
  f.fs.reset();
  bool able = with_own_mounts([&] {
    ASSERT_EQ(::mount("tmpfs", f.path("heard").c_str(), "tmpfs", 0, "size=1m"), 0);
    ASSERT_EQ(::mount("ramfs", f.path("unheard").c_str(), "ramfs", 0, ""), 0);
    f.begin();
    auto heard = f.look(kRoot, "heard"), unheard = f.look(kRoot, "unheard");
    ASSERT_TRUE(heard && unheard);
    EXPECT_EQ(heard->entry_ttl, 60'000u);
    EXPECT_EQ(f.mkdir(heard->node, "d")->entry_ttl, 60'000u);
    // std::system() shares our mounts.
    others(f, "echo > heard/file");
    EXPECT_TRUE(news.came("entry", heard->node, "file"));

    // What is not heard is believed as briefly as ever, and what changed is noticed at the next look.
    EXPECT_EQ(unheard->entry_ttl, 1000u);
    EXPECT_EQ(f.run(op::Lookup{{}, unheard->node, "missing"}).code(), ENOENT);
    auto c = f.make(unheard->node, "file");
    ASSERT_TRUE(c);
    EXPECT_EQ(c->entry.entry_ttl, 1000u);
    EXPECT_EQ(c->entry.attr_ttl, 1000u);
    f.close(c->entry.node, c->opened.handle);
    EXPECT_FALSE(news.has("node", c->entry.node));
    others(f, "echo text > unheard/file");
    EXPECT_EQ(f.attr(c->entry.node)->size, 5u);
    EXPECT_TRUE(news.has("node", c->entry.node));

    // Mounting changes what a name means.
    auto later = f.look(kRoot, "later");
    ASSERT_EQ(::mount("tmpfs", f.path("later").c_str(), "tmpfs", 0, "size=1m"), 0);
    EXPECT_TRUE(news.came("entry", kRoot, "later"));
    EXPECT_NE(f.look(kRoot, "later")->node, later->node);
    ASSERT_EQ(::mount("tmpfs", f.path("a b").c_str(), "tmpfs", 0, "size=1m"), 0);
    EXPECT_TRUE(news.came("entry", kRoot, "a b"));
    news.clear();
    ASSERT_EQ(::umount2(f.path("a b").c_str(), 0), 0);
    EXPECT_TRUE(news.came("entry", kRoot, "a b"));
    f.fs->stop();
    f.fs.reset();
  });
  if (!able) GTEST_SKIP() << "cannot mount here";
}

TEST_P(WatchOn, AFileOfTwoMountsIsNotTrusted) {
  for (auto name : {"d", "bound"}) ASSERT_TRUE(f.mkdir(kRoot, name));
  f.fs->stop();
  f.fs.reset();
  bool able = with_own_mounts([&] {
    ASSERT_EQ(::mount(f.path("d").c_str(), f.path("bound").c_str(), nullptr, MS_BIND, nullptr), 0);
    f.begin();
    auto one = f.look(kRoot, "d");
    ASSERT_TRUE(one);
    EXPECT_EQ(one->entry_ttl, 60'000u);
    auto other = f.look(kRoot, "bound");
    ASSERT_TRUE(other);
    ASSERT_NE(one->node, other->node);
    EXPECT_EQ(other->entry_ttl, 1000u);
    EXPECT_TRUE(news.came("names"));
    EXPECT_EQ(f.run(op::Getattr{{}, one->node, HandleId::none})->ttl, 1000u);
    f.fs->stop();
    f.fs.reset();
  });
  if (!able) GTEST_SKIP() << "cannot mount here";
}

TEST(WatchOff, WhereItIsNotToBe) {
  for (const auto& change : std::vector<std::function<void(PassOptions&)>>{
           [](auto& o) { o.watch = Watching::off; }, [](auto& o) { o.handles = false; },
           [](auto& o) { o.cache = Cache::none; }, [](auto& o) { o.cache = Cache::always; }}) {
    PassOptions o;
    change(o);
    Folder f("/dev/shm", o);
    EXPECT_EQ(f.fs->watching(), nullptr);
    EXPECT_FALSE(f.fs->traits().tells_changes);
    if (o.cache == Cache::automatic) {
      EXPECT_EQ(f.mkdir(kRoot, "d")->entry_ttl, 1000u);
      EXPECT_EQ(f.run(op::Lookup{{}, kRoot, "missing"}).code(), ENOENT);
    }
    if (o.watch == Watching::off) continue;
    o.watch = Watching::on;
    EXPECT_EQ(PassFs(f.dir, o).start(f.nobody).code(), EINVAL);
  }
}

TEST(WatchOff, WhereTheStoreCannot) {
  ISTHMUS_NEEDS_ROOT();
  Folder f("/dev/shm");
  if (!f.fs->watching()) GTEST_SKIP() << "no fanotify here";
  ASSERT_TRUE(f.mkdir(kRoot, "m"));
  bool able = with_own_mounts([&] {
    ASSERT_EQ(::mount("ramfs", f.path("m").c_str(), "ramfs", 0, ""), 0);
    PassOptions o;
    PassFs silent(f.path("m"), o);
    ASSERT_TRUE(silent.start(f.nobody));
    EXPECT_FALSE(silent.traits().tells_changes);
    silent.stop();
    o.watch = Watching::on;
    EXPECT_FALSE(PassFs(f.path("m"), o).start(f.nobody));
  });
  if (!able) GTEST_SKIP() << "cannot mount here";
}

TEST(WatchEvents, MountPoints) {
  std::string_view table =
      "1 0 8:1 / / rw - ext4 /dev/a rw\n"
      "2 1 0:5 / /home/x/b rw shared:1 - tmpfs tmpfs rw\n"
      "3 1 0:6 / /home/x/a\\040b/c\\134 rw - tmpfs tmpfs rw\n"
      "4 1 0:7 / /home/xy rw - tmpfs tmpfs rw\n"
      "\n"
      "5 1 0:8\n"
      "6 1 0:9 / /home/x/b rw - tmpfs tmpfs rw";
  EXPECT_EQ(mount_points_below(table, "/home/x"), (std::vector<std::string>{"a b/c\\", "b", "b"}));
  EXPECT_EQ(mount_points_below(table, "/").size(), 4u);
  EXPECT_TRUE(mount_points_below("", "/").empty());
}

TEST(WatchEvents, BothNamesOfARename) {
  std::string bytes;
  auto put = [&](auto v) { bytes.append(reinterpret_cast<const char*>(&v), sizeof v); };
  fanotify_event_metadata head{};
  head.event_len = FAN_EVENT_METADATA_LEN + 72;
  head.vers = FANOTIFY_METADATA_VERSION;
  head.metadata_len = FAN_EVENT_METADATA_LEN;
  head.mask = FAN_RENAME;
  put(head);
  for (auto [type, inode, name] :
       {std::tuple{FAN_EVENT_INFO_TYPE_OLD_DFID_NAME, 77u, "old"}, {FAN_EVENT_INFO_TYPE_NEW_DFID_NAME, 88u, "new"}}) {
    put(fanotify_event_info_header{static_cast<uint8_t>(type), 0, 36});
    put(FsId{1, 2});
    put(uint32_t{8});  // of the handle
    put(int32_t{1});
    put(std::array<uint32_t, 2>{inode, 1});
    bytes.append(name).append(5, '\0');
  }
  Bytes all = as_bytes(bytes);
  auto e = next_event(all, 6);
  ASSERT_TRUE(e);
  EXPECT_EQ(e->name, "old");
  EXPECT_EQ(inode_in(e->dir), 77u);
  EXPECT_EQ(e->to_name, "new");
  EXPECT_EQ(inode_in(e->to_dir), 88u);
  EXPECT_EQ(e->store, (FsId{1, 2}));
}

TEST(WatchEvents, CutShortAnywhere) {
  std::string bytes;
  auto put = [&](auto v) { bytes.append(reinterpret_cast<const char*>(&v), sizeof v); };
  fanotify_event_metadata head{};
  head.event_len = FAN_EVENT_METADATA_LEN + 36;
  head.vers = FANOTIFY_METADATA_VERSION;
  head.metadata_len = FAN_EVENT_METADATA_LEN;
  head.pid = 5;
  put(head);
  put(fanotify_event_info_header{FAN_EVENT_INFO_TYPE_DFID_NAME, 0, 36});
  put(FsId{1, 2});
  put(uint32_t{8});  // of the handle
  put(int32_t{1});
  put(std::array<uint32_t, 2>{77, 88});
  bytes.append("name\0\0\0\0", 8);
  ASSERT_EQ(bytes.size(), head.event_len);
  Bytes all = as_bytes(bytes);
  auto e = next_event(all, 6);
  ASSERT_TRUE(e);
  EXPECT_TRUE(all.empty());
  EXPECT_EQ(e->name, "name");
  EXPECT_EQ(e->store, (FsId{1, 2}));
  EXPECT_EQ(inode_in(e->dir), 77u);
  all = as_bytes(bytes);
  EXPECT_TRUE(next_event(all, 5)->dir.empty());  // our own
  for (size_t n = 0; n < bytes.size(); n++) {
    std::string part = bytes.substr(0, n);
    Bytes left = as_bytes(part);
    EXPECT_FALSE(next_event(left, 6)) << n;
    if (n < sizeof(fanotify_event_metadata)) continue;
    auto short_length = static_cast<uint32_t>(n);  // the header agrees, the record does not
    std::memcpy(part.data(), &short_length, sizeof short_length);
    left = as_bytes(part);
    auto cut = next_event(left, 6);
    ASSERT_TRUE(cut);
    EXPECT_TRUE(cut->dir.empty()) << n;
  }
  for (uint32_t size : {17u, 100u, UINT32_MAX}) {  // of the handle: more than there is
    std::string bad = bytes;
    std::memcpy(bad.data() + FAN_EVENT_METADATA_LEN + 12, &size, sizeof size);
    Bytes left = as_bytes(bad);
    auto cut = next_event(left, 6);
    ASSERT_TRUE(cut);
    EXPECT_NE(inode_in(cut->dir), 77u);
  }
  EXPECT_FALSE(inode_in({}));
  EXPECT_FALSE(inode_in({1, "abc"}));
}

}  // namespace isthmus::fs::pass::test
