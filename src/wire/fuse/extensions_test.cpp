#include "wire/fuse/extensions.h"

#include <gtest/gtest.h>

#include "wire/fuse/request_sample.h"

namespace isthmus::wire::fuse {
namespace {

using detail::append;
using detail::append_string;
using detail::Message;

// A SecctxHeader and contexts (name, value), with correct sizes.
Message contexts(const std::vector<std::pair<std::string_view, std::string_view>>& list) {
  Message m;
  append(m, SecctxHeader{0, static_cast<uint32_t>(list.size())});
  for (const auto& [name, value] : list) {
    append(m, Secctx{static_cast<uint32_t>(value.size()), 0});
    append_string(m, name);
    append(m, value.data(), value.size());
    m.resize((m.size() + 7) / 8 * 8);
  }
  const auto size = static_cast<uint32_t>(m.size());
  std::memcpy(m.data(), &size, sizeof(size));
  return m;
}

Message groups(uint32_t count, size_t present) {
  Message m;
  append(m, ExtHeader{static_cast<uint32_t>((8 + 4 + 4 * present + 7) / 8 * 8), kExtGroups});
  append(m, SuppGroups{count});
  for (size_t i = 0; i < present; ++i) append(m, static_cast<uint32_t>(100 + i));
  m.resize((m.size() + 7) / 8 * 8);
  return m;
}

void poke(Message& m, size_t offset, uint32_t value) { std::memcpy(m.data() + offset, &value, sizeof(value)); }

TEST(FuseExtensions, ContextsAreRead) {
  const Message m = contexts({{"security.selinux", "a"}, {"security.smack", ""}, {"x", "12345678"}});
  const auto ext = parse_extensions(m);
  ASSERT_TRUE(ext);
  ASSERT_EQ(ext->context_count(), 3u);
  EXPECT_EQ(ext->context(0).name, "security.selinux");
  EXPECT_EQ(ext->context(0).value.size(), 1u);
  EXPECT_EQ(ext->context(1).name, "security.smack");
  EXPECT_TRUE(ext->context(1).value.empty());
  EXPECT_EQ(ext->context(2).value[7], std::byte{'8'});
  EXPECT_FALSE(ext->empty());
}

TEST(FuseExtensions, NoContextIsAContextRecordToo) {
  const auto ext = parse_extensions(contexts({}));
  ASSERT_TRUE(ext);
  EXPECT_TRUE(ext->empty());
}

TEST(FuseExtensions, GroupsAreReadAtAnyAddress) {
  const Message m = groups(3, 3);
  for (size_t shift = 0; shift < 8; ++shift) {
    Message shifted(m.size() + shift);
    std::memcpy(shifted.data() + shift, m.data(), m.size());
    const auto ext = parse_extensions(std::span(shifted).subspan(shift));
    ASSERT_TRUE(ext);
    ASSERT_EQ(ext->group_count(), 3u);
    EXPECT_EQ(ext->group(2), 102u);
  }
}

TEST(FuseExtensions, UnknownRecordsAreSkipped) {
  Message m;
  append(m, ExtHeader{24, 99});
  m.resize(24);
  const Message more = groups(1, 1);
  m.insert(m.end(), more.begin(), more.end());
  const auto ext = parse_extensions(m);
  ASSERT_TRUE(ext);
  EXPECT_EQ(ext->group_count(), 1u);
}

TEST(FuseExtensions, RecordSizesAreBounded) {
  for (const uint32_t size : {0u, 1u, 4u, 7u, 9u, 12u, 20u, 32u, 0x7ffffff8u, 0xfffffff8u, 0xffffffffu}) {
    Message m;
    append(m, ExtHeader{size, 99});
    m.resize(24);
    EXPECT_FALSE(parse_extensions(m)) << size;
  }
  Message half(4);
  EXPECT_FALSE(parse_extensions(half));
}

TEST(FuseExtensions, TruncatedRecordsAreRefused) {
  const Message whole = detail::sample_extensions();
  ASSERT_TRUE(parse_extensions(whole));
  for (size_t size = 1; size < whole.size(); ++size) {
    if (size == 40 || size == 56) continue;  // between two records
    Message m(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    m.shrink_to_fit();
    EXPECT_FALSE(parse_extensions(m)) << size;
  }
}

TEST(FuseExtensions, GroupCountsAreBounded) {
  EXPECT_FALSE(parse_extensions(groups(3, 1)));
  EXPECT_FALSE(parse_extensions(groups(0x40000001u, 1)));
  EXPECT_FALSE(parse_extensions(groups(0xffffffffu, 1)));
  Message empty;
  append(empty, ExtHeader{8, kExtGroups});
  EXPECT_FALSE(parse_extensions(empty));
}

TEST(FuseExtensions, ContextSizesAreBounded) {
  const Message good = contexts({{"security.selinux", "label"}});
  ASSERT_TRUE(parse_extensions(good));
  for (const uint32_t size : {0u, 17u, 100u, 0x7fffffffu, 0xfffffff0u, 0xffffffffu}) {
    Message m = good;
    poke(m, 8, size);
    // A shorter value leaves a record's worth of padding only if it ends in the same unit of 8 bytes.
    EXPECT_EQ(parse_extensions(m).has_value(), size <= 7) << size;
  }
  for (const uint32_t count : {0u, 2u, 31u}) {
    Message m = good;
    poke(m, 4, count);
    EXPECT_FALSE(parse_extensions(m)) << count;
  }
  Message unterminated = good;
  std::memset(unterminated.data() + 16, 'x', unterminated.size() - 16);
  EXPECT_FALSE(parse_extensions(unterminated));
  EXPECT_FALSE(parse_extensions(contexts({{"", "label"}})));
}

TEST(FuseExtensions, RecordsComeOnce) {
  for (const Message& one : {groups(1, 1), contexts({{"a", "b"}}), contexts({}), groups(0, 0)}) {
    Message twice = one;
    twice.insert(twice.end(), one.begin(), one.end());
    EXPECT_TRUE(parse_extensions(one));
    EXPECT_FALSE(parse_extensions(twice));
  }
}

}  // namespace
}  // namespace isthmus::wire::fuse
