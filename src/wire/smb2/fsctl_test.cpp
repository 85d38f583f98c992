#include "wire/smb2/fsctl.h"

#include <gtest/gtest.h>

#include "wire/smb2/test_messages.h"
#include "wire/smb2/test_vectors.h"

namespace isthmus::smb2 {
namespace {

using namespace std::literals;

TEST(Smb2Fsctl, Copychunk) {
  Copychunk m;
  m.source.fill(std::byte{1});
  m.chunks = {{1, 2, 3}, {4, 5, 6}};
  const std::string bytes = write_copychunk(m);
  EXPECT_EQ(bytes, std::string(24, '\1') + from_hex("02000000"
                                                    "00000000"
                                                    "0100000000000000"
                                                    "0200000000000000"
                                                    "03000000"
                                                    "00000000"
                                                    "0400000000000000"
                                                    "0500000000000000"
                                                    "06000000"
                                                    "00000000"));
  const auto read = read_copychunk(as_bytes(bytes));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->source, m.source);
  EXPECT_EQ(read->chunks, m.chunks);
  EXPECT_FALSE(read->too_many);
  readable_only_whole(bytes, [](Bytes b) { return read_copychunk(b).has_value(); });
  EXPECT_TRUE(read_copychunk(as_bytes(bytes), 1)->too_many);
  EXPECT_TRUE(read_copychunk(as_bytes(bytes), 1)->chunks.empty());
  std::string many = bytes;
  many.replace(24, 4, "\xff\xff\xff\xff");
  EXPECT_TRUE(read_copychunk(as_bytes(many))->too_many);
  EXPECT_EQ(write_data(CopychunkResponse{1, 2, 3}), from_hex("01000000"
                                                             "02000000"
                                                             "03000000"));
  EXPECT_EQ(write_resume_key(m.source), std::string(24, '\1') + std::string(8, '\0'));
}

TEST(Smb2Fsctl, Ranges) {
  const std::string bytes = from_hex(
      "0100000000000000"
      "0300000000000000");
  EXPECT_EQ(read_file_range(as_bytes(bytes)), (FileRange{1, 3}));
  readable_only_whole(bytes, [](Bytes b) { return read_file_range(b).has_value(); });
  EXPECT_EQ(write_file_ranges({{1, 3}, {5, 6}}), bytes + from_hex("0500000000000000"
                                                                  "0600000000000000"));
  const auto zero = read_zero_data(as_bytes(bytes));
  ASSERT_TRUE(zero);
  EXPECT_EQ(zero->offset, 1u);
  EXPECT_EQ(zero->beyond, 3u);
  readable_only_whole(bytes, [](Bytes b) { return read_zero_data(b).has_value(); });
  EXPECT_FALSE(
      read_zero_data(as_bytes(from_hex("0400000000000000"
                                       "0300000000000000"))));
  EXPECT_FALSE(
      read_zero_data(as_bytes(from_hex("0400000000000000"
                                       "0000000000000080"))));
  EXPECT_FALSE(
      read_file_range(as_bytes(from_hex("0100000000000000"
                                        "ffffffffffffff7f"))));
  EXPECT_TRUE(
      read_file_range(as_bytes(from_hex("0100000000000000"
                                        "feffffffffffff7f"))));
  EXPECT_TRUE(read_set_sparse({}));
  EXPECT_TRUE(read_set_sparse(as_bytes("\1")));
  EXPECT_FALSE(read_set_sparse(as_bytes("\0"sv)));
}

TEST(Smb2Fsctl, DuplicateExtents) {
  const std::string plain = from_hex(
      "0100000000000000"
      "0200000000000000"
      "0300000000000000"
      "0400000000000000"
      "0500000000000000");
  const std::string ex = from_hex("3000000000000000") + plain +
                         from_hex(
                             "01000000"
                             "00000000");
  for (bool is_ex : {false, true}) {
    const auto m = read_duplicate_extents(as_bytes(is_ex ? ex : plain), is_ex);
    ASSERT_TRUE(m);
    EXPECT_EQ(m->source_id, (FileId{1, 2}));
    EXPECT_EQ(m->source, 3u);
    EXPECT_EQ(m->target, 4u);
    EXPECT_EQ(m->length, 5u);
    EXPECT_EQ(m->flags, is_ex ? DuplicateExtents::kSourceAtomic : 0);
    readable_only_whole(is_ex ? ex : plain, [is_ex](Bytes b) { return read_duplicate_extents(b, is_ex).has_value(); });
  }
  for (size_t at : {16, 24, 32}) {
    std::string bad = plain;
    bad.replace(at, 8, "\xff\xff\xff\xff\xff\xff\xff\x7f");
    EXPECT_FALSE(read_duplicate_extents(as_bytes(bad), false)) << at;
  }
}

TEST(Smb2Fsctl, Trim) {
  const std::string bytes = from_hex(
      "00000000"
      "02000000"
      "0100000000000000"
      "0200000000000000"
      "0300000000000000"
      "0400000000000000");
  const auto m = read_trim(as_bytes(bytes));
  ASSERT_TRUE(m);
  EXPECT_EQ(*m, (std::vector<FileRange>{{1, 2}, {3, 4}}));
  readable_only_whole(bytes, [](Bytes b) { return read_trim(b).has_value(); });
  EXPECT_FALSE(read_trim(as_bytes(bytes), 1));
  EXPECT_EQ(write_trim(2), "\2\0\0\0"s);
}

TEST(Smb2Fsctl, Answers) {
  Guid object{}, volume{};
  object.fill(std::byte{1});
  volume.fill(std::byte{2});
  EXPECT_EQ(write_object_id(object, volume),
            std::string(16, '\1') + std::string(16, '\2') + std::string(16, '\1') + std::string(16, '\0'));
  const std::string four("\x7f\0\0\1", 4), six = std::string(15, '\0') + '\1';
  const std::string interfaces = write_network_interfaces({{1, 1000, as_bytes(four)}, {2, 1, as_bytes(six)}});
  ASSERT_EQ(interfaces.size(), 304u);
  EXPECT_EQ(interfaces.substr(0, 40), from_hex("9800000001000000"
                                               "0000000000000000"
                                               "e803000000000000"
                                               "020000007f000001"
                                               "0000000000000000"));
  EXPECT_EQ(interfaces.substr(152 + 24, 24), from_hex("1700000000000000") + six);
  EXPECT_EQ(interfaces.substr(152, 4), std::string(4, '\0')) << "the last one";
  EXPECT_EQ(no_snapshots(), std::string(16, '\0'));
  EXPECT_EQ(no_compression(), "\0\0"s);
  EXPECT_EQ(read_compression(as_bytes("\2\0"sv)), 2);
  EXPECT_FALSE(read_compression(as_bytes("\2")));
  EXPECT_EQ(no_integrity(4096), std::string(12, '\0') + "\0\x10\0\0"s);
}

}  // namespace
}  // namespace isthmus::smb2
