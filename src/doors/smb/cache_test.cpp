#include "doors/smb/test_leases.h"

namespace isthmus::smb::testing {
namespace {

struct CacheTest : DoorTest {};

TEST_F(CacheTest, ALeaseIsOneForAllOpensOfItsClient) {
  Client a(port()), b(port());
  a.begin();
  b.begin();
  const Made first = make(a, "file", lease_context(1, kRH));
  ASSERT_EQ(first.status, NtStatus::success);
  EXPECT_EQ(first.level, smb2::OplockLevel::lease);
  ASSERT_TRUE(first.lease);
  EXPECT_EQ(first.lease->state, kRH);
  const Made more = make(a, "file", lease_context(1, kRWH));
  ASSERT_TRUE(more.lease);
  EXPECT_EQ(more.lease->state, kRWH) << "it has grown";
  EXPECT_EQ(more.lease->epoch, first.lease->epoch + 1);
  EXPECT_EQ(make(a, "other", lease_context(1, kRWH)).status, NtStatus::invalid_parameter) << "of another file";
  // What its own client does leaves it alone; another's open takes W.
  EXPECT_EQ(a.write(first.id, 0, "text"), NtStatus::success);
  b.send_frame(b.message(Command::create, smb2::write_message(b.creation("file", Disposition::open))));
  const Message broken = a.receive();
  ASSERT_EQ(broken.header.command, Command::oplock_break);
  const auto news = smb2::read_message<smb2::LeaseBreakNotification>(as_bytes(broken.bytes));
  ASSERT_TRUE(news);
  EXPECT_EQ(news->current, kRWH);
  EXPECT_EQ(news->next, kRH);
  EXPECT_EQ(b.receive().status(), NtStatus::pending);
  smb2::LeaseBreakAck ack{.flags = 0, .key = news->key, .state = kRWH};
  EXPECT_EQ(a.ask(Command::oplock_break, ack).status(), NtStatus::request_not_accepted);
  ack.state = kRH;
  EXPECT_EQ(a.ask(Command::oplock_break, ack).status(), NtStatus::success);
  EXPECT_EQ(a.ask(Command::oplock_break, ack).status(), NtStatus::unsuccessful) << "nothing is being broken";
  const Made theirs = read_made(b.receive());
  ASSERT_EQ(theirs.status, NtStatus::success);
  EXPECT_EQ(b.close_file(theirs.id), NtStatus::success);
  EXPECT_EQ(a.close_file(first.id), NtStatus::success);
  EXPECT_EQ(a.close_file(more.id), NtStatus::success);
  EXPECT_EQ(make(a, "other", lease_context(1, kRWH)).status, NtStatus::success) << "the key is free again";
  files_ = {"file", "other"};
}

std::string durable_context(uint8_t guid, const FileId* again = nullptr) {
  std::string list;
  smb2::Guid create_guid{};
  create_guid.fill(std::byte{guid});
  if (again)
    smb2::append_create_context(list, smb2::kContextDurableReconnectV2,
                                as_bytes(smb2::write_data(smb2::DurableV2Reconnect{*again, create_guid, 0})));
  else
    smb2::append_create_context(list, smb2::kContextDurableV2,
                                as_bytes(smb2::write_data(smb2::DurableV2Request{0, 0, create_guid})));
  return list;
}

TEST_F(CacheTest, DurableOpensOutliveTheirConnection) {
  FileId id;
  {
    Client a(port());
    a.begin();
    EXPECT_FALSE(make(a, "plain", durable_context(7), smb2::OplockLevel::level2).durable) << "no batch oplock";
    const Made made = make(a, "file", durable_context(1), smb2::OplockLevel::batch);
    ASSERT_TRUE(made.durable);
    id = made.id;
    EXPECT_EQ(a.write(id, 0, "text"), NtStatus::success);
  }
  Client b(port());
  b.begin();
  Made again;
  again.status = NtStatus::object_name_not_found;
  for (int i = 0; i < 3000 && again.status == NtStatus::object_name_not_found; i++) {  // until the first has gone
    if (i) usleep(10'000);
    EXPECT_EQ(make(b, "file", durable_context(2, &id)).status, NtStatus::object_name_not_found) << "another's";
    again = make(b, "file", durable_context(1, &id));
  }
  ASSERT_EQ(again.status, NtStatus::success);
  EXPECT_EQ(again.id, id);
  EXPECT_EQ(again.level, smb2::OplockLevel::batch);
  EXPECT_EQ(b.read(id, 0, 10), "text");
  EXPECT_EQ(make(b, "file", durable_context(1, &id)).status, NtStatus::object_name_not_found) << "it is in use";
  EXPECT_EQ(b.close_file(id), NtStatus::success);
  files_ = {"file", "plain"};
}

TEST_F(CacheTest, WhatIsSentAgainFindsWhatItHasOpened) {
  Client c(port());
  c.begin();
  const Made first = make(c, "file", durable_context(1), smb2::OplockLevel::batch);
  ASSERT_TRUE(first.durable);
  EXPECT_EQ(make(c, "file", durable_context(1), smb2::OplockLevel::batch).status, NtStatus::duplicate_objectid);
  c.replays = true;
  const Made again = make(c, "file", durable_context(1), smb2::OplockLevel::batch);
  EXPECT_EQ(again.status, NtStatus::success);
  EXPECT_EQ(again.id, first.id);
  c.replays = false;
  EXPECT_EQ(c.close_file(first.id), NtStatus::success);
  const Made other = make(c, "file", durable_context(1), smb2::OplockLevel::batch);
  EXPECT_EQ(other.status, NtStatus::success) << "the first has ended";
  EXPECT_NE(other.id, first.id);
  EXPECT_EQ(c.close_file(other.id), NtStatus::success);
  files_ = {"file"};
}

/// Who has used what a CREATE has opened has had its answer: what looks like the same is another.
TEST_F(CacheTest, WhatIsInUseIsNotOpenedAgain) {
  Client c(port());
  c.begin();
  const std::string context = durable_context(1);
  const Made first = make(c, "file", context, smb2::OplockLevel::batch);
  ASSERT_TRUE(first.durable);
  ASSERT_EQ(c.write(first.id, 0, "text"), NtStatus::success);
  EXPECT_EQ(make(c, "file", context, smb2::OplockLevel::batch).status, NtStatus::duplicate_objectid);
  c.replays = true;
  smb2::CreateRequest m = c.creation("file", Disposition::open_if);
  m.oplock = smb2::OplockLevel::batch;
  m.contexts = as_bytes(context);
  c.send_frame(c.message(Command::create, smb2::write_message(m)));
  c.replays = false;
  const Message broken = c.receive();
  ASSERT_EQ(broken.header.command, Command::oplock_break);
  EXPECT_EQ(c.receive().status(), NtStatus::pending);
  c.send_frame(
      c.message(Command::oplock_break, smb2::write_message(smb2::OplockBreak{smb2::OplockLevel::level2, first.id})));
  std::optional<Made> second;
  for (int i = 0; i < 2; i++)
    if (const Message answer = c.receive(); answer.header.command == Command::create) second = read_made(answer);
  ASSERT_TRUE(second);
  ASSERT_EQ(second->status, NtStatus::success);
  EXPECT_NE(second->id, first.id);
  EXPECT_EQ(c.close_file(first.id), NtStatus::success);
  EXPECT_EQ(c.close_file(second->id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(CacheTest, LateChangesOfAnEarlierConnectionAreRefused) {
  Client c(port());
  c.begin();
  FileId id;
  ASSERT_EQ(c.open("file", id), NtStatus::success);
  c.channel_sequence = 2;
  EXPECT_EQ(c.write(id, 0, "new"), NtStatus::success);
  c.channel_sequence = 1;
  EXPECT_EQ(c.write(id, 0, "old"), NtStatus::file_not_available);
  EXPECT_EQ(c.read(id, 0, 10), "new") << "which may be asked";
  c.channel_sequence = 3;
  EXPECT_EQ(c.read(id, 0, 10), "new");
  c.channel_sequence = 2;
  EXPECT_EQ(c.write(id, 0, "old"), NtStatus::file_not_available) << "a read tells of the new one, too";
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(CacheTest, ALockThatIsSentAgainIsTakenOnce) {
  Client a(port()), b(port());
  a.begin();
  b.begin();
  FileId ours, theirs;
  ASSERT_EQ(a.open("file", ours), NtStatus::success);
  ASSERT_EQ(b.open("file", theirs), NtStatus::success);
  smb2::LockRequest m;
  m.file_id = ours;
  m.sequence = 1 << 4 | 5;
  m.locks = {{0, 10, smb2::LockElement::kExclusive | smb2::LockElement::kFailImmediately}};
  EXPECT_EQ(a.ask(Command::lock, m).status(), NtStatus::success);
  EXPECT_EQ(a.ask(Command::lock, m).status(), NtStatus::success) << "the same";
  m.sequence = 1 << 4 | 6;
  EXPECT_EQ(a.ask(Command::lock, m).status(), NtStatus::lock_not_granted) << "another";
  m.sequence = 0;
  m.locks = {{0, 10, smb2::LockElement::kUnlock}};
  EXPECT_EQ(a.ask(Command::lock, m).status(), NtStatus::success);
  EXPECT_EQ(a.ask(Command::lock, m).status(), NtStatus::range_not_locked) << "there was one";
  EXPECT_EQ(a.close_file(ours), NtStatus::success);
  EXPECT_EQ(b.close_file(theirs), NtStatus::success);
  files_ = {"file"};
}

TEST_F(CacheTest, DurableOpensGiveWayToOthers) {
  FileId id;
  {
    Client a(port());
    a.begin();
    const Made made = make(a, "file", durable_context(1), smb2::OplockLevel::batch);
    ASSERT_TRUE(made.durable);
    id = made.id;
  }
  Client b(port());
  b.begin();
  FileId theirs;
  ASSERT_EQ(b.open("file", theirs, Disposition::open), NtStatus::success);
  EXPECT_EQ(make(b, "file", durable_context(1, &id)).status, NtStatus::object_name_not_found);
  EXPECT_EQ(b.close_file(theirs), NtStatus::success);
  files_ = {"file"};
}

/// A CREATE that waits goes on for the other connections of its session, and the one that is sent again finds it.
TEST_F(CacheTest, ACreateThatWaitsOutlivesItsConnection) {
  Client holder(port()), again(port());
  std::optional<Client> first(port());
  holder.guid = std::byte{9};
  holder.begin();
  first->begin();
  again.join(*first);
  const Made held = make(holder, "file", lease_context(1, kRWH));
  ASSERT_EQ(held.lease->state, kRWH);
  smb2::CreateRequest m = first->creation("file", Disposition::open_if);
  const std::string context = durable_context(1);
  m.oplock = smb2::OplockLevel::batch;
  m.contexts = as_bytes(context);
  first->send_frame(first->message(Command::create, smb2::write_message(m)));
  EXPECT_EQ(holder.receive().header.command, Command::oplock_break);
  EXPECT_EQ(first->receive().status(), NtStatus::pending);
  first.reset();
  again.channel_sequence = 1;
  again.replays = true;
  Made found = make(again, "file", context, smb2::OplockLevel::batch);
  EXPECT_EQ(found.status, NtStatus::file_not_available) << "it is on its way";
  EXPECT_EQ(holder.close_file(held.id), NtStatus::success);
  for (int i = 0; i < 6000 && found.status == NtStatus::file_not_available; i++) {
    if (i) usleep(10'000);
    found = make(again, "file", context, smb2::OplockLevel::batch);
  }
  ASSERT_EQ(found.status, NtStatus::success);
  EXPECT_EQ(found.level, smb2::OplockLevel::batch);
  EXPECT_TRUE(found.durable);
  again.replays = false;
  EXPECT_EQ(again.close_file(found.id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(CacheTest, ACreateThatWaitsEndsWithItsSession) {
  Client holder(port());
  holder.guid = std::byte{9};
  holder.begin();
  const Made held = make(holder, "file", lease_context(1, kRWH));
  const std::string context = durable_context(1);
  {
    Client c(port());
    c.begin();
    smb2::CreateRequest m = c.creation("file", Disposition::open_if);
    m.oplock = smb2::OplockLevel::batch;
    m.contexts = as_bytes(context);
    c.send_frame(c.message(Command::create, smb2::write_message(m)));
    EXPECT_EQ(holder.receive().header.command, Command::oplock_break);
  }
  EXPECT_EQ(holder.close_file(held.id), NtStatus::success);
  files_ = {"file"};
  stop();  // nothing is open any more
}

/// What needs no answer may have been lost with the connection, too.
TEST_F(CacheTest, ABreakIsToldAgainOnAnotherConnection) {
  for (const bool leases : {true, false}) {
    std::optional<Client> first(port());
    Client second(port()), other(port());
    other.guid = std::byte{9};
    first->begin();
    second.join(*first);
    other.begin();
    const Made made = leases ? make(*first, "file", lease_context(1, smb2::kLeaseRead))
                             : make(*first, "file", "", smb2::OplockLevel::level2);
    ASSERT_EQ(made.status, NtStatus::success);
    FileId theirs;
    ASSERT_EQ(other.open("file", theirs, Disposition::open), NtStatus::success);
    ASSERT_EQ(other.write(theirs, 0, "text"), NtStatus::success);
    EXPECT_EQ(other.close_file(theirs), NtStatus::success);
    first.reset();  // which has not read it
    const Message again = second.receive();
    ASSERT_EQ(again.header.command, Command::oplock_break);
    if (leases) {
      const auto news = smb2::read_message<smb2::LeaseBreakNotification>(as_bytes(again.bytes));
      ASSERT_TRUE(news);
      EXPECT_EQ(news->current, smb2::kLeaseRead);
      EXPECT_EQ(news->next, 0u);
      EXPECT_EQ(news->flags, 0u);
    } else {
      const auto news = smb2::read_message<smb2::OplockBreak>(as_bytes(again.bytes));
      ASSERT_TRUE(news);
      EXPECT_EQ(news->level, smb2::OplockLevel::none);
    }
    EXPECT_EQ(second.close_file(made.id), NtStatus::success);
  }
  files_ = {"file"};
}

/// Requests are answered side by side, but a CLOSE comes after what was sent before it.
TEST_F(CacheTest, ACloseOvertakesNothing) {
  start({}, "write:delay=200ms:count=3");
  Client c(port());
  c.begin();
  for (int i = 0; i < 3; i++) {
    FileId id;
    ASSERT_EQ(c.open("file", id), NtStatus::success);
    smb2::WriteRequest m;
    m.file_id = id;
    m.offset = static_cast<uint64_t>(i) * 4;
    m.data = as_bytes("text");
    c.send_frame(c.message(Command::write, smb2::write_message(m)));
    c.send_frame(c.message(Command::close, smb2::write_message(smb2::CloseRequest{0, id})));
    c.send_frame(c.message(Command::echo, smb2::write_message(smb2::EmptyMessage{})));
    std::vector<Command> order;
    while (order.size() < 3) {
      const Message answer = c.receive();
      ASSERT_FALSE(answer.gone());
      if (answer.status() == NtStatus::pending) continue;
      EXPECT_EQ(answer.status(), NtStatus::success);
      order.push_back(answer.header.command);
    }
    std::erase(order, Command::echo);
    EXPECT_THAT(order, ::testing::ElementsAre(Command::write, Command::close));
  }
  FileId id;
  ASSERT_EQ(c.open("file", id), NtStatus::success);
  EXPECT_EQ(c.read(id, 0, 100), "texttexttext");
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  files_ = {"file"};
}

}  // namespace
}  // namespace isthmus::smb::testing
