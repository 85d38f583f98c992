#include "doors/smb/test_windows.h"
#include "wire/smb2/ea.h"
#include "wire/smb2/oplock.h"

/// What programs of Windows do to files: editors, Explorer, robocopy, cmd, fsutil; and a client that loses its
/// connection.
namespace isthmus::smb::testing {

using ::testing::UnorderedElementsAre;

class WindowsSavingTest : public DoorTest {
 protected:
  static constexpr uint32_t kLeaseRwh = smb2::kLeaseRead | smb2::kLeaseWrite | smb2::kLeaseHandle;
  static uint32_t lease_state(const Got& g) {
    const auto it = g.contexts.find(std::string(smb2::kContextLease));
    const auto lease = it == g.contexts.end() ? std::nullopt : smb2::read_lease(as_bytes(it->second));
    return lease ? lease->state : ~0u;
  }
  /// The break of a lease that is to come.
  static smb2::LeaseBreakNotification await_lease_break(Client& c) {
    const Message m = c.receive();
    EXPECT_EQ(m.header.command, Command::oplock_break);
    return smb2::read_message<smb2::LeaseBreakNotification>(as_bytes(m.bytes)).value_or(smb2::LeaseBreakNotification{});
  }
  static NtStatus answer_break(Client& c, const smb2::LeaseBreakNotification& news) {
    return c.ask(Command::oplock_break, smb2::LeaseBreakAck{.flags = 0, .key = news.key, .state = news.next}).status();
  }
};

TEST_F(WindowsSavingTest, NotepadSaves) {
  WindowsClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.mount());
  c.put("notes.txt", "a first and longer text");
  const Got file = c.create(
      {.name = "notes.txt",
       .access = kGenericReadWrite,
       .share = 1,
       .disposition = Disposition::open_if,
       .options = kFileOptions,
       .attributes = smb2::kAttrNormal,
       .oplock = smb2::OplockLevel::lease,
       .contexts = contexts_of({{smb2::kContextMaximalAccess, ""}, {smb2::kContextLease, lease_of(1, kLeaseRwh)}})});
  ASSERT_EQ(file.status, NtStatus::success);
  EXPECT_EQ(file.facts.action, smb2::kActionOpened);
  EXPECT_EQ(lease_state(file), kLeaseRwh);
  EXPECT_EQ(c.write(file.id, 0, "second"), NtStatus::success);
  EXPECT_EQ(c.set(file.id, FileInfoClass::end_of_file, Peer::size_body(6)), NtStatus::success);
  EXPECT_EQ(c.ask(Command::flush, smb2::FlushRequest{.reserved1 = 0, .file_id = file.id}).status(), NtStatus::success);
  const Message closed = c.ask(Command::close, smb2::CloseRequest{smb2::kPostQueryAttributes, file.id});
  const auto end = smb2::read_message<smb2::CloseResponse>(as_bytes(closed.bytes));
  ASSERT_TRUE(end);
  EXPECT_EQ(end->flags, smb2::kPostQueryAttributes);
  EXPECT_EQ(end->end_of_file, 6u);
  EXPECT_EQ(end->attributes, smb2::kAttrArchive);
  EXPECT_EQ(c.text_of("notes.txt"), "second");
  files_ = {"notes.txt"};
}

TEST_F(WindowsSavingTest, OfficeSaves) {
  WindowsClient c(port()), other(port());
  other.guid = std::byte{8};
  ASSERT_NO_FATAL_FAILURE(c.mount());
  ASSERT_NO_FATAL_FAILURE(other.mount());
  c.put("letter.docx", "old");
  c.put("letter.docx:Zone.Identifier", "zone");
  // The document stays open under a lease while it is edited; who else opens it sees the owner's file.
  const Got document = c.create({.name = "letter.docx",
                                 .access = kGenericReadWrite,
                                 .share = 1,
                                 .options = kFileOptions,
                                 .oplock = smb2::OplockLevel::lease,
                                 .contexts = contexts_of({{smb2::kContextLease, lease_of(1, kLeaseRwh)}})});
  EXPECT_EQ(lease_state(document), kLeaseRwh);
  const Got owner = c.create({.name = "~$letter.docx",
                              .access = kGenericReadWrite | 0x10000,
                              .share = 1,
                              .disposition = Disposition::overwrite_if,
                              .options = kFileOptions | smb2::kOptionDeleteOnClose,
                              .attributes = smb2::kAttrHidden});
  ASSERT_EQ(owner.status, NtStatus::success);
  EXPECT_EQ(owner.facts.attributes, smb2::kAttrHidden | smb2::kAttrArchive);
  EXPECT_EQ(c.write(owner.id, 0, std::string("\x04user", 5)), NtStatus::success);
  // The other's CREATE waits until the handle lease's holder has written back; the file is not shared for writing.
  other.send_frame(other.message(Command::create, Peer::body_of({.name = "letter.docx", .access = kGenericReadWrite})));
  const auto news = await_lease_break(c);
  EXPECT_EQ(news.current, kLeaseRwh);
  EXPECT_EQ(news.next, smb2::kLeaseRead | smb2::kLeaseWrite) << "first the handle, as it is in the way";
  EXPECT_EQ(answer_break(c, news), NtStatus::success);
  Message m = other.receive();
  while (m.status() == NtStatus::pending) m = other.receive();
  EXPECT_EQ(m.status(), NtStatus::sharing_violation);
  EXPECT_EQ(other.create({.name = "~$letter.docx", .access = kGenericReadWrite}).status, NtStatus::sharing_violation);

  const Got temporary = c.create({.name = "5A1C0000.tmp",
                                  .access = kGenericReadWrite | 0x10000,
                                  .share = 0,
                                  .disposition = Disposition::create,
                                  .options = kFileOptions,
                                  .attributes = smb2::kAttrNormal,
                                  .oplock = smb2::OplockLevel::lease,
                                  .contexts = contexts_of({{smb2::kContextLease, lease_of(2, kLeaseRwh)}})});
  EXPECT_EQ(lease_state(temporary), kLeaseRwh);
  EXPECT_EQ(c.write(temporary.id, 0, "new text"), NtStatus::success);
  EXPECT_EQ(c.close_file(temporary.id), NtStatus::success);
  EXPECT_EQ(c.close_file(document.id), NtStatus::success);
  // ReplaceFile(): attributes, streams and rights of the old one, and two renames.
  const Got old = c.create({.name = "letter.docx", .access = 0x130089 | 0x40000, .options = kFileOptions});
  ASSERT_EQ(old.status, NtStatus::success);
  const Told rights = c.query_security(old.id, 4);
  EXPECT_EQ(rights.status, NtStatus::success);
  EXPECT_EQ(c.set(old.id, FileInfoClass::rename, Peer::rename_body("7B2D0000.tmp", 0)), NtStatus::success);
  EXPECT_EQ(c.close_file(old.id), NtStatus::success);
  EXPECT_EQ(other.create({.name = "letter.docx"}).status, NtStatus::object_name_not_found);
  EXPECT_EQ(c.move("5A1C0000.tmp", "letter.docx", false), NtStatus::success);
  const Got fresh = c.create({.name = "letter.docx",
                              .access = kGenericReadWrite | 0x40000,
                              .share = 1,
                              .oplock = smb2::OplockLevel::lease,
                              .contexts = contexts_of({{smb2::kContextLease, lease_of(2, kLeaseRwh)}})});
  EXPECT_EQ(c.set_security(fresh.id, 4, rights.data), NtStatus::success);
  EXPECT_EQ(c.read(fresh.id, 0, 100), "new text");
  EXPECT_EQ(c.close_file(fresh.id), NtStatus::success);
  EXPECT_EQ(c.text_of("7B2D0000.tmp:Zone.Identifier"), "zone") << "streams move with their file";
  EXPECT_EQ(c.delete_file("7B2D0000.tmp"), NtStatus::success);
  EXPECT_EQ(c.close_file(owner.id), NtStatus::success);
  EXPECT_THAT(c.names_in(""), UnorderedElementsAre(".", "..", "letter.docx"));
  files_ = {"letter.docx"};
}

TEST_F(WindowsSavingTest, ExplorerCopiesAFile) {
  WindowsClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.mount());
  const std::string data(100'000, 'd');
  std::string eas;
  append_le<uint32_t>(eas, 0);
  eas += std::string("\0\x04\x02\0MARK\0ok", 11);
  const Got copy = c.create({.name = "copy.bin",
                             .access = 0x1201bf | 0x50000,
                             .share = 0,
                             .disposition = Disposition::overwrite_if,
                             .options = kFileOptions | smb2::kOptionSequentialOnly,
                             .attributes = smb2::kAttrArchive | smb2::kAttrNotContentIndexed,
                             .contexts = contexts_of({{smb2::kContextExtendedAttributes, eas},
                                                      {smb2::kContextAllocationSize, Peer::size_body(data.size())},
                                                      {smb2::kContextMaximalAccess, ""}})});
  ASSERT_EQ(copy.status, NtStatus::success);
  EXPECT_EQ(copy.facts.action, smb2::kActionCreated);
  EXPECT_EQ(copy.facts.end_of_file, 0u);
  EXPECT_GE(copy.facts.allocation, data.size()) << "room is kept for what is to come";
  EXPECT_EQ(copy.facts.attributes, smb2::kAttrArchive | smb2::kAttrNotContentIndexed);
  const Told extended = c.query(copy.id, FileInfoClass::full_ea);
  const auto list = smb2::read_ea_list(as_bytes(extended.data));
  ASSERT_TRUE(list && list->size() == 1) << static_cast<uint32_t>(extended.status);
  EXPECT_EQ(list->front().value, "ok");
  EXPECT_EQ(c.set(copy.id, FileInfoClass::end_of_file, Peer::size_body(data.size())), NtStatus::success);
  c.charge = 2;
  EXPECT_EQ(c.write(copy.id, 0, data), NtStatus::success);
  c.charge = 1;
  EXPECT_EQ(c.write(copy.id, 0, data), NtStatus::invalid_parameter) << "two credits for more than 64 KiB";
  constexpr uint64_t kWritten = 133'000'000'000'000'000;
  EXPECT_EQ(c.set(copy.id, FileInfoClass::basic, Peer::basic_body({kWritten - 7, 0, kWritten, UINT64_MAX}, 0)),
            NtStatus::success);
  const Told basic = c.query(copy.id, FileInfoClass::basic);
  EXPECT_EQ(basic.number<uint64_t>(0), kWritten - 7);
  EXPECT_EQ(basic.number<uint64_t>(16), kWritten);
  EXPECT_EQ(basic.number<uint32_t>(32), smb2::kAttrArchive | smb2::kAttrNotContentIndexed);
  // Owner, group and list, first into no room at all, then back as they are.
  const Told needed = c.query_security(copy.id, 7, 0);
  EXPECT_EQ(needed.status, NtStatus::buffer_too_small);
  const Told security = c.query_security(copy.id, 7, needed.number<uint32_t>(0));
  EXPECT_EQ(security.status, NtStatus::success);
  EXPECT_EQ(security.data.size(), needed.number<uint32_t>(0));
  const auto descriptor = windows::read_security(as_bytes(security.data));
  ASSERT_TRUE(descriptor && descriptor->owner && descriptor->group && descriptor->dacl);
  EXPECT_EQ(c.set_security(copy.id, 4, security.data), NtStatus::success);
  EXPECT_EQ(c.query_security(copy.id, 7).data, security.data);
  EXPECT_EQ(c.query_security(copy.id, 15).status, NtStatus::access_denied) << "audit lists";
  EXPECT_EQ(c.set_security(copy.id, 8, security.data), NtStatus::access_denied);
  EXPECT_EQ(c.create({.name = "copy.bin", .access = kGenericRead | 0x01000000}).status, NtStatus::privilege_not_held)
      << "robocopy /COPYALL hears why";
  EXPECT_EQ(c.close_file(copy.id), NtStatus::success);
  files_ = {"copy.bin"};
  // What cannot be kept is not made.
  start({}, "fallocate:ENOSPC;set_xattr:EOPNOTSUPP");
  WindowsClient full(port());
  ASSERT_NO_FATAL_FAILURE(full.mount());
  EXPECT_EQ(full.create({.name = "large",
                         .access = kGenericReadWrite,
                         .disposition = Disposition::create,
                         .contexts = contexts_of({{smb2::kContextAllocationSize, Peer::size_body(1 << 20)}})})
                .status,
            NtStatus::disk_full);
  EXPECT_EQ(full.create({.name = "marked",
                         .access = kGenericReadWrite,
                         .disposition = Disposition::create,
                         .contexts = contexts_of({{smb2::kContextExtendedAttributes, eas}})})
                .status,
            NtStatus::eas_not_supported);
  EXPECT_EQ(full.create({.name = "bad",
                         .access = kGenericReadWrite,
                         .disposition = Disposition::create,
                         .contexts = contexts_of({{smb2::kContextExtendedAttributes, "x"}})})
                .status,
            NtStatus::invalid_parameter);
  EXPECT_THAT(full.names_in(""), UnorderedElementsAre(".", ".."));
}

TEST_F(WindowsSavingTest, FoldersAndFilesAreRenamedAndDeleted) {
  WindowsClient c(port()), other(port());
  other.guid = std::byte{8};
  ASSERT_NO_FATAL_FAILURE(c.mount());
  ASSERT_NO_FATAL_FAILURE(other.mount());
  for (const char* name : {"folder", "folder\\sub"}) {
    const Got made =
        c.create({.name = name, .access = kListFolder, .disposition = Disposition::create, .options = kFolderOptions});
    EXPECT_EQ(c.close_file(made.id), NtStatus::success);
  }
  c.put("folder\\sub\\file", "text");
  const Got open = other.create({.name = "folder\\sub\\file"});
  EXPECT_EQ(c.move("folder", "Renamed", false, smb2::kOptionDirectory), NtStatus::access_denied) << "it is in use";
  EXPECT_EQ(other.close_file(open.id), NtStatus::success);
  // Kept open by a lease alone it is closed first.
  const Got leased = other.create(
      {.name = "folder\\sub\\file",
       .oplock = smb2::OplockLevel::lease,
       .contexts = contexts_of({{smb2::kContextLease, lease_of(3, smb2::kLeaseRead | smb2::kLeaseHandle)}})});
  EXPECT_EQ(lease_state(leased), smb2::kLeaseRead | smb2::kLeaseHandle);
  const Got folder = c.create({.name = "folder", .access = 0x110080, .options = smb2::kOptionDirectory});
  c.send_frame(
      c.message(Command::set_info, Peer::set_body(folder.id, FileInfoClass::rename, Peer::rename_body("Renamed", 0))));
  const auto news = await_lease_break(other);
  EXPECT_EQ(news.next, smb2::kLeaseRead);
  EXPECT_EQ(other.close_file(leased.id), NtStatus::success);
  Message m = c.receive();
  while (m.status() == NtStatus::pending) m = c.receive();
  EXPECT_EQ(m.status(), NtStatus::success);
  EXPECT_EQ(c.close_file(folder.id), NtStatus::success);
  EXPECT_EQ(c.move("renamed", "RENAMED", false, smb2::kOptionDirectory), NtStatus::success) << "another case";
  EXPECT_THAT(c.names_in(""), UnorderedElementsAre(".", "..", "RENAMED"));
  EXPECT_EQ(c.delete_file("renamed", 0x13, smb2::kOptionDirectory), NtStatus::directory_not_empty);

  // A read-only and hidden file.
  const Got file = c.create({.name = "renamed\\sub\\file", .access = 0x100180});
  EXPECT_EQ(c.set(file.id, FileInfoClass::basic,
                  Peer::basic_body({}, smb2::kAttrReadOnly | smb2::kAttrHidden | smb2::kAttrArchive)),
            NtStatus::success);
  EXPECT_EQ(c.close_file(file.id), NtStatus::success);
  EXPECT_EQ(c.create({.name = "renamed\\sub\\file", .access = kGenericReadWrite}).status, NtStatus::access_denied);
  EXPECT_EQ(
      c.create({.name = "renamed\\sub\\file", .access = kGenericReadWrite, .disposition = Disposition::overwrite_if})
          .status,
      NtStatus::access_denied);
  EXPECT_EQ(c.delete_file("renamed\\sub\\file", 1), NtStatus::cannot_delete);
  EXPECT_EQ(c.remove("renamed\\sub\\file"), NtStatus::cannot_delete);
  c.put("over", "new");
  const Got over = c.create({.name = "over", .access = 0x110080});
  EXPECT_EQ(c.set(over.id, FileInfoClass::rename, Peer::rename_body("renamed\\sub\\file", 1)), NtStatus::access_denied);
  EXPECT_EQ(c.set(over.id, FileInfoClass::rename_ex, Peer::rename_body("renamed\\sub\\file", 0x41)), NtStatus::success);
  EXPECT_EQ(c.close_file(over.id), NtStatus::success);
  EXPECT_EQ(c.text_of("renamed\\sub\\file"), "new");

  // By POSIX semantics a name goes with the handle that deletes, whoever else has the file open.
  const Got reader = other.create({.name = "renamed\\sub\\file"});
  EXPECT_EQ(c.delete_file("renamed\\sub\\file", 0x13), NtStatus::success);
  EXPECT_EQ(c.create({.name = "renamed\\sub\\file"}).status, NtStatus::object_name_not_found);
  EXPECT_EQ(other.read(reader.id, 0, 10), "new");
  EXPECT_EQ(c.delete_file("renamed\\sub", 0x13, smb2::kOptionDirectory), NtStatus::success) << "it is empty then";
  EXPECT_EQ(other.close_file(reader.id), NtStatus::success);
  // Without them it is in the way until the last is closed.
  c.put("RENAMED\\old", "");
  const Got last = other.create({.name = "renamed\\old"});
  EXPECT_EQ(c.delete_file("renamed\\old", 1), NtStatus::success);
  EXPECT_EQ(c.create({.name = "renamed\\old"}).status, NtStatus::delete_pending);
  EXPECT_EQ(c.query(last.id, FileInfoClass::standard).status, NtStatus::file_closed) << "another's handle";
  EXPECT_EQ(other.query(last.id, FileInfoClass::standard).number<uint16_t>(20), 1u);
  EXPECT_EQ(other.close_file(last.id), NtStatus::success);
  EXPECT_EQ(c.delete_file("renamed", 0x13, smb2::kOptionDirectory), NtStatus::success);
}

TEST_F(WindowsSavingTest, FsutilIsAnsweredOrRefused) {
  WindowsClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.mount());
  c.put("file", "text");
  const Got file = c.create({.name = "file", .access = 0x1201ff});
  EXPECT_EQ(c.fsctl(file.id, smb2::kFsctlGetObjectId, "", 64).data.size(), 64u);
  EXPECT_EQ(c.fsctl(file.id, smb2::kFsctlCreateOrGetObjectId, "", 64).data.size(), 64u);
  EXPECT_EQ(c.fsctl(file.id, smb2::kFsctlGetCompression, "", 2).data, std::string(2, '\0'));
  EXPECT_EQ(c.fsctl(file.id, smb2::kFsctlSrvEnumerateSnapshots, "", 15).status, NtStatus::invalid_parameter);
  const Told snapshots = c.fsctl(file.id, smb2::kFsctlSrvEnumerateSnapshots, "", 16);
  EXPECT_EQ(snapshots.status, NtStatus::success);
  EXPECT_EQ(snapshots.number<uint64_t>(0), 0u) << "no previous versions";
  constexpr uint32_t kIsVolumeDirty = 0x00090078;
  for (uint32_t code : {smb2::kFsctlQueryOnDiskVolumeInfo, smb2::kFsctlFilesystemGetStatistics, kIsVolumeDirty,
                        smb2::kFsctlGetNtfsVolumeData, smb2::kFsctlReadFileUsnData, smb2::kFsctlGetRetrievalPointers,
                        smb2::kFsctlOffloadRead, smb2::kFsctlQueryFileRegions})
    EXPECT_EQ(c.fsctl(file.id, code, std::string(32, '\0'), 512).status, NtStatus::invalid_device_request) << code;
  EXPECT_EQ(c.fsctl(file.id, smb2::kFsctlGetReparsePoint, "", 16384).status, NtStatus::not_a_reparse_point);
  EXPECT_EQ(c.fsctl(file.id, smb2::kFsctlPipeTransceive, "x", 512).status, NtStatus::invalid_device_request);
  EXPECT_EQ(c.close_file(file.id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(WindowsSavingTest, ALostConnectionIsTakenUpAgain) {
  WindowsClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.mount());
  const std::string durable =
      smb2::write_data(smb2::DurableV2Request{.timeout = 0, .flags = 0, .create_guid = guid_of(5)});
  const Got file = c.create({.name = "kept.txt",
                             .access = kGenericReadWrite,
                             .share = 1,
                             .disposition = Disposition::create,
                             .options = kFileOptions,
                             .oplock = smb2::OplockLevel::lease,
                             .contexts = contexts_of({{smb2::kContextDurableV2, durable},
                                                      {smb2::kContextMaximalAccess, ""},
                                                      {smb2::kContextOnDiskId, ""},
                                                      {smb2::kContextLease, lease_of(1, kLeaseRwh)}})});
  ASSERT_EQ(file.status, NtStatus::success);
  ASSERT_TRUE(file.contexts.contains(std::string(smb2::kContextDurableV2)));
  EXPECT_EQ((Told{{}, file.contexts.at(std::string(smb2::kContextDurableV2))}.number<uint64_t>(0)), 60'000u);
  EXPECT_EQ(c.write(file.id, 0, "before"), NtStatus::success);
  // The server does not know yet that the connection is no more: the client names the session that it had.
  WindowsClient again(port());
  ASSERT_NO_FATAL_FAILURE(again.mount(c.session));
  EXPECT_NE(again.session, c.session);
  const std::string lease = lease_of(1, kLeaseRwh);
  const auto reconnect = [&](uint8_t create_guid) {
    const std::string data =
        smb2::write_data(smb2::DurableV2Reconnect{.file_id = file.id, .create_guid = guid_of(create_guid), .flags = 0});
    return again.create(
        {.name = "kept.txt",
         .access = kGenericReadWrite,
         .share = 1,
         .options = kFileOptions,
         .oplock = smb2::OplockLevel::lease,
         .contexts = contexts_of({{smb2::kContextDurableReconnectV2, data}, {smb2::kContextLease, lease}})});
  };
  EXPECT_EQ(reconnect(6).status, NtStatus::object_name_not_found) << "of another CREATE";
  const Got back = reconnect(5);
  ASSERT_EQ(back.status, NtStatus::success);
  EXPECT_EQ(back.id.persistent, file.id.persistent);
  EXPECT_EQ(lease_state(back), kLeaseRwh);
  EXPECT_EQ(back.facts.end_of_file, 6u);
  EXPECT_EQ(again.write(back.id, 6, " and after"), NtStatus::success);
  EXPECT_EQ(c.write(file.id, 0, "late"), NtStatus::user_session_deleted);
  c.close();
  // And a cable that was pulled.
  again.close();
  WindowsClient third(port());
  ASSERT_NO_FATAL_FAILURE(third.mount(again.session));
  const std::string data =
      smb2::write_data(smb2::DurableV2Reconnect{.file_id = back.id, .create_guid = guid_of(5), .flags = 0});
  const Got once_more =
      third.create({.name = "kept.txt",
                    .access = kGenericReadWrite,
                    .oplock = smb2::OplockLevel::lease,
                    .contexts = contexts_of({{smb2::kContextDurableReconnectV2, data}, {smb2::kContextLease, lease}})});
  ASSERT_EQ(once_more.status, NtStatus::success);
  EXPECT_EQ(third.read(once_more.id, 0, 100), "before and after");
  EXPECT_EQ(third.close_file(once_more.id), NtStatus::success);
  EXPECT_EQ(third.ask(Command::logoff, smb2::EmptyMessage{}).status(), NtStatus::success);
  files_ = {"kept.txt"};
}

}  // namespace isthmus::smb::testing
