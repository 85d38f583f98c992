#include "vfs/volume/exports.h"

#include "vfs/volume/volume_test.h"

namespace isthmus::volume::testing {
namespace {

// The test vector of the paper, appendix A.
TEST(SipHash, KnownAnswer) {
  SipKey key;
  std::array<std::byte, 15> text;
  for (size_t i = 0; i < key.size(); i++) key[i] = static_cast<std::byte>(i);
  for (size_t i = 0; i < text.size(); i++) text[i] = static_cast<std::byte>(i);
  EXPECT_EQ(sip_hash(key, text), 0xa129ca6149be45e5u);
  EXPECT_EQ(sip_hash(key, {}), 0x726fdb47dd0e0e31u);
}

SipKey key_of_test() {
  SipKey k{};
  k[3] = std::byte{9};
  return k;
}

TEST(Exports, ForgedHandlesAreStale) {
  Exports e(key_of_test());
  ExportHandle inner;
  inner.size = 40;
  inner.bytes[5] = std::byte{7};
  auto sealed = e.seal(inner);
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sealed->size, 49);
  auto back = e.open(*sealed);
  ASSERT_TRUE(back);
  EXPECT_EQ(as_text(back->inner.view()), as_text(inner.view()));
  for (size_t i = 0; i < sealed->size; i++)
    for (int bit = 0; bit < 8; bit++) {
      ExportHandle forged = *sealed;
      forged.bytes[i] ^= static_cast<std::byte>(1 << bit);
      EXPECT_EQ(e.open(forged).code(), ESTALE) << i;
    }
  for (unsigned size = 0; size < 256; size++) {
    ExportHandle forged = *sealed;
    forged.size = static_cast<uint8_t>(size);
    EXPECT_EQ(e.open(forged).code(), size == sealed->size ? 0 : ESTALE) << size;
  }
  EXPECT_EQ(Exports(SipKey{}).open(*sealed).code(), ESTALE) << "another key";
  EXPECT_TRUE(Exports(key_of_test()).open(*sealed)) << "the same after a restart";
  inner.size = 120;
  EXPECT_EQ(e.seal(inner).code(), EOVERFLOW);
  auto number = e.seal(NodeId{77});
  EXPECT_EQ(e.open(number)->node, NodeId{77});
  EXPECT_EQ(Exports(key_of_test()).open(number).code(), ESTALE) << "of another run";
}

TEST(Exports, PinsAreBounded) {
  Exports e({});
  bool fresh = false;
  for (uint64_t i = 0; i < (1 << 16); i++) EXPECT_EQ(e.pin(NodeId{i + 10}, fresh), NodeId::none);
  EXPECT_EQ(e.pin(NodeId{10}, fresh), NodeId::none);
  EXPECT_FALSE(fresh);
  EXPECT_EQ(e.pin(NodeId{5}, fresh), NodeId{11}) << "10 was used since";
  EXPECT_TRUE(e.pinned(NodeId{10}));
  EXPECT_FALSE(e.pinned(NodeId{11}));
}

struct ExportTest : ::testing::TestWithParam<bool> {};

TEST_P(ExportTest, OverAnyProvider) {
  Rig rig;
  if (!GetParam()) {
    rig.gate.without.set(Op::NodeToExport);
    rig.gate.without.set(Op::ExportToNode);
  }
  rig.begin();
  auto d = std::make_unique<Door>(rig.v, PortOptions{});
  NodeId f = d->run(op::Mknod{{}, kRoot, "f", S_IFREG | 0640, 0, {}})->node;
  auto h = d->run(op::NodeToExport{{}, f});
  ASSERT_TRUE(h);
  EXPECT_LE(h->size, 64);
  d->forget(f);
  rig.gate.told()->invalidate_all_names();
  auto e = d->run(op::ExportToNode{{}, *h});
  ASSERT_TRUE(e);
  EXPECT_EQ(e->attr.mode, uint32_t{S_IFREG | 0640});
  d->forget(e->node);
  auto root = d->run(op::NodeToExport{{}, kRoot});
  ASSERT_TRUE(root);
  EXPECT_EQ(d->run(op::ExportToNode{{}, *root})->node, kRoot);
  ExportHandle forged = *h;
  forged.bytes[12] ^= std::byte{1};
  EXPECT_EQ(d->run(op::ExportToNode{{}, forged}).code(), ESTALE);
  Volume other(rig.gate);
  ASSERT_TRUE(other.start());
  {
    Door od(other, {});
    EXPECT_EQ(od.run(op::ExportToNode{{}, *h}).code(), ESTALE) << "another volume's";
  }
  d.reset();
}
INSTANTIATE_TEST_SUITE_P(Providers, ExportTest, ::testing::Bool(),
                         [](auto& p) { return p.param ? "WithHandles" : "WithoutHandles"; });

}  // namespace
}  // namespace isthmus::volume::testing
