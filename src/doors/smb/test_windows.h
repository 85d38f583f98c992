#pragma once
#include "doors/smb/test_peer.h"

/// A client that begins as Windows 11 does.
namespace isthmus::smb::testing {

/// FILE_GENERIC_READ and the like, as the redirector asks for them.
constexpr uint32_t kGenericRead = 0x120089, kGenericReadWrite = 0x12019f, kLookAtAttributes = 0x100080,
                   kToDelete = 0x10080, kListFolder = 0x100081;
constexpr uint32_t kFileOptions = smb2::kOptionSynchronousNonAlert | smb2::kOptionNonDirectory;
constexpr uint32_t kFolderOptions = smb2::kOptionSynchronousNonAlert | smb2::kOptionDirectory;

class WindowsClient : public Peer {
 public:
  using Peer::Peer;

  /// The SMB 1 message that asks whether there is SMB 2.
  static std::string first_word() {
    std::string text("\xffSMB\x72\0\0\0\0\x18\x53\xc8\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xfe\0\0\0\0\0", 33);
    std::string dialects;
    for (std::string_view d : {"NT LM 0.12", "SMB 2.002", "SMB 2.???"}) (dialects += '\x02').append(d).append(1, '\0');
    append_le<uint16_t>(text, static_cast<uint16_t>(dialects.size()));
    return text + dialects;
  }
  static std::string negotiate_body(const smb2::Guid& client, std::string_view salt) {
    std::string contexts;
    uint16_t count = 0;
    const auto add = [&](uint16_t type, const std::string& data) {
      contexts.resize(round_up(contexts.size(), 8));
      append_le<uint16_t>(contexts, type);
      append_le<uint16_t>(contexts, static_cast<uint16_t>(data.size()));
      contexts.append(4, '\0').append(data);
      count++;
    };
    const auto list = [](std::initializer_list<uint16_t> numbers) {
      std::string text;
      for (uint16_t n : numbers) append_le<uint16_t>(text, n);
      return text;
    };
    add(1, list({1, static_cast<uint16_t>(salt.size()), 1}).append(salt));
    add(2, list({4, 2, 1, 4, 3}));           // encryption: GCM and CCM of 128 bits, of 256
    add(3, list({4, 0, 1, 0, 4, 2, 3, 1}));  // compression, chained
    add(8, list({3, 2, 1, 0}));              // signing: GMAC, CMAC, HMAC
    add(5, *utf16_of("127.0.0.1"));          // the server's name
    add(6, std::string("\0\0\0\0", 4));      // transport
    add(7, list({3, 0, 0, 0, 0, 1, 2}));     // RDMA
    std::string body;
    for (uint16_t n : {36, 5, 1, 0}) append_le<uint16_t>(body, n);
    append_le<uint32_t>(body, 0x7f);
    body += as_text(client);
    const size_t fixed = 36 + 5 * 2, at = round_up(fixed, 8);
    append_le<uint32_t>(body, static_cast<uint32_t>(smb2::kHeader + at));
    append_le<uint16_t>(body, count);
    append_le<uint16_t>(body, 0);
    for (uint16_t d : {0x202, 0x210, 0x300, 0x302, 0x311}) append_le<uint16_t>(body, d);
    body.resize(at);
    return body + contexts;
  }
  /// From the first byte to the session.
  void arrive(uint64_t previous = 0, std::string_view salt = "0123456789abcdefghijklmnopqrstuv") {
    send_frame(first_word());
    const Message hint = receive();
    EXPECT_EQ(hint.status(), NtStatus::success);
    EXPECT_EQ(hint.header.message_id, 0u);
    EXPECT_GE(hint.header.credits, 1u);
    const auto any = smb2::read_negotiate_response(as_bytes(hint.bytes));
    ASSERT_TRUE(any);
    EXPECT_EQ(any->dialect, Dialect::any);
    EXPECT_EQ(any->capabilities, smb2::kCapLeasing | smb2::kCapLargeMtu);  // section 3.3.5.3.1
    EXPECT_GE(any->max_transact, 65536u);
    EXPECT_FALSE(any->token.empty());

    smb2::Header h;
    h.command = Command::negotiate;
    h.message_id = next_id = 1;
    h.credits = 1;
    next_id++;
    std::string text;
    smb2::append_header(text, h);
    text += negotiate_body(guid_of(static_cast<uint8_t>(guid)), salt);
    EXPECT_TRUE(preauth.add(as_bytes(text)));
    send_frame(text);
    const Message answer = receive();
    EXPECT_TRUE(preauth.add(as_bytes(answer.bytes)));
    const auto read = smb2::read_negotiate_response(as_bytes(answer.bytes));
    ASSERT_TRUE(read) << static_cast<uint32_t>(answer.status());
    agreed = read->dialect;
    EXPECT_EQ(agreed, Dialect::smb311);
    EXPECT_EQ(read->security_mode, smb2::kSigningEnabled | smb2::kSigningRequired);
    EXPECT_EQ(read->capabilities & smb2::kCapDfs, 0u);
    EXPECT_EQ(read->capabilities & (smb2::kCapLeasing | smb2::kCapLargeMtu | smb2::kCapDirectoryLeasing),
              smb2::kCapLeasing | smb2::kCapLargeMtu | smb2::kCapDirectoryLeasing);
    EXPECT_EQ(read->max_read, 8u << 20);
    EXPECT_THAT(read->contexts.hashes, ::testing::ElementsAre(smb2::kPreauthSha512));
    EXPECT_FALSE(read->contexts.salt.empty());
    EXPECT_THAT(read->contexts.ciphers, ::testing::ElementsAre(2)) << "the first of the client's that is ours";
    EXPECT_THAT(read->contexts.signing, ::testing::ElementsAre(2));
    EXPECT_EQ(load_le<uint16_t>(as_bytes(answer.bytes), smb2::kHeader + 6), 3) << "what is not known is not answered";
    EXPECT_EQ(
        log_on_as("", 1, 1, {spnego::kNtlmssp}, previous, smb2::SigningAlgorithm::aes_gmac, smb2::Cipher::aes128_gcm),
        NtStatus::success);
  }
  /// And to the share.
  void mount(uint64_t previous = 0) {
    ASSERT_NO_FATAL_FAILURE(arrive(previous));
    ASSERT_EQ(connect_tree("\\\\127.0.0.1\\share"), NtStatus::success);
  }
  /// FileDispositionInformationEx, with which DeleteFile() begins.
  NtStatus delete_file(const std::string& name, uint32_t flags = 0x13, uint32_t options = 0) {
    const Got file = create({.name = name, .access = kToDelete, .options = options | smb2::kOptionOpenReparsePoint});
    if (file.status != NtStatus::success) return file.status;
    const NtStatus s = set(file.id, FileInfoClass::disposition_ex, flags_body(flags));
    EXPECT_EQ(close_file(file.id), NtStatus::success);
    return s;
  }
  NtStatus move(const std::string& from, const std::string& to, bool replace, uint32_t options = 0) {
    const Got file = create({.name = from, .access = 0x110080, .options = options | smb2::kOptionOpenReparsePoint});
    if (file.status != NtStatus::success) return file.status;
    const NtStatus s = set(file.id, FileInfoClass::rename, rename_body(to, replace ? 1 : 0));
    EXPECT_EQ(close_file(file.id), NtStatus::success);
    return s;
  }
};

}  // namespace isthmus::smb::testing
