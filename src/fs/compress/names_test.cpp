// Shown and stored names.
#include <sys/xattr.h>

#include "fs/compress/test_compress.h"

namespace isthmus::fs::compress {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Names, FilesHaveAnEndingBelow) {
  Rig r;
  EXPECT_EQ(r.shown->put("a", "content"), 0);
  EXPECT_TRUE(r.shown->run(op::Mkdir{{}, kRoot, "d", 0755, {}}));
  EXPECT_TRUE(r.shown->run(op::Symlink{{}, kRoot, "s", "a", {}}));
  EXPECT_THAT(r.stored->list(), ElementsAre("a.zst", "d", "s"));
  EXPECT_THAT(r.shown->list(), ElementsAre("a", "d", "s"));
  EXPECT_EQ(r.unpacked("a.zst"), "content");
  EXPECT_EQ(r.shown->stat("a").size, 7u);
  EXPECT_EQ(r.shown->unlink("a"), 0);
  EXPECT_THAT(r.stored->list(), ElementsAre("d", "s"));
}

TEST(Names, TheirOwnEndingIsKept) {
  Rig r;
  EXPECT_EQ(r.shown->put("a.zst", "one"), 0);
  EXPECT_EQ(r.shown->put("a", "two"), 0);
  EXPECT_TRUE(r.shown->run(op::Mkdir{{}, kRoot, "d.zst", 0755, {}}));
  EXPECT_EQ(r.shown->put("d", "three"), 0);
  EXPECT_THAT(r.stored->list(), ElementsAre("a.zst", "a.zst.zst", "d.zst", "d.zst.zst"));
  EXPECT_THAT(r.shown->list(), ElementsAre("a", "a.zst", "d", "d.zst"));
  EXPECT_EQ(*r.shown->get("a.zst"), "one");
  EXPECT_EQ(*r.shown->get("a"), "two");
  EXPECT_EQ(*r.shown->get("d"), "three");
  EXPECT_TRUE(S_ISDIR(r.shown->stat("d.zst").mode));
  EXPECT_EQ(r.shown->unlink("a"), 0);
  EXPECT_EQ(*r.shown->get("a.zst"), "one");
  EXPECT_FALSE(r.shown->has("a"));
}

TEST(Names, PlainFilesStayPlain) {
  Rig r;
  ASSERT_EQ(r.stored->put("p", "as it is"), 0);
  EXPECT_EQ(*r.shown->get("p"), "as it is");
  EXPECT_EQ(r.shown->put("p", "written"), 0);
  EXPECT_EQ(*r.stored->get("p"), "written");
  EXPECT_THAT(r.stored->list(), ElementsAre("p"));
  // What takes its place is compressed, and is there at once.
  EXPECT_EQ(r.shown->put("new", "replaces it"), 0);
  EXPECT_EQ(r.shown->rename("new", "p"), 0);
  EXPECT_THAT(r.stored->list(), ElementsAre("p.zst"));
  EXPECT_EQ(*r.shown->get("p"), "replaces it");
  // By a name with the ending it would be taken for a compressed one.
  ASSERT_EQ(r.stored->put("q", "plain"), 0);
  EXPECT_EQ(r.shown->rename("q", "q.zst"), EXDEV);
  EXPECT_EQ(r.shown->link("q", "q.zst"), EPERM);
  EXPECT_EQ(r.shown->rename("q", "r"), 0);
  EXPECT_EQ(*r.stored->get("r"), "plain");
}

TEST(Names, BothBelow) {
  Rig r;
  const std::string content = packed("compressed");
  ASSERT_EQ(r.stored->put("n", "plain"), 0);
  ASSERT_EQ(r.stored->put("n.zst", content), 0);
  ASSERT_EQ(r.stored->put("n.zst.zst", packed("twice")), 0);
  EXPECT_THAT(r.shown->list(), ElementsAre("n", "n.zst", "n.zst.zst"));
  EXPECT_EQ(*r.shown->get("n"), "plain");
  EXPECT_EQ(*r.shown->get("n.zst"), content);
  EXPECT_EQ(r.shown->create("n.zst").code(), EEXIST);
  EXPECT_EQ(r.shown->rename("n.zst", "m"), EXDEV) << "it would be shown decoded";
  EXPECT_EQ(r.shown->unlink("n"), 0);
  EXPECT_EQ(*r.shown->get("n"), "compressed");
  EXPECT_EQ(*r.shown->get("n.zst"), "twice");
  EXPECT_THAT(r.shown->list(), ElementsAre("n", "n.zst"));
}

TEST(Names, RenamesKeepWhatIsSeen) {
  Rig r;
  ASSERT_EQ(r.shown->put("a", "A"), 0);
  ASSERT_EQ(r.shown->put("b", "B"), 0);
  EXPECT_EQ(r.shown->rename("a", "c.zst"), 0);
  EXPECT_THAT(r.stored->list(), ElementsAre("b.zst", "c.zst.zst"));
  EXPECT_EQ(r.shown->rename("c.zst", "b"), 0);
  EXPECT_EQ(*r.shown->get("b"), "A");
  EXPECT_EQ(r.shown->rename("b", "b"), 0);
  EXPECT_EQ(r.shown->rename("none", "b"), ENOENT);
  ASSERT_EQ(r.stored->put("p", "plain"), 0);
  EXPECT_EQ(r.shown->rename("p", "b"), 0) << "what was compressed goes";
  EXPECT_THAT(r.stored->list(), ElementsAre("b"));
  EXPECT_EQ(*r.shown->get("b"), "plain");
  // Kinds that have names of different forms below.
  ASSERT_EQ(r.shown->put("f", "F"), 0);
  ASSERT_TRUE(r.shown->run(op::Mkdir{{}, kRoot, "d", 0755, {}}));
  EXPECT_EQ(r.shown->rename("f", "d"), EISDIR);
  EXPECT_EQ(r.shown->rename("d", "f"), ENOTDIR);
  EXPECT_EQ(r.shown->rename("f", "d", 1), EEXIST);
  EXPECT_EQ(r.shown->rename("f", "d", 2), 0);
  EXPECT_EQ(*r.shown->get("d"), "F");
  EXPECT_TRUE(S_ISDIR(r.shown->stat("f").mode));
  EXPECT_THAT(r.stored->list(), ElementsAre("b", "d.zst", "f"));
  EXPECT_EQ(r.shown->rename("f", "x", 4), EINVAL);
}

TEST(Names, HiddenOnes) {
  Rig r;
  const std::string fresh = temporary_name(), old = std::string(kTemporary) + "1000-left";
  ASSERT_TRUE(r.shown->run(op::Mkdir{{}, kRoot, "d", 0755, {}}));
  const NodeId shown = r.shown->node("d"), below = r.stored->node("d");
  ASSERT_EQ(r.stored->put(fresh, "x", below), 0);
  ASSERT_EQ(r.stored->put(old, "x", below), 0);
  EXPECT_THAT(r.shown->list(shown), IsEmpty());
  EXPECT_THAT(r.stored->list(below), ElementsAre(fresh)) << "what a killed server left goes";
  EXPECT_FALSE(r.shown->has(fresh, shown));
  EXPECT_EQ(r.shown->create(fresh, shown).code(), EPERM);
  EXPECT_EQ(r.shown->unlink(fresh, shown), ENOENT);
  EXPECT_EQ(r.shown->run(op::Rmdir{{}, kRoot, "d"}).code(), 0) << "empty, as far as anybody can see";
  EXPECT_THAT(r.stored->list(), IsEmpty());
}

TEST(Names, Long) {
  Rig r;
  const std::string longest(251, 'n');
  EXPECT_EQ(r.shown->put(longest, "x"), 0);
  EXPECT_EQ(*r.shown->get(longest), "x");
  EXPECT_EQ(r.shown->put(longest + "n", "x"), ENAMETOOLONG);
  EXPECT_EQ(r.shown->rename(longest, longest + "n"), ENAMETOOLONG);
  EXPECT_EQ(r.shown->run(op::Statfs{})->name_max, 251u);
  EXPECT_EQ(r.shown->fs.traits().name_max, 251u);
  // One that is there all the same.
  ASSERT_EQ(r.stored->put(std::string(255, 'p'), "plain"), 0);
  EXPECT_EQ(*r.shown->get(std::string(255, 'p')), "plain");
}

TEST(Names, ListingsBringAttributes) {
  Rig r;
  ASSERT_EQ(r.shown->put("a", "12345"), 0);
  struct Sink final : DirSink {
    bool add(const DirEntry& e) override {
      if (e.with) sizes[std::string(e.name)] = e.with->attr.size, nodes.push_back(e.with->node);
      return true;
    }
    std::map<std::string, uint64_t> sizes;
    std::vector<NodeId> nodes;
  } sink;
  op::ReadDir d;
  d.node = kRoot;
  d.with_attr = true;
  d.sink = &sink;
  ASSERT_TRUE(r.shown->run(d));
  EXPECT_EQ(sink.sizes["a"], 5u);
  EXPECT_EQ(sink.nodes.at(0), r.shown->node("a"));
}

TEST(Options, AreChecked) {
  auto refused = [](std::string key, std::string value) {
    Options o;
    std::string why;
    std::vector<std::pair<std::string, std::string>> kv{{std::move(key), std::move(value)}};
    return parse_options(kv, o, why) ? std::string() : why;
  };
  EXPECT_EQ(refused("compress.level", "19"), "");
  EXPECT_EQ(refused("compress.frame", "1m"), "");
  EXPECT_EQ(refused("trace.file", "x"), "");
  EXPECT_NE(refused("compress.level", "0"), "");
  EXPECT_NE(refused("compress.level", "20"), "");
  EXPECT_NE(refused("compress.frame", "1g"), "");
  EXPECT_NE(refused("compress.frame", "1"), "");
  EXPECT_NE(refused("compress.cache", "x"), "");
  EXPECT_NE(refused("compress.spool_dir", "relative"), "");
  EXPECT_NE(refused("compress.write_after", "0"), "");
  EXPECT_NE(refused("compress.unknown", "1"), "");
}

}  // namespace
}  // namespace isthmus::fs::compress
