#include "wire/smb2/create_contexts.h"

#include <gtest/gtest.h>

#include "wire/smb2/test_messages.h"
#include "wire/smb2/test_vectors.h"

namespace isthmus::smb2 {
namespace {

using namespace std::literals;

Guid filled(int with) {
  Guid g;
  g.fill(static_cast<std::byte>(with));
  return g;
}

TEST(Smb2CreateContexts, Layout) {
  std::string list;
  append_create_context(list, kContextOnDiskId, {});
  EXPECT_EQ(list, from_hex("00000000"
                           "1000"
                           "0400"
                           "0000"
                           "0000"
                           "00000000") +
                      "QFid");
  append_create_context(list, kContextPosix, as_bytes("mode"));
  append_create_context(list, kContextDurable, as_bytes(std::string(16, '\0')));
  const std::string expected = from_hex(
                                   "18000000"
                                   "1000"
                                   "0400"
                                   "0000"
                                   "0000"
                                   "00000000") +
                               "QFid" + std::string(4, '\0') +
                               from_hex(
                                   "28000000"
                                   "1000"
                                   "1000"
                                   "0000"
                                   "2000"
                                   "04000000"
                                   "93ad25509cb411e7b42383de968bcd7c") +
                               "mode" + std::string(4, '\0') +
                               from_hex(
                                   "00000000"
                                   "1000"
                                   "0400"
                                   "0000"
                                   "1800"
                                   "10000000") +
                               "DHnQ" + std::string(4, '\0') + std::string(16, '\0');
  EXPECT_EQ(list, expected);
  const auto found = read_create_contexts(as_bytes(list));
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 3u);
  EXPECT_EQ((*found)[0].name, "QFid");
  EXPECT_TRUE((*found)[0].data.empty());
  EXPECT_EQ(find_context(*found, kContextPosix)->data.size(), 4u);
  EXPECT_EQ(find_context(*found, kContextDurable), &(*found)[2]);
  EXPECT_EQ(find_context(*found, kContextLease), nullptr);
  EXPECT_TRUE(read_create_contexts(as_bytes(list), 3));
  EXPECT_FALSE(read_create_contexts(as_bytes(list), 2));
  EXPECT_TRUE(read_create_contexts({})->empty());
  for (size_t n = 1; n < list.size(); n++) EXPECT_FALSE(read_create_contexts(as_bytes(list).first(n))) << n;
}

TEST(Smb2CreateContexts, Malformed) {
  std::string good;
  append_create_context(good, "MxAc", as_bytes("12345678"));
  append_create_context(good, "QFid", {});
  ASSERT_TRUE(read_create_contexts(as_bytes(good)));
  const struct {
    size_t at;
    std::string_view bytes;
  } cases[] = {
      {0, "\x08\0\0\0"sv},        // the next one inside of the head
      {0, "\x1c\0\0\0"sv},        // not a multiple of 8
      {0, "\x40\0\0\0"sv},        // beyond the end
      {0, "\xf8\xff\xff\xff"sv},  // back
      {4, "\x0f\0"sv},            // the name in the head
      {4, "\x21\0"sv},            // beyond the next
      {6, "\x03\0"sv},            // too short
      {6, "\xff\xff"sv},          // too long
      {10, "\x12\0"sv},           // data over the name
      {10, "\x19\0"sv},           // beyond the next
      {12, "\x09\0\0\0"sv},       // longer than that
      {12, "\xff\xff\xff\xff"sv},
  };
  for (const auto& c : cases) {
    std::string bad = good;
    bad.replace(c.at, c.bytes.size(), c.bytes);
    EXPECT_FALSE(read_create_contexts(as_bytes(bad))) << c.at << " " << int(c.bytes[0]);
  }
}

TEST(Smb2CreateContexts, Leases) {
  Lease m;
  m.key = filled(7);
  m.state = kLeaseRead | kLeaseHandle;
  m.flags = kLeaseBreaking;
  const std::string v1 = write_lease(m);
  EXPECT_EQ(v1, std::string(16, '\7') + from_hex("03000000"
                                                 "02000000"
                                                 "0000000000000000"));
  EXPECT_EQ(read_lease(as_bytes(v1)), m);
  m.v2 = true;
  m.epoch = 9;
  const std::string v2 = write_lease(m);
  EXPECT_EQ(v2, v1 + std::string(16, '\0') +
                    from_hex("0900"
                             "0000"));
  EXPECT_EQ(read_lease(as_bytes(v2)), m);
  m.parent = filled(8);
  const std::string child = write_lease(m);
  EXPECT_EQ(child, std::string(16, '\7') +
                       from_hex("03000000"
                                "06000000"
                                "0000000000000000") +
                       std::string(16, '\x08') +
                       from_hex("0900"
                                "0000"));
  EXPECT_EQ(read_lease(as_bytes(child)), m);
  const std::string longer = child + std::string(8, '\0');
  for (size_t n = 0; n <= longer.size(); n++)
    EXPECT_EQ(read_lease(as_bytes(longer).first(n)).has_value(), n == 32 || n == 52) << n;
}

template <class M>
void exactly(const M& m, std::string_view hex) {
  const std::string bytes = from_hex(hex);
  EXPECT_EQ(write_data(m), bytes);
  const auto read = read_exactly<M>(as_bytes(bytes));
  ASSERT_TRUE(read);
  EXPECT_EQ(write_data(*read), bytes);
  readable_only_whole(bytes, [](Bytes b) { return read_exactly<M>(b).has_value(); });
  EXPECT_FALSE(read_exactly<M>(as_bytes(bytes + "x")));
  EXPECT_TRUE(read_data<M>(as_bytes(bytes + "x")));
}

TEST(Smb2CreateContexts, Data) {
  exactly(DurableRequest{}, "00000000000000000000000000000000");
  exactly(DurableResponse{}, "0000000000000000");
  exactly(DurableReconnect{{1, 2}},
          "0100000000000000"
          "0200000000000000");
  exactly(DurableV2Request{60000, kDurablePersistent, filled(9)},
          "60ea0000"
          "02000000"
          "0000000000000000"
          "09090909090909090909090909090909");
  exactly(DurableV2Response{60000, 0},
          "60ea0000"
          "00000000");
  exactly(DurableV2Reconnect{{1, 2}, filled(9), kDurablePersistent},
          "0100000000000000"
          "0200000000000000"
          "09090909090909090909090909090909"
          "02000000");
  exactly(MaximalAccessRequest{0x01d0000000000001}, "010000000000d001");
  exactly(MaximalAccessResponse{NtStatus::success, 0x001F01FF},
          "00000000"
          "ff011f00");
  exactly(OnDiskIdResponse{3, 4},
          "0300000000000000"
          "0400000000000000"
          "00000000000000000000000000000000");
  exactly(AllocationSizeRequest{0x100000}, "0000100000000000");
  exactly(TimewarpRequest{1}, "0100000000000000");
  exactly(AppInstanceIdRequest{filled(1)},
          "1400"
          "0000"
          "01010101010101010101010101010101");
  exactly(AaplRequest{AaplRequest::kServerQuery, 7, 15},
          "01000000"
          "00000000"
          "0700000000000000"
          "0f00000000000000");
  exactly(PosixCreateRequest{0644}, "a4010000");
}

TEST(Smb2CreateContexts, Answers) {
  AaplResponse m;
  m.bitmap = 7;
  m.server_caps = AaplResponse::kReadDirAttr | AaplResponse::kUnixBased;
  m.volume_caps = AaplResponse::kFullSync;
  m.model = "M\0"s;
  EXPECT_EQ(write_aapl(m), from_hex("01000000"
                                    "00000000"
                                    "0700000000000000"
                                    "0500000000000000"
                                    "0400000000000000"
                                    "00000000"
                                    "02000000"
                                    "4d00"));
  m.bitmap = AaplRequest::kVolumeCaps;
  EXPECT_EQ(write_aapl(m), from_hex("01000000"
                                    "00000000"
                                    "0200000000000000"
                                    "0400000000000000"));
  const PosixCreateResponse posix{1, 0xA000000C, 0777, as_bytes("owner"), as_bytes("group")};
  EXPECT_EQ(write_posix_create(posix), from_hex("01000000"
                                                "0c0000a0"
                                                "ff010000") +
                                           "ownergroup");
}

}  // namespace
}  // namespace isthmus::smb2
