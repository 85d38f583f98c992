#include <gtest/gtest.h>

#include "wire/smb2/ioctl.h"
#include "wire/smb2/session.h"
#include "wire/smb2/test_messages.h"
#include "wire/smb2/test_vectors.h"

namespace isthmus::smb2 {
namespace {

using namespace std::literals;

TEST(Smb2Messages, ThereAndBackAndCut) {
  SessionSetupRequest setup;
  setup.flags = 1;
  setup.security_mode = 2;
  setup.capabilities = 3;
  setup.channel = 4;
  setup.token = as_bytes("token");
  setup.previous_session_id = 0x0102030405060708;
  there_and_back_and_cut(setup);
  SessionSetupResponse setup_response;
  setup_response.flags = SessionSetupResponse::kEncrypt;
  setup_response.token = as_bytes("answer");
  there_and_back_and_cut(setup_response);
  TreeConnectRequest tree;
  tree.path = as_bytes("\\\0\\\0s\0\\\0f\0"sv);
  there_and_back_and_cut(tree);
  TreeConnectResponse tree_response;
  tree_response.share_flags = TreeConnectResponse::kEncryptData;
  tree_response.maximal_access = 0x1F01FF;
  there_and_back_and_cut(tree_response);
  there_and_back_and_cut(EmptyMessage{});
  IoctlRequest ioctl;
  ioctl.code = kFsctlValidateNegotiateInfo;
  ioctl.file_id = kNoFileId;
  ioctl.input = as_bytes("in");
  ioctl.output = as_bytes("output");
  ioctl.max_output = 24;
  ioctl.flags = IoctlRequest::kIsFsctl;
  there_and_back_and_cut(ioctl);
  IoctlResponse ioctl_response;
  ioctl_response.code = ioctl.code;
  ioctl_response.output = as_bytes("output");
  there_and_back_and_cut(ioctl_response);
}

TEST(Smb2Messages, KnownBytes) {
  EXPECT_EQ(write_message(EmptyMessage{}), "\4\0\0\0"s);
  EXPECT_EQ(write_message(SessionSetupResponse{}), "\x09\0\0\0\x48\0\0\0\0"s);
  TreeConnectResponse tree;
  tree.share_type = TreeConnectResponse::kPipe;
  tree.share_flags = TreeConnectResponse::kNoCaching;
  tree.maximal_access = 0x001F00A9;
  EXPECT_EQ(write_message(tree), "\x10\0\2\0\x30\0\0\0\0\0\0\0\xa9\0\x1f\0"s);
}

TEST(Smb2Messages, MicrosoftsSessionSetup) {
  for (std::string_view hex : {kSetupRequest1, kSetupRequest2}) {
    const std::string bytes = from_hex(hex);
    const auto m = read_message<SessionSetupRequest>(as_bytes(bytes));
    ASSERT_TRUE(m);
    EXPECT_EQ(m->security_mode, kSigningEnabled);
    EXPECT_EQ(m->capabilities, kCapDfs);
    EXPECT_EQ(m->token.size(), bytes.size() - kHeader - 24);
    EXPECT_EQ(write_message(*m), bytes.substr(kHeader));
  }
  for (std::string_view hex : {kSetupResponse1, kSetupResponse2}) {
    const std::string bytes = from_hex(hex);
    const auto m = read_message<SessionSetupResponse>(as_bytes(bytes));
    ASSERT_TRUE(m);
    EXPECT_EQ(m->flags, 0);
    EXPECT_EQ(write_message(*m), bytes.substr(kHeader));
  }
}

TEST(Smb2Messages, Buffers) {
  // Offset and length of a token, of a message that ends 4 bytes behind its fixed part.
  struct {
    uint16_t offset, length;
    bool good;
  } cases[] = {{72, 4, true},      {72, 5, false}, {76, 0, true},  {0, 0, true},
               {0xFFFF, 0, true},  {63, 1, false}, {0, 4, false},  {64, 4, true},
               {0xFFFF, 1, false}, {75, 1, true},  {76, 1, false}, {72, 0xFFFF, false}};
  for (auto& c : cases) {
    std::string body = "\x09\0\0\0"s;
    append_le<uint16_t>(body, c.offset);
    append_le<uint16_t>(body, c.length);
    const std::string message = behind_header(body + "text");
    const auto m = read_message<SessionSetupResponse>(as_bytes(message));
    EXPECT_EQ(m.has_value(), c.good) << c.offset << " " << c.length;
    EXPECT_EQ(m ? m->token.size() : c.length, c.length);
  }
  // Sums of 32 bits do not wrap.
  std::string message = behind_header(write_message(IoctlRequest{}));
  message.replace(kHeader + 24, 8, "\xf0\xff\xff\xff\x20\0\0\0"s);
  EXPECT_FALSE(read_message<IoctlRequest>(as_bytes(message)));
}

TEST(Smb2ValidateNegotiate, ThereAndBackAndCut) {
  ValidateNegotiateRequest m;
  m.capabilities = 0x7f;
  m.client_guid.fill(std::byte{7});
  m.security_mode = 1;
  m.dialects = {0x0202, 0x0302};
  const std::string bytes = write_validate_negotiate(m);
  EXPECT_EQ(bytes, "\x7f\0\0\0"s + std::string(16, '\7') + "\1\0\2\0\2\2\2\3"s);
  EXPECT_EQ(read_validate_negotiate(as_bytes(bytes)), m);
  for (size_t n = 0; n < bytes.size(); n++) EXPECT_FALSE(read_validate_negotiate(as_bytes(bytes).first(n)));
  ValidateNegotiateResponse answer;
  answer.capabilities = 0x2f;
  answer.server_guid.fill(std::byte{8});
  answer.security_mode = 3;
  answer.dialect = Dialect::smb302;
  EXPECT_EQ(write_validate_negotiate(answer), "\x2f\0\0\0"s + std::string(16, '\x08') + "\3\0\2\3"s);
}

}  // namespace
}  // namespace isthmus::smb2
