#include <set>

#include "doors/smb/test_leases.h"

/// Leases of directories (MS-SMB2 section 3.3.5.9.11): what a listing shows, and handles.
namespace isthmus::smb::testing {
namespace {

constexpr uint32_t kDirectory = smb2::kOptionDirectory;
constexpr uint32_t kToList = windows::kReadData | windows::kReadAttributes;

struct DirectoryLeaseTest : DoorTest {
  void SetUp() override {
    DoorTest::SetUp();
    a.emplace(port());
    b.emplace(port());
    b->guid = std::byte{8};
    a->begin();
    b->begin();
    ASSERT_EQ(a->open("dir", dir_, Disposition::create, kDirectory), NtStatus::success);
    ASSERT_EQ(a->close_file(dir_), NtStatus::success);
  }
  void TearDown() override {
    give_up();
    EXPECT_EQ(removed(*a, "dir", kDirectory), NtStatus::success);
    a.reset();
    b.reset();
    DoorTest::TearDown();
  }
  static NtStatus removed(Client& c, const std::string& name, uint32_t options = 0) {
    FileId id;
    const NtStatus s = c.open(name, id, Disposition::open, options | smb2::kOptionDeleteOnClose);
    return s == NtStatus::success ? c.close_file(id) : s;
  }
  static std::string renaming(const FileId& id, const std::string& to) {
    const std::string name = *utf16_of(to);
    std::string data(20, '\0');
    data[16] = static_cast<char>(name.size());
    data += name;
    smb2::SetInfoRequest m;
    m.type = smb2::InfoType::file;
    m.info_class = static_cast<uint8_t>(smb2::FileInfoClass::rename);
    m.file_id = id;
    m.data = as_bytes(data);
    return smb2::write_message(m);
  }
  static NtStatus renamed(Client& c, const FileId& id, const std::string& to) {
    return c.ask_raw(Command::set_info, renaming(id, to)).status();
  }
  void give_up() {
    if (held.id == FileId{}) return;
    EXPECT_EQ(a->close_file(held.id), NtStatus::success);
    held.id = {};
  }
  /// `a` gets the lease 1 of the directory.
  void lease() {
    give_up();
    held = make(*a, "dir", lease_context(1, kRH), smb2::OplockLevel::lease, kDirectory, kToList);
    ASSERT_EQ(held.status, NtStatus::success);
    ASSERT_TRUE(held.lease);
    EXPECT_EQ(held.lease->state, kRH);
  }
  /// ... and loses it.
  void expect_taken() {
    const auto news = await_break(*a);
    ASSERT_TRUE(news);
    EXPECT_EQ(news->current, kRH);
    EXPECT_EQ(news->next, 0u);
    EXPECT_EQ(news->flags, smb2::LeaseBreakNotification::kAckRequired);
    EXPECT_EQ(acknowledge(*a, *news), NtStatus::success);
    lease();
  }
  std::optional<Client> a, b;
  Made held;
  FileId dir_;
};

TEST_F(DirectoryLeaseTest, WhoMayHaveOne) {
  EXPECT_TRUE(a->server_capabilities & smb2::kCapDirectoryLeasing);
  const Made most = make(*a, "dir", lease_context(1, kRWH), smb2::OplockLevel::lease, kDirectory, kToList);
  ASSERT_TRUE(most.lease);
  EXPECT_EQ(most.lease->state, kRH) << "nobody writes to a directory";
  EXPECT_EQ(a->close_file(most.id), NtStatus::success);
  const auto gets = [&](Client& c, bool v2) {
    const Made made = make(c, "dir", lease_context(2, kRH, 0, v2), smb2::OplockLevel::lease, kDirectory, kToList);
    EXPECT_EQ(made.status, NtStatus::success);
    EXPECT_EQ(c.close_file(made.id), NtStatus::success);
    return made.lease && made.lease->state != 0;
  };
  EXPECT_TRUE(gets(*a, true));
  EXPECT_FALSE(gets(*a, false)) << "version 1 is of files";
  Client old(port()), plain(port());
  old.begin(Dialect::smb210);
  EXPECT_FALSE(old.server_capabilities & smb2::kCapDirectoryLeasing);
  EXPECT_FALSE(gets(old, true));
  plain.capabilities = 0;
  plain.begin();
  EXPECT_FALSE(plain.server_capabilities & smb2::kCapDirectoryLeasing);
  EXPECT_FALSE(gets(plain, true));
  const Made batch = make(*a, "dir", "", smb2::OplockLevel::batch, kDirectory);
  EXPECT_EQ(batch.level, smb2::OplockLevel::none);
  EXPECT_EQ(a->close_file(batch.id), NtStatus::success);
}

TEST_F(DirectoryLeaseTest, AnothersChangesTakeIt) {
  lease();
  FileId id;
  ASSERT_EQ(b->open("dir\\file", id, Disposition::create), NtStatus::success);
  expect_taken();
  EXPECT_EQ(renamed(*b, id, "dir\\other"), NtStatus::success);
  expect_taken();
  EXPECT_EQ(b->write(id, 0, "text"), NtStatus::success);
  EXPECT_FALSE(heard_break(*a)) << "it is told of when it is closed";
  EXPECT_EQ(b->close_file(id), NtStatus::success);
  expect_taken();
  ASSERT_EQ(b->open("dir\\other", id, Disposition::open), NtStatus::success);
  EXPECT_EQ(b->read(id, 0, 10), "text");
  EXPECT_EQ(b->close_file(id), NtStatus::success);
  EXPECT_FALSE(heard_break(*a)) << "nothing has changed";
  EXPECT_EQ(removed(*b, "dir\\other"), NtStatus::success);
  expect_taken();
}

TEST_F(DirectoryLeaseTest, OnesOwnChangesLeaveItWhereTheyNameIt) {
  lease();
  const Made made = make(*a, "dir\\file", lease_context(2, kRWH, 1));
  ASSERT_EQ(made.status, NtStatus::success);
  ASSERT_TRUE(made.lease);
  ASSERT_TRUE(made.lease->parent);
  EXPECT_EQ(made.lease->parent->front(), std::byte{1});
  EXPECT_EQ(a->write(made.id, 0, "text"), NtStatus::success);
  EXPECT_EQ(renamed(*a, made.id, "dir\\other"), NtStatus::success);
  EXPECT_EQ(a->close_file(made.id), NtStatus::success);
  EXPECT_FALSE(heard_break(*a));
  // Another client's lease of that key is another, and it is told.
  const Made theirs = make(*b, "dir", lease_context(1, kRH), smb2::OplockLevel::lease, kDirectory, kToList);
  ASSERT_TRUE(theirs.lease);
  EXPECT_EQ(theirs.lease->state, kRH);
  const Made again = make(*a, "dir\\other", lease_context(3, kRWH, 1));
  ASSERT_EQ(again.status, NtStatus::success);
  EXPECT_EQ(a->write(again.id, 0, "more"), NtStatus::success);
  EXPECT_FALSE(heard_break(*b));
  EXPECT_EQ(a->close_file(again.id), NtStatus::success);
  const auto news = await_break(*b);
  ASSERT_TRUE(news);
  EXPECT_EQ(acknowledge(*b, *news), NtStatus::success);
  EXPECT_EQ(b->close_file(theirs.id), NtStatus::success);
  EXPECT_FALSE(heard_break(*a));
  a->send_frame(a->message(
      Command::create, smb2::write_message(a->creation("dir\\other", Disposition::open, smb2::kOptionDeleteOnClose))));
  const Made doomed = read_made(a->receive());
  ASSERT_EQ(doomed.status, NtStatus::success);
  a->send_frame(a->message(Command::close, smb2::write_message(smb2::CloseRequest{0, doomed.id})));
  const auto first = a->receive().header.command, second = a->receive().header.command;
  EXPECT_EQ((std::set{first, second}), (std::set{Command::close, Command::oplock_break}))
      << "who does not name it is anybody";
}

TEST_F(DirectoryLeaseTest, OtherDoorsAndTheProviderTakeIt) {
  auto other = volume_->port({.door = DoorKind::webdav});
  Upcalls news;
  ASSERT_TRUE(other->start(news));
  const auto dir = call_and_wait(*other, op::Lookup{{}, NodeId::root, "dir"});
  ASSERT_TRUE(dir);
  lease();
  const auto made = call_and_wait(*other, op::Mknod{{}, dir->node, "new", S_IFREG | 0644, 0, {}});
  ASSERT_TRUE(made);
  expect_taken();
  op::Setattr set;
  set.node = made->node;
  set.set.mask = kSetMtime;
  EXPECT_TRUE(call_and_wait(*other, set));
  expect_taken();
  EXPECT_TRUE(call_and_wait(*other, op::Unlink{{}, dir->node, "new", HandleId::none}));
  expect_taken();
  forget(*other, {}, made->node);
  forget(*other, {}, dir->node);
  other->stop();
}

/// A directory that moves has its clients close what they have open in it for later only.
TEST_F(DirectoryLeaseTest, HandlesBelowAreClosedBeforeADirectoryMoves) {
  const Made inside = make(*b, "dir\\file", lease_context(5, kRH));
  ASSERT_EQ(inside.status, NtStatus::success);
  ASSERT_EQ(inside.lease->state, kRH);
  for (const bool closes : {false, true}) {
    FileId id;
    ASSERT_EQ(a->open("dir", id, Disposition::open, kDirectory), NtStatus::success);
    a->send_frame(a->message(Command::set_info, renaming(id, "moved")));
    EXPECT_EQ(a->receive().status(), NtStatus::pending);
    const Message broken = b->receive();
    ASSERT_EQ(broken.header.command, Command::oplock_break);
    const auto news = smb2::read_message<smb2::LeaseBreakNotification>(as_bytes(broken.bytes));
    ASSERT_TRUE(news);
    EXPECT_EQ(news->next, smb2::kLeaseRead);
    if (closes) {
      EXPECT_EQ(b->close_file(inside.id), NtStatus::success);
      EXPECT_EQ(a->receive().status(), NtStatus::success);
      EXPECT_EQ(renamed(*a, id, "dir"), NtStatus::success);
    } else {
      EXPECT_EQ(acknowledge(*b, *news), NtStatus::success);
      EXPECT_EQ(a->receive().status(), NtStatus::access_denied) << "it is in use indeed";
      const Made more = make(*b, "dir\\file", lease_context(5, kRH));
      ASSERT_TRUE(more.lease);
      EXPECT_EQ(more.lease->state, kRH);
      EXPECT_EQ(b->close_file(more.id), NtStatus::success);
    }
    EXPECT_EQ(a->close_file(id), NtStatus::success);
  }
  EXPECT_EQ(removed(*a, "dir\\file"), NtStatus::success);
}

}  // namespace
}  // namespace isthmus::smb::testing
