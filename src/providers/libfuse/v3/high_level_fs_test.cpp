#include "providers/libfuse/v3/high_level_fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <isthmus/fuse3/fuse_haiku.h>
#include <isthmus/fuse3/fuse_winfsp.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/file.h>

#include <condition_variable>
#include <cstring>
#include <future>
#include <map>
#include <thread>

#include "base/file_time.h"
#include "providers/libfuse/v3/modules.h"
#include "vfs/sync.h"

/// A program as C programs write them, on the waist without any door.
namespace isthmus::libfuse {
namespace {

struct File {
  mode_t mode = 0;
  std::string data;
};
/// What the program has, and what it was asked. By path, so that the tests see which.
struct World {
  std::map<std::string, File> files;
  std::vector<std::string> asked;
  std::map<std::string, std::string> xattrs;
  bool offsets = false, plus = false;
  int asked_locks = 0;
  bool by_handle = false;
  std::function<void()> in_read, in_rename;
  std::string target = "/base/dir/target";
  fuse_context seen{};
  fuse_config config{};  // its changes
};
World* g_world;

std::string text(const char* path) { return path ? path : "(none)"; }
void ask(const char* what, const char* path) { g_world->asked.push_back(std::string(what) + " " + text(path)); }
File* file_at(const char* path) {
  auto at = g_world->files.find(text(path));
  return at == g_world->files.end() ? nullptr : &at->second;
}
void fill_stat(const File& f, struct stat* st) {
  st->st_mode = f.mode;
  st->st_size = static_cast<off_t>(f.data.size());
  st->st_nlink = 1;
  st->st_ino = 4711;
}

int on_getattr(const char* path, struct stat* st, fuse_file_info* fi) {
  g_world->by_handle = fi;
  g_world->seen = Caller::context();
  File* f = file_at(path);
  if (!f) return -ENOENT;
  fill_stat(*f, st);
  return 0;
}
int on_create(const char* path, mode_t mode, fuse_file_info* fi) {
  ask("create", path);
  g_world->files[path] = {mode, ""};
  fi->fh = 5;
  return 0;
}
int on_mkdir(const char* path, mode_t mode) {
  g_world->files[path] = {S_IFDIR | mode, ""};
  return 0;
}
int on_unlink(const char* path) {
  ask("unlink", path);
  return g_world->files.erase(path) ? 0 : -ENOENT;
}
int on_rename(const char* from, const char* to, unsigned) {
  ask("rename", from);
  if (g_world->in_rename) g_world->in_rename();
  auto node = g_world->files.extract(from);
  if (!node) return -ENOENT;
  g_world->files[to] = node.mapped();
  return 0;
}
int on_open(const char* path, fuse_file_info* fi) {
  ask("open", path);
  fi->fh = 6;
  return file_at(path) ? 0 : -ENOENT;
}
int on_release(const char* path, fuse_file_info*) {
  ask("release", path);
  return 0;
}
int on_read(const char* path, char* buf, size_t size, off_t off, fuse_file_info*) {
  ask("read", path);
  if (g_world->in_read) g_world->in_read();
  File* f = file_at(path);
  if (!f) return -EBADF;
  return static_cast<int>(f->data.copy(buf, size, static_cast<size_t>(off)));
}
int on_write(const char* path, const char* buf, size_t size, off_t, fuse_file_info*) {
  file_at(path)->data.assign(buf, size);
  return static_cast<int>(size);
}
int on_readdir(const char*, void* buf, fuse_fill_dir_t fill, off_t off, fuse_file_info*, fuse_readdir_flags) {
  off_t at = 0;
  for (auto& [path, f] : g_world->files) {
    if (path == "/" || at++ < off) continue;
    struct stat st {};
    fill_stat(f, &st);
    auto flags = g_world->plus ? FUSE_FILL_DIR_PLUS : fuse_fill_dir_flags{};
    if (fill(buf, path.c_str() + 1, &st, g_world->offsets ? at : 0, flags)) break;
  }
  return 0;
}
int on_getxattr(const char*, const char* name, char* to, size_t size) {
  auto at = g_world->xattrs.find(name);
  if (at == g_world->xattrs.end()) return -ENODATA;
  if (size < at->second.size()) return size ? -ERANGE : static_cast<int>(at->second.size());
  return static_cast<int>(at->second.copy(to, size));
}
int on_lock(const char*, fuse_file_info*, int, struct flock*) {
  g_world->asked_locks++;
  return 0;
}
int on_readlink(const char*, char* buf, size_t size) {
  strncpy(buf, g_world->target.c_str(), size);
  return 0;
}
void* on_init(fuse_conn_info*, fuse_config* config) {
  void* data = Caller::context().private_data;
  g_world->config.entry_timeout = config->entry_timeout;
  *config = g_world->config;
  return data;
}

struct Names final : DirSink {
  struct Name {
    std::string name;
    uint64_t cookie, ino;
    NodeId node;
  };
  bool add(const DirEntry& e) override {
    if (names.size() == room_for) return false;
    names.push_back({std::string(e.name), e.cookie, e.ino, e.with ? e.with->node : NodeId::none});
    return true;
  }
  size_t room_for = SIZE_MAX;
  std::vector<Name> names;
};

class HighLevel : public testing::Test {
 protected:
  HighLevel() {
    g_world = &world;
    world.files["/"] = {S_IFDIR | 0755, ""};
    world.files["/file"] = {S_IFREG | 0644, "content"};
    world.config.entry_timeout = world.config.attr_timeout = 1;
    ops.getattr = on_getattr;
    ops.create = on_create;
    ops.mkdir = on_mkdir;
    ops.unlink = on_unlink;
    ops.rename = on_rename;
    ops.open = on_open;
    ops.release = on_release;
    ops.read = on_read;
    ops.write = on_write;
    ops.readdir = on_readdir;
    ops.getxattr = on_getxattr;
    ops.lock = on_lock;
    ops.readlink = on_readlink;
    ops.init = on_init;
  }
  /// The file system, started as a session does.
  HighLevelFs& fs() {
    if (!made_) {
      made_ = std::make_unique<HighLevelFs>(std::make_unique<fuse_fs>(ops, &world), world.config);
      fuse_conn_info conn{};
      made_->init(conn);
    }
    return *made_;
  }
  template <class T>
  auto call(T args, const Context& ctx = {}) {
    return call_and_wait(fs(), args, ctx);
  }
  NodeId look_up(std::string_view name, NodeId dir = NodeId::root) { return call(op::Lookup{{}, dir, name})->node; }
  HandleId open(NodeId node) { return call(op::Open{{}, node, O_RDWR})->handle; }
  bool was_asked(const std::string& what) {
    return std::find(world.asked.begin(), world.asked.end(), what) != world.asked.end();
  }

  World world;
  fuse_operations ops{};
  std::unique_ptr<HighLevelFs> made_;
};

TEST_F(HighLevel, AttributesAreShownAsTheOptionsSay) {
  world.config.set_mode = world.config.set_uid = world.config.set_gid = 1;
  world.config.umask = 027;
  world.config.uid = 5;
  world.config.gid = 6;
  auto e = call(op::Lookup{{}, NodeId::root, "file"});
  ASSERT_TRUE(e);
  EXPECT_EQ(e->attr.mode, mode_t{S_IFREG | 0750});
  EXPECT_EQ(e->attr.uid, 5u);
  EXPECT_EQ(e->attr.gid, 6u);
  EXPECT_EQ(e->attr.ino, raw(e->node)) << "the program's numbers mean nothing unless use_ino";
  EXPECT_EQ(e->entry_ttl, 1000u);
}

TEST_F(HighLevel, InodeNumbersStayWithin32Bits) {
  NodeId first = look_up("file");
  ASSERT_TRUE(call(op::Forget{{}, first, 1}));
  auto e = call(op::Lookup{{}, NodeId::root, "file"});
  ASSERT_NE(e->node, first);
  EXPECT_EQ(e->attr.ino, raw(first)) << "its place in the table, without the count of uses";
}

// ---- fuse_winfsp.h ----

fuse_stat_ex g_extended;
uint32_t g_flags_told;

void* wants_winfsp(fuse_conn_info* conn, fuse_config*) {
  EXPECT_TRUE(conn->capable & FUSE_CAP_STAT_EX);
  conn->want |= FUSE_CAP_STAT_EX | FUSE_CAP_CASE_INSENSITIVE;
  return g_world;
}
std::string in_lower_case(std::string path) {
  for (char& c : path) c = static_cast<char>(tolower(c));
  return path;
}
const std::string* as_written(const char* path) {
  for (auto& [name, f] : g_world->files)
    if (in_lower_case(name) == in_lower_case(path)) return &name;
  return nullptr;
}
int extended_getattr(const char* path, struct stat* st, fuse_file_info*) {
  const std::string* name = as_written(path);
  if (!name) return -ENOENT;
  auto* to = reinterpret_cast<fuse_stat_ex*>(st);
  *to = g_extended;
  fill_stat(g_world->files[*name], &to->st);
  return 0;
}
int on_getpath(const char* path, char* buf, size_t size, fuse_file_info*) {
  const std::string* name = as_written(path);
  if (!name) return -ENOENT;
  snprintf(buf, size, "%s", name->c_str());
  return 0;
}
int on_chflags(const char*, uint32_t flags) {
  g_flags_told = g_extended.st_flags = flags;
  return 0;
}
int on_setcrtime(const char*, const timespec* time) {
  g_extended.st_birthtim = *time;
  return 0;
}
int extended_readdir(const char*, void* buf, fuse_fill_dir_t fill, off_t, fuse_file_info*, fuse_readdir_flags) {
  fuse_stat_ex st = g_extended;
  fill_stat(g_world->files["/ReadMe"], &st.st);
  fill(buf, "ReadMe", &st.st, 0, FUSE_FILL_DIR_PLUS);
  return 0;
}

class WinFspProgram : public HighLevel {
 protected:
  WinFspProgram() {
    world.files["/ReadMe"] = {S_IFREG | 0644, "content"};
    g_extended = {{}, {1'000'000'000, 500}, 0x1 | UF_HIDDEN, {}, {}};
    g_flags_told = 0;
    ops.init = wants_winfsp;
    ops.getattr = extended_getattr;
    ops.readdir = extended_readdir;
    ops.getpath = on_getpath;
    ops.chflags = on_chflags;
    ops.setcrtime = on_setcrtime;
    ops.getxattr = nullptr;
  }
  Status store(NodeId node, const DosFacts& facts) {
    const std::string value = write_dos_facts(facts);
    return call(op::SetXattr{{}, node, kDosXattr, as_bytes(value)});
  }
};

TEST_F(WinFspProgram, FlagsAndTheTimeOfBirthAreAnAttribute) {
  const auto entry = call(op::Lookup{{}, NodeId::root, "ReadMe"});
  ASSERT_TRUE(entry);
  EXPECT_TRUE(entry->attr.has_btime);
  EXPECT_EQ(entry->attr.btime, (Time{1'000'000'000, 500}));
  const auto value = call(op::GetXattr{{}, entry->node, kDosXattr});
  ASSERT_TRUE(value);
  EXPECT_EQ(read_dos_facts(*value), (DosFacts{0x2, file_time({1'000'000'000, 500})}));
  EXPECT_EQ(*call(op::ListXattr{{}, entry->node}), std::vector<std::string>{std::string(kDosXattr)});
  // Flags that stand for nothing of Windows' stay; what does not change is not set.
  ASSERT_TRUE(store(entry->node, {0x2, file_time({1'000'000'000, 500})}));
  EXPECT_EQ(g_flags_told, 0u);
  ASSERT_TRUE(store(entry->node, {0x25, file_time({5, 0})}));
  EXPECT_EQ(g_flags_told, 0x1u | UF_READONLY | UF_SYSTEM | UF_ARCHIVE);
  EXPECT_EQ(g_extended.st_birthtim.tv_sec, 5);
  ASSERT_TRUE(call(op::RemoveXattr{{}, entry->node, kDosXattr}));
  EXPECT_EQ(g_flags_told, 0x1u);
  op::Setattr set;
  set.node = entry->node;
  set.set.mask = kSetBtime;
  set.set.to.btime = {7, 0};
  const auto changed = call(set);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->attr.btime, (Time{7, 0}));
  EXPECT_EQ(call(op::SetXattr{{}, entry->node, "user.other", {}}).error(), err(ENOSYS));
}

TEST_F(WinFspProgram, WithoutTheBitItIsAsAnyOther) {
  ops.init = on_init;
  ops.getattr = on_getattr;
  ops.getxattr = on_getxattr;
  world.xattrs[std::string(kDosXattr)] = "0x7";
  const NodeId node = look_up("ReadMe");
  EXPECT_EQ(*call(op::GetXattr{{}, node, kDosXattr}), "0x7");
  EXPECT_EQ(call(op::Lookup{{}, NodeId::root, "README"}).error(), err(ENOENT));
}

TEST_F(WinFspProgram, WithoutACallbackWhatItWouldSetIsRefused) {
  ops.setcrtime = nullptr;
  const NodeId node = look_up("ReadMe");
  EXPECT_EQ(store(node, {0x2, 5}).error(), err(ENOSYS));
  EXPECT_TRUE(store(node, {0x4, file_time({1'000'000'000, 500})}));
  EXPECT_EQ(g_flags_told, 0x1u | UF_SYSTEM);
}

TEST_F(WinFspProgram, NamesThatDifferInCaseAreOneFile) {
  const NodeId node = look_up("ReadMe");
  EXPECT_EQ(look_up("README"), node);
  const HandleId handle = call(op::OpenDir{{}, NodeId::root})->handle;
  Names names;
  ASSERT_TRUE(call(op::ReadDir{{}, NodeId::root, handle, 0, true, {}, &names}));
  ASSERT_EQ(names.names.size(), 1u);
  EXPECT_EQ(names.names[0].node, node);
  EXPECT_TRUE(call(op::ReleaseDir{{}, NodeId::root, handle}));
  // Its name changes in case alone, then to another's.
  ASSERT_TRUE(call(op::Rename{{}, NodeId::root, "readme", NodeId::root, "README"}));
  EXPECT_TRUE(world.files.contains("/README"));
  EXPECT_EQ(look_up("readme"), node);
  ASSERT_TRUE(call(op::Rename{{}, NodeId::root, "Readme", NodeId::root, "FILE"}));
  EXPECT_EQ(look_up("file"), node);
  ASSERT_TRUE(call(op::Unlink{{}, NodeId::root, "File"}));
  EXPECT_EQ(world.files.size(), 1u);
}

void* wants_haiku(fuse_conn_info* conn, fuse_config*) {
  EXPECT_TRUE(conn->capable & FUSE_CAP_HAIKU_FUSE_EXTENSIONS);
  conn->want |= FUSE_CAP_HAIKU_FUSE_EXTENSIONS;
  return g_world;
}
int drive_info(const char* path, unsigned command, void* arg, fuse_file_info* fi, unsigned flags, void* data) {
  EXPECT_EQ(text(path), "/");
  EXPECT_EQ(command, FUSE_HAIKU_GET_DRIVE_INFO);
  EXPECT_EQ(flags, sizeof(fs_info));
  EXPECT_TRUE(!fi && !data);
  if (g_world->asked_locks) return -g_world->asked_locks;
  auto& info = *static_cast<fs_info*>(arg);
  info.block_size = 2048;
  info.total_blocks = 1000;
  info.free_blocks = 10;
  info.flags = B_FS_IS_PERSISTENT | B_FS_IS_READONLY | B_FS_HAS_MIME;
  memset(info.volume_name, 'v', sizeof info.volume_name);  // no end
  return 0;
}

TEST_F(HighLevel, HaikusProgramsTellOfTheirVolume) {
  ops.init = wants_haiku;
  ops.ioctl = drive_info;
  auto s = call(op::Statfs{{}, NodeId::root});
  ASSERT_TRUE(s);
  EXPECT_EQ(s->fragment_size, 2048u);
  EXPECT_EQ(s->blocks, 1000u);
  EXPECT_EQ(s->blocks_available, 10u);
  EXPECT_EQ(s->volume_flags, kVolumePersistent | kVolumeReadOnly);
  EXPECT_EQ(s->volume_name, std::string(256, 'v'));
  world.asked_locks = EIO;  // what the ioctl says
  EXPECT_EQ(call(op::Statfs{{}, NodeId::root}).code(), EIO);
  world.asked_locks = ENOTTY;
  s = call(op::Statfs{{}, NodeId::root});
  ASSERT_TRUE(s) << "one that wants all that is offered, and does not know it";
  EXPECT_EQ(s->volume_name, "");
}

TEST_F(HighLevel, HandlesMayBe0) {
  NodeId node = look_up("file");
  ASSERT_TRUE(call(op::Getattr{{}, node, HandleId::none, true}));
  EXPECT_TRUE(world.by_handle);
  ASSERT_TRUE(call(op::Getattr{{}, node}));
  EXPECT_FALSE(world.by_handle);
}

TEST_F(HighLevel, AbsenceIsBelievedWhenTheProgramSaysSo) {
  EXPECT_EQ(call(op::Lookup{{}, NodeId::root, "none"}).code(), ENOENT);
  made_.reset();
  world.config.negative_timeout = 2;
  auto e = call(op::Lookup{{}, NodeId::root, "none"});
  ASSERT_TRUE(e);
  EXPECT_EQ(e->node, NodeId::none);
  EXPECT_EQ(e->entry_ttl, 2000u);
}

TEST_F(HighLevel, ContextIsThatOfTheCaller) {
  Context ctx;
  ctx.cred.known = true;
  ctx.cred.uid = 42;
  ctx.cred.pid = 43;
  ctx.cred.umask = 022;
  ASSERT_TRUE(call(op::Lookup{{}, NodeId::root, "file"}, ctx));
  EXPECT_EQ(world.seen.uid, 42u);
  EXPECT_EQ(world.seen.pid, 43);
  EXPECT_EQ(world.seen.umask, 022u);
  EXPECT_EQ(world.seen.private_data, &world);
}

TEST_F(HighLevel, RemovedOpenFilesAreHiddenUntilTheirLastHandle) {
  NodeId node = look_up("file");
  HandleId h = open(node);
  ASSERT_TRUE(call(op::Unlink{{}, NodeId::root, "file"}));
  EXPECT_TRUE(was_asked("rename /file"));
  ASSERT_EQ(world.files.size(), 2u);
  std::string hidden = world.files.rbegin()->first;
  EXPECT_EQ(hidden.substr(0, 13), "/.fuse_hidden");
  EXPECT_EQ(call(op::Getattr{{}, node, h})->attr.nlink, 0u);
  auto data = call(op::Read{{}, node, h, 0, 100});
  ASSERT_TRUE(data);
  EXPECT_TRUE(was_asked("read " + hidden));
  ASSERT_TRUE(call(op::Release{{}, node, h}));
  EXPECT_TRUE(was_asked("unlink " + hidden));
  EXPECT_EQ(world.files.size(), 1u);
}

TEST_F(HighLevel, ClosedWhileItIsHidden) {
  world.config.nullpath_ok = 1;
  NodeId node = look_up("file");
  HandleId h = open(node);
  world.in_rename = [&] { ASSERT_TRUE(call(op::Release{{}, node, h})); };
  ASSERT_TRUE(call(op::Unlink{{}, NodeId::root, "file"}));
  EXPECT_EQ(world.files.size(), 1u);
}

TEST_F(HighLevel, WhatIsStillHiddenIsRemovedAtTheEnd) {
  NodeId node = look_up("file");
  open(node);
  ASSERT_TRUE(call(op::Unlink{{}, NodeId::root, "file"}));
  fs().remove_hidden();
  EXPECT_EQ(world.files.size(), 1u);
}

TEST_F(HighLevel, RenamingOverAnOpenFileHidesIt) {
  world.files["/other"] = {S_IFREG | 0644, "other"};
  look_up("other");
  NodeId node = look_up("file");
  HandleId h = open(node);
  ASSERT_TRUE(call(op::Rename{{}, NodeId::root, "other", NodeId::root, "file", 0}));
  EXPECT_EQ(world.files["/file"].data, "other");
  EXPECT_EQ(world.files.size(), 3u);
  ASSERT_TRUE(call(op::Release{{}, node, h}));
  EXPECT_EQ(world.files.size(), 2u);
}

TEST_F(HighLevel, HardRemoveRemoves) {
  world.config.hard_remove = 1;
  NodeId node = look_up("file");
  HandleId h = open(node);
  ASSERT_TRUE(call(op::Unlink{{}, NodeId::root, "file"}));
  EXPECT_EQ(world.files.size(), 1u);
  EXPECT_EQ(call(op::Read{{}, node, h, 0, 100}).code(), EBADF);
  EXPECT_TRUE(was_asked("read (none)"));
}

TEST_F(HighLevel, NullPathsAreForCallbacksWithHandles) {
  world.config.nullpath_ok = 1;
  NodeId node = look_up("file");
  HandleId h = open(node);
  EXPECT_TRUE(was_asked("open /file"));
  static_cast<void>(call(op::Read{{}, node, h, 0, 100}));
  EXPECT_TRUE(was_asked("read (none)"));
}

TEST_F(HighLevel, ListsUsedInPartAreWrittenFromThere) {
  fuse_fs program(ops, &world);
  std::string data = "abcdef";
  fuse_bufvec list = FUSE_BUFVEC_INIT(data.size());
  list.buf[0].mem = data.data();
  list.off = 2;
  EXPECT_EQ(program.write_buf("/file", &list, 0, nullptr), 4);
  EXPECT_EQ(world.files["/file"].data, "cdef");
  list.idx = 1;
  list.off = 0;
  EXPECT_EQ(program.write_buf("/file", &list, 0, nullptr), 0);
  list.idx = 0;
  list.buf[0].size = SIZE_MAX;
  EXPECT_EQ(program.write_buf("/file", &list, 0, nullptr), -EINVAL);
}

TEST_F(HighLevel, CreateMakesPlainFilesWhereMknodIsMissing) {
  auto e = call(op::Mknod{{}, NodeId::root, "made", S_IFREG | 0600});
  ASSERT_TRUE(e);
  EXPECT_TRUE(was_asked("create /made"));
  EXPECT_TRUE(was_asked("release /made"));
  EXPECT_EQ(call(op::Mknod{{}, NodeId::root, "fifo", S_IFIFO | 0600}).code(), ENOSYS);
}

TEST_F(HighLevel, ListingsOfEitherKind) {
  for (int i = 0; i < 9; i++) world.files["/n" + std::to_string(i)] = {S_IFREG | 0644, ""};
  for (bool offsets : {false, true})
    for (bool plus : {false, true}) {
      world.offsets = offsets;
      world.plus = plus;
      auto dir = call(op::OpenDir{{}, NodeId::root});
      ASSERT_TRUE(dir);
      std::vector<std::string> all;
      for (uint64_t cookie = 0;;) {
        Names some;
        some.room_for = 3;
        ASSERT_TRUE(call(op::ReadDir{{}, NodeId::root, dir->handle, cookie, true, {}, &some}));
        if (some.names.empty()) break;
        for (auto& n : some.names) {
          all.push_back(n.name);
          EXPECT_EQ(n.node != NodeId::none, plus);
          if (n.node != NodeId::none) fs().paths().forget(n.node, 1);
        }
        cookie = some.names.back().cookie;
      }
      EXPECT_EQ(all.size(), 10u) << offsets << plus;
      // After its end, from somewhere before.
      Names rest;
      ASSERT_TRUE(call(op::ReadDir{{}, NodeId::root, dir->handle, 4, false, {}, &rest}));
      EXPECT_EQ(rest.names.size(), 6u) << offsets << plus;
      EXPECT_EQ(all.front(), "file");
      EXPECT_EQ(fs().paths().size(), 1u) << "what had no room was counted";
      ASSERT_TRUE(call(op::ReleaseDir{{}, NodeId::root, dir->handle}));
    }
}

TEST_F(HighLevel, LongValuesOfAttributes) {
  NodeId node = look_up("file");
  for (size_t size : {0u, 5u, 1024u, 1025u, 65536u}) {
    world.xattrs["user.x"] = std::string(size, 'x');
    EXPECT_EQ(*call(op::GetXattr{{}, node, "user.x"}), world.xattrs["user.x"]);
  }
  world.xattrs["user.x"] = std::string(65537, 'x');
  EXPECT_EQ(call(op::GetXattr{{}, node, "user.x"}).code(), E2BIG);
  EXPECT_EQ(call(op::GetXattr{{}, node, "user.y"}).code(), ENODATA);
}

TEST_F(HighLevel, LocksOfThisMountAreKnown) {
  NodeId node = look_up("file");
  HandleId h = open(node);
  Lock lock;
  lock.owner = 1;
  lock.pid = 77;
  lock.type = LockType::exclusive;
  ASSERT_TRUE(call(op::SetLock{{}, node, h, lock}));
  Lock other = lock;
  other.owner = 2;
  EXPECT_EQ(call(op::GetLock{{}, node, h, other})->pid, 77u);
  ASSERT_TRUE(call(op::Flush{{}, node, h, 1})) << "also without a flush() of the program";
  EXPECT_EQ(world.asked_locks, 2);
  EXPECT_EQ(call(op::GetLock{{}, node, h, other})->type, LockType::exclusive) << "what the program says";
  EXPECT_EQ(world.asked_locks, 3);
}

TEST_F(HighLevel, AutoCacheKeepsWhatIsNotOlderThanTheFile) {
  world.config.auto_cache = 1;
  NodeId node = look_up("file");
  EXPECT_FALSE(call(op::Open{{}, node})->flags & kOpenedKeepCache);
  EXPECT_TRUE(call(op::Open{{}, node})->flags & kOpenedKeepCache);
  world.files["/file"].data = "longer than before";
  ASSERT_TRUE(call(op::Getattr{{}, node}));
  EXPECT_FALSE(call(op::Open{{}, node})->flags & kOpenedKeepCache);
  EXPECT_TRUE(call(op::Open{{}, node})->flags & kOpenedKeepCache);
}

TEST_F(HighLevel, ARenameWaitsForCallbacksBelow) {
  ASSERT_TRUE(call(op::Mkdir{{}, NodeId::root, "dir", 0755}));
  world.files["/dir/file"] = {S_IFREG | 0644, "data"};
  NodeId dir = look_up("dir"), node = look_up("file", dir);
  HandleId h = open(node);
  std::promise<void> inside, go_on;
  world.in_read = [&] {
    inside.set_value();
    go_on.get_future().wait();
  };
  auto reading = std::async(std::launch::async, [&] { return call(op::Read{{}, node, h, 0, 100}).code(); });
  inside.get_future().wait();
  auto renaming = std::async(std::launch::async, [&] {
    return call(op::Rename{{}, NodeId::root, "dir", NodeId::root, "new", 0}).code();
  });
  EXPECT_EQ(renaming.wait_for(std::chrono::milliseconds(30)), std::future_status::timeout);
  go_on.set_value();
  EXPECT_EQ(reading.get(), 0);
  EXPECT_EQ(renaming.get(), 0);
}

TEST_F(HighLevel, AnInterruptSendsTheSignal) {
  world.config.intr = 1;
  world.config.intr_signal = SIGUSR2;
  int result = 0, saw = 0;
  Cancel cancel;
  Context ctx;
  ctx.cancel = &cancel;
  NodeId node = look_up("file");
  world.in_read = [&] {
    EXPECT_FALSE(Caller::interrupted());
    std::thread([&] { cancel.request(); }).detach();
    timespec long_time{20, 0};
    result = nanosleep(&long_time, nullptr);
    saw = Caller::interrupted();
  };
  ASSERT_TRUE(call(op::Read{{}, node, HandleId{1}, 0, 100}, ctx));
  EXPECT_EQ(result, -1);
  EXPECT_TRUE(saw);
  EXPECT_FALSE(Caller::interrupted());
}

TEST_F(HighLevel, AnAnsweredReadLeavesItsCancelAlone) {
  world.config.intr = 1;
  world.config.intr_signal = SIGUSR2;
  struct Asked final : Pending<op::Read> {
    void answered(Result<Buffer>&&) noexcept override {
      cancel.on_request([this] { next_interrupted = true; });  // it is the next request's now
    }
    Cancel cancel;
    bool next_interrupted = false;
  } asked;
  asked.ctx.cancel = &asked.cancel;
  NodeId node = look_up("file");
  asked.args = op::Read{{}, node, open(node), 0, 100};
  fs().submit<op::Read>(asked);
  asked.cancel.request();
  EXPECT_TRUE(asked.next_interrupted);
}

// ---- modules ----

fuse_fs* module_over(fuse_fs* below, fuse_fs* (*make)(fuse_args*, fuse_fs**), std::string options) {
  std::string name, flag = "-o" + std::move(options);
  char* argv[] = {name.data(), flag.data(), nullptr};
  fuse_args args = FUSE_ARGS_INIT(2, argv);
  fuse_fs* list[] = {below, nullptr};
  fuse_fs* made = make(&args, list);
  if (args.allocated) {
    for (int i = 0; i < args.argc; i++) free(args.argv[i]);
    free(args.argv);
  }
  return made;
}

struct Modules : HighLevel {
  void SetUp() override {
    world.files["/base"] = {S_IFDIR | 0755, ""};
    world.files["/base/dir"] = {S_IFDIR | 0755, ""};
    world.files["/base/dir/link"] = {S_IFLNK | 0777, ""};
  }
  void TearDown() override {
    if (made_) made_->destroy();
  }
  HighLevelFs& over(fuse_fs* top) {
    made_ = std::make_unique<HighLevelFs>(std::unique_ptr<fuse_fs>(top), world.config);
    fuse_conn_info conn{};
    made_->init(conn);
    return *made_;
  }
};

TEST_F(Modules, SubdirShowsOneDirectory) {
  over(module_over(new fuse_fs(ops, &world), make_subdir, "subdir=/base,rellinks"));
  NodeId dir = look_up("dir");
  ASSERT_NE(dir, NodeId::none);
  EXPECT_EQ(world.seen.private_data, &world) << "each layer has its own";
  NodeId link = look_up("link", dir);
  EXPECT_EQ(*call(op::Readlink{{}, link}), "target") << "/base/dir/target, seen from /base/dir/link";
  EXPECT_EQ(call(op::Lookup{{}, NodeId::root, "file"}).code(), ENOENT);
  const std::pair<const char*, const char*> as_given[] = {
      {"/base/a//b/", "../a//b/"}, {"/base/dir/", ""}, {"/base", "/base"}, {"/base/", "../"}, {"/bas/a", "/bas/a"}};
  for (auto [target, seen] : as_given) {
    world.target = target;
    EXPECT_EQ(*call(op::Readlink{{}, link}), *seen ? seen : ".") << target;
  }
}

TEST_F(Modules, SubdirNeedsItsOption) {
  fuse_fs below(ops, &world);
  EXPECT_EQ(module_over(&below, make_subdir, "rellinks"), nullptr);
}

TEST_F(Modules, IconvConvertsNames) {
  world.files["/gr\xfc\xdf"] = {S_IFREG | 0644, ""};
  over(module_over(new fuse_fs(ops, &world), make_iconv, "from_code=ISO-8859-1,to_code=UTF-8"));
  EXPECT_NE(look_up("grüß"), NodeId::none);
  EXPECT_EQ(call(op::Lookup{{}, NodeId::root, "\xff"}).code(), EILSEQ);
  auto dir = call(op::OpenDir{{}, NodeId::root});
  Names names;
  ASSERT_TRUE(call(op::ReadDir{{}, NodeId::root, dir->handle, 0, false, {}, &names}));
  bool found = false;
  for (auto& n : names.names) found = found || n.name == "grüß";
  EXPECT_TRUE(found);
  ASSERT_TRUE(call(op::ReleaseDir{{}, NodeId::root, dir->handle}));
}

TEST_F(Modules, IconvKnowsItsEncodings) {
  fuse_fs below(ops, &world);
  EXPECT_EQ(module_over(&below, make_iconv, "from_code=nonsense"), nullptr);
}

}  // namespace
}  // namespace isthmus::libfuse
