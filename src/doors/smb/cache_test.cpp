#include "doors/smb/test_door.h"
#include "wire/smb2/create_contexts.h"
#include "wire/smb2/oplock.h"

namespace isthmus::smb::testing {
namespace {

using smb2::Disposition;
using smb2::FileId;

struct CacheTest : DoorTest {};

/// A lease's context for a CREATE, version 2 from 3.0 on.
std::string lease_context(uint8_t key, uint32_t state) {
  smb2::Lease lease;
  lease.key.fill(std::byte{key});
  lease.state = state;
  lease.v2 = true;
  std::string list;
  smb2::append_create_context(list, smb2::kContextLease, as_bytes(smb2::write_lease(lease)));
  return list;
}

struct Made {
  NtStatus status = NtStatus::success;
  FileId id;
  smb2::OplockLevel level = smb2::OplockLevel::none;
  std::optional<smb2::Lease> lease;
  bool durable = false;
};

Made read_made(const Message& m) {
  Made made{.status = m.status(), .id = {}, .lease = {}};
  const auto answer = smb2::read_message<smb2::CreateResponse>(as_bytes(m.bytes));
  if (made.status != NtStatus::success || !answer) return made;
  made.id = answer->file_id;
  made.level = answer->oplock;
  const auto contexts = smb2::read_create_contexts(answer->contexts);
  EXPECT_TRUE(contexts);
  if (!contexts) return made;
  if (const auto* c = smb2::find_context(*contexts, smb2::kContextLease)) made.lease = smb2::read_lease(c->data);
  made.durable = smb2::find_context(*contexts, smb2::kContextDurableV2) != nullptr;
  return made;
}

Made make(Client& c, const std::string& name, const std::string& contexts,
          smb2::OplockLevel level = smb2::OplockLevel::lease) {
  smb2::CreateRequest m = c.creation(name, Disposition::open_if);
  m.oplock = level;
  m.contexts = as_bytes(contexts);
  return read_made(c.ask(Command::create, m));
}

constexpr uint32_t kRWH = smb2::kLeaseRead | smb2::kLeaseWrite | smb2::kLeaseHandle;
constexpr uint32_t kRH = smb2::kLeaseRead | smb2::kLeaseHandle;

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
  c.channel_sequence = 2;
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

}  // namespace
}  // namespace isthmus::smb::testing
