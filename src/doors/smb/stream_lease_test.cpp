#include "doors/smb/test_peer.h"
#include "wire/smb2/oplock.h"

/// What clients cache of named streams.
namespace isthmus::smb::testing {

class StreamLeaseTest : public DoorTest {
 protected:
  static constexpr uint32_t kR = smb2::kLeaseRead, kRh = kR | smb2::kLeaseHandle, kRwh = kRh | smb2::kLeaseWrite;
  static constexpr uint32_t kReads = 0x120089, kReadsAndWrites = 0x12019f;

  void SetUp() override {
    DoorTest::SetUp();
    a_ = std::make_unique<Peer>(port());
    b_ = std::make_unique<Peer>(port());
    b_->guid = std::byte{8};
    a_->begin();
    b_->begin();
    a_->put("file", "text");
    a_->put("file:s", "stream");
    files_ = {"file"};
  }
  void TearDown() override {
    a_.reset();
    b_.reset();
    DoorTest::TearDown();
  }
  static Got open_leased(Peer& c, const std::string& name, uint8_t key, uint32_t state, uint32_t share = 7) {
    return c.create({.name = name,
                     .access = kReadsAndWrites,
                     .share = share,
                     .disposition = Disposition::open_if,
                     .oplock = smb2::OplockLevel::lease,
                     .contexts = contexts_of({{smb2::kContextLease, lease_of(key, state)}})});
  }
  static uint32_t state_of(const Got& g) {
    const auto it = g.contexts.find(std::string(smb2::kContextLease));
    const auto lease = it == g.contexts.end() ? std::nullopt : smb2::read_lease(as_bytes(it->second));
    return lease ? lease->state : 0;
  }
  /// The break that is to come: from and to.
  static void expect_break(Peer& c, uint32_t from, uint32_t to, bool answer = true) {
    const Message m = c.receive();
    ASSERT_EQ(m.header.command, Command::oplock_break);
    const auto news = smb2::read_message<smb2::LeaseBreakNotification>(as_bytes(m.bytes));
    ASSERT_TRUE(news);
    EXPECT_EQ(news->current, from);
    EXPECT_EQ(news->next, to);
    if (answer) {
      EXPECT_EQ(c.ask(Command::oplock_break, smb2::LeaseBreakAck{.flags = 0, .key = news->key, .state = to}).status(),
                NtStatus::success);
    }
  }
  /// No break has come by now.
  static void expect_no_break(Peer& c) {
    EXPECT_EQ(c.ask(Command::echo, smb2::EmptyMessage{}).header.command, Command::echo);
  }
  static Message final_answer(Peer& c) {
    Message m = c.receive();
    while (m.status() == NtStatus::pending) m = c.receive();
    return m;
  }

  std::unique_ptr<Peer> a_, b_;
};

TEST_F(StreamLeaseTest, IsOfTheStreamAlone) {
  const Got held = open_leased(*a_, "file:s", 1, kRwh);
  ASSERT_EQ(held.status, NtStatus::success);
  EXPECT_EQ(state_of(held), kRwh);
  // The file and another stream are others' business.
  const Got file = b_->create({.name = "file", .access = kReadsAndWrites});
  EXPECT_EQ(b_->write(file.id, 0, "other text"), NtStatus::success);
  EXPECT_EQ(b_->close_file(file.id), NtStatus::success);
  b_->put("file:t", "another");
  expect_no_break(*a_);
  EXPECT_EQ(open_leased(*a_, "file", 1, kRwh).status, NtStatus::invalid_parameter) << "a key is of one of them";
  EXPECT_EQ(open_leased(*a_, "file:t", 1, kRwh).status, NtStatus::invalid_parameter);
  // What is overwritten loses its streams.
  b_->put("file", "");
  expect_break(*a_, kRwh, 0);
  EXPECT_EQ(a_->close_file(held.id), NtStatus::success);
}

TEST_F(StreamLeaseTest, OthersUsesTakeIt) {
  const Got held = open_leased(*a_, "FILE:S", 1, kRwh);
  EXPECT_EQ(state_of(held), kRwh);
  const Got again = open_leased(*a_, "file:s", 1, kRwh);
  EXPECT_EQ(state_of(again), kRwh) << "one for all opens of a client";
  b_->send_frame(b_->message(Command::create, Peer::body_of({.name = "file:s", .access = kReadsAndWrites})));
  expect_break(*a_, kRwh, kRh);
  const Got theirs = Peer::got(final_answer(*b_));
  ASSERT_EQ(theirs.status, NtStatus::success);
  EXPECT_EQ(b_->read(theirs.id, 0, 10), "stream");
  expect_no_break(*a_);
  EXPECT_EQ(a_->write(held.id, 0, "S"), NtStatus::success) << "one's own";
  expect_no_break(*a_);
  EXPECT_EQ(b_->write(theirs.id, 1, "T"), NtStatus::success);
  expect_break(*a_, kRh, 0);
  EXPECT_EQ(a_->read(held.id, 0, 10), "STream");
  EXPECT_EQ(b_->close_file(theirs.id), NtStatus::success);
  EXPECT_EQ(a_->close_file(again.id), NtStatus::success);
  EXPECT_EQ(a_->close_file(held.id), NtStatus::success);

  const Got shared = open_leased(*a_, "file:s", 2, kRh), also = open_leased(*b_, "file:s", 2, kRh);
  EXPECT_EQ(state_of(shared), kRh);
  EXPECT_EQ(state_of(also), kRh);
  // A lock of one takes the other's.
  smb2::LockRequest lock;
  lock.file_id = also.id;
  lock.locks = {{.offset = 0, .length = 1, .flags = 0x12}};
  EXPECT_EQ(b_->ask(Command::lock, lock).status(), NtStatus::success);
  expect_break(*a_, kRh, 0);
  EXPECT_EQ(a_->close_file(shared.id), NtStatus::success);
  EXPECT_EQ(b_->close_file(also.id), NtStatus::success);
}

TEST_F(StreamLeaseTest, HandlesThatAreOnlyCachedAreInNobodysWay) {
  // A share mode.
  Got held = open_leased(*a_, "file:s", 1, kRh, 1);
  EXPECT_EQ(state_of(held), kRh);
  b_->send_frame(b_->message(Command::create, Peer::body_of({.name = "file:s", .access = kReadsAndWrites})));
  expect_break(*a_, kRh, kR, false);
  EXPECT_EQ(a_->close_file(held.id), NtStatus::success);
  Got theirs = Peer::got(final_answer(*b_));
  EXPECT_EQ(theirs.status, NtStatus::success);
  EXPECT_EQ(b_->close_file(theirs.id), NtStatus::success);
  // The file is moved.
  held = open_leased(*a_, "file:s", 1, kRh);
  EXPECT_EQ(state_of(held), kRh);
  const Got file = b_->create({.name = "file", .access = 0x80});
  theirs = b_->create({.name = "file", .access = 0x100});
  EXPECT_EQ(b_->close_file(theirs.id), NtStatus::success);
  EXPECT_EQ(b_->close_file(file.id), NtStatus::success);
  expect_no_break(*a_);
  b_->send_frame(b_->message(Command::create, Peer::body_of({.name = "file", .access = 0x110080})));
  expect_break(*a_, kRh, kR, false);
  EXPECT_EQ(a_->close_file(held.id), NtStatus::success);
  theirs = Peer::got(final_answer(*b_));
  ASSERT_EQ(theirs.status, NtStatus::success);
  EXPECT_EQ(b_->set(theirs.id, FileInfoClass::rename, Peer::rename_body("moved", 0)), NtStatus::success);
  EXPECT_EQ(b_->set(theirs.id, FileInfoClass::rename, Peer::rename_body("file", 0)), NtStatus::success);
  // Opened between, it is closed before the next.
  held = open_leased(*a_, "file:s", 1, kRh);
  b_->send_frame(
      b_->message(Command::set_info, Peer::set_body(theirs.id, FileInfoClass::rename, Peer::rename_body("moved", 0))));
  expect_break(*a_, kRh, kR, false);
  EXPECT_EQ(a_->close_file(held.id), NtStatus::success);
  EXPECT_EQ(final_answer(*b_).status(), NtStatus::success);
  // In use it is in the way.
  held = open_leased(*a_, "moved:s", 1, kRh);
  b_->send_frame(
      b_->message(Command::set_info, Peer::set_body(theirs.id, FileInfoClass::rename, Peer::rename_body("file", 0))));
  expect_break(*a_, kRh, kR);
  EXPECT_EQ(final_answer(*b_).status(), NtStatus::access_denied);
  // To be deleted, it goes when all is closed.
  EXPECT_EQ(b_->set(theirs.id, FileInfoClass::disposition, std::string(1, '\1')), NtStatus::success);
  EXPECT_EQ(b_->close_file(theirs.id), NtStatus::success);
  expect_no_break(*a_);
  EXPECT_EQ(a_->close_file(held.id), NtStatus::success);
  EXPECT_EQ(a_->create({.name = "moved"}).status, NtStatus::object_name_not_found);
  files_.clear();
}

TEST_F(StreamLeaseTest, OtherDoorsTakeIt) {
  const Got held = open_leased(*a_, "file:s", 1, kRh);
  EXPECT_EQ(state_of(held), kRh);
  auto other = volume_->port({.door = DoorKind::webdav});
  Upcalls news;
  ASSERT_TRUE(other->start(news));
  const auto file = call_and_wait(*other, op::Lookup{{}, NodeId::root, "file"});
  ASSERT_TRUE(file);
  EXPECT_TRUE(call_and_wait(
      *other,
      op::SetXattr{{}, file->node, "user.DosStream.s:$DATA", as_bytes(std::string_view("new\0", 4)), 0, false}));
  forget(*other, {}, file->node);
  other->stop();
  expect_break(*a_, kRh, 0);
  EXPECT_EQ(a_->read(held.id, 0, 10), "new");
  EXPECT_EQ(a_->close_file(held.id), NtStatus::success);
}

TEST_F(StreamLeaseTest, OplocksAreThereToo) {
  const Got held = a_->create({.name = "file:s", .access = kReadsAndWrites, .oplock = smb2::OplockLevel::batch});
  EXPECT_EQ(held.facts.oplock, smb2::OplockLevel::batch);
  b_->send_frame(
      b_->message(Command::create,
                  Peer::body_of({.name = "file:s", .access = kReadsAndWrites, .oplock = smb2::OplockLevel::level2})));
  const Message m = a_->receive();
  const auto news = smb2::read_message<smb2::OplockBreak>(as_bytes(m.bytes));
  ASSERT_TRUE(news);
  EXPECT_EQ(news->file_id, held.id);
  EXPECT_EQ(news->level, smb2::OplockLevel::level2);
  EXPECT_EQ(a_->ask(Command::oplock_break, smb2::OplockBreak{smb2::OplockLevel::level2, held.id}).status(),
            NtStatus::success);
  const Got theirs = Peer::got(final_answer(*b_));
  EXPECT_EQ(theirs.facts.oplock, smb2::OplockLevel::level2);
  // A write ends level 2 of all, its own too.
  EXPECT_EQ(b_->write(theirs.id, 0, "x"), NtStatus::success);
  const Message told = a_->receive();
  const auto none = smb2::read_message<smb2::OplockBreak>(as_bytes(told.bytes));
  ASSERT_TRUE(none);
  EXPECT_EQ(none->level, smb2::OplockLevel::none);
  EXPECT_EQ(a_->close_file(held.id), NtStatus::success);
}

TEST_F(StreamLeaseTest, EndsWithTheConnection) {
  const Got held = open_leased(*a_, "file:s", 1, kRwh);
  EXPECT_EQ(state_of(held), kRwh);
  EXPECT_FALSE(held.contexts.contains(std::string(smb2::kContextDurableV2)));
  a_->close();
  const Got theirs = b_->create({.name = "file:s", .access = kReads});
  EXPECT_EQ(theirs.status, NtStatus::success);
  EXPECT_EQ(b_->close_file(theirs.id), NtStatus::success);
}

}  // namespace isthmus::smb::testing
