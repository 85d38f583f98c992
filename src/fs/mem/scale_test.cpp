#include <malloc.h>

#include "fs/mem/test_mem.h"

namespace isthmus::fs::mem {
namespace {

#ifdef ISTHMUS_SLOW
constexpr int kFiles = 20000;
#elif defined(NDEBUG)
constexpr int kFiles = 1000000;
#else
constexpr int kFiles = 200000;
#endif

// One directory with a million files (fewer without optimisation): made, found, listed, removed, all counts back where
// they were. The memory of a file is what docs/mem.md says.
TEST(MemScale, ManyFiles) {
  MemOptions o;
  o.limits.inodes = 0;
  Mem m(o);
  auto name = [](int i) { return "file" + std::to_string(i); };
  size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  for (int i = 0; i < kFiles; i++) {
    auto e = m.mknod(kRoot, name(i));
    ASSERT_TRUE(e);
    m.forget(e->node);
  }
  size_t bytes = (mallinfo2().uordblks + mallinfo2().hblkhd - before) / kFiles;
  RecordProperty("bytes_a_file", static_cast<int>(bytes));
#ifndef ISTHMUS_SLOW
  EXPECT_LT(bytes, 420u);
#endif
  for (int i = 0; i < kFiles; i += 97) {
    auto e = m.lookup(kRoot, name(i));
    ASSERT_TRUE(e && e->node != NodeId::none);
    m.forget(e->node);
  }
  struct Counter final : DirSink {
    bool add(const DirEntry& e) override {
      n++;
      last = e.cookie;
      return n % 1000 != 0;
    }
    int n = 0;
    uint64_t last = 0;
  } sink;
  op::ReadDir r;
  r.node = kRoot;
  r.sink = &sink;
  for (int was = -1; was != sink.n; r.cookie = sink.last) {
    was = sink.n;
    ASSERT_TRUE(m.run(r));
  }
  // Every thousandth was seen and not taken, so it came again; its cookie was passed over here.
  EXPECT_EQ(sink.n, kFiles + 2);
  for (int i = 0; i < kFiles; i++) ASSERT_EQ(m.unlink(kRoot, name(static_cast<int>(i * 7919LL % kFiles))), 0) << i;
  EXPECT_EQ(m.fs.inodes(), 1u);
  EXPECT_EQ(m.fs.space().inodes(), 1u);
}

}  // namespace
}  // namespace isthmus::fs::mem
