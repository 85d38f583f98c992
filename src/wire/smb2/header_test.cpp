#include "wire/smb2/header.h"

#include <gtest/gtest.h>

#include "wire/smb2/compound.h"
#include "wire/smb2/error_response.h"
#include "wire/smb2/smb1.h"

namespace isthmus::smb2 {
namespace {

using namespace std::string_literals;

Header sample_header() {
  Header h;
  h.credit_charge = 0x0102;
  h.status = 0xC0000022;
  h.command = Command::tree_connect;
  h.credits = 0x0304;
  h.flags = kFlagSigned;
  h.message_id = 0x1112131415161718;
  h.process_id = 0xFEFF;
  h.tree_id = 0x21222324;
  h.session_id = 0x3132333435363738;
  h.signature.fill(std::byte{0x5a});
  return h;
}

std::string bytes_of(const Header& h) {
  std::string s;
  append_header(s, h);
  return s;
}

TEST(Smb2Frame, Length) {
  EXPECT_EQ(read_frame_length(as_bytes("\0\0\0\x40"s)), 64u);
  EXPECT_EQ(read_frame_length(as_bytes("\0\xff\xff\xff"s)), kMaxFrame);
  EXPECT_FALSE(read_frame_length(as_bytes("\x85\0\0\0"s)));
  EXPECT_FALSE(read_frame_length(as_bytes("\0\0\0"s)));
  EXPECT_EQ(as_text(frame_head(0x123456)), "\0\x12\x34\x56"s);
}

TEST(Smb2Header, KnownBytes) {
  EXPECT_EQ(bytes_of(sample_header()),
            "\xfeSMB\x40\0\x02\x01\x22\0\0\xc0\x03\0\x04\x03\x08\0\0\0\0\0\0\0\x18\x17\x16\x15\x14\x13\x12\x11"
            "\xff\xfe\0\0\x24\x23\x22\x21\x38\x37\x36\x35\x34\x33\x32\x31ZZZZZZZZZZZZZZZZ"s);
}

TEST(Smb2Header, ThereAndBackAndCut) {
  Header async = sample_header();
  async.flags |= kFlagAsync;
  async.process_id = async.tree_id = 0;
  async.async_id = 0x4142434445464748;
  for (const Header& h : {sample_header(), async}) {
    const std::string bytes = bytes_of(h);
    ASSERT_EQ(bytes.size(), kHeader);
    EXPECT_EQ(read_header(as_bytes(bytes)), h);
    for (size_t n = 0; n < kHeader; n++) EXPECT_FALSE(read_header(as_bytes(bytes).first(n)));
  }
  for (size_t at : {0, 1, 2, 3, 4, 5}) {
    std::string bad = bytes_of(async);
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_FALSE(read_header(as_bytes(bad)));
  }
}

TEST(Smb2Header, Answer) {
  Header h = sample_header();
  h.next_command = 72;
  h.flags |= kFlagRelated | 0x20;
  const Header a = answer_to(h, NtStatus::pending, 7);
  EXPECT_EQ(a.flags, kFlagResponse | 0x20);
  EXPECT_EQ(a.status, 0x103u);
  EXPECT_EQ(a.credits, 7);
  EXPECT_EQ(a.next_command, 0u);
  EXPECT_EQ(a.message_id, h.message_id);
  EXPECT_EQ(a.tree_id, h.tree_id);
  EXPECT_EQ(a.signature, Signature{});
}

std::string chain(size_t messages) {
  std::string frame;
  for (size_t i = 0, last = 0; i < messages; i++) {
    if (i > 0) link_next(frame, last);
    last = frame.size();
    Header h = sample_header();
    h.message_id = i;
    if (i > 0) h.flags |= kFlagRelated;
    append_header(frame, h);
    frame += "\4\0\0\0"s;
  }
  return frame;
}

TEST(Smb2Compound, Splits) {
  const std::string frame = chain(3);
  ASSERT_EQ(frame.size(), 72u + 72 + 68);
  const auto all = split_compound(as_bytes(frame), 3);
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 3u);
  for (size_t i = 0; i < 3; i++) {
    EXPECT_EQ((*all)[i].header.message_id, i);
    EXPECT_EQ((*all)[i].header.related(), i > 0);
    EXPECT_EQ((*all)[i].bytes.size(), i < 2 ? 72u : 68u);
  }
  EXPECT_FALSE(split_compound(as_bytes(frame), 2));
  EXPECT_EQ(split_compound(as_bytes(chain(1)), 1)->size(), 1u);
}

TEST(Smb2Compound, CutAnywhere) {
  const std::string frame = chain(3);
  for (size_t n = 0; n <= frame.size(); n++) {
    const auto all = split_compound(as_bytes(frame).first(n), 8);
    EXPECT_EQ(all.has_value(), n >= 72 + 72 + kHeader) << n;
  }
}

TEST(Smb2Compound, BadNextCommand) {
  for (uint32_t next : {1u, 7u, 8u, 56u, 63u, 65u, 70u, 76u, 80u, 136u, 140u, 144u, 0xFFFFFFF8u, 0xFFFFFFFFu}) {
    std::string frame = chain(2);
    for (size_t i = 0; i < 4; i++) frame[kNextCommandAt + i] = static_cast<char>(next >> 8 * i);
    EXPECT_FALSE(split_compound(as_bytes(frame), 8)) << next;
  }
}

TEST(Smb2Error, KnownBytesAndCut) {
  EXPECT_EQ(write_error(Dialect::smb311), "\x09\0\0\0\0\0\0\0\0"s);
  EXPECT_EQ(write_error(Dialect::smb302, as_bytes("\x10\0\0\0"s)), "\x09\0\0\0\4\0\0\0\x10\0\0\0"s);
  EXPECT_EQ(write_error(Dialect::smb311, as_bytes("\x10\0\0\0"s)), "\x09\0\1\0\x0c\0\0\0\4\0\0\0\0\0\0\0\x10\0\0\0"s);
  for (Dialect d : {Dialect::smb202, Dialect::smb311})
    for (const std::string& data : {""s, "abcd"s}) {
      const std::string message = bytes_of(sample_header()) + write_error(d, as_bytes(data));
      const auto read = read_error(as_bytes(message));
      ASSERT_TRUE(read);
      EXPECT_EQ(as_text(*read), data);
      for (size_t n = 0; n < message.size(); n++) EXPECT_FALSE(read_error(as_bytes(message).first(n)));
    }
}

TEST(Smb2Error, SymlinkKnownBytes) {
  const std::string reparse = "\x0c\0\0\xa0\x02\0\0\0xy"s;  // of a buffer that is cut
  EXPECT_EQ(write_symlink_error(as_bytes(reparse), 0x0304), "\x0e\0\0\0SYML\x0c\0\0\xa0\x02\0\x04\x03xy"s);
  EXPECT_EQ(write_symlink_error({}), "\4\0\0\0SYML"s);
}

std::string smb1_negotiate(const std::string& dialects, uint8_t command = 0x72) {
  std::string s = "\xffSMB"s;
  s += static_cast<char>(command);
  s.resize(32);
  s += '\0';
  s += static_cast<char>(dialects.size());
  s += '\0';
  return s + dialects;
}

TEST(Smb1Negotiate, Recognised) {
  const std::string old = "\2NT LM 0.12\0"s, first = "\2SMB 2.002\0"s, any = "\2SMB 2.???\0"s;
  EXPECT_EQ(read_smb1_negotiate(as_bytes(smb1_negotiate(old + first + any))), Dialect::any);
  EXPECT_EQ(read_smb1_negotiate(as_bytes(smb1_negotiate(any + first))), Dialect::any);
  EXPECT_EQ(read_smb1_negotiate(as_bytes(smb1_negotiate(old + first))), Dialect::smb202);
  EXPECT_FALSE(read_smb1_negotiate(as_bytes(smb1_negotiate(old))));
  EXPECT_FALSE(read_smb1_negotiate(as_bytes(smb1_negotiate(any, 0x73))));
  EXPECT_FALSE(read_smb1_negotiate(as_bytes(smb1_negotiate("\3SMB 2.???\0"s))));
  EXPECT_FALSE(read_smb1_negotiate(as_bytes(smb1_negotiate("\2SMB 2.???"s))));
  EXPECT_FALSE(read_smb1_negotiate(as_bytes(smb1_negotiate("\2"s))));
  const std::string whole = smb1_negotiate(old + first + any);
  for (size_t n = 0; n < whole.size(); n++) EXPECT_FALSE(read_smb1_negotiate(as_bytes(whole).first(n)));
}

TEST(Smb2Protocol, OfFrames) {
  EXPECT_EQ(protocol_of(as_bytes("\xffSMB")), Protocol::smb1);
  EXPECT_EQ(protocol_of(as_bytes("\xfeSMB")), Protocol::smb2);
  EXPECT_EQ(protocol_of(as_bytes("\xfdSMB")), Protocol::transform);
  EXPECT_EQ(protocol_of(as_bytes("\xfcSMB")), Protocol::compressed);
  EXPECT_EQ(protocol_of(as_bytes("\xfeSM")), Protocol::unknown);
}

}  // namespace
}  // namespace isthmus::smb2
