// Names, nodes and attributes as the kernel asks for them.
#include <sys/sysmacros.h>

#include "doors/fuse/door_test_kernel.h"

namespace isthmus::fuse::testing {
namespace {

TEST(FuseNode, LookupCarriesTimesAndGeneration) {
  Rig rig({Op::Lookup});
  rig.fs.on_lookup = [](auto c) {
    EXPECT_EQ(c->name, "name");
    EXPECT_EQ(c->dir, NodeId{1});
    EXPECT_TRUE(c.context().cred.known);
    EXPECT_EQ(c.context().cred.uid, 1000u);
    EXPECT_EQ(c.context().cred.pid, 4242u);
    EXPECT_EQ(c.context().door, DoorKind::fuse);
    EXPECT_TRUE(c.context().access_checked);
    c.reply(some_entry(5));
  };
  rig.init();
  auto out = rig.kernel.call(Opcode::Lookup, 1, "name").as<EntryOut>();
  EXPECT_EQ(out.nodeid, 5u);
  EXPECT_EQ(out.generation, 7u);
  EXPECT_EQ(out.entry_valid, 1u);
  EXPECT_EQ(out.entry_valid_nsec, 500'000'000u);
  EXPECT_GT(out.attr_valid, 1'000'000'000u) << "for ever";
  EXPECT_EQ(out.attr.mode, uint32_t{S_IFREG | 0644});
}

TEST(FuseNode, TheRootHasNoGeneration) {
  Rig rig({Op::Lookup});
  rig.fs.on_lookup = [](auto c) { c.reply(some_entry(1)); };
  rig.init();
  auto out = rig.kernel.call(Opcode::Lookup, 5, "..").as<EntryOut>();
  EXPECT_EQ(out.nodeid, 1u);
  EXPECT_EQ(out.generation, 0u);
}

TEST(FuseNode, NegativeEntries) {
  Rig rig({Op::Lookup});
  rig.fs.on_lookup = [](auto c) {
    Entry none;
    none.entry_ttl = c->name == "cached" ? 3000 : 0;
    if (c->name == "error") return c.fail(ENOENT);
    c.reply(none);
  };
  rig.init();
  Answer a = rig.kernel.call(Opcode::Lookup, 1, "cached");
  EXPECT_EQ(a.code(), 0);
  EXPECT_EQ(a.as<EntryOut>().nodeid, 0u);
  EXPECT_EQ(a.as<EntryOut>().entry_valid, 3u);
  EXPECT_EQ(rig.kernel.call(Opcode::Lookup, 1, "not cached").code(), ENOENT);
  EXPECT_EQ(rig.kernel.call(Opcode::Lookup, 1, "error").code(), ENOENT);
}

TEST(FuseNode, TimesCanBeOverridden) {
  SessionOptions o;
  o.entry_ttl = 0;
  o.negative_ttl = 4000;
  o.attr_ttl = 5000;
  Rig rig({Op::Lookup}, o);
  rig.fs.on_lookup = [](auto c) { c->name == "no" ? c.reply(Entry{}) : c.reply(some_entry(5)); };
  rig.init();
  auto out = rig.kernel.call(Opcode::Lookup, 1, "yes").as<EntryOut>();
  EXPECT_EQ(out.entry_valid, 0u);
  EXPECT_EQ(out.attr_valid, 5u);
  EXPECT_EQ(rig.kernel.call(Opcode::Lookup, 1, "no").as<EntryOut>().entry_valid, 4u);
}

TEST(FuseNode, DotsForExports) {
  Rig rig({Op::Lookup});
  rig.fs.t.export_stable = true;
  rig.fs.on_lookup = [](auto c) {
    if (c->dir == NodeId{99}) return c.fail(ESTALE);
    c.reply(some_entry(c->name == "." ? raw(c->dir) : 1, S_IFDIR | 0755));
  };
  EXPECT_TRUE(flags_of(rig.init()) & kInitExportSupport);
  EXPECT_EQ(rig.kernel.call(Opcode::Lookup, 7, ".").as<EntryOut>().nodeid, 7u);
  EXPECT_EQ(rig.kernel.call(Opcode::Lookup, 7, "..").as<EntryOut>().nodeid, 1u);
  EXPECT_EQ(rig.kernel.call(Opcode::Lookup, 99, ".").code(), ESTALE);
}

TEST(FuseNode, UnknownCredentials) {
  Rig rig({Op::Getattr});
  rig.fs.on_getattr = [](auto c) {
    EXPECT_FALSE(c.context().cred.known);
    EXPECT_EQ(c.context().cred.pid, 0u);
    c.reply(some_attr(1, S_IFDIR | 0755));
  };
  rig.init();
  rig.kernel.uid = rig.kernel.gid = kInvalidUidGid;
  rig.kernel.pid = 0;
  EXPECT_EQ(rig.kernel.call(Opcode::Getattr, 1, GetattrIn{}).code(), 0);
}

TEST(FuseNode, ALookupThatNobodyGotIsForgotten) {
  Rig rig({Op::Lookup, Op::Forget});
  std::optional<Call<op::Lookup>> held;
  std::atomic<bool> asked{false};
  std::atomic<uint64_t> forgotten{0};
  rig.fs.on_lookup = [&](auto c) {
    held.emplace(std::move(c));
    asked = true;
  };
  rig.fs.on_forget = [&](auto c) {
    EXPECT_EQ(c->node, NodeId{5});
    forgotten += c->count;
    c.reply({});
  };
  rig.init();
  rig.kernel.send(Opcode::Lookup, 1, "x");
  while (!asked) std::this_thread::sleep_for(1ms);
  rig.kernel.close();
  std::this_thread::sleep_for(10ms);
  std::exchange(held, std::nullopt)->reply(some_entry(5));
  rig.door->wait();
  EXPECT_EQ(forgotten, 1u);
}

TEST(FuseNode, Forgets) {
  Rig rig({Op::Forget});
  std::mutex m;
  std::map<uint64_t, uint64_t> count;
  rig.fs.on_forget = [&](auto c) {
    std::lock_guard lock(m);
    count[raw(c->node)] += c->count;
    c.reply({});
  };
  rig.init();
  rig.kernel.send(Opcode::Forget, 5, ForgetIn{3});
  rig.kernel.send(Opcode::BatchForget, 0, BatchForgetIn{0, 0});
  rig.kernel.send(Opcode::BatchForget, 0, BatchForgetIn{1, 0}, ForgetOne{6, 1});
  std::string many;
  put(many, BatchForgetIn{1000, 0});
  for (uint64_t i = 0; i < 1000; i++) put(many, ForgetOne{7 + i % 2, i % 3});
  rig.kernel.send(Opcode::BatchForget, 0, Raw{many});
  EXPECT_TRUE(rig.kernel.silent());
  std::lock_guard lock(m);
  EXPECT_EQ(count[5], 3u);
  EXPECT_EQ(count[6], 1u);
  EXPECT_EQ(count[7] + count[8], 999u);
}

TEST(FuseNode, ForgetsAnsweredElsewhere) {
  Rig rig({Op::Forget});
  std::atomic<int> seen{0};
  std::vector<std::thread> threads;
  rig.fs.on_forget = [&](auto c) {
    seen++;
    threads.emplace_back([c = std::move(c)]() mutable { c.reply({}); });
  };
  rig.init();
  rig.kernel.send(Opcode::BatchForget, 0, BatchForgetIn{3, 0}, ForgetOne{5, 1}, ForgetOne{6, 1}, ForgetOne{7, 1});
  while (seen < 3) std::this_thread::sleep_for(1ms);
  rig.kernel.close();
  rig.door->wait();
  for (auto& t : threads) t.join();
}

TEST(FuseNode, NoForget) {
  SessionOptions o;
  o.no_forget = true;
  Rig rig({Op::Forget}, o);
  std::atomic<int> seen{0};
  rig.fs.on_forget = [&](auto c) {
    seen++;
    c.reply({});
  };
  rig.init();
  rig.kernel.send(Opcode::Forget, 5, ForgetIn{3});
  rig.kernel.send(Opcode::BatchForget, 0, BatchForgetIn{1, 0}, ForgetOne{6, 1});
  EXPECT_TRUE(rig.kernel.silent());
  EXPECT_EQ(seen, 0);
}

TEST(FuseNode, GetattrWithAndWithoutHandle) {
  Rig rig({Op::Getattr});
  rig.fs.on_getattr = [](auto c) {
    auto a = some_attr(raw(c->node));
    a.attr.size = raw(c->handle);
    a.attr.nlink = 70000;
    a.attr.atime = {-5, 999'999'999};
    a.attr.ino = 0;
    c.reply(a);
  };
  rig.init();
  auto out = rig.kernel.call(Opcode::Getattr, 5, GetattrIn{kGetattrFh, 0, 77}).as<AttrOut>();
  EXPECT_EQ(out.attr.size, 77u);
  EXPECT_EQ(out.attr.nlink, 70000u);
  EXPECT_EQ(static_cast<int64_t>(out.attr.atime), -5);
  EXPECT_EQ(out.attr.ino, 5u) << "the node stands in for an inode number";
  EXPECT_EQ(out.attr_valid, 2u);
  EXPECT_EQ(rig.kernel.call(Opcode::Getattr, 5, GetattrIn{0, 0, 77}).as<AttrOut>().attr.size, 0u);
}

TEST(FuseNode, Statx) {
  Rig rig({Op::Getattr});
  rig.fs.on_getattr = [](auto c) {
    auto a = some_attr(5, S_IFBLK | 0600);
    a.attr.btime = {1234, 5};
    a.attr.has_btime = c->node == NodeId{5};
    a.attr.rdev = makedev(300, 70000);
    c.reply(a);
  };
  rig.init();
  auto out = rig.kernel.call(Opcode::Statx, 5, StatxIn{}).as<StatxOut>();
  EXPECT_TRUE(out.stat.mask & STATX_BTIME);
  EXPECT_EQ(out.stat.btime.tv_sec, 1234);
  EXPECT_EQ(out.stat.rdev_major, 300u);
  EXPECT_EQ(out.stat.rdev_minor, 70000u);
  EXPECT_EQ(out.stat.mode, S_IFBLK | 0600);
  EXPECT_FALSE(rig.kernel.call(Opcode::Statx, 6, StatxIn{}).as<StatxOut>().stat.mask & STATX_BTIME);
}

TEST(FuseNode, SetattrEachFieldAndAll) {
  Rig rig({Op::Setattr});
  op::Setattr args;
  rig.fs.on_setattr = [&](auto c) {
    args = *c;
    c.reply(some_attr(5));
  };
  rig.init();
  SetattrIn in{};
  in.mode = 0640;
  in.uid = 11;
  in.gid = 12;
  in.size = 13;
  in.atime = 14;
  in.mtime = static_cast<uint64_t>(-15);
  in.ctime = 16;
  in.fh = 17;
  in.lock_owner = 18;
  const std::pair<uint32_t, uint32_t> bits[] = {{kFattrMode, kSetMode},
                                                {kFattrUid, kSetUid},
                                                {kFattrGid, kSetGid},
                                                {kFattrSize, kSetSize},
                                                {kFattrAtime, kSetAtime},
                                                {kFattrMtime, kSetMtime},
                                                {kFattrAtime | kFattrAtimeNow, kSetAtimeNow},
                                                {kFattrMtime | kFattrMtimeNow, kSetMtimeNow},
                                                {kFattrCtime, kSetCtime},
                                                {kFattrFh, 0},
                                                {kFattrKillSuidgid, 0}};
  for (auto [wire_bit, bit] : bits) {
    in.valid = wire_bit;
    ASSERT_EQ(rig.kernel.call(Opcode::Setattr, 5, in).code(), 0);
    EXPECT_EQ(args.set.mask, bit);
    EXPECT_EQ(args.handle, wire_bit == kFattrFh ? HandleId{17} : HandleId::none);
    EXPECT_EQ(args.set.kill_suidgid, wire_bit == kFattrKillSuidgid);
  }
  in.valid = 0xffff;
  ASSERT_EQ(rig.kernel.call(Opcode::Setattr, 5, in).code(), 0);
  EXPECT_EQ(args.set.to.mtime.sec, 0) << "now wins";
  EXPECT_EQ(args.lock_owner, 18u);
  in.valid = kFattrMtime;
  ASSERT_EQ(rig.kernel.call(Opcode::Setattr, 5, in).code(), 0);
  EXPECT_EQ(args.set.to.mtime.sec, -15);
  in.mtimensec = 1'000'000'000;
  EXPECT_EQ(rig.kernel.call(Opcode::Setattr, 5, in).code(), EINVAL);
}

TEST(FuseNode, MknodDevicesUmaskAndExtensions) {
  Rig rig({Op::Mknod, Op::SetXattr});
  rig.fs.t.posix_acl = true;
  op::Mknod args;
  Context ctx;
  std::vector<uint32_t> groups;
  std::string label;
  rig.fs.on_mknod = [&](auto c) {
    args = *c;
    ctx = c.context();
    groups.assign(ctx.cred.groups.begin(), ctx.cred.groups.end());
    label = c->labels.empty() ? "" : std::string(c->labels[0].name) + "=" + std::string(as_text(c->labels[0].value));
    c.reply(some_entry(5, c->mode));
  };
  EXPECT_TRUE(flags_of(rig.init()) & kInitDontMask);
  MknodIn in{};
  in.mode = S_IFCHR | 0666;
  in.umask = 027;
  in.rdev = (12u << 8) | 0x34 | (0x56u << 20);
  std::string ext;
  put(ext, ExtHeader{16, kExtGroups});
  put(ext, SuppGroups{1});
  put(ext, uint32_t{77});
  put(ext, SecctxHeader{24, 1});
  put(ext, Secctx{3, 0});
  put(ext, Raw{std::string("a.b\0ctx", 7)});
  ext.resize(round_up(ext.size(), 8));
  EXPECT_EQ(rig.kernel.answer_to(rig.kernel.send_extended(Opcode::Mknod, 1, ext, in, "dev")).code(), 0);
  EXPECT_EQ(args.mode, uint32_t{S_IFCHR | 0666});
  EXPECT_EQ(args.rdev, makedev(12, 0x5634));
  EXPECT_EQ(ctx.cred.umask, 027u);
  EXPECT_TRUE(ctx.umask_pending);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0], 77u);
  EXPECT_EQ(label, "a.b=ctx");
  // A record of a kind yet unknown is skipped, one that lies about its length is not.
  std::string unknown;
  put(unknown, ExtHeader{16, 99});
  put(unknown, uint64_t{0});
  EXPECT_EQ(rig.kernel.answer_to(rig.kernel.send_extended(Opcode::Mknod, 1, unknown, in, "dev")).code(), 0);
  Logged log;
  put(unknown, ExtHeader{64, 99});
  EXPECT_EQ(rig.kernel.answer_to(rig.kernel.send_extended(Opcode::Mknod, 1, unknown, in, "dev")).code(), EPROTO);
}

TEST(FuseNode, NamesOfEveryKindOfChange) {
  Rig rig({Op::Mkdir, Op::Symlink, Op::Link, Op::Unlink, Op::Rmdir, Op::Rename});
  std::string seen;
  rig.fs.on_mkdir = [&](auto c) {
    seen = fmt::format("mkdir {} {:o}", c->name, c->mode);
    c.reply(some_entry(5, S_IFDIR | 0755));
  };
  rig.fs.on_symlink = [&](auto c) {
    seen = fmt::format("symlink {} {}", c->name, c->target);
    c.reply(some_entry(6, S_IFLNK | 0777));
  };
  rig.fs.on_link = [&](auto c) {
    seen = fmt::format("link {} {} {}", raw(c->node), raw(c->to_dir), c->to_name);
    c.reply(some_entry(raw(c->node)));
  };
  rig.fs.on_unlink = [&](auto c) {
    seen = fmt::format("unlink {}", c->name);
    c.reply({});
  };
  rig.fs.on_rmdir = [&](auto c) {
    seen = fmt::format("rmdir {}", c->name);
    c.fail(ENOTEMPTY);
  };
  rig.fs.on_rename = [&](auto c) {
    seen = fmt::format("rename {} {} {} {} {}", raw(c->dir), c->name, raw(c->to_dir), c->to_name, c->flags);
    c->flags > 2 ? c.fail(EINVAL) : c.reply({});
  };
  rig.init();
  auto& k = rig.kernel;
  EXPECT_EQ(k.call(Opcode::Mkdir, 1, MkdirIn{0750, 022}, "d").as<EntryOut>().nodeid, 5u);
  EXPECT_EQ(seen, "mkdir d 750");
  EXPECT_EQ(k.call(Opcode::Symlink, 1, "s", "/absolute/target").as<EntryOut>().nodeid, 6u);
  EXPECT_EQ(seen, "symlink s /absolute/target");
  EXPECT_EQ(k.call(Opcode::Link, 1, LinkIn{9}, "l").as<EntryOut>().nodeid, 9u);
  EXPECT_EQ(seen, "link 9 1 l");
  EXPECT_EQ(k.call(Opcode::Unlink, 1, "u").code(), 0);
  EXPECT_EQ(seen, "unlink u");
  EXPECT_EQ(k.call(Opcode::Rmdir, 1, "r").code(), ENOTEMPTY);
  EXPECT_EQ(k.call(Opcode::Rename, 1, RenameIn{2}, "a", "b").code(), 0);
  EXPECT_EQ(seen, "rename 1 a 2 b 0");
  EXPECT_EQ(k.call(Opcode::Rename2, 1, Rename2In{2, 2, 0}, "a", "b").code(), 0);
  EXPECT_EQ(seen, "rename 1 a 2 b 2");
  EXPECT_EQ(k.call(Opcode::Rename2, 1, Rename2In{2, 4, 0}, "a", "b").code(), EINVAL);
}

TEST(FuseNode, ReadlinkIsBounded) {
  Logged log;
  Rig rig({Op::Readlink});
  std::string target;
  rig.fs.on_readlink = [&](auto c) { c.reply(target); };
  rig.init();
  target = "some/where";
  EXPECT_EQ(rig.kernel.call(Opcode::Readlink, 5).body, target);
  for (const std::string& bad : {std::string(), std::string(4096, 'x'), std::string("a\0b", 3)}) {
    target = bad;
    EXPECT_EQ(rig.kernel.call(Opcode::Readlink, 5).code(), EIO);
  }
  target = std::string(4095, 'x');
  EXPECT_EQ(rig.kernel.call(Opcode::Readlink, 5).body, target);
}

TEST(FuseNode, AccessIsAnsweredFromModesByDefault) {
  SessionOptions o;
  o.default_permissions = false;
  Rig rig({Op::Getattr, Op::Write}, o);
  rig.fs.on_getattr = [](auto c) {
    EXPECT_FALSE(c.context().access_checked);
    auto a = some_attr(5, S_IFREG | 0640);
    a.attr.uid = 1000;
    a.attr.gid = 5;
    c.reply(a);
  };
  rig.init();
  EXPECT_EQ(rig.kernel.call(Opcode::Access, 5, AccessIn{6, 0}).code(), 0);
  EXPECT_EQ(rig.kernel.call(Opcode::Access, 5, AccessIn{1, 0}).code(), EACCES);
  rig.kernel.uid = 7;
  EXPECT_EQ(rig.kernel.call(Opcode::Access, 5, AccessIn{4, 0}).code(), EACCES);
}

TEST(FuseNode, ProviderMistakesBecomeEio) {
  Logged log;
  Rig rig({Op::Lookup, Op::Getattr, Op::Readlink});
  rig.fs.on_lookup = [](auto c) {
    if (c->name == "parent") return c.reply(some_entry(raw(c->dir)));
    if (c->name == "root") return c.reply(some_entry(1));
    if (c->name == "errno") return c.fail(100'000);
    if (c->name == "511+") return c.fail(3000);
    auto dropped = std::move(c);
  };
  rig.init();
  for (const char* name : {"parent", "root", "errno", "511+", "dropped"})
    EXPECT_EQ(rig.kernel.call(Opcode::Lookup, 9, name).code(), EIO) << name;
}

}  // namespace
}  // namespace isthmus::fuse::testing
