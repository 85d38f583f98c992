// Listings and extended attributes.
#include <dirent.h>

#include <map>

#include "doors/fuse/door_test_kernel.h"
#include "doors/fuse/listing_advice.h"

namespace isthmus::fuse::testing {
namespace {

struct Listed {
  std::string name;
  uint64_t ino, next, node;
};

std::vector<Listed> parse(const Answer& a, bool plus) {
  std::vector<Listed> all;
  for (size_t at = 0; at + sizeof(Dirent) <= a.body.size();) {
    size_t head = plus ? sizeof(Direntplus) : sizeof(Dirent);
    uint64_t node = plus ? a.as<EntryOut>(at).nodeid : 0;
    auto d = a.as<Dirent>(at + head - sizeof(Dirent));
    all.push_back({a.body.substr(at + head, d.namelen), d.ino, d.off, node});
    at += round_up(head + d.namelen, 8);
  }
  return all;
}

ReadIn listing(uint64_t offset, uint32_t size) {
  ReadIn r{};
  r.fh = 3;
  r.offset = offset;
  r.size = size;
  return r;
}

/// "." and ".." and numbered names, each a node 100 above its number.
void list_numbers(Call<op::ReadDir> c, int count, bool with) {
  for (uint64_t i = c->cookie; i < static_cast<uint64_t>(count); i++) {
    std::string name = i == 0 ? "." : i == 1 ? ".." : "file" + std::to_string(i);
    Entry e = some_entry(100 + i);
    DirEntry d{100 + i, i + 1, DT_REG, name, with ? &e : nullptr};
    if (!c->sink->add(d)) break;
  }
  c.reply({});
}

TEST(FuseDir, EveryNameOnceInPieces) {
  Rig rig({Op::OpenDir, Op::ReadDir});
  rig.fs.on_open_dir = [](auto c) { c.reply({HandleId{3}, kOpenedCacheDir | kOpenedKeepCache, -1}); };
  rig.fs.on_read_dir = [](auto c) {
    EXPECT_EQ(c->handle, HandleId{3});
    EXPECT_FALSE(c->with_attr);
    list_numbers(std::move(c), 5000, false);
  };
  rig.init();
  auto open = rig.kernel.call(Opcode::Opendir, 1, OpenIn{}).as<OpenOut>();
  EXPECT_EQ(open.open_flags, kFopenCacheDir | kFopenKeepCache);
  std::map<std::string, int> seen;
  for (uint64_t at = 0;;) {
    Answer a = rig.kernel.call(Opcode::Readdir, 1, listing(at, 4096));
    EXPECT_LE(a.body.size(), 4096u);
    auto names = parse(a, false);
    if (names.empty()) break;
    for (auto& n : names) seen[n.name]++;
    at = names.back().next;
  }
  EXPECT_EQ(seen.size(), 5000u);
  for (auto& [name, times] : seen) EXPECT_EQ(times, 1) << name;
  EXPECT_EQ(parse(rig.kernel.call(Opcode::Readdir, 1, listing(4000, 4096)), false).at(0).name, "file4000");
}

TEST(FuseDir, PlusCountsOnlyWhatTheKernelCounts) {
  Logged log;
  Rig rig({Op::ReadDir, Op::Lookup, Op::Forget});
  rig.fs.t.dir_attr = true;
  std::map<uint64_t, int> forgotten;
  rig.fs.on_forget = [&](auto c) {
    forgotten[raw(c->node)] += static_cast<int>(c->count);
    c.reply({});
  };
  rig.fs.on_read_dir = [](auto c) {
    if (c->cookie >= 6) return c.reply({});
    EXPECT_TRUE(c->with_attr);
    if (c->cookie == 0) {
      Entry bad = some_entry(99);
      EXPECT_TRUE(c->sink->add({99, 0, DT_REG, "a/b", &bad}));
    }
    list_numbers(std::move(c), 6, true);
  };
  EXPECT_TRUE(flags_of(rig.init()) & kInitDoReaddirplus);
  auto names = parse(rig.kernel.call(Opcode::Readdirplus, 1, listing(0, 4096)), true);
  ASSERT_EQ(names.size(), 6u);
  EXPECT_EQ(names[0].node, 0u) << "'.' has no node";
  EXPECT_EQ(names[1].node, 0u);
  EXPECT_EQ(names[2].node, 102u);
  // An answer after which nothing more can have happened on the door's thread.
  EXPECT_TRUE(parse(rig.kernel.call(Opcode::Readdirplus, 1, listing(6, 4096)), true).empty());
  EXPECT_EQ(forgotten, (std::map<uint64_t, int>{{99, 1}, {100, 1}, {101, 1}}));
}

TEST(FuseDir, LargeListingsBringAttributesWhileSomebodyLooks) {
  Rig rig({Op::ReadDir, Op::Lookup, Op::Forget});
  rig.fs.t.dir_attr = true;
  std::atomic<uint64_t> forgotten{0};
  rig.fs.on_forget = [&](auto c) {
    forgotten = raw(c->node);
    c.reply({});
  };
  rig.fs.on_lookup = [](auto c) { c.reply(some_entry(5)); };
  std::atomic<bool> asked{false};
  rig.fs.on_read_dir = [&](auto c) {
    asked = c->with_attr;
    list_numbers(std::move(c), 1000, asked);
  };
  uint64_t flags = flags_of(rig.init());
  EXPECT_TRUE(flags & kInitDoReaddirplus);
  EXPECT_FALSE(flags & kInitReaddirplusAuto);
  auto list = [&](uint64_t from) { return parse(rig.kernel.call(Opcode::Readdirplus, 1, listing(from, 4096)), true); };
  auto names = list(0);
  EXPECT_TRUE(asked);
  ASSERT_GT(names.size(), 10u);
  auto bare = names.at(ListingAdvice::kBare);
  EXPECT_EQ(bare.node, 0u);
  for (auto& n : names) EXPECT_TRUE(n.node != 0 || n.name == bare.name || n.next <= 2) << n.name;

  names = list(names.back().next);  // nobody has looked
  EXPECT_FALSE(asked);
  EXPECT_EQ(forgotten, 100 + ListingAdvice::kBare);
  rig.kernel.call(Opcode::Lookup, 1, "file30");
  rig.kernel.call(Opcode::Lookup, 2, bare.name.c_str());
  list(names.back().next);
  EXPECT_FALSE(asked) << "those say nothing of this listing";
  rig.kernel.call(Opcode::Lookup, 1, bare.name.c_str());
  list(names.back().next);
  EXPECT_TRUE(asked);
}

TEST(FuseDir, WhoNegotiatesIsAskedForWhatWasAgreedOn) {
  SessionOptions o;
  o.negotiate = [](Agreement&) { return Status(Unit{}); };
  Rig rig({Op::ReadDir, Op::Lookup, Op::Forget}, o);
  rig.fs.t.dir_attr = true;
  rig.fs.on_forget = [](auto c) { c.reply({}); };
  rig.fs.on_read_dir = [&](auto c) {
    EXPECT_TRUE(c->with_attr) << c->cookie;
    list_numbers(std::move(c), 1000, true);
  };
  rig.init();
  for (uint64_t at = 0; at < 1000;) {
    auto names = parse(rig.kernel.call(Opcode::Readdirplus, 1, listing(at, 4096)), true);
    for (auto& n : names) EXPECT_TRUE(n.node != 0 || n.next <= 2) << n.name;
    at = names.back().next;
  }
}

TEST(FuseDir, PlusLooksUpWhereTheProviderHasNoAttributes) {
  Rig rig({Op::ReadDir, Op::Lookup, Op::Forget});
  rig.fs.on_lookup = [](auto c) {
    if (c->name == "file3") return c.fail(ENOENT);
    c.reply(some_entry(100 + static_cast<uint64_t>(std::stoi(std::string(c->name.substr(4))))));
  };
  rig.fs.on_read_dir = [](auto c) { list_numbers(std::move(c), 6, false); };
  rig.init();
  auto names = parse(rig.kernel.call(Opcode::Readdirplus, 1, listing(0, 4096)), true);
  ASSERT_GE(names.size(), 5u);
  EXPECT_EQ(names[2].name, "file2");
  EXPECT_EQ(names[2].node, 102u);
  EXPECT_EQ(names.back().node, 105u);
}

TEST(FuseDir, PlusThatNobodyGotIsForgotten) {
  Rig rig({Op::ReadDir, Op::Lookup, Op::Forget});
  rig.fs.t.dir_attr = true;
  std::optional<Call<op::ReadDir>> held;
  std::atomic<bool> asked{false};
  std::atomic<uint64_t> forgotten{0};
  rig.fs.on_read_dir = [&](auto c) {
    held.emplace(std::move(c));
    asked = true;
  };
  rig.fs.on_forget = [&](auto c) {
    forgotten += raw(c->node);
    c.reply({});
  };
  rig.init();
  rig.kernel.send(Opcode::Readdirplus, 1, listing(0, 4096));
  while (!asked) std::this_thread::sleep_for(1ms);
  rig.kernel.close();
  std::this_thread::sleep_for(10ms);
  list_numbers(std::move(*held), 5, true);
  held.reset();
  rig.door->wait();
  EXPECT_EQ(forgotten, 100u + 101 + 102 + 103 + 104);
}

TEST(FuseDir, AnErrorAfterSomeNamesComesNextTime) {
  Rig rig({Op::ReadDir});
  rig.fs.on_read_dir = [](auto c) {
    if (c->cookie == 0) c->sink->add({5, 1, DT_REG, "one", nullptr});
    c.fail(EIO);
  };
  rig.init();
  auto names = parse(rig.kernel.call(Opcode::Readdir, 1, listing(0, 4096)), false);
  ASSERT_EQ(names.size(), 1u);
  EXPECT_EQ(rig.kernel.call(Opcode::Readdir, 1, listing(1, 4096)).code(), EIO);
}

TEST(FuseDir, InodeNumberZeroAndHugeSizes) {
  Rig rig({Op::ReadDir});
  rig.fs.on_read_dir = [](auto c) {
    c->sink->add({0, 1, 0, "anonymous", nullptr});
    c.reply({});
  };
  rig.init();
  auto names = parse(rig.kernel.call(Opcode::Readdir, 1, listing(0, UINT32_MAX)), false);
  ASSERT_EQ(names.size(), 1u);
  EXPECT_NE(names[0].ino, 0u);
  EXPECT_TRUE(rig.kernel.call(Opcode::Readdir, 1, listing(0, 8)).body.empty());
}

TEST(FuseDir, ReleaseAndFsync) {
  Rig rig({Op::OpenDir, Op::ReleaseDir, Op::FsyncDir});
  std::string seen;
  rig.fs.on_release_dir = [&](auto c) {
    seen = fmt::format("release {}", raw(c->handle));
    c.reply({});
  };
  rig.fs.on_fsync_dir = [&](auto c) {
    seen = fmt::format("fsync {}", c->data_only);
    c.fail(EIO);
  };
  rig.init();
  EXPECT_EQ(rig.kernel.call(Opcode::Releasedir, 1, ReleaseIn{3, 0, 0, 0}).code(), 0);
  EXPECT_EQ(seen, "release 3");
  EXPECT_EQ(rig.kernel.call(Opcode::Fsyncdir, 1, FsyncIn{3, 1, 0}).code(), EIO);
  EXPECT_EQ(seen, "fsync true");
}

struct Xattrs : ::testing::Test {
  Xattrs() : rig({Op::GetXattr, Op::SetXattr, Op::ListXattr, Op::RemoveXattr}) {
    rig.fs.on_get_xattr = [this](auto c) {
      auto i = values.find(std::string(c->name));
      i == values.end() ? c.fail(ENODATA) : c.reply(i->second);
    };
    rig.fs.on_list_xattr = [this](auto c) {
      std::vector<std::string> names;
      for (auto& [name, value] : values) names.push_back(name);
      c.reply(names);
    };
    rig.fs.on_set_xattr = [this](auto c) {
      values[std::string(c->name)] =
          std::string(as_text(c->value)) + "/" + std::to_string(c->flags) + (c->kill_sgid ? "/kill" : "");
      c.reply({});
    };
    rig.fs.on_remove_xattr = [this](auto c) { values.erase(std::string(c->name)) ? c.reply({}) : c.fail(ENODATA); };
  }
  Answer get(uint32_t size, const char* name) {
    return rig.kernel.call(Opcode::Getxattr, 5, GetxattrIn{size, 0}, name);
  }
  Answer list(uint32_t size) { return rig.kernel.call(Opcode::Listxattr, 5, GetxattrIn{size, 0}); }
  std::map<std::string, std::string> values;
  Rig rig;
};

TEST_F(Xattrs, SizesAreAskedCheckedAndBounded) {
  values = {{"user.a", "12345"},
            {"user.empty", ""},
            {"user.big", std::string(65536, 'b')},
            {"user.too_big", std::string(65537, 'b')}};
  rig.init();
  EXPECT_EQ(get(0, "user.a").as<GetxattrOut>().size, 5u);
  EXPECT_EQ(get(4, "user.a").code(), ERANGE);
  EXPECT_EQ(get(5, "user.a").body, "12345");
  EXPECT_EQ(get(100, "user.a").body, "12345");
  EXPECT_EQ(get(0, "user.empty").as<GetxattrOut>().size, 0u);
  Answer empty = get(10, "user.empty");
  EXPECT_EQ(empty.code(), 0);
  EXPECT_EQ(empty.body, "");
  EXPECT_EQ(get(65536, "user.big").body.size(), 65536u);
  EXPECT_EQ(get(0, "user.too_big").code(), E2BIG);
  EXPECT_EQ(get(0, "user.none").code(), ENODATA);
}

TEST_F(Xattrs, Lists) {
  values = {{"user.a", ""}, {"user.bc", ""}, {"", "refused"}};
  rig.init();
  std::string all("user.a\0user.bc\0", 15);
  EXPECT_EQ(list(0).as<GetxattrOut>().size, 15u);
  EXPECT_EQ(list(14).code(), ERANGE);
  EXPECT_EQ(list(15).body, all);
  values.clear();
  EXPECT_EQ(list(0).as<GetxattrOut>().size, 0u);
  EXPECT_EQ(list(10).body, "");
}

TEST_F(Xattrs, BothLayoutsOfSet) {
  rig.init();
  SetxattrIn in{3, 1, kSetxattrAclKillSgid, 0};
  EXPECT_EQ(rig.kernel.call(Opcode::Setxattr, 5, in, "user.x", Raw{"abc"}).code(), 0);
  EXPECT_EQ(values["user.x"], "abc/1/kill");
  EXPECT_EQ(rig.kernel.call(Opcode::Removexattr, 5, "user.x").code(), 0);
  EXPECT_EQ(rig.kernel.call(Opcode::Removexattr, 5, "user.x").code(), ENODATA);
}

TEST_F(Xattrs, TheOldLayoutOfSet) {
  rig.init(TestKernel::kAll & ~kInitSetxattrExt);
  EXPECT_EQ(rig.kernel.call(Opcode::Setxattr, 5, SetxattrCompatIn{3, 2}, "user.x", Raw{"abc"}).code(), 0);
  EXPECT_EQ(values["user.x"], "abc/2");
  Logged log;
  EXPECT_EQ(rig.kernel.call(Opcode::Setxattr, 5, SetxattrCompatIn{9, 2}, "user.x", Raw{"abc"}).code(), EPROTO);
}

}  // namespace
}  // namespace isthmus::fuse::testing
