#include <thread>

#include "doors/smb/test_door.h"
#include "wire/smb2/fsctl_codes.h"
#include "wire/smb2/ioctl.h"
#include "wire/smb2/oplock.h"
#include "wire/smb2/query.h"

/// Sessions and the connections they are used on.
namespace isthmus::smb::testing {
namespace {

using smb2::Disposition;
using smb2::FileId;

constexpr Dialect kBinding[] = {Dialect::smb300, Dialect::smb302, Dialect::smb311};

TEST_F(DoorTest, ASessionIsUsedOnSeveralConnections) {
  for (Dialect d : kBinding) {
    Client a(port()), b(port());
    a.begin(d);
    b.join(a);
    // Each has its own key: of its own logon, and in 3.1.1 of what went before (the test client always gives one key).
    EXPECT_EQ(as_text(a.signing_key.bytes()) == as_text(b.signing_key.bytes()), d != Dialect::smb311);
    FileId id;
    ASSERT_EQ(a.open("file", id), NtStatus::success);
    EXPECT_EQ(b.write(id, 0, "by both"), NtStatus::success);
    const Message answer = b.ask(Command::read, [&] {
      smb2::ReadRequest m;
      m.file_id = id;
      m.length = 10;
      return m;
    }());
    EXPECT_TRUE(b.is_signed(answer)) << "by the key of the connection that it goes by";
    // The session, and what is open, end with the last of them.
    a.close();
    EXPECT_EQ(b.read(id, 0, 10), "by both");
    EXPECT_EQ(b.close_file(id), NtStatus::success);
  }
  files_ = {"file"};
}

TEST_F(DoorTest, OnlyItsOwnClientBindsASession) {
  Client a(port());
  a.begin(Dialect::smb302);
  const auto other = [&](Dialect d, std::byte guid, const std::string& password, auto&& change) {
    Client b(port());
    b.guid = guid;
    EXPECT_EQ(b.negotiate(d), NtStatus::success);
    change(b);
    const NtStatus s = b.bind(a, password);
    FileId id;
    b.session = a.session;
    EXPECT_EQ(b.open("file", id), NtStatus::user_session_deleted);
    return s;
  };
  const auto nothing = [](Client&) {};
  EXPECT_EQ(other(Dialect::smb302, std::byte{8}, "right", nothing), NtStatus::user_session_deleted);
  EXPECT_EQ(other(Dialect::smb311, std::byte{7}, "right", nothing), NtStatus::invalid_parameter);
  EXPECT_EQ(other(Dialect::smb210, std::byte{7}, "right", nothing), NtStatus::request_not_accepted);
  EXPECT_EQ(other(Dialect::smb302, std::byte{7}, "wrong", nothing), NtStatus::logon_failure);
  EXPECT_EQ(other(Dialect::smb302, std::byte{7}, "right", [](Client& b) { b.signs = false; }),
            NtStatus::invalid_parameter);
  // Signed by a key that is not the session's.
  const smb2::Key key = a.signing_key;
  a.signing_key = smb2::Key(as_bytes("0123456789abcdef"));
  EXPECT_EQ(other(Dialect::smb302, std::byte{7}, "right", nothing), NtStatus::access_denied);
  a.signing_key = key;
  EXPECT_EQ(a.bind(a), NtStatus::request_not_accepted) << "it is there already";
  Client b(port());
  ASSERT_EQ(b.negotiate(Dialect::smb302), NtStatus::success);
  a.session++;
  EXPECT_EQ(b.bind(a), NtStatus::user_session_deleted);
}

TEST_F(DoorTest, ALogoffEndsASessionEverywhere) {
  Client a(port()), b(port());
  a.begin();
  b.join(a);
  FileId id;
  ASSERT_EQ(a.open("file", id), NtStatus::success);
  EXPECT_EQ(b.ask(Command::logoff, smb2::EmptyMessage{}).status(), NtStatus::success);
  const Message answer = a.ask(Command::close, smb2::CloseRequest{0, id});
  EXPECT_EQ(answer.status(), NtStatus::user_session_deleted);
  EXPECT_TRUE(a.is_signed(answer));
  files_ = {"file"};
}

TEST_F(DoorTest, WhateverIsRefusedIsSigned) {
  Client c(port());
  c.begin();
  const Message unknown = c.ask_raw(static_cast<Command>(0xff), std::string("\4\0\0\0", 4));
  EXPECT_EQ(unknown.status(), NtStatus::invalid_parameter);
  EXPECT_TRUE(c.is_signed(unknown));
  // Related to nothing.
  std::string text = c.message(Command::echo, smb2::write_message(smb2::EmptyMessage{}));
  text[smb2::kFlagsAt] = static_cast<char>(text[smb2::kFlagsAt] | smb2::kFlagRelated);
  c.sign(text);
  c.send_frame(text);
  const Message related = c.receive();
  EXPECT_EQ(related.status(), NtStatus::invalid_parameter);
  EXPECT_TRUE(c.is_signed(related));
}

TEST_F(DoorTest, WhoCannotLogOnAgainLosesTheSession) {
  Client a(port()), b(port());
  a.begin();
  b.join(a);
  FileId id;
  ASSERT_EQ(a.open("file", id), NtStatus::success);
  EXPECT_EQ(b.log_on("wrong"), NtStatus::logon_failure);
  EXPECT_EQ(a.close_file(id), NtStatus::user_session_deleted);
  files_ = {"file"};
}

TEST_F(DoorTest, ASessionHasSoManyConnections) {
  Client a(port());
  a.begin();
  std::vector<std::unique_ptr<Client>> others;
  NtStatus s = NtStatus::success;
  while (s == NtStatus::success && others.size() < 40) {
    others.push_back(std::make_unique<Client>(port()));
    ASSERT_EQ(others.back()->negotiate(), NtStatus::success);
    s = others.back()->bind(a);
  }
  EXPECT_EQ(s, NtStatus::insufficient_resources);
  EXPECT_EQ(others.size(), 32u);
}

TEST_F(DoorTest, ConnectionsOfASessionComeAndGo) {
  for (int round = 0; round < 5; round++) {
    Client owner(port());
    owner.begin();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
      threads.emplace_back([&, n = i] {
        for (int k = 0; k < 10; k++) {
          Client c(port());
          if (c.negotiate() != NtStatus::success) return;
          NtStatus s = c.bind(owner);
          if (s != NtStatus::success) return;
          FileId id;
          s = c.open("file", id);
          if (s == NtStatus::success && k % 2) s = c.write(id, 0, "x");
          // The session may end at any point of the request.
          EXPECT_THAT(s, ::testing::AnyOf(NtStatus::success, NtStatus::user_session_deleted, NtStatus::file_closed,
                                          NtStatus::network_name_deleted));
          if (n == 0 && k == 8) (void)c.ask(Command::logoff, smb2::EmptyMessage{});
        }
      });
    for (auto& t : threads) t.join();
    FileId id;
    EXPECT_EQ(owner.open("file", id), NtStatus::user_session_deleted);
  }
  files_ = {"file"};
}

/// A break reaches its client by any connection that is left, when it is told and afterwards.
TEST_F(DoorTest, BreaksFindAConnectionThatLives) {
  for (const bool told_before : {false, true}) {
    SCOPED_TRACE(told_before);
    Client a(port()), b(port()), c(port());
    a.begin();
    c.begin();
    b.join(a);
    smb2::CreateRequest m = a.creation("file", Disposition::open_if);
    m.oplock = smb2::OplockLevel::batch;
    const auto opened = smb2::read_message<smb2::CreateResponse>(as_bytes(a.ask(Command::create, m).bytes));
    ASSERT_TRUE(opened);
    ASSERT_EQ(opened->oplock, smb2::OplockLevel::batch);
    const auto ask = [&] {
      c.send_frame(c.message(Command::create, smb2::write_message(c.creation("file", Disposition::open))));
      EXPECT_EQ(c.receive().status(), NtStatus::pending);
    };
    if (told_before) {
      ask();
      EXPECT_EQ(a.receive().header.command, Command::oplock_break);
    }
    a.close();
    // Only when the server has seen the end of it.
    for (int i = 0; i < 3000 && door_->metrics().clients.size() > 2; i++) usleep(10'000);
    if (!told_before) ask();
    ASSERT_EQ(b.receive().header.command, Command::oplock_break);
    EXPECT_EQ(b.ask(Command::oplock_break, smb2::OplockBreak{smb2::OplockLevel::level2, opened->file_id}).status(),
              NtStatus::success);
    const auto theirs = smb2::read_message<smb2::CreateResponse>(as_bytes(c.receive().bytes));
    ASSERT_TRUE(theirs);
    EXPECT_EQ(c.close_file(theirs->file_id), NtStatus::success);
    EXPECT_EQ(b.close_file(opened->file_id), NtStatus::success);
    // The next round's clients are counted, too.
    b.close();
    c.close();
    for (int i = 0; i < 3000 && !door_->metrics().clients.empty(); i++) usleep(10'000);
  }
  files_ = {"file"};
}

/// However many requests wait, each connection has its turn: the one that has what all wait for, and those that want
/// something else.
TEST_F(DoorTest, WhoWaitsLeavesThreadsToOthers) {
  Options options;
  options.max_threads = 4;
  options.max_connections = 16;
  start(options);
  Client holder(port());
  holder.begin();
  smb2::CreateRequest m = holder.creation("held", Disposition::open_if);
  m.oplock = smb2::OplockLevel::batch;
  const auto opened = smb2::read_message<smb2::CreateResponse>(as_bytes(holder.ask(Command::create, m).bytes));
  ASSERT_TRUE(opened);
  constexpr size_t kClients = 8, kRequests = 32;
  std::vector<std::unique_ptr<Client>> waiting;
  for (size_t i = 0; i < kClients; i++) {
    waiting.push_back(std::make_unique<Client>(port()));
    Client& c = *waiting.back();
    c.begin();
    for (size_t n = 0; n < kRequests; n++)
      c.send_frame(c.message(Command::create, smb2::write_message(c.creation("held", Disposition::open))));
  }
  for (const auto& c : waiting) ASSERT_EQ(c->receive().status(), NtStatus::pending);
  Client other(port());
  other.begin();
  FileId id;
  EXPECT_EQ(other.open("other", id), NtStatus::success);
  EXPECT_EQ(other.close_file(id), NtStatus::success);
  EXPECT_EQ(holder.receive().header.command, Command::oplock_break);
  EXPECT_EQ(holder.ask(Command::oplock_break, smb2::OplockBreak{smb2::OplockLevel::none, opened->file_id}).status(),
            NtStatus::success);
  for (const auto& c : waiting) {
    size_t done = 0;
    while (done < kRequests) {
      const Message answer = c->receive();
      ASSERT_FALSE(answer.gone());
      if (answer.status() == NtStatus::pending) continue;
      EXPECT_EQ(answer.status(), NtStatus::success);
      done++;
    }
  }
  files_ = {"held", "other"};
}

/// A client waits for itself, with more requests than there are threads for it.
TEST_F(DoorTest, AnAnswerToABreakIsHeardWhateverWaits) {
  Client c(port());
  c.begin();
  smb2::CreateRequest m = c.creation("held", Disposition::open_if);
  m.oplock = smb2::OplockLevel::batch;
  const auto opened = smb2::read_message<smb2::CreateResponse>(as_bytes(c.ask(Command::create, m).bytes));
  ASSERT_TRUE(opened);
  constexpr size_t kRequests = 60;
  for (size_t n = 0; n < kRequests; n++)
    c.send_frame(c.message(Command::create, smb2::write_message(c.creation("held", Disposition::open))));
  size_t done = 0;
  bool broken = false;
  while (done < kRequests) {
    const Message answer = c.receive();
    ASSERT_FALSE(answer.gone());
    if (answer.header.command == Command::oplock_break && !std::exchange(broken, true)) {
      c.send_frame(c.message(Command::oplock_break,
                             smb2::write_message(smb2::OplockBreak{smb2::OplockLevel::none, opened->file_id})));
      continue;
    }
    EXPECT_THAT(answer.status(), ::testing::AnyOf(NtStatus::success, NtStatus::pending));
    if (answer.header.command == Command::create && answer.status() == NtStatus::success) done++;
  }
  EXPECT_TRUE(broken);
  files_ = {"held"};
}

TEST_F(DoorTest, TellsTheInterfaceThatAClientCameBy) {
  const auto interfaces = [](Client& c) {
    smb2::IoctlRequest m;
    m.code = smb2::kFsctlQueryNetworkInterfaceInfo;
    m.file_id = smb2::kNoFileId;
    m.max_output = 4096;
    m.flags = smb2::IoctlRequest::kIsFsctl;
    return c.ask(Command::ioctl, m);
  };
  Client c(port());
  c.begin();
  const Message answer = interfaces(c);
  ASSERT_EQ(answer.status(), NtStatus::success);
  const auto read = smb2::read_message<smb2::IoctlResponse>(as_bytes(answer.bytes));
  ASSERT_TRUE(read && read->output.size() == 152);
  EXPECT_EQ(as_text(read->output.subspan(24, 8)), std::string("\2\0\0\0\x7f\0\0\1", 8));
  Client old(port());
  old.capabilities = 0;
  old.begin();
  EXPECT_EQ(interfaces(old).status(), NtStatus::not_supported);
}

}  // namespace
}  // namespace isthmus::smb::testing
