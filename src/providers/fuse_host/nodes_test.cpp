/// Nodes, their lookup counts, names, attributes, file handles.
#include <fcntl.h>
#include <sys/sysmacros.h>

#include <map>

#include "providers/fuse_host/test_daemon.h"
#include "wire/fuse/extensions.h"

namespace isthmus::fuse_host {
namespace {

using namespace wire::fuse;

using FuseHostNodes = HostTest;

struct Names final : DirSink {
  bool add(const DirEntry& e) override {
    if (names.size() >= most) return false;
    names.emplace_back(e.name);
    nodes.push_back(e.with ? e.with->attr.ino : 0);
    cookies.push_back(e.cookie);
    return true;
  }
  size_t most = 1000;
  std::vector<std::string> names;
  std::vector<uint64_t> nodes, cookies;
};

/// One block of a listing.
class Block {
 public:
  explicit Block(size_t size = 4096) : room_(size, '\0'), writer_(std::as_writable_bytes(std::span(room_))) {}
  Block& add(uint64_t ino, uint64_t next, std::string_view name) {
    EXPECT_EQ(writer_.add(ino, next, 0, name), Added::Yes);
    return *this;
  }
  Block& plus(const EntryOut& e, uint64_t next, std::string_view name) {
    EXPECT_EQ(writer_.add_plus(e, e.attr.ino, next, e.attr.mode >> 12, name), Added::Yes);
    return *this;
  }
  operator Answer() const { return {.body = room_.substr(0, writer_.size())}; }

 private:
  std::string room_;
  DirentWriter writer_;
};

// Time-outs with their nanoseconds; a missing name with one; one without.
TEST_F(FuseHostNodes, LooksNamesUp) {
  serve([](const Asked& a) -> Answer {
    EXPECT_EQ(a.opcode(), Opcode::Lookup);
    EntryOut e = an_entry(7);
    e.attr_valid_nsec = 2'500'000;
    if (a.name() == "there") return answer_of(e);
    if (a.name() == "always") {
      e.entry_valid = e.attr_valid = UINT64_MAX;
      return answer_of(e);
    }
    EntryOut none{};
    none.entry_valid = 3;
    if (a.name() == "negative") return answer_of(none);
    return {.error = ENOENT};
  });
  auto e = look("there");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->attr.ino, 7u);
  EXPECT_EQ(e->entry_ttl, 1000u);
  EXPECT_EQ(e->attr_ttl, 2u);
  EXPECT_EQ(look("always")->attr_ttl, kForever);
  auto none = look("negative");
  ASSERT_TRUE(none);
  EXPECT_EQ(none->node, NodeId::none);
  EXPECT_EQ(none->entry_ttl, 3000u);
  EXPECT_EQ(look("other").code(), ENOENT);
}

// The parent's own number, the root's for a child, none with attributes, types and sizes that no file has: EIO, and the
// lookup is given back.
TEST_F(FuseHostNodes, ImpossibleEntriesAreRefusedAndGivenBack) {
  std::map<std::string, EntryOut> said;
  said["dir"] = an_entry(5, S_IFDIR | 0755);
  said["root"] = an_entry(1, S_IFDIR | 0755);
  said["type"] = an_entry(7, 0644);
  said["size"] = an_entry(8);
  said["size"].attr.size = UINT64_MAX;
  serve([&](const Asked& a) -> Answer { return answer_of(said.at(a.name())); });
  const NodeId dir = node("dir");
  for (const char* name : {"root", "type", "size"}) EXPECT_EQ(look(name).code(), EIO) << name;
  EXPECT_EQ(look("dir", dir).code(), EIO);
  EXPECT_TRUE(soon([&] { return daemon.forgotten(1) == 1 && daemon.forgotten(7) == 1 && daemon.forgotten(8) == 1; }));
  EXPECT_TRUE(soon([&] { return daemon.forgotten(5) == 1; }));
  EXPECT_TRUE(call(op::Forget{{}, dir, 1}));
  EXPECT_TRUE(soon([&] { return daemon.forgotten(5) == 2; }));
}

// What is made is of the type that was asked for, and has a number.
TEST_F(FuseHostNodes, WhatIsMadeIsWhatWasAskedFor) {
  opens = true;
  std::atomic<uint32_t> mode{S_IFREG | 0644};
  std::atomic<uint64_t> number{7};
  serve([&](const Asked& a) -> Answer {
    const std::string entry = text_of_struct(an_entry(number, mode));
    if (a.opcode() == Opcode::Create) return {.body = entry + text_of_struct(OpenOut{33, 0, 0})};
    EXPECT_EQ(a.opcode() == Opcode::Release ? a.in<ReleaseIn>().fh : 33u, 33u);
    return {.body = a.opcode() == Opcode::Release ? "" : entry};
  });
  auto codes = [&] {
    op::Create create;
    create.dir = NodeId::root;
    create.name = "x";
    return std::vector<int>{call(op::Mkdir{{}, NodeId::root, "x", 0700}).code(),
                            call(op::Symlink{{}, NodeId::root, "x", "y"}).code(),
                            call(op::Mknod{{}, NodeId::root, "x", S_IFIFO | 0600, 0}).code(), call(create).code()};
  };
  EXPECT_EQ(codes(), (std::vector<int>{EIO, EIO, EIO, 0}));
  mode = S_IFDIR | 0755;
  EXPECT_EQ(codes(), (std::vector<int>{0, EIO, EIO, EIO}));
  mode = S_IFLNK | 0777;
  EXPECT_EQ(codes(), (std::vector<int>{EIO, 0, EIO, EIO}));
  mode = S_IFIFO | 0644;
  EXPECT_EQ(codes(), (std::vector<int>{EIO, EIO, 0, EIO}));
  // Of 16 answers 4 were kept. What a create had opened is released.
  EXPECT_TRUE(soon([&] { return daemon.forgotten(7) == 12; }));
  EXPECT_TRUE(soon([&] { return daemon.count(Opcode::Release) == 3; }));
  number = 0;
  mode = S_IFDIR | 0755;
  EXPECT_EQ(call(op::Mkdir{{}, NodeId::root, "x", 0700}).code(), EIO);
}

// The same number with another type, or another generation, is another node; what had it before is stale.
TEST_F(FuseHostNodes, ANumberThatIsUsedAgainIsAnotherNode) {
  EntryOut now = an_entry(7);
  serve([&](const Asked& a) -> Answer {
    return a.opcode() == Opcode::Lookup ? answer_of(now) : answer_of(attributes_of(7, now.attr.mode));
  });
  const NodeId file = node();
  EXPECT_EQ(node(), file);
  now = an_entry(7, S_IFDIR | 0755);
  const NodeId dir = node();
  EXPECT_NE(dir, file);
  EXPECT_EQ(call(op::Getattr{{}, file}).code(), ESTALE);
  EXPECT_EQ(open(file).code(), ESTALE);
  EXPECT_TRUE(call(op::Getattr{{}, dir}));
  now.generation = 9;
  const NodeId newer = node();
  EXPECT_NE(newer, dir);
  EXPECT_EQ(call(op::Getattr{{}, dir}).code(), ESTALE);
  EXPECT_TRUE(call(op::Getattr{{}, newer}));
  // Each gives back its own lookups, whatever it has become.
  EXPECT_TRUE(call(op::Forget{{}, file, 2}));
  EXPECT_TRUE(call(op::Forget{{}, dir, 1}));
  EXPECT_TRUE(soon([&] { return daemon.forgotten(7) == 3; }));
  EXPECT_TRUE(call(op::Getattr{{}, newer}));
  EXPECT_EQ(call(op::Getattr{{}, dir}).code(), EIO) << "gone";
}

// Attributes of another type: EIO, and the node is bad.
TEST_F(FuseHostNodes, AttributesOfAnotherTypeMakeTheNodeBad) {
  serve([&](const Asked& a) -> Answer {
    if (a.opcode() == Opcode::Lookup) return answer_of(an_entry(a.name() == "a" ? 7 : a.name() == "b" ? 8 : 9));
    if (a.opcode() == Opcode::Statx) {
      StatxOut x{};
      x.stat.mask = STATX_BASIC_STATS;
      x.stat.mode = S_IFLNK | 0777;
      return answer_of(x);
    }
    return answer_of(attributes_of(a.header.nodeid, S_IFDIR | 0755));
  });
  const NodeId a = node("a"), b = node("b"), c = node("c");
  EXPECT_EQ(call(op::Getattr{{}, a}).code(), EIO);
  op::Setattr set;
  set.node = b;
  set.set.mask = kSetMode;
  EXPECT_EQ(call(set).code(), EIO);
  op::Getattr birth{{}, c};
  birth.statx_mask = STATX_BTIME;
  EXPECT_EQ(call(birth).code(), EIO);
  const size_t asked = daemon.count();
  for (NodeId n : {a, b, c}) EXPECT_EQ(open(n).code(), EIO);
  EXPECT_EQ(daemon.count(), asked);
  // A new lookup has it again, as another node.
  EXPECT_NE(node("a"), a);
}

// FORGET has the sum of what LOOKUP, CREATE, MKNOD, MKDIR, SYMLINK, LINK and listings have counted; many come in one.
TEST_F(FuseHostNodes, LookupCountsAreExact) {
  daemon.agree_on(kInitDoReaddirplus);
  serve([&](const Asked& a) -> Answer {
    switch (a.opcode()) {
      case Opcode::Create:
        return {.body = text_of_struct(an_entry(7)) + text_of_struct(OpenOut{})};
      case Opcode::Mkdir:
        return answer_of(an_entry(8, S_IFDIR | 0755));
      case Opcode::Readdirplus:
        if (a.in<ReadIn>().offset != 0) return {};
        return Block().plus(an_entry(1, S_IFDIR | 0755), 1, ".").plus(an_entry(7), 2, "a").plus({}, 3, "b");
      default:
        return answer_of(an_entry(7));
    }
  });
  const NodeId n = node();
  op::Create create;
  create.dir = NodeId::root;
  create.name = "x";
  EXPECT_TRUE(call(create));
  EXPECT_TRUE(call(op::Mknod{{}, NodeId::root, "y", S_IFREG | 0600, 0}));
  auto linked = call(op::Link{{}, n, NodeId::root, "z"});
  ASSERT_TRUE(linked);
  EXPECT_EQ(linked->node, n);
  Names names;
  EXPECT_TRUE(call(op::ReadDir{{}, NodeId::root, HandleId::none, 0, true, {}, &names}));
  EXPECT_EQ(names.names, (std::vector<std::string>{".", "a", "b"}));
  EXPECT_EQ(names.nodes, (std::vector<uint64_t>{0, 7, 0}));
  auto dir = call(op::Mkdir{{}, NodeId::root, "d", 0700});
  ASSERT_TRUE(dir);
  EXPECT_EQ(daemon.forgotten(7), 0u);
  EXPECT_TRUE(call(op::Forget{{}, n, 5}));
  EXPECT_TRUE(call(op::Forget{{}, dir->node, 1}));
  EXPECT_TRUE(soon([&] { return daemon.forgotten(7) == 5 && daemon.forgotten(8) == 1; }));
  EXPECT_EQ(daemon.forgotten(1), 0u);
  EXPECT_EQ(call(op::Getattr{{}, n}).code(), EIO) << "nobody has it";
}

// A thousand at a time: batches that every daemon's buffer has room for.
TEST_F(FuseHostNodes, ManyForgetsComeInBatches) {
  std::atomic<uint64_t> next{100};
  std::atomic<bool> stall{false};
  serve([&](const Asked&) -> Answer {
    while (stall) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return answer_of(an_entry(next++));
  });
  std::vector<NodeId> nodes;
  for (int i = 0; i < 1200; i++) nodes.push_back(node());
  stall = true;
  std::thread blocked([&] { EXPECT_TRUE(look("g")); });
  for (NodeId n : nodes) EXPECT_TRUE(call(op::Forget{{}, n, 1}));
  stall = false;
  blocked.join();
  host->stop();
  uint64_t sum = 0;
  for (uint64_t n = 100; n < 1300; n++) sum += daemon.forgotten(n);
  EXPECT_EQ(sum, 1200u);
  for (auto& a : daemon.asked(Opcode::BatchForget)) EXPECT_LE(a.header.len, kMinReadBuffer);
}

// ---- names ----

// Too long for any daemon: never sent. "." and ".." neither, but where they are exported.
TEST_F(FuseHostNodes, NamesThatAreNeverSent) {
  serve([](const Asked&) -> Answer { return answer_of(an_entry(7)); });
  const NodeId n = node();
  const std::string longest(kNameMaxOld, 'x'), longer(kNameMaxOld + 1, 'x');
  const size_t before = daemon.count();
  EXPECT_EQ(look(longer).code(), ENAMETOOLONG);
  EXPECT_EQ(call(op::Mkdir{{}, NodeId::root, longer, 0700}).code(), ENAMETOOLONG);
  EXPECT_EQ(call(op::Unlink{{}, NodeId::root, longer}).code(), ENAMETOOLONG);
  EXPECT_EQ(call(op::Rename{{}, NodeId::root, "a", NodeId::root, longer}).code(), ENAMETOOLONG);
  EXPECT_EQ(call(op::Link{{}, n, NodeId::root, longer}).code(), ENAMETOOLONG);
  EXPECT_EQ(look(".", n).code(), ESTALE);
  EXPECT_EQ(look("..", n).code(), ESTALE);
  EXPECT_EQ(daemon.count(), before);
  EXPECT_TRUE(look(longest));
  host->stop();
  for (auto& a : daemon.asked(Opcode::Lookup)) EXPECT_LE(a.name().size(), kNameMaxOld);
}

// ---- file handles ----

TEST_F(FuseHostNodes, ExportedNodesAreFoundAgainWithTheirGeneration) {
  EntryOut e = an_entry(7);
  e.generation = 3;
  std::atomic<int> error{0};
  daemon.agree_on(kInitExportSupport);
  serve([&](const Asked& a) -> Answer {
    if (error) return {.error = error};
    if (a.name() == ".." || (a.name() == "." && a.header.nodeid == 1)) return answer_of(an_entry(1, S_IFDIR | 0755));
    return answer_of(e);
  });
  const NodeId n = node();
  auto handle = call(op::NodeToExport{{}, n});
  ASSERT_TRUE(handle);
  EXPECT_LE(handle->size, ExportHandle::kMostOfProvider);
  EXPECT_TRUE(call(op::Forget{{}, n, 1}));
  auto again = call(op::ExportToNode{{}, *handle});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->attr.ino, 7u);
  auto up_there = look("..", again->node);
  ASSERT_TRUE(up_there);
  EXPECT_EQ(up_there->node, NodeId::root);
  auto root = call(op::NodeToExport{{}, NodeId::root});
  ASSERT_TRUE(root);
  EXPECT_EQ(call(op::ExportToNode{{}, *root})->node, NodeId::root);
  // The number has been used again, or is not known any more, or nobody has made such a handle.
  e.generation = 4;
  EXPECT_EQ(call(op::ExportToNode{{}, *handle}).code(), ESTALE);
  error = ENOENT;
  EXPECT_EQ(call(op::ExportToNode{{}, *handle}).code(), ESTALE);
  handle->size = 3;
  EXPECT_EQ(call(op::ExportToNode{{}, *handle}).code(), ESTALE);
}

TEST_F(FuseHostNodes, ADaemonThatCannotExportHasNoHandles) {
  serve([](const Asked&) -> Answer { return answer_of(an_entry(7)); });
  EXPECT_FALSE(host->capabilities().has(Op::NodeToExport));
  EXPECT_FALSE(host->capabilities().has(Op::ExportToNode));
}

// ---- attributes ----

// Each change alone and with others; with a handle, an owner of locks, and setuid to be cleared.
TEST_F(FuseHostNodes, ChangesAttributes) {
  opens = true;
  daemon.agree_on(kInitHandleKillprivV2);
  serve([&](const Asked& a) -> Answer {
    if (a.opcode() == Opcode::Lookup) return answer_of(an_entry(7));
    if (a.opcode() == Opcode::Open) return answer_of(OpenOut{99, 0, 0});
    return answer_of(attributes_of(7));
  });
  const NodeId n = node();
  op::Setattr a;
  a.node = n;
  a.set.to.mode = 0640;
  a.set.to.uid = 5;
  a.set.to.gid = 6;
  a.set.to.size = 70;
  a.set.to.atime = {8, 9};
  a.set.to.mtime = {10, 11};
  a.set.to.ctime = {12, 13};
  struct Case {
    uint32_t ours, theirs;
  };
  for (const Case c :
       {Case{kSetMode, kFattrMode}, Case{kSetUid | kSetGid, kFattrUid | kFattrGid}, Case{kSetSize, kFattrSize},
        Case{kSetAtime, kFattrAtime}, Case{kSetMtime, kFattrMtime}, Case{kSetAtimeNow, kFattrAtime | kFattrAtimeNow},
        Case{kSetMtimeNow, kFattrMtime | kFattrMtimeNow}, Case{kSetCtime, kFattrCtime}}) {
    a.set.mask = c.ours;
    EXPECT_TRUE(call(a));
    const auto in = daemon.asked(Opcode::Setattr).back().in<SetattrIn>();
    EXPECT_EQ(in.valid, c.theirs);
    EXPECT_EQ(in.size, 70u);
    EXPECT_EQ(in.mtimensec, 11u);
  }
  a.set.mask = kSetSize;
  a.set.kill_suidgid = true;
  a.lock_owner = 77;
  a.handle = open(n)->handle;
  EXPECT_TRUE(call(a));
  const auto in = daemon.asked(Opcode::Setattr).back().in<SetattrIn>();
  EXPECT_EQ(in.valid, kFattrSize | kFattrFh | kFattrLockowner | kFattrKillSuidgid);
  EXPECT_EQ(in.fh, 99u);
  EXPECT_EQ(in.lock_owner, 77u);
  // Nothing: nothing is changed. What cannot be said is an error.
  const size_t before = daemon.count(Opcode::Setattr);
  a.set.mask = 0;
  EXPECT_TRUE(call(a));
  a.set.mask = kSetBtime;
  EXPECT_EQ(call(a).code(), EOPNOTSUPP);
  a.set.mask = kSetSize;
  a.set.to.size = UINT64_MAX;
  EXPECT_EQ(call(a).code(), EFBIG);
  EXPECT_EQ(daemon.count(Opcode::Setattr), before);
}

// By its handle where there is one, and of files only; STATX where a birth time is wanted, once if there is none such.
TEST_F(FuseHostNodes, AsksForAttributes) {
  opens = true;
  std::atomic<bool> knows{true};
  serve([&](const Asked& a) -> Answer {
    if (a.opcode() == Opcode::Lookup) return answer_of(an_entry(7));
    if (a.opcode() == Opcode::Open || a.opcode() == Opcode::Opendir) return answer_of(OpenOut{99, 0, 0});
    if (a.opcode() == Opcode::Statx) {
      if (!knows) return {.error = ENOSYS};
      StatxOut x{};
      x.stat.mask = STATX_BASIC_STATS | STATX_BTIME;
      x.stat.mode = S_IFREG | 0644;
      x.stat.btime = {12, 34, 0};
      x.stat.rdev_major = 1;
      x.stat.size = 50;
      return answer_of(x);
    }
    return answer_of(attributes_of(a.header.nodeid, a.header.nodeid == 1 ? S_IFDIR | 0755 : S_IFREG | 0644));
  });
  const NodeId n = node();
  op::Getattr a{{}, n};
  EXPECT_TRUE(call(a));
  EXPECT_EQ(daemon.asked(Opcode::Getattr).back().in<GetattrIn>().getattr_flags, 0u);
  a.handle = open(n)->handle;
  EXPECT_TRUE(call(a));
  EXPECT_EQ(daemon.asked(Opcode::Getattr).back().in<GetattrIn>().getattr_flags, kGetattrFh);
  EXPECT_EQ(daemon.asked(Opcode::Getattr).back().in<GetattrIn>().fh, 99u);
  op::Getattr dir{{}, NodeId::root, call(op::OpenDir{{}, NodeId::root, 0})->handle};
  EXPECT_TRUE(call(dir));
  EXPECT_EQ(daemon.asked(Opcode::Getattr).back().in<GetattrIn>().getattr_flags, 0u);
  a.statx_mask = STATX_BTIME;
  auto born = call(a);
  ASSERT_TRUE(born);
  EXPECT_TRUE(born->attr.has_btime);
  EXPECT_EQ(born->attr.btime, (Time{12, 34}));
  EXPECT_EQ(born->attr.size, 50u);
  EXPECT_EQ(daemon.asked(Opcode::Statx).back().in<StatxIn>().fh, 99u);
  knows = false;
  for (int i = 0; i < 3; i++) {
    auto plain = call(a);
    ASSERT_TRUE(plain);
    EXPECT_FALSE(plain->attr.has_btime);
  }
  EXPECT_EQ(daemon.count(Opcode::Statx), 2u);
}

// Empty, with a NUL in it, longer than any path: EIO. NULs at its end are none of it.
TEST_F(FuseHostNodes, LinksLeadSomewhere) {
  std::string target = "/absolute/one";
  serve([&](const Asked& a) -> Answer {
    return a.opcode() == Opcode::Lookup ? answer_of(an_entry(7, S_IFLNK | 0777)) : Answer{.body = target};
  });
  const NodeId n = node();
  EXPECT_EQ(*call(op::Readlink{{}, n}), target);
  target = std::string("ends\0\0", 6);
  EXPECT_EQ(*call(op::Readlink{{}, n}), "ends");
  for (const std::string& bad : {std::string(), std::string("a\0b", 3), std::string(1, '\0'), std::string(5000, 'x')}) {
    target = bad;
    EXPECT_EQ(call(op::Readlink{{}, n}).code(), EIO);
  }
  EXPECT_EQ(open(n).code(), ELOOP);
}

// Types and device numbers as the kernel encodes them; the umask is the kernel's, or the daemon's.
TEST_F(FuseHostNodes, MakesNodesOfEachType) {
  std::atomic<uint32_t> type{0};
  serve([&](const Asked&) -> Answer { return answer_of(an_entry(7, type | 0644)); });
  Context ctx;
  ctx.cred = {.known = true, .uid = 5, .gid = 6, .pid = 7, .umask = 022, .groups = {}};
  ctx.umask_pending = true;
  for (const uint32_t t : {S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK}) {
    type = t;
    EXPECT_TRUE(call(op::Mknod{{}, NodeId::root, "x", t | 0777, makedev(0xfff, 0xabcde)}, ctx));
    const Asked a = daemon.asked(Opcode::Mknod).back();
    EXPECT_EQ(a.in<MknodIn>().mode, t | 0755);
    EXPECT_EQ(a.in<MknodIn>().rdev, 0xabcfffdeu);
    EXPECT_EQ(a.in<MknodIn>().umask, 022u);
    EXPECT_EQ(a.header.uid, 5u);
    EXPECT_EQ(a.header.gid, 6u);
    EXPECT_EQ(a.header.pid, 7u);
  }
  // Pipes, sockets and devices are not the daemon's to open.
  for (const uint32_t t : {S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK}) {
    type = t;
    EXPECT_EQ(open(node()).code(), ENXIO);
  }
  EXPECT_EQ(daemon.count(Opcode::Open), 0u);
  // Whom nobody knows comes as we are.
  EXPECT_EQ(daemon.asked(Opcode::Lookup).back().header.uid, geteuid());
}

TEST_F(FuseHostNodes, ADaemonMayApplyTheUmaskItself) {
  daemon.agree_on(kInitDontMask);
  serve([&](const Asked&) -> Answer { return answer_of(an_entry(7, S_IFDIR | 0755)); });
  Context ctx;
  ctx.cred = {.known = true, .umask = 077, .groups = {}};
  ctx.umask_pending = true;
  EXPECT_TRUE(call(op::Mkdir{{}, NodeId::root, "x", 01777}, ctx));
  EXPECT_EQ(daemon.asked(Opcode::Mkdir)[0].in<MkdirIn>().mode, 01777u);
  EXPECT_EQ(daemon.asked(Opcode::Mkdir)[0].in<MkdirIn>().umask, 077u);
}

// Labels and the one group that matters, where they are agreed on.
TEST_F(FuseHostNodes, WhatIsMadeCarriesLabelsAndAGroup) {
  daemon.agree_on(kInitSecurityCtx | kInitCreateSuppGroup);
  serve([&](const Asked& a) -> Answer {
    EntryOut e = an_entry(a.opcode() == Opcode::Mkdir ? 9 : 7, S_IFDIR | 0755);
    e.attr.gid = 50;
    if (a.opcode() == Opcode::Symlink) return answer_of(an_entry(8, S_IFLNK | 0777));
    return answer_of(e);
  });
  const NodeId dir = node();
  const std::vector<uint32_t> groups{40, 50};
  Context ctx;
  ctx.cred = {.known = true, .uid = 5, .gid = 6, .groups = groups, .groups_known = true};
  const std::string label = "system_u:object";
  const op::Label labels[] = {{"security.selinux", as_bytes(label)}};
  EXPECT_TRUE(call(op::Symlink{{}, dir, "x", "y", labels}, ctx));
  const Asked a = daemon.asked(Opcode::Symlink)[0];
  const size_t length = a.header.total_extlen * size_t{8};
  ASSERT_GT(a.body.size(), length);
  auto extensions = parse_extensions(as_bytes(a.body).last(length));
  ASSERT_TRUE(extensions);
  ASSERT_EQ(extensions->context_count(), 1u);
  EXPECT_EQ(extensions->context(0).name, "security.selinux");
  EXPECT_EQ(as_text(extensions->context(0).value), label);
  ASSERT_EQ(extensions->group_count(), 1u);
  EXPECT_EQ(extensions->group(0), 50u);
  EXPECT_EQ(a.body.substr(0, a.body.size() - length), std::string("x\0y\0", 4));
  // Of a group that the caller is not in: none.
  ctx.cred.groups = std::span(groups).first(1);
  EXPECT_TRUE(call(op::Mkdir{{}, dir, "z", 0700}, ctx));
  const Asked b = daemon.asked(Opcode::Mkdir)[0];
  extensions = parse_extensions(as_bytes(b.body).last(b.header.total_extlen * size_t{8}));
  ASSERT_TRUE(extensions);
  EXPECT_TRUE(extensions->empty());
}

// ---- listings ----

// Cookies in any order, blocks one after the other, until the sink is full or there are no more.
TEST_F(FuseHostNodes, ListsBlockByBlock) {
  serve([](const Asked& a) -> Answer {
    EXPECT_EQ(a.opcode(), Opcode::Readdir);
    switch (a.in<ReadIn>().offset) {
      case 0:
        return Block().add(1, UINT64_MAX - 1, "a").add(2, 3, "b");
      case 3:
        return Block().add(3, 2, "c");
      case 2:
        return {};
      case UINT64_MAX - 1:
        return Block().add(2, 3, "b");
      default:
        return {.error = EINVAL};
    }
  });
  Names all;
  op::ReadDir a{{}, NodeId::root, HandleId::none, 0, true, {}, &all};
  EXPECT_TRUE(call(a));
  EXPECT_EQ(all.names, (std::vector<std::string>{"a", "b", "c"}));
  Names few;
  few.most = 1;
  a.sink = &few;
  EXPECT_TRUE(call(a));
  few.most = 2;
  a.cookie = few.cookies.at(0);
  EXPECT_TRUE(call(a));
  EXPECT_EQ(few.names, (std::vector<std::string>{"a", "b"}));
}

// A name that none can be, or one that goes past the block's end: what was before is there, then EIO; what was counted
// behind it is given back.
TEST_F(FuseHostNodes, ABadNameEndsAListing) {
  std::string bad;
  daemon.agree_on(kInitDoReaddirplus);
  serve([&](const Asked& a) -> Answer {
    std::string block;
    if (a.in<ReadIn>().offset == 0) block = static_cast<Answer>(Block().plus(an_entry(7), 1, "a")).body;
    block += text_of_struct(an_entry(8)) + text_of_struct(Dirent{8, 2, static_cast<uint32_t>(bad.size()), 8}) + bad;
    block.resize((block.size() + 7) / 8 * 8);
    return {.body = block + static_cast<Answer>(Block().plus(an_entry(9), 3, "b")).body};
  });
  uint64_t times = 0;
  for (const std::string& name : {std::string("x/y"), std::string(), std::string("n\0l", 3), std::string(1025, 'x')}) {
    bad = name;
    Names names;
    op::ReadDir a{{}, NodeId::root, HandleId::none, 0, true, {}, &names};
    EXPECT_TRUE(call(a));
    EXPECT_EQ(names.names, std::vector<std::string>{"a"});
    a.cookie = 1;
    EXPECT_EQ(call(a).code(), EIO);
    times += 2;
    EXPECT_TRUE(soon([&] { return daemon.forgotten(8) == times && daemon.forgotten(9) == times; })) << name.size();
  }
}

TEST_F(FuseHostNodes, AnEntryThatGoesPastTheEndIsNotThere) {
  serve([&](const Asked& a) -> Answer {
    if (a.in<ReadIn>().offset != 0) return {};
    Answer block = Block().add(1, 1, "a");
    block.body += text_of_struct(Dirent{8, 2, 200, 8}) + "cut off";
    return block;
  });
  Names names;
  EXPECT_TRUE(call(op::ReadDir{{}, NodeId::root, HandleId::none, 0, false, {}, &names}));
  EXPECT_EQ(names.names, std::vector<std::string>{"a"});
}

// READDIRPLUS that is not there falls back, once; entries that cannot be are names without attributes; those for which
// there was no room are given back.
TEST_F(FuseHostNodes, ListsWithAttributes) {
  std::atomic<bool> knows{true};
  daemon.agree_on(kInitDoReaddirplus | kInitReaddirplusAuto);
  serve([&](const Asked& a) -> Answer {
    if (a.in<ReadIn>().offset != 0) return {};
    if (a.opcode() == Opcode::Readdir) return Block().add(7, 1, "plain");
    if (!knows) return {.error = ENOSYS};
    return Block()
        .plus(an_entry(1, S_IFDIR | 0755), 1, "root")
        .plus(an_entry(6, 0), 2, "typeless")
        .plus(an_entry(7), 3, "good")
        .plus(an_entry(8), 4, "left");
  });
  Names names;
  names.most = 3;
  op::ReadDir a{{}, NodeId::root, HandleId::none, 0, true, {}, &names};
  EXPECT_TRUE(call(a));
  EXPECT_EQ(names.names, (std::vector<std::string>{"root", "typeless", "good"}));
  EXPECT_EQ(names.nodes, (std::vector<uint64_t>{0, 0, 7}));
  EXPECT_TRUE(soon([&] { return daemon.forgotten(1) == 1 && daemon.forgotten(6) == 1 && daemon.forgotten(8) == 1; }));
  EXPECT_EQ(daemon.forgotten(7), 0u);
  knows = false;
  for (int i = 0; i < 3; i++) {
    Names plain;
    a.sink = &plain;
    EXPECT_TRUE(call(a));
    EXPECT_EQ(plain.names, std::vector<std::string>{"plain"});
  }
  EXPECT_EQ(daemon.count(Opcode::Readdirplus), 2u);
}

}  // namespace
}  // namespace isthmus::fuse_host
