#pragma once
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/endian.h"
#include "base/utf16.h"
#include "doors/smb/smb_door.h"
#include "fs/fault/fault.h"
#include "fs/mem/mem_fs.h"
#include "vfs/sync.h"
#include "vfs/then.h"
#include "vfs/volume/volume.h"
#include "windows/security.h"
#include "wire/ntlm/test_client.h"
#include "wire/smb2/create.h"
#include "wire/smb2/io.h"
#include "wire/smb2/keys.h"
#include "wire/smb2/negotiate.h"
#include "wire/smb2/query.h"
#include "wire/smb2/session.h"
#include "wire/smb2/set_info.h"
#include "wire/smb2/signing.h"

/// A door on a file system in memory, and a client that says what it likes to it.
namespace isthmus::smb::testing {

using smb2::Command;
using smb2::Dialect;
using smb2::NtStatus;

struct Message {
  smb2::Header header;
  std::string bytes;  ///< from the header on; empty: the connection ended

  NtStatus status() const { return static_cast<NtStatus>(header.status); }
  bool gone() const { return bytes.empty(); }
};

class Client {
 public:
  explicit Client(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{.tv_sec = 30, .tv_usec = 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) < 0) fd_.reset();
  }

  bool send_bytes(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  bool send_frame(std::string_view frame) {
    const auto head = smb2::frame_head(static_cast<uint32_t>(frame.size()));
    return send_bytes(std::string(as_text(head)) + std::string(frame));
  }
  Message receive() {
    Message m;
    const std::string head = exactly(smb2::kFrameHead);
    const auto length = smb2::read_frame_length(as_bytes(head));
    if (!length) return m;
    m.bytes = exactly(*length);
    if (const auto h = smb2::read_header(as_bytes(m.bytes)))
      m.header = *h;
    else
      m.bytes.clear();
    return m;
  }
  bool closed() {
    char c = 0;
    return recv(fd_.get(), &c, 1, 0) <= 0;
  }
  void close() { fd_.reset(); }

  /// The next message, signed if there is a key.
  std::string message(Command command, std::string_view body) {
    smb2::Header h;
    h.command = command;
    h.credit_charge = charge;
    h.credits = 64;
    h.message_id = next_id;
    next_id += std::max<uint16_t>(charge, 1);
    h.session_id = session;
    h.tree_id = tree;
    h.status = channel_sequence;
    if (replays) h.flags |= smb2::kFlagReplay;
    std::string text;
    smb2::append_header(text, h);
    text += body;
    if (signer && signs) sign(text);
    return text;
  }
  void sign(std::string& text) {
    const auto bytes = std::as_writable_bytes(std::span(text.data(), text.size()));
    const Bytes rest = bytes.subspan(smb2::kHeader);
    EXPECT_TRUE(signer->sign(bytes.first(smb2::kHeader), std::span(&rest, 1)));
  }
  Message ask_raw(Command command, std::string_view body) {
    send_frame(message(command, body));
    Message m = receive();
    while (!m.gone() && m.status() == NtStatus::pending) m = receive();
    return m;
  }
  template <class M>
  Message ask(Command command, const M& m) {
    return ask_raw(command, smb2::write_message(m));
  }

  NtStatus negotiate(Dialect dialect = Dialect::smb311) {
    smb2::NegotiateRequest m;
    m.security_mode = smb2::kSigningEnabled;
    m.dialects = {static_cast<uint16_t>(dialect)};
    m.client_guid.fill(guid);
    m.capabilities = capabilities;
    if (dialect == Dialect::smb311) {
      m.contexts.hashes = {smb2::kPreauthSha512};
      m.contexts.salt = as_bytes("salt");
      m.contexts.posix = posix;
    }
    const std::string text = message(Command::negotiate, smb2::write_negotiate_request(m));
    EXPECT_TRUE(preauth.add(as_bytes(text)));
    send_frame(text);
    const Message answer = receive();
    EXPECT_TRUE(preauth.add(as_bytes(answer.bytes)));
    if (const auto read = smb2::read_negotiate_response(as_bytes(answer.bytes))) {
      agreed = read->dialect;
      server_capabilities = read->capabilities;
    }
    return answer.status();
  }
  NtStatus log_on(const std::string& password = "right", uint8_t flags = 0) {
    ntlm::test::Client ntlm;
    ntlm.user = "user";
    ntlm.domain = "";
    ntlm.password = password;
    const std::string first = ntlm::test::negotiate();
    Message m = setup(first, flags);
    session = m.header.session_id;
    const auto read = smb2::read_message<smb2::SessionSetupResponse>(as_bytes(m.bytes));
    if (m.status() != NtStatus::more_processing_required || !read) return m.status();
    EXPECT_TRUE(preauth.add(as_bytes(m.bytes)));
    m = setup(ntlm.authenticate(first, as_text(read->token)), flags);
    if (m.status() != NtStatus::success) {
      session = 0;
      return m.status();
    }
    const auto keys = smb2::derive_session_keys(agreed, smb2::Cipher::none, ntlm.session_key.bytes(), preauth);
    sign_by(keys->signing, agreed);
    EXPECT_TRUE(is_signed(m)) << "the end of a logon is signed";
    return m.status();
  }
  /// Uses another's session here, too.
  NtStatus bind(const Client& other, const std::string& password = "right") {
    session = other.session;
    tree = other.tree;
    sign_by(other.signing_key, other.agreed);
    return log_on(password, smb2::SessionSetupRequest::kBinding);
  }
  void sign_by(const smb2::Key& key, Dialect as) {
    const auto algorithm =
        as < Dialect::smb300 ? smb2::SigningAlgorithm::hmac_sha256 : smb2::SigningAlgorithm::aes_cmac;
    signing_key = key;
    signer = smb2::Signer::make(algorithm, key.bytes());
  }
  bool is_signed(const Message& m) { return signer && signer->verify(as_bytes(m.bytes)); }
  NtStatus connect_tree(std::string_view share = "\\\\server\\share") {
    const std::string path = *utf16_of(share);
    const Message m = ask(Command::tree_connect, smb2::TreeConnectRequest{.flags = 0, .path = as_bytes(path)});
    tree = m.header.tree_id;
    return m.status();
  }
  /// With everything before it.
  void begin(Dialect dialect = Dialect::smb311) {
    ASSERT_EQ(negotiate(dialect), NtStatus::success);
    ASSERT_EQ(log_on(), NtStatus::success);
    ASSERT_EQ(connect_tree(), NtStatus::success);
  }

  /// The same on a session of another, which is used here, too.
  void join(const Client& other) {
    ASSERT_EQ(negotiate(other.agreed), NtStatus::success);
    ASSERT_EQ(bind(other), NtStatus::success);
  }

  smb2::CreateRequest creation(const std::string& name, smb2::Disposition d, uint32_t options = 0,
                               uint32_t access = 0x1f01ff) {
    name_ = *utf16_of(name);
    smb2::CreateRequest m;
    m.desired_access = access;
    m.share_access = 7;
    m.disposition = d;
    m.options = options;
    m.name = as_bytes(name_);
    return m;
  }
  NtStatus open(const std::string& name, smb2::FileId& id, smb2::Disposition d = smb2::Disposition::open_if,
                uint32_t options = 0, uint32_t access = 0x1f01ff) {
    const Message m = ask(Command::create, creation(name, d, options, access));
    if (const auto read = smb2::read_message<smb2::CreateResponse>(as_bytes(m.bytes));
        m.status() == NtStatus::success && read)
      id = read->file_id;
    return m.status();
  }
  NtStatus close_file(const smb2::FileId& id) { return ask(Command::close, smb2::CloseRequest{0, id}).status(); }
  NtStatus write(const smb2::FileId& id, uint64_t offset, std::string_view data) {
    smb2::WriteRequest m;
    m.file_id = id;
    m.offset = offset;
    m.data = as_bytes(data);
    return ask(Command::write, m).status();
  }
  std::optional<std::string> read(const smb2::FileId& id, uint64_t offset, uint32_t length) {
    smb2::ReadRequest m;
    m.file_id = id;
    m.offset = offset;
    m.length = length;
    const Message answer = ask(Command::read, m);
    const auto got = smb2::read_message<smb2::ReadResponse>(as_bytes(answer.bytes));
    if (answer.status() != NtStatus::success || !got) return {};
    return std::string(as_text(got->data));
  }

  uint64_t session = 0, next_id = 0;
  uint16_t channel_sequence = 0, charge = 1;
  bool replays = false;  ///< it sends again what it has sent before
  uint32_t tree = 0;
  bool signs = true, posix = false;
  std::byte guid{7};
  uint32_t capabilities = smb2::kCapMultiChannel | smb2::kCapDirectoryLeasing, server_capabilities = 0;
  smb2::Key signing_key;
  Dialect agreed = Dialect::any;
  smb2::PreauthHash preauth;
  std::optional<smb2::Signer> signer;

 private:
  Message setup(const std::string& token, uint8_t flags) {
    const std::string text =
        message(Command::session_setup, smb2::write_message(smb2::SessionSetupRequest{.flags = flags,
                                                                                      .security_mode = 1,
                                                                                      .capabilities = 0,
                                                                                      .channel = 0,
                                                                                      .token = as_bytes(token),
                                                                                      .previous_session_id = 0}));
    EXPECT_TRUE(preauth.add(as_bytes(text)));
    send_frame(text);
    return receive();
  }
  std::string exactly(size_t size) {
    std::string out(size, '\0');
    size_t at = 0;
    while (at < size) {
      const ssize_t n = recv(fd_.get(), out.data() + at, size - at, 0);
      if (n <= 0) return {};
      at += static_cast<size_t>(n);
    }
    return out;
  }
  Fd fd_;
  std::string name_;
};

inline windows::SecurityDescriptor list_of(std::vector<windows::Ace> list) {
  windows::SecurityDescriptor d;
  d.has_dacl = true;
  d.dacl = std::move(list);
  return d;
}
/// Gives a file an access list.
inline NtStatus set_list(Client& c, const smb2::FileId& id, std::vector<windows::Ace> list) {
  const std::string bytes = windows::to_bytes(list_of(std::move(list)));
  smb2::SetInfoRequest m;
  m.type = smb2::InfoType::security;
  m.additional = smb2::kSecurityDacl;
  m.file_id = id;
  m.data = as_bytes(bytes);
  return c.ask(Command::set_info, m).status();
}

class DoorTest : public ::testing::Test {
 protected:
  void SetUp() override { start({}); }
  void TearDown() override { stop(); }

  /// `faults`: rules of fs/fault/rules.h.
  void start(Options options, const std::string& faults = "") {
    stop();
    auto made = std::make_unique<fs::mem::MemFs>();
    fs_ = made.get();
    fs::fault::Options faulty;
    std::string why;
    ASSERT_TRUE(faults.empty() || fs::fault::parse_rules(faults, faulty.rules, why)) << why;
    whole_ = std::make_unique<fs::fault::Fault>(std::move(made), std::move(faulty));
    volume_ = std::make_unique<Volume>(*whole_);
    ASSERT_TRUE(volume_->start());
    port_ = volume_->port({.door = DoorKind::smb});
    options.share = "share";
    options.user = "user";
    options.password = "right";
    door_ = std::make_unique<SmbDoor>(*port_, std::move(options));
    auto started = door_->start();
    ASSERT_TRUE(started) << started.problem().text();
  }
  void stop() {
    if (!door_) return;
    door_.reset();
    port_.reset();
    volume_->stop();
    volume_.reset();
    // Nothing was looked up or opened that was not given back.
    for (const std::string& name : files_)
      EXPECT_TRUE(call_and_wait(*fs_, op::Unlink{{}, NodeId::root, name, HandleId::none})) << name;
    files_.clear();
    EXPECT_EQ(fs_->inodes(), 1u);
    whole_.reset();
  }
  /// As an editor saves: a new file takes the name.
  void put_through_another_door(const std::string& name) {
    auto other = volume_->port({.door = DoorKind::webdav});
    Upcalls news;
    ASSERT_TRUE(other->start(news));
    const auto made = call_and_wait(*other, op::Mknod{{}, NodeId::root, "new", S_IFREG | 0644, 0, {}});
    ASSERT_TRUE(made);
    EXPECT_TRUE(call_and_wait(*other, op::Rename{{}, NodeId::root, "new", NodeId::root, name, 0, HandleId::none}));
    forget(*other, {}, made->node);
    other->stop();
  }
  uint16_t port() const { return door_->endpoint().port; }

  std::vector<std::string> files_;  // that are left in the root at the end
  fs::mem::MemFs* fs_ = nullptr;
  std::unique_ptr<FileSystem> whole_;  // with faults around it
  std::unique_ptr<Volume> volume_;
  std::unique_ptr<VolumePort> port_;
  std::unique_ptr<SmbDoor> door_;
};

}  // namespace isthmus::smb::testing
