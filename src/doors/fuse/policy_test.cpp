// Which requests a kernel is told to do without.
#include "doors/fuse/policy.h"

#include <fcntl.h>

#include "doors/fuse/door_test_kernel.h"

namespace isthmus::fuse::testing {
namespace {

constexpr uint64_t kEverything = ~uint64_t{0};

/// A file system with opens, listings, locks and flush, whose nodes serve alone.
PolicyFacts facts() {
  PolicyFacts f;
  for (Op op : {Op::Open, Op::Create, Op::Release, Op::OpenDir, Op::ReleaseDir, Op::Flush, Op::SetLock}) f.can.set(op);
  f.traits.inode_addressed = f.traits.flush_for_locks = true;
  f.offered = kEverything;
  f.minor = kMinor;
  f.buffer_size = 1 << 20;
  return f;
}

struct Left {
  bool open, opendir, flush;
  bool operator==(const Left&) const = default;
};
std::ostream& operator<<(std::ostream& o, const Left& l) {
  return o << "open " << l.open << ", opendir " << l.opendir << ", flush " << l.flush;
}
/// The requests that the kernel goes on sending.
Left left(const PolicyFacts& f) {
  Policy p = decide(f);
  EXPECT_EQ(is_unwanted(Opcode::Create, p), is_unwanted(Opcode::Open, p));
  return {!is_unwanted(Opcode::Open, p), !is_unwanted(Opcode::Opendir, p), !is_unwanted(Opcode::Flush, p)};
}

constexpr Left kNone{false, false, false};

TEST(FusePolicy, NodesThatServeAloneNeedNoOpens) {
  EXPECT_EQ(left(facts()), kNone);
  auto f = facts();
  f.traits.inode_addressed = false;
  EXPECT_EQ(left(f), (Left{true, true, false}));
  f.can = {};
  EXPECT_EQ(left(f), kNone) << "nobody to ask";
}

TEST(FusePolicy, OldKernelsOpen) {
  auto f = facts();
  f.offered &= ~kInitNoOpenSupport;
  EXPECT_EQ(left(f), (Left{true, false, false}));
  f.offered &= ~kInitNoOpendirSupport;
  EXPECT_EQ(left(f), (Left{true, true, false}));
}

TEST(FusePolicy, UsersCanHaveOpens) {
  auto f = facts();
  f.options.stateless_open = false;
  EXPECT_EQ(left(f), (Left{true, true, false}));
}

TEST(FusePolicy, OpensAreWhereTheFileSystemChecksPermissions) {
  auto f = facts();
  f.options.default_permissions = false;
  EXPECT_EQ(left(f), (Left{true, true, false}));
  f.options.only_root = true;
  EXPECT_EQ(left(f), kNone) << "root may open everything";
}

TEST(FusePolicy, NamesAreAskedForWhereNobodyElseChecksTheirUse) {
  auto f = facts();
  EXPECT_FALSE(decide(f).entry_ttl);
  f.options.default_permissions = false;
  EXPECT_EQ(decide(f).entry_ttl, 0u);
  EXPECT_EQ(decide(f).negative_ttl, 0u);
  EXPECT_FALSE(decide(f).attr_ttl);
  EXPECT_FALSE(decide(f).has(kInitDoReaddirplus));
  f.options.entry_ttl = 5;
  EXPECT_EQ(decide(f).entry_ttl, 5u);
  f.options = {};
  f.options.default_permissions = false;
  f.options.only_root = true;
  EXPECT_FALSE(decide(f).entry_ttl);
}

// An NFS server comes in as root: where root is all that is checked, it must not get file handles.
TEST(FusePolicy, NoHandlesForNfsWhereOnlyRootIsLetIn) {
  auto f = facts();
  f.traits.export_stable = true;
  for (bool only_root : {false, true})
    for (bool checks : {false, true}) {
      f.options.only_root = only_root;
      f.options.default_permissions = checks;
      EXPECT_EQ(decide(f).has(kInitNoExportSupport), only_root && !checks);
      EXPECT_EQ(decide(f).has(kInitExportSupport), !only_root || checks);
    }
}

TEST(FusePolicy, LocksEndByFlushAndRelease) {
  auto f = facts();
  f.options.remote_posix_lock = true;
  EXPECT_EQ(left(f), (Left{true, false, true}));
  f.options.remote_posix_lock = false;
  f.options.remote_flock = true;
  EXPECT_EQ(left(f), (Left{true, false, false}));
}

TEST(FusePolicy, FlushThatDoesMoreIsSent) {
  auto f = facts();
  f.traits.flush_for_locks = false;
  EXPECT_EQ(left(f), (Left{false, false, true}));
}

TEST(FusePolicy, ChangesOutsideNeedOpensUnlessTheyAreTold) {
  auto f = facts();
  f.traits.changes_outside = true;
  EXPECT_EQ(left(f), (Left{true, true, false}));
  EXPECT_TRUE(decide(f).has(kInitAutoInvalData));
  EXPECT_FALSE(decide(f).has(kInitCacheSymlinks));
  EXPECT_FALSE(decide(f).keep_cache);
  f.traits.tells_changes = true;
  EXPECT_EQ(left(f), kNone);
  EXPECT_FALSE(decide(f).has(kInitAutoInvalData));
  EXPECT_TRUE(decide(f).has(kInitExplicitInvalData));
  EXPECT_TRUE(decide(f).keep_cache);
}

TEST(FusePolicy, DirectIoIsSaidByOpen) {
  auto f = facts();
  f.options.direct_io = true;
  EXPECT_EQ(left(f), (Left{true, false, false}));
}

TEST(FusePolicy, SmallWritesAreGatheredWhereTheyAreDear) {
  auto gathers = [](bool dear, bool allowed, std::optional<bool> asked) {
    auto f = facts();
    f.traits.small_writes_dear = dear;
    f.traits.write_back = allowed;
    f.options.writeback_cache = asked;
    return decide(f).writeback();
  };
  EXPECT_FALSE(gathers(false, true, {}));
  EXPECT_TRUE(gathers(false, true, true));
  EXPECT_TRUE(gathers(true, true, {}));
  EXPECT_FALSE(gathers(true, true, false));
  EXPECT_FALSE(gathers(true, false, {}));
  EXPECT_FALSE(gathers(true, false, true));
}

TEST(FusePolicy, SaysWhatWasSettled) {
  auto said = [](const PolicyFacts& f, std::string_view name) {
    for (auto& [key, value] : describe(decide(f)))
      if (key == name) return value;
    return std::string("nothing");
  };
  auto f = facts();
  EXPECT_EQ(said(f, "permissions"), "kernel");
  EXPECT_EQ(said(f, "open"), "no request");
  EXPECT_EQ(said(f, "flock"), "kernel");
  f.options.default_permissions = false;
  f.options.remote_flock = true;
  EXPECT_EQ(said(f, "permissions"), "file system");
  EXPECT_EQ(said(f, "open"), "a request");
  EXPECT_EQ(said(f, "flock"), "file system");
  EXPECT_EQ(said(f, "posix_locks"), "kernel");
  EXPECT_NE(said(f, "flags").find("FLOCK_LOCKS"), std::string::npos);
}

/// A door whose file system keeps handles, and says that it needs none.
struct Stateless : Rig {
  Stateless() : Rig({Op::Open, Op::Create, Op::Release, Op::Mknod, Op::Tmpfile, Op::Forget, Op::SetLock, Op::Flush}) {
    fs.t.inode_addressed = fs.t.flush_for_locks = true;
  }
};

TEST(FusePolicy, TheKernelIsToldOnce) {
  Stateless rig;
  rig.init();
  for (auto [opcode, code] : {std::pair{rig.kernel.call(Opcode::Open, 5, OpenIn{}).code(), ENOSYS},
                              {rig.kernel.call(Opcode::Opendir, 1, OpenIn{}).code(), ENOSYS},
                              {rig.kernel.call(Opcode::Flush, 5, FlushIn{}).code(), ENOSYS},
                              {rig.kernel.call(Opcode::Create, 1, CreateIn{}, "x").code(), ENOSYS}})
    EXPECT_EQ(opcode, code);
}

// Without OPEN there is no RELEASE: the handle that O_TMPFILE makes is given back before the kernel hears of it.
TEST(FusePolicy, TmpfileKeepsNoHandle) {
  Stateless rig;
  std::vector<uint64_t> released;
  rig.fs.on_tmpfile = [](auto c) { c.reply({some_entry(5), {HandleId{44}, 0, -1}}); };
  rig.fs.on_release = [&](auto c) {
    released.push_back(raw(c->handle));
    c.reply({});
  };
  rig.init();
  Answer a = rig.kernel.call(Opcode::Tmpfile, 1, CreateIn{O_RDWR, S_IFREG | 0600, 0, 0}, "#1");
  EXPECT_EQ(a.as<EntryOut>().nodeid, 5u);
  EXPECT_EQ(a.as<OpenOut>(sizeof(EntryOut)).fh, 0u);
  EXPECT_EQ(a.as<OpenOut>(sizeof(EntryOut)).open_flags, kFopenKeepCache);
  EXPECT_EQ(released, std::vector<uint64_t>{44});
}

// open(O_CREAT) that loses a race must open what the other made: EEXIST would be its answer, ESTALE makes it look
// again.
TEST(FusePolicy, AFileMadeMeanwhileIsLookedUpAgain) {
  Stateless rig;
  rig.fs.on_mknod = [](auto c) { c.fail(EEXIST); };
  rig.init();
  EXPECT_EQ(rig.kernel.call(Opcode::Mknod, 1, MknodIn{S_IFREG | 0644, 0, 0, 0}, "x").code(), ESTALE);
  EXPECT_EQ(rig.kernel.call(Opcode::Mknod, 1, MknodIn{S_IFIFO | 0644, 0, 0, 0}, "x").code(), EEXIST);
  Rig with({Op::Open, Op::Mknod});
  with.fs.on_mknod = [](auto c) { c.fail(EEXIST); };
  with.init();
  EXPECT_EQ(with.kernel.call(Opcode::Mknod, 1, MknodIn{S_IFREG | 0644, 0, 0, 0}, "x").code(), EEXIST);
}

}  // namespace
}  // namespace isthmus::fuse::testing
