#include "doors/smb/test_door.h"
#include "wire/smb2/notify_info.h"
#include "wire/smb2/oplock.h"
#include "wire/smb2/query.h"

namespace isthmus::smb::testing {
namespace {

using smb2::Disposition;
using smb2::FileId;

TEST_F(DoorTest, EveryDialectOpensWritesAndReads) {
  for (Dialect d : {Dialect::smb202, Dialect::smb210, Dialect::smb300, Dialect::smb302, Dialect::smb311}) {
    Client c(port());
    c.begin(d);
    FileId id;
    ASSERT_EQ(c.open("file", id), NtStatus::success);
    EXPECT_EQ(c.write(id, 0, "hello"), NtStatus::success);
    EXPECT_EQ(c.read(id, 1, 100), "ello");
    EXPECT_FALSE(c.read(id, 5, 1)) << "the end of the file";
    EXPECT_EQ(c.close_file(id), NtStatus::success);
    EXPECT_EQ(c.close_file(id), NtStatus::file_closed);
  }
  files_ = {"file"};
}

TEST_F(DoorTest, NobodyComesInWithoutThePassword) {
  Client c(port());
  ASSERT_EQ(c.negotiate(), NtStatus::success);
  for (int i = 0; i < 5; i++) EXPECT_EQ(c.log_on("wrong"), NtStatus::logon_failure) << i;
  EXPECT_TRUE(c.closed()) << "five are enough";
  Client other(port());
  ASSERT_EQ(other.negotiate(), NtStatus::success);
  FileId id;
  EXPECT_EQ(other.open("file", id), NtStatus::user_session_deleted);
}

TEST_F(DoorTest, WhatIsNotSignedIsRefused) {
  Client c(port());
  c.begin();
  c.signs = false;
  FileId id;
  EXPECT_EQ(c.open("file", id), NtStatus::access_denied);
  c.signs = true;
  EXPECT_EQ(c.open("file", id), NtStatus::success);
  std::string forged = c.message(Command::close, smb2::write_message(smb2::CloseRequest{0, id}));
  forged.back() = static_cast<char>(forged.back() ^ 1);
  c.send_frame(forged);
  EXPECT_EQ(c.receive().status(), NtStatus::access_denied);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(DoorTest, AMessageIdIsGoodForOneRequest) {
  Client c(port());
  c.begin();
  FileId id;
  ASSERT_EQ(c.open("file", id), NtStatus::success);
  c.next_id--;
  c.send_frame(c.message(Command::echo, smb2::write_message(smb2::EmptyMessage{})));
  EXPECT_TRUE(c.receive().gone()) << "and the connection ends";
  files_ = {"file"};
}

TEST_F(DoorTest, SessionsAndFilesOfOthersAreOutOfReach) {
  Client a(port()), b(port());
  a.begin();
  b.begin();
  FileId id;
  ASSERT_EQ(a.open("file", id), NtStatus::success);
  EXPECT_EQ(b.close_file(id), NtStatus::file_closed);
  std::swap(b.session, a.session);
  FileId other;
  EXPECT_EQ(b.open("file", other), NtStatus::user_session_deleted);
  std::swap(b.session, a.session);
  EXPECT_EQ(a.close_file(id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(DoorTest, FramesThatCannotBeEndTheConnection) {
  const std::string smb2_head("\xFESMB", 4);
  for (const std::string& frame : {std::string("\0\0\0\0", 4), std::string("\0\xff\xff\xff", 4),
                                   std::string("\x81\0\0\x04", 4) + smb2_head, std::string("\0\0\0\x04", 4) + smb2_head,
                                   std::string("\0\0\0\x04\xFDSMB", 8), std::string("GET / HTTP/1.1\r\n\r\n")}) {
    Client c(port());
    c.send_bytes(frame);
    EXPECT_TRUE(c.closed()) << frame;
  }
}

/// Every request that is cut short, or says lengths that are not there, is answered or ends the connection; the server
/// lives on.
TEST_F(DoorTest, RequestsMayBeCutAnywhere) {
  Client whole(port());
  whole.begin();
  FileId id;
  ASSERT_EQ(whole.open("file", id), NtStatus::success);
  const std::string create = smb2::write_message(whole.creation("other", Disposition::open));
  smb2::WriteRequest write;
  write.file_id = id;
  write.data = as_bytes("data");
  for (const auto& [command, body] : std::vector<std::pair<Command, std::string>>{
           {Command::create, create}, {Command::write, smb2::write_message(write)}}) {
    for (size_t size = 0; size < body.size(); size++) {
      const Message m = whole.ask_raw(command, body.substr(0, size));
      if (m.gone()) whole.begin();
    }
    std::string wild = body;
    for (size_t i = 0; i < wild.size(); i++) {
      const char was = wild[i];
      wild[i] = '\xff';
      const Message m = whole.ask_raw(command, wild);
      ASSERT_FALSE(m.gone()) << i;
      wild[i] = was;
    }
  }
  for (uint16_t command = 0; command < 30; command++) {
    if (static_cast<Command>(command) == Command::cancel || static_cast<Command>(command) == Command::negotiate ||
        static_cast<Command>(command) == Command::logoff || static_cast<Command>(command) == Command::tree_disconnect)
      continue;
    for (size_t size : {0, 1, 2, 4, 24, 48, 64}) {
      const Message m = whole.ask_raw(static_cast<Command>(command), std::string(size, '\0'));
      ASSERT_FALSE(m.gone()) << command << " " << size;
      EXPECT_NE(m.status(), NtStatus::success) << command << " " << size;
    }
  }
  EXPECT_EQ(whole.write(id, 0, "still here"), NtStatus::success);
  EXPECT_EQ(whole.close_file(id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(DoorTest, NamesDoNotLeaveTheShareAndMeetInAnyCase) {
  Client c(port());
  c.begin();
  FileId id, other;
  for (const char* name : {"..", "..\\file", "a\\..\\b", ".", "\\file"})
    EXPECT_NE(c.open(name, id), NtStatus::success) << name;
  for (const char* name : {"a*", "a?", "a<", "a|b", "a/b"}) EXPECT_EQ(c.open(name, id), NtStatus::object_name_invalid);
  ASSERT_EQ(c.open("File", id), NtStatus::success);
  EXPECT_EQ(c.open("fILE", other, Disposition::create), NtStatus::object_name_collision);
  ASSERT_EQ(c.open("fILE", other, Disposition::open), NtStatus::success);
  EXPECT_EQ(c.write(id, 0, "one"), NtStatus::success);
  EXPECT_EQ(c.read(other, 0, 10), "one");
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  EXPECT_EQ(c.close_file(other), NtStatus::success);
  files_ = {"File"};
}

TEST_F(DoorTest, AFileGoesWithItsLastOpen) {
  Client c(port());
  c.begin();
  FileId id, other, third;
  ASSERT_EQ(c.open("file", id), NtStatus::success);
  ASSERT_EQ(c.open("file", other, Disposition::open, smb2::kOptionDeleteOnClose), NtStatus::success);
  EXPECT_EQ(c.close_file(other), NtStatus::success);
  EXPECT_EQ(c.open("file", third, Disposition::open), NtStatus::delete_pending);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  EXPECT_EQ(c.open("file", third, Disposition::open), NtStatus::object_name_not_found);
}

/// Of a SET_INFO that names a file: a rename (10) or a link (11).
NtStatus name_change(Client& c, const FileId& id, uint8_t what, const std::string& name, bool replace) {
  const std::string wide = *utf16_of(name);
  std::string data(1, replace ? '\1' : '\0');
  data.append(15, '\0');
  append_le<uint32_t>(data, static_cast<uint32_t>(wide.size()));
  data += wide;
  smb2::SetInfoRequest m;
  m.info_class = what;
  m.data = as_bytes(data);
  m.file_id = id;
  return c.ask(Command::set_info, m).status();
}
constexpr uint8_t kRename = 10, kLink = 11;

TEST_F(DoorTest, EachLinkOfAFileIsItsOwn) {
  Client c(port());
  c.begin();
  FileId a, b;
  ASSERT_EQ(c.open("a", a), NtStatus::success);
  ASSERT_EQ(c.write(a, 0, "text"), NtStatus::success);
  ASSERT_EQ(name_change(c, a, kLink, "b", false), NtStatus::success);
  ASSERT_EQ(c.open("b", b, Disposition::open, smb2::kOptionDeleteOnClose), NtStatus::success);
  EXPECT_EQ(c.close_file(b), NtStatus::success);
  EXPECT_EQ(c.open("b", b, Disposition::open), NtStatus::object_name_not_found) << "that link goes";
  FileId again;
  ASSERT_EQ(c.open("a", again, Disposition::open), NtStatus::success) << "and not the other, which was opened first";
  EXPECT_EQ(c.close_file(again), NtStatus::success);
  // A rename moves the link that it is asked of, and onto another link of the file leaves one.
  ASSERT_EQ(name_change(c, a, kLink, "b", false), NtStatus::success);
  ASSERT_EQ(c.open("b", b, Disposition::open), NtStatus::success);
  EXPECT_EQ(name_change(c, b, kRename, "c", false), NtStatus::success);
  EXPECT_EQ(c.open("a", again, Disposition::open), NtStatus::success);
  EXPECT_EQ(c.close_file(again), NtStatus::success);
  EXPECT_EQ(name_change(c, b, kRename, "a", false), NtStatus::object_name_collision);
  EXPECT_EQ(name_change(c, b, kRename, "a", true), NtStatus::success);
  EXPECT_EQ(c.open("c", again, Disposition::open), NtStatus::object_name_not_found);
  EXPECT_EQ(c.read(a, 0, 10), "text");
  EXPECT_EQ(c.close_file(a), NtStatus::success);
  EXPECT_EQ(c.close_file(b), NtStatus::success);
  files_ = {"a"};
}

TEST_F(DoorTest, OplocksGiveWayToOthersAndNotToTheirOwn) {
  Client a(port()), b(port());
  a.begin();
  b.begin();
  smb2::CreateRequest m = a.creation("file", Disposition::open_if);
  m.oplock = smb2::OplockLevel::batch;
  const Message made = a.ask(Command::create, m);
  const auto opened = smb2::read_message<smb2::CreateResponse>(as_bytes(made.bytes));
  ASSERT_TRUE(opened);
  ASSERT_EQ(opened->oplock, smb2::OplockLevel::batch);
  const FileId id = opened->file_id;
  // Attributes, times and size, all through the open that has it.
  std::string basic(36, '\0');
  basic[32] = static_cast<char>(smb2::kAttrHidden);
  smb2::SetInfoRequest set;
  set.info_class = static_cast<uint8_t>(smb2::FileInfoClass::basic);
  set.data = as_bytes(basic.append(4, '\0'));
  set.file_id = id;
  Message answer = a.ask(Command::set_info, set);
  EXPECT_EQ(answer.header.command, Command::set_info) << "and not a break";
  EXPECT_EQ(answer.status(), NtStatus::success);
  EXPECT_EQ(a.write(id, 0, "text"), NtStatus::success);
  // Another opens it: he waits until the holder has answered.
  b.send_frame(b.message(Command::create, smb2::write_message(b.creation("file", Disposition::open))));
  const Message broken = a.receive();
  ASSERT_EQ(broken.header.command, Command::oplock_break);
  const auto news = smb2::read_message<smb2::OplockBreak>(as_bytes(broken.bytes));
  ASSERT_TRUE(news);
  EXPECT_EQ(news->file_id, id);
  EXPECT_EQ(news->level, smb2::OplockLevel::level2);
  EXPECT_EQ(b.receive().status(), NtStatus::pending);
  EXPECT_EQ(a.ask(Command::oplock_break, smb2::OplockBreak{smb2::OplockLevel::level2, id}).status(), NtStatus::success);
  const Message second = b.receive();
  EXPECT_EQ(second.status(), NtStatus::success);
  const auto theirs = smb2::read_message<smb2::CreateResponse>(as_bytes(second.bytes));
  ASSERT_TRUE(theirs);
  EXPECT_EQ(b.close_file(theirs->file_id), NtStatus::success);
  EXPECT_EQ(a.close_file(id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(DoorTest, WhatIsReplacedStaysWhenThatFails) {
  start({}, "rename:ENOSPC;link:ENOSPC:after=1");
  Client c(port());
  c.begin();
  FileId a, b;
  ASSERT_EQ(c.open("a", a), NtStatus::success);
  ASSERT_EQ(c.open("b", b), NtStatus::success);
  ASSERT_EQ(c.write(b, 0, "kept"), NtStatus::success);
  EXPECT_EQ(name_change(c, a, kLink, "b", true), NtStatus::disk_full) << "the rename";
  EXPECT_EQ(name_change(c, a, kLink, "b", true), NtStatus::disk_full) << "the link";
  FileId again;
  ASSERT_EQ(c.open("b", again, Disposition::open), NtStatus::success);
  EXPECT_EQ(c.read(again, 0, 10), "kept");
  for (const FileId& id : {a, b, again}) EXPECT_EQ(c.close_file(id), NtStatus::success);
  files_ = {"a", "b"};
}

TEST_F(DoorTest, ANameThatMeansAnotherFileNowIsLeftAlone) {
  Client c(port());
  c.begin();
  FileId id;
  ASSERT_EQ(c.open("file", id, Disposition::create, smb2::kOptionDeleteOnClose), NtStatus::success);
  put_through_another_door("file");
  EXPECT_EQ(name_change(c, id, kRename, "moved", false), NtStatus::object_name_not_found);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  FileId again;
  ASSERT_EQ(c.open("file", again, Disposition::open), NtStatus::success) << "the new one";
  EXPECT_EQ(c.close_file(again), NtStatus::success);
  files_ = {"file"};
}

/// Requests and the end of what they are about, at the same time.
TEST_F(DoorTest, ClosingUnderRequests) {
  for (int round = 0; round < 50; round++) {
    Client c(port());
    c.begin();
    FileId id;
    // What the last client left is being closed, one open after the other: the first has the file deleted.
    const auto open_when_gone = [&] {
      NtStatus s = NtStatus::delete_pending;
      for (int i = 0; i < 3000 && s == NtStatus::delete_pending; i++) {
        if (i) usleep(10'000);
        s = c.open("file", id, Disposition::open_if, smb2::kOptionDeleteOnClose);
      }
      return s;
    };
    ASSERT_EQ(open_when_gone(), NtStatus::success);
    smb2::QueryInfoRequest query;
    query.info_class = static_cast<uint8_t>(smb2::FileInfoClass::all);
    query.max_output = 1000;
    query.file_id = id;
    std::string frames;
    const auto add = [&](Command command, const std::string& body) {
      const std::string text = c.message(command, body);
      frames += std::string(as_text(smb2::frame_head(static_cast<uint32_t>(text.size())))) + text;
    };
    for (int i = 0; i < 8; i++) add(Command::query_info, smb2::write_message(query));
    if (round % 2) add(Command::close, smb2::write_message(smb2::CloseRequest{0, id}));
    for (int i = 0; i < 4; i++)
      add(Command::create, smb2::write_message(c.creation("file", Disposition::open_if, smb2::kOptionDeleteOnClose)));
    ASSERT_TRUE(c.send_bytes(frames));
    if (round % 3) (void)c.receive();
  }
}

TEST_F(DoorTest, WhatAClientLeavesBehindIsClosed) {
  {
    Client c(port());
    c.begin();
    FileId id;
    ASSERT_EQ(c.open("gone", id, Disposition::create, smb2::kOptionDeleteOnClose), NtStatus::success);
  }
  Client c(port());
  c.begin();
  FileId id;
  NtStatus s = NtStatus::success;
  for (int i = 0; i < 3000 && s != NtStatus::object_name_not_found; i++) {
    s = c.open("gone", id, Disposition::open);
    if (s == NtStatus::success) (void)c.close_file(id);
    usleep(10'000);
  }
  EXPECT_EQ(s, NtStatus::object_name_not_found);
}

TEST_F(DoorTest, LocksAreMoreThanAdvice) {
  Client a(port()), b(port());
  a.begin();
  b.begin();
  FileId ours, theirs;
  ASSERT_EQ(a.open("file", ours), NtStatus::success);
  ASSERT_EQ(b.open("file", theirs), NtStatus::success);
  ASSERT_EQ(a.write(ours, 0, "0123456789"), NtStatus::success);
  const auto lock = [](const FileId& id, uint32_t flags) {
    smb2::LockRequest m;
    m.file_id = id;
    m.locks = {{2, 3, flags}};
    return m;
  };
  using E = smb2::LockElement;
  EXPECT_EQ(a.ask(Command::lock, lock(ours, E::kExclusive | E::kFailImmediately)).status(), NtStatus::success);
  EXPECT_EQ(b.ask(Command::lock, lock(theirs, E::kShared | E::kFailImmediately)).status(), NtStatus::lock_not_granted);
  EXPECT_FALSE(b.read(theirs, 0, 3));
  EXPECT_EQ(b.read(theirs, 0, 2), "01");
  EXPECT_EQ(b.write(theirs, 4, "x"), NtStatus::file_lock_conflict);
  // One that waits gets it when the other lets go.
  b.send_frame(b.message(Command::lock, smb2::write_message(lock(theirs, E::kShared))));
  EXPECT_EQ(b.receive().status(), NtStatus::pending);
  EXPECT_EQ(a.ask(Command::lock, lock(ours, E::kUnlock)).status(), NtStatus::success);
  EXPECT_EQ(b.receive().status(), NtStatus::success);
  EXPECT_EQ(a.write(ours, 2, "x"), NtStatus::file_lock_conflict);
  EXPECT_EQ(b.close_file(theirs), NtStatus::success);
  EXPECT_EQ(a.write(ours, 2, "x"), NtStatus::success) << "locks end with their open";
  EXPECT_EQ(a.close_file(ours), NtStatus::success);
  files_ = {"file"};
}

TEST_F(DoorTest, WaitingIsCancelled) {
  Client c(port());
  c.begin();
  FileId dir;
  ASSERT_EQ(c.open("", dir, Disposition::open, smb2::kOptionDirectory, 0x1), NtStatus::success);
  smb2::ChangeNotifyRequest m;
  m.file_id = dir;
  m.max_output = 1000;
  m.filter = smb2::kChangeFileName;
  const auto notify = [&] {
    c.send_frame(c.message(Command::change_notify, smb2::write_message(m)));
    const Message interim = c.receive();
    EXPECT_EQ(interim.status(), NtStatus::pending);
    return interim.header;
  };
  enum class Signed { no, wrong, right };
  const auto cancel = [&](const smb2::Header& of, bool by_id, Signed how) {
    smb2::Header h = of;
    h.command = Command::cancel;
    h.flags = by_id ? smb2::kFlagAsync : 0;
    h.tree_id = c.tree;
    std::string text;
    smb2::append_header(text, h);
    text += smb2::write_message(smb2::EmptyMessage{});
    if (how != Signed::no) c.sign(text);
    if (how == Signed::wrong) text.back() = '\1';
    c.send_frame(text);
  };
  for (bool by_id : {true, false}) {
    for (Signed how : {Signed::no, Signed::right}) {
      const smb2::Header waits = notify();
      cancel(waits, by_id, Signed::wrong);
      EXPECT_EQ(c.ask(Command::echo, smb2::EmptyMessage{}).header.command, Command::echo) << "it still waits";
      cancel(waits, by_id, how);
      EXPECT_EQ(c.receive().status(), NtStatus::cancelled) << by_id;
    }
  }
  // News, then the end of the open.
  notify();
  c.send_frame(c.message(Command::create, smb2::write_message(c.creation("new", Disposition::create))));
  Message first = c.receive(), second = c.receive();
  if (first.header.command == Command::change_notify) std::swap(first, second);
  EXPECT_EQ(second.status(), NtStatus::success);
  const auto news = smb2::read_message<smb2::DataResponse>(as_bytes(second.bytes));
  ASSERT_TRUE(news);
  EXPECT_NE(as_text(news->data).find(*utf16_of("new")), std::string::npos);
  notify();
  c.send_frame(c.message(Command::close, smb2::write_message(smb2::CloseRequest{0, dir})));
  first = c.receive(), second = c.receive();
  if (first.header.command == Command::close) std::swap(first, second);
  EXPECT_EQ(first.status(), NtStatus::notify_cleanup);
  EXPECT_EQ(second.status(), NtStatus::success);
  files_ = {"new"};
}

TEST_F(DoorTest, NobodyWaitsForNewsOfWhatIsToGo) {
  Client c(port());
  c.begin();
  FileId watched, other;
  ASSERT_EQ(c.open("dir", watched, Disposition::create, smb2::kOptionDirectory), NtStatus::success);
  smb2::ChangeNotifyRequest m;
  m.file_id = watched;
  m.max_output = 1000;
  m.filter = smb2::kChangeFileName;
  c.send_frame(c.message(Command::change_notify, smb2::write_message(m)));
  EXPECT_EQ(c.receive().status(), NtStatus::pending);
  ASSERT_EQ(c.open("dir", other, Disposition::open, smb2::kOptionDirectory | smb2::kOptionDeleteOnClose),
            NtStatus::success);
  c.send_frame(c.message(Command::close, smb2::write_message(smb2::CloseRequest{0, other})));
  Message first = c.receive(), second = c.receive();
  if (first.header.command == Command::close) std::swap(first, second);
  EXPECT_EQ(first.status(), NtStatus::delete_pending);
  EXPECT_EQ(second.status(), NtStatus::success);
  EXPECT_EQ(c.ask(Command::change_notify, m).status(), NtStatus::delete_pending);
  EXPECT_EQ(c.close_file(watched), NtStatus::success);
}

TEST_F(DoorTest, NewsOfARenameComeTogether) {
  Client watcher(port()), c(port());
  watcher.begin();
  c.begin();
  FileId root, a, b, id;
  ASSERT_EQ(c.open("a", a, Disposition::create, smb2::kOptionDirectory, 0x100081), NtStatus::success);
  ASSERT_EQ(c.open("b", b, Disposition::create, smb2::kOptionDirectory, 0x100081), NtStatus::success);
  ASSERT_EQ(c.open("a\\one", id, Disposition::create), NtStatus::success);
  ASSERT_EQ(watcher.open("", root, Disposition::open, smb2::kOptionDirectory, 0x1), NtStatus::success);
  smb2::ChangeNotifyRequest m;
  m.file_id = root;
  m.flags = smb2::ChangeNotifyRequest::kWatchTree;
  m.filter = smb2::kChangeFileName;
  const auto wait_for_news = [&](uint32_t room) {
    m.max_output = room;
    watcher.send_frame(watcher.message(Command::change_notify, smb2::write_message(m)));
    EXPECT_EQ(watcher.receive().status(), NtStatus::pending);
  };
  /// Pairs of what and where.
  const auto news = [&] {
    const Message answer = watcher.receive();
    EXPECT_EQ(answer.status(), NtStatus::success);
    std::vector<std::pair<uint32_t, std::string>> all;
    const auto data = smb2::read_message<smb2::DataResponse>(as_bytes(answer.bytes));
    for (size_t at = 0; data && at < data->data.size();) {
      const uint32_t next = *load_le<uint32_t>(data->data, at), size = *load_le<uint32_t>(data->data, at + 8);
      all.emplace_back(*load_le<uint32_t>(data->data, at + 4), *utf8_of(data->data.subspan(at + 12, size)));
      if (next == 0) break;
      at += next;
    }
    return all;
  };
  using Pairs = std::vector<std::pair<uint32_t, std::string>>;
  constexpr uint32_t kAdded = 1, kRemoved = 2, kOldName = 4, kNewName = 5;
  wait_for_news(1000);
  EXPECT_EQ(name_change(c, id, kRename, "a\\two", false), NtStatus::success);
  EXPECT_EQ(news(), (Pairs{{kOldName, "a\\one"}, {kNewName, "a\\two"}}));
  wait_for_news(1000);
  EXPECT_EQ(name_change(c, id, kRename, "b\\two", false), NtStatus::success);
  EXPECT_EQ(news(), (Pairs{{kRemoved, "a\\two"}, {kAdded, "b\\two"}}));
  // Who has room for less this time hears that there was more.
  wait_for_news(10);
  EXPECT_EQ(name_change(c, id, kRename, "three", false), NtStatus::success);
  EXPECT_EQ(watcher.receive().status(), NtStatus::notify_enum_dir);
  wait_for_news(1000);
  EXPECT_EQ(name_change(c, id, kRename, "four", false), NtStatus::success);
  EXPECT_EQ(news(), (Pairs{{kOldName, "three"}, {kNewName, "four"}}));
  for (const FileId& f : {id, a, b}) EXPECT_EQ(c.close_file(f), NtStatus::success);
  ASSERT_EQ(c.open("a", a, Disposition::open, smb2::kOptionDirectory | smb2::kOptionDeleteOnClose), NtStatus::success);
  ASSERT_EQ(c.open("b", b, Disposition::open, smb2::kOptionDirectory | smb2::kOptionDeleteOnClose), NtStatus::success);
  for (const FileId& f : {a, b}) EXPECT_EQ(c.close_file(f), NtStatus::success);
  files_ = {"four"};
}

TEST_F(DoorTest, AttributesAreNews) {
  Client c(port());
  c.begin();
  FileId dir, id;
  ASSERT_EQ(c.open("", dir, Disposition::open, smb2::kOptionDirectory, 0x1), NtStatus::success);
  ASSERT_EQ(c.open("file", id), NtStatus::success);
  smb2::ChangeNotifyRequest m;
  m.file_id = dir;
  m.max_output = 1000;
  m.filter = smb2::kChangeAttributes;
  c.send_frame(c.message(Command::change_notify, smb2::write_message(m)));
  EXPECT_EQ(c.receive().status(), NtStatus::pending);
  std::string basic(36, '\0');
  basic[32] = static_cast<char>(smb2::kAttrHidden);
  smb2::SetInfoRequest set;
  set.info_class = static_cast<uint8_t>(smb2::FileInfoClass::basic);
  set.data = as_bytes(basic.append(4, '\0'));
  set.file_id = id;
  c.send_frame(c.message(Command::set_info, smb2::write_message(set)));
  Message first = c.receive(), second = c.receive();
  if (first.header.command == Command::set_info) std::swap(first, second);
  EXPECT_EQ(first.header.command, Command::change_notify);
  EXPECT_EQ(first.status(), NtStatus::success);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  EXPECT_EQ(c.close_file(dir), NtStatus::success);
  files_ = {"file"};
}

TEST_F(DoorTest, WhoAsksForNoPartOfASecurityDescriptorNeedsNoRight) {
  Client c(port());
  c.begin();
  FileId id;
  constexpr uint32_t kReadAttributes = 0x80;
  ASSERT_EQ(c.open("file", id, Disposition::create, 0, kReadAttributes), NtStatus::success);
  smb2::QueryInfoRequest m;
  m.type = smb2::InfoType::security;
  m.max_output = 1000;
  m.file_id = id;
  EXPECT_EQ(c.ask(Command::query_info, m).status(), NtStatus::success);
  m.additional = smb2::kSecurityOwner;
  EXPECT_EQ(c.ask(Command::query_info, m).status(), NtStatus::access_denied);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(DoorTest, ErrorsOfTheFileSystemComeThrough) {
  start({}, "write:ENOSPC");
  Client c(port());
  c.begin();
  FileId id;
  ASSERT_EQ(c.open("file", id), NtStatus::success);
  EXPECT_EQ(c.write(id, 0, "hello"), NtStatus::disk_full);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(DoorTest, AReadOnlyDoorChangesNothing) {
  Options options;
  options.read_only = true;
  start(options);
  Client c(port());
  c.begin();
  FileId id;
  EXPECT_EQ(c.open("file", id, Disposition::create), NtStatus::media_write_protected);
  EXPECT_EQ(c.open("", id, Disposition::open, smb2::kOptionDirectory), NtStatus::access_denied);
  EXPECT_EQ(c.open("", id, Disposition::open, smb2::kOptionDirectory, 0x1), NtStatus::success);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  put_through_another_door("file");
  constexpr uint32_t kMaximumAllowed = 0x02000000;
  EXPECT_EQ(c.open("file", id, Disposition::open, smb2::kOptionDeleteOnClose, kMaximumAllowed),
            NtStatus::access_denied);
  ASSERT_EQ(c.open("file", id, Disposition::open, 0, kMaximumAllowed), NtStatus::success);
  EXPECT_EQ(name_change(c, id, kLink, "other", true), NtStatus::media_write_protected);
  EXPECT_EQ(name_change(c, id, kRename, "other", true), NtStatus::access_denied);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(DoorTest, StopDoesNotWaitForClients) {
  Client a(port()), b(port());
  a.begin();
  b.begin();
  FileId ours, theirs;
  ASSERT_EQ(a.open("file", ours), NtStatus::success);
  ASSERT_EQ(b.open("file", theirs), NtStatus::success);
  smb2::LockRequest m;
  m.file_id = ours;
  m.locks = {{0, 1, smb2::LockElement::kExclusive | smb2::LockElement::kFailImmediately}};
  ASSERT_EQ(a.ask(Command::lock, m).status(), NtStatus::success);
  m.file_id = theirs;
  m.locks[0].flags = smb2::LockElement::kExclusive;
  b.send_frame(b.message(Command::lock, smb2::write_message(m)));
  EXPECT_EQ(b.receive().status(), NtStatus::pending);
  files_ = {"file"};
  stop();
  EXPECT_TRUE(a.closed());
}

}  // namespace
}  // namespace isthmus::smb::testing
