#include <sys/xattr.h>

#include "fs/mem/test_mem.h"

namespace isthmus::fs::mem {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

TEST(MemXattrs, SetGetListRemove) {
  Mem m;
  NodeId f = m.mknod(kRoot, "f")->node;
  EXPECT_EQ(m.get_xattr(f, "user.a").code(), ENODATA);
  EXPECT_EQ(m.set_xattr(f, "user.a", "one", XATTR_REPLACE), ENODATA);
  EXPECT_EQ(m.set_xattr(f, "user.a", "one", XATTR_CREATE), 0);
  EXPECT_EQ(m.set_xattr(f, "user.a", "two", XATTR_CREATE), EEXIST);
  EXPECT_EQ(m.set_xattr(f, "user.a", "two", XATTR_REPLACE), 0);
  EXPECT_EQ(m.set_xattr(f, "user.a", "two", 8), EINVAL);
  EXPECT_EQ(*m.get_xattr(f, "user.a"), "two");
  EXPECT_EQ(m.set_xattr(f, "user.empty", ""), 0);
  EXPECT_EQ(*m.get_xattr(f, "user.empty"), "");
  EXPECT_EQ(m.set_xattr(f, "trusted.t", std::string("\0x", 2)), 0);
  EXPECT_EQ(m.set_xattr(f, "security.s", "x"), 0);
  EXPECT_THAT(*m.run(op::ListXattr{{}, f}), UnorderedElementsAre("user.a", "user.empty", "trusted.t", "security.s"));
  EXPECT_EQ(m.run(op::RemoveXattr{{}, f, "user.a"}).code(), 0);
  EXPECT_EQ(m.run(op::RemoveXattr{{}, f, "user.a"}).code(), ENODATA);
  EXPECT_EQ(m.run(op::RemoveXattr{{}, f, "other"}).code(), EOPNOTSUPP);
  m.ctx = as_user(m.stat(f).uid + 1, 5);
  EXPECT_THAT(*m.run(op::ListXattr{{}, f}), UnorderedElementsAre("user.empty", "security.s"));
}

TEST(MemXattrs, Limits) {
  Mem m;
  NodeId f = m.mknod(kRoot, "f")->node, s = m.symlink(kRoot, "s", "x")->node, p = m.mknod(kRoot, "p", S_IFIFO)->node;
  EXPECT_EQ(m.set_xattr(f, "user.big", std::string(65536, 'x')), 0);
  EXPECT_EQ(m.get_xattr(f, "user.big")->size(), 65536u);
  EXPECT_EQ(m.set_xattr(f, "user.big", std::string(65537, 'x')), E2BIG);
  std::string longest = "user." + std::string(250, 'n');
  EXPECT_EQ(m.set_xattr(f, longest, "x"), 0);
  EXPECT_EQ(m.set_xattr(f, longest + "n", "x"), ERANGE);
  EXPECT_EQ(m.set_xattr(f, "user.", "x"), EINVAL);
  EXPECT_EQ(m.set_xattr(f, "system.x", "x"), EOPNOTSUPP);
  EXPECT_EQ(m.set_xattr(s, "user.a", "x"), EPERM);
  EXPECT_EQ(m.set_xattr(p, "user.a", "x"), EPERM);
  EXPECT_EQ(m.set_xattr(s, "trusted.a", "x"), 0);
  int e = 0;
  for (int i = 0; i < 400 && !e; i++)
    e = m.set_xattr(f, "user." + std::to_string(1000 + i) + std::string(240, 'n'), "");
  EXPECT_EQ(e, ENOSPC);
}

TEST(MemXattrs, AreChargedAndGoWithTheFile) {
  MemOptions o;
  o.limits = {10000, 0};
  Mem m(o);
  NodeId f = m.mknod(kRoot, "f")->node;
  EXPECT_EQ(m.set_xattr(f, "user.a", std::string(9000, 'x')), 0);
  EXPECT_EQ(m.fs.space().bytes(), 9006u);
  EXPECT_EQ(m.set_xattr(f, "user.b", std::string(2000, 'x')), ENOSPC);
  EXPECT_EQ(m.set_xattr(f, "user.a", "x"), 0);
  EXPECT_EQ(m.fs.space().bytes(), 7u);
  EXPECT_EQ(m.unlink(kRoot, "f"), 0);
  m.forget(f);
  EXPECT_EQ(m.fs.space().bytes(), 0u);
}

TEST(MemXattrs, WritesDropCapabilities) {
  Mem m;
  NodeId f = m.mknod(kRoot, "f")->node;
  for (int how = 0; how < 3; how++) {
    EXPECT_EQ(m.set_xattr(f, "security.capability", "x"), 0);
    bool done = how == 0 ? m.write(f, 0, "x").ok() : how == 1 ? m.truncate(f, 0) == 0 : m.chown(f, 5, 5) == 0;
    EXPECT_TRUE(done);
    EXPECT_EQ(m.get_xattr(f, "security.capability").code(), ENODATA);
  }
}

TEST(MemXattrs, LabelsComeWithTheFile) {
  Mem m;
  op::Label label{"security.selinux", as_bytes("ctx")};
  op::Mkdir d{{}, kRoot, "d", 0755, std::span(&label, 1)};
  NodeId n = m.run(d)->node;
  EXPECT_EQ(*m.get_xattr(n, "security.selinux"), "ctx");
}

}  // namespace
}  // namespace isthmus::fs::mem
