#include "doors/smb/test_windows.h"
#include "wire/dcerpc/test_vectors.h"
#include "wire/smb2/notify_info.h"
#include "wire/smb2/volume_info.h"

/// What Windows 11 says, from the first byte on, and what a server of Windows or Samba answers: MS-SMB2, MS-FSA and
/// MS-FSCC, and what Samba and ksmbd do for this client.
namespace isthmus::smb::testing {

using ::testing::UnorderedElementsAre;

class WindowsClientTest : public DoorTest {};

TEST_F(WindowsClientTest, ComesInAndLeaves) {
  WindowsClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.arrive());
  // Without a signature nobody connects to a share (3.1.1).
  const std::string path = *utf16_of("\\\\127.0.0.1\\IPC$");
  c.signs = false;
  EXPECT_EQ(c.ask(Command::tree_connect, smb2::TreeConnectRequest{.flags = 0, .path = as_bytes(path)}).status(),
            NtStatus::access_denied);
  c.signs = true;
  const Message pipes = c.ask(Command::tree_connect, smb2::TreeConnectRequest{.flags = 0, .path = as_bytes(path)});
  const auto ipc = smb2::read_message<smb2::TreeConnectResponse>(as_bytes(pipes.bytes));
  ASSERT_TRUE(ipc);
  EXPECT_EQ(ipc->share_type, smb2::TreeConnectResponse::kPipe);
  EXPECT_EQ(ipc->capabilities, 0u);
  c.tree = pipes.header.tree_id;
  std::string referral("\x04\0", 2);
  referral += *utf16_of("\\127.0.0.1\\share") + std::string(2, '\0');
  EXPECT_EQ(c.fsctl(smb2::kNoFileId, smb2::kFsctlDfsGetReferrals, referral, 4096).status, NtStatus::fs_driver_required);
  const Told interfaces = c.fsctl(smb2::kNoFileId, smb2::kFsctlQueryNetworkInterfaceInfo, "", 65536);
  EXPECT_EQ(interfaces.status, NtStatus::success);
  EXPECT_EQ(interfaces.data.size(), 152u);
  const uint32_t ipc_tree = c.tree;
  EXPECT_EQ(c.connect_tree("\\\\127.0.0.1\\elsewhere"), NtStatus::bad_network_name);

  // With the extension (section 2.2.9.1) the name follows the contexts' place.
  const std::string share = *utf16_of("\\\\127.0.0.1\\SHARE");
  std::string body("\x09\0\x04\0", 4);
  append_le<uint16_t>(body, smb2::kHeader + 8 + 16);
  append_le<uint16_t>(body, static_cast<uint16_t>(share.size()));
  append_le<uint32_t>(body, static_cast<uint32_t>(round_up(16 + share.size(), 8)));
  append_le<uint16_t>(body, 1);
  body.append(10, '\0').append(share);
  body.resize(8 + round_up(16 + share.size(), 8));
  append_le<uint16_t>(body, 1);  // a remoted identity, of which there is nothing
  append_le<uint16_t>(body, 0);
  body.append(4, '\0');
  const Message extended = c.ask_raw(Command::tree_connect, body);
  EXPECT_EQ(extended.status(), NtStatus::success);
  const auto disk = smb2::read_message<smb2::TreeConnectResponse>(as_bytes(extended.bytes));
  ASSERT_TRUE(disk);
  EXPECT_EQ(disk->share_type, smb2::TreeConnectResponse::kDisk);
  EXPECT_EQ(disk->maximal_access, 0x1f01ffu);
  c.tree = extended.header.tree_id;
  EXPECT_EQ(c.ask(Command::echo, smb2::EmptyMessage{}).status(), NtStatus::success);
  EXPECT_EQ(c.ask(Command::tree_disconnect, smb2::EmptyMessage{}).status(), NtStatus::success);
  EXPECT_EQ(c.create({.name = ""}).status, NtStatus::network_name_deleted);
  c.tree = ipc_tree;
  EXPECT_EQ(c.ask(Command::tree_disconnect, smb2::EmptyMessage{}).status(), NtStatus::success);
  EXPECT_EQ(c.ask(Command::logoff, smb2::EmptyMessage{}).status(), NtStatus::success);
  EXPECT_EQ(c.connect_tree(), NtStatus::user_session_deleted);
}

/// A call of a pipe: BIND by WRITE and READ, the others by TRANSCEIVE.
TEST_F(WindowsClientTest, AsksForTheListOfShares) {
  WindowsClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.arrive());
  ASSERT_EQ(c.connect_tree("\\\\127.0.0.1\\IPC$"), NtStatus::success);
  EXPECT_EQ(c.create({.name = "spoolss", .access = kGenericReadWrite}).status, NtStatus::object_name_not_found);
  const Got pipe = c.create({.name = "srvsvc", .access = kGenericReadWrite, .options = 0x400040});
  ASSERT_EQ(pipe.status, NtStatus::success);
  EXPECT_EQ(pipe.facts.attributes, smb2::kAttrNormal);
  const Told standard = c.query(pipe.id, FileInfoClass::standard, 24);
  ASSERT_EQ(standard.status, NtStatus::success) << "the RPC runtime asks for it first";
  ASSERT_EQ(standard.data.size(), 24u);
  EXPECT_EQ(standard.number<uint64_t>(0), 4096u);
  EXPECT_EQ(standard.number<uint64_t>(8), 0u);
  EXPECT_EQ(standard.number<uint32_t>(16), 1u);
  EXPECT_EQ(standard.number<uint16_t>(20), 1u) << "it goes with its last handle, and is no directory";
  using dcerpc::test::from_hex;
  ASSERT_EQ(c.write(pipe.id, 0, from_hex(dcerpc::test::kSrvsvcDialogue[0].request)), NtStatus::success);
  const auto bound = c.read(pipe.id, 0, 1024);
  ASSERT_TRUE(bound && bound->size() > 24);
  EXPECT_EQ((*bound)[2], 12) << "BIND_ACK";
  const std::string all = from_hex(dcerpc::test::kSrvsvcDialogue[2].request);
  const Told shares = c.fsctl(pipe.id, smb2::kFsctlPipeTransceive, all, 1024);
  ASSERT_EQ(shares.status, NtStatus::success);
  EXPECT_NE(shares.data.find(*utf16_of("share")), std::string::npos);
  EXPECT_NE(shares.data.find(*utf16_of("IPC$")), std::string::npos);
  const Told some = c.fsctl(pipe.id, smb2::kFsctlPipeTransceive, all, 64);
  EXPECT_EQ(some.status, NtStatus::buffer_overflow);
  EXPECT_EQ(some.data.size(), 64u);
  const auto rest = c.read(pipe.id, 0, 4096);
  ASSERT_TRUE(rest);
  EXPECT_EQ(some.data + *rest, shares.data);

  // NetrShareGetInfo of level 1.
  const auto call = [](uint16_t operation, const std::string& stub) {
    std::string pdu("\x05\0\0\x03\x10\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0", 22);
    append_le<uint16_t>(pdu, operation);
    pdu += stub;
    pdu[8] = static_cast<char>(pdu.size());
    return pdu;
  };
  const auto text = [](std::string_view t) {
    std::string out;
    for (size_t n : {t.size() + 1, size_t{0}, t.size() + 1}) append_le<uint32_t>(out, static_cast<uint32_t>(n));
    out += *utf16_of(t) + std::string(2, '\0');
    out.resize(round_up(out.size(), 4));
    return out;
  };
  std::string stub("\x01\0\0\0", 4);
  stub += text("\\\\127.0.0.1") + text("share") + std::string("\x01\0\0\0", 4);
  const Told one = c.fsctl(pipe.id, smb2::kFsctlPipeTransceive, call(16, stub), 1024);
  EXPECT_EQ(one.status, NtStatus::success);
  EXPECT_NE(one.data.find(*utf16_of("share")), std::string::npos);
  EXPECT_EQ(one.number<uint32_t>(one.data.size() - 4), 0u);
  EXPECT_EQ(c.close_file(pipe.id), NtStatus::success);

  // The security tab has the names of SIDs looked up.
  const Got lsa = c.create({.name = "lsarpc", .access = kGenericReadWrite});
  ASSERT_EQ(lsa.status, NtStatus::success);
  EXPECT_EQ(
      c.fsctl(lsa.id, smb2::kFsctlPipeTransceive, from_hex(dcerpc::test::kLsarpcDialogue[0].request), 1024).status,
      NtStatus::success);
  const Told policy =
      c.fsctl(lsa.id, smb2::kFsctlPipeTransceive, from_hex(dcerpc::test::kLsarpcDialogue[1].request), 1024);
  ASSERT_EQ(policy.data.size(), 48u);
  std::string sids = policy.data.substr(24, 20);
  for (uint32_t n : {1, 0x20000, 1, 0x20004, 1}) append_le<uint32_t>(sids, n);  // one, of one number
  sids += std::string("\x01\x01\0\0\0\0\0\x01\0\0\0\0", 12);                    // S-1-1-0
  for (uint32_t n : {0, 0, 1, 0, 0, 2}) append_le<uint32_t>(sids, n);           // no names yet, level, flags, revision
  const Told names = c.fsctl(lsa.id, smb2::kFsctlPipeTransceive, call(57, sids), 1024);
  EXPECT_EQ(names.status, NtStatus::success);
  EXPECT_EQ(names.data[2], 2) << "an answer, no fault";
  EXPECT_NE(names.data.find(*utf16_of("Everyone")), std::string::npos);
  EXPECT_EQ(c.close_file(lsa.id), NtStatus::success);
}

TEST_F(WindowsClientTest, OpensTheRoot) {
  WindowsClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.mount());
  const std::string again =
      smb2::write_data(smb2::DurableV2Request{.timeout = 0, .flags = 0, .create_guid = guid_of(9)});
  const Got root =
      c.create({.name = "",
                .access = kListFolder,
                .options = kFolderOptions,
                .oplock = smb2::OplockLevel::lease,
                .contexts = contexts_of({{smb2::kContextDurableV2, again},
                                         {smb2::kContextMaximalAccess, ""},
                                         {smb2::kContextOnDiskId, ""},
                                         {smb2::kContextLease, lease_of(1, smb2::kLeaseRead | smb2::kLeaseHandle)}})});
  ASSERT_EQ(root.status, NtStatus::success);
  EXPECT_EQ(root.facts.attributes, smb2::kAttrDirectory);
  EXPECT_EQ(root.facts.end_of_file, 0u);
  EXPECT_EQ(root.facts.oplock, smb2::OplockLevel::lease);
  EXPECT_FALSE(root.contexts.contains(std::string(smb2::kContextDurableV2))) << "no directory outlives its connection";
  const Told access{NtStatus::success, root.contexts.at(std::string(smb2::kContextMaximalAccess))};
  EXPECT_EQ(access.data.size(), 8u);
  EXPECT_EQ(access.number<uint32_t>(0), 0u);
  EXPECT_EQ(access.number<uint32_t>(4) & 0x1f01ffu & ~0x10000u, 0x1e01ffu) << "all but deleting the root";
  const Told on_disk{NtStatus::success, root.contexts.at(std::string(smb2::kContextOnDiskId))};
  EXPECT_EQ(on_disk.data.size(), 32u);
  const auto lease = smb2::read_lease(as_bytes(root.contexts.at(std::string(smb2::kContextLease))));
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->state, smb2::kLeaseRead | smb2::kLeaseHandle);
  EXPECT_EQ(lease->epoch, 1u);

  const Told volume = c.query(root.id, FsInfoClass::volume);
  ASSERT_GE(volume.data.size(), 18u);
  EXPECT_NE(volume.number<uint64_t>(0), 0u) << "it was made at some time";
  const auto serial = volume.number<uint32_t>(8);
  EXPECT_NE(serial, 0u);
  EXPECT_EQ(volume.text(18, volume.number<uint32_t>(12)), "share");
  EXPECT_EQ(c.query(root.id, FsInfoClass::volume, 24).status, NtStatus::buffer_overflow) << "the label is cut";
  EXPECT_EQ(c.query(root.id, FsInfoClass::volume, 23).status, NtStatus::info_length_mismatch);
  EXPECT_EQ(on_disk.number<uint64_t>(8), serial);
  const Told id = c.query(root.id, FileInfoClass::id);
  EXPECT_EQ(id.number<uint64_t>(0), serial) << "programs tell files of two volumes apart by it";
  EXPECT_EQ(id.number<uint64_t>(8), on_disk.number<uint64_t>(0));
  const Told attributes = c.query(root.id, FsInfoClass::attribute);
  EXPECT_EQ(attributes.number<uint32_t>(0) & (smb2::kFsCasePreserved | smb2::kFsUnicode | smb2::kFsPersistentAcls |
                                              smb2::kFsNamedStreams | smb2::kFsSparseFiles | smb2::kFsReparsePoints),
            smb2::kFsCasePreserved | smb2::kFsUnicode | smb2::kFsPersistentAcls | smb2::kFsNamedStreams |
                smb2::kFsSparseFiles | smb2::kFsReparsePoints);
  EXPECT_EQ(attributes.number<uint32_t>(4), 255u);
  EXPECT_EQ(attributes.text(12, attributes.number<uint32_t>(8)), "NTFS");
  const Told size = c.query(root.id, FsInfoClass::full_size);
  ASSERT_EQ(size.data.size(), 32u);
  EXPECT_GE(size.number<uint64_t>(0), size.number<uint64_t>(8));
  EXPECT_EQ(size.number<uint32_t>(28), 512u);
  const Told sectors = c.query(root.id, FsInfoClass::sector_size);
  ASSERT_EQ(sectors.data.size(), 28u);
  EXPECT_EQ(sectors.number<uint32_t>(0), 512u);
  const Told device = c.query(root.id, FsInfoClass::device);
  ASSERT_EQ(device.data.size(), 8u);
  EXPECT_EQ(device.number<uint32_t>(0), 7u);
  EXPECT_EQ(device.number<uint32_t>(4), 0x20u);
  EXPECT_EQ(c.query(root.id, FsInfoClass::object_id).data.size(), 64u);
  EXPECT_EQ(c.query(root.id, FsInfoClass::driver_path).status, NtStatus::invalid_info_class);
  EXPECT_EQ(c.query(root.id, FileInfoClass::normalized_name).number<uint32_t>(0), 0u) << "of the root";
  EXPECT_EQ(c.query(root.id, FileInfoClass::stream).data, "") << "a directory has no data";
  EXPECT_EQ(c.close_file(root.id), NtStatus::success);
}

TEST_F(WindowsClientTest, LooksAtAFileInOneFrame) {
  WindowsClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.mount());
  c.put("Report.docx", "twelve bytes");
  const FileId none = smb2::kNoFileId;
  const auto look = [&](const std::string& name) {
    return c.ask_related({{Command::create, Peer::body_of({.name = name, .access = kLookAtAttributes})},
                          {Command::query_info, Peer::query_body(none, FileInfoClass::network_open, 56)},
                          {Command::close, smb2::write_message(smb2::CloseRequest{0, none})}});
  };
  auto all = look("REPORT.DOCX");
  ASSERT_EQ(all.size(), 3u);
  const Got made = Peer::got(all[0]);
  EXPECT_EQ(made.status, NtStatus::success);
  const Told facts = Peer::told(all[1]);
  ASSERT_EQ(facts.data.size(), 56u);
  EXPECT_EQ(facts.number<uint64_t>(8 * 5), 12u);
  EXPECT_EQ(facts.number<uint32_t>(48), smb2::kAttrArchive);
  EXPECT_EQ(facts.number<uint64_t>(16), made.facts.times.write);
  EXPECT_EQ(all[2].status(), NtStatus::success);
  for (const Message& m : all) {
    EXPECT_EQ(m.header.session_id, c.session);
    EXPECT_EQ(m.header.related(), &m != &all[0]);
  }
  all = look("no such file");
  for (const Message& m : all) EXPECT_EQ(m.status(), NtStatus::object_name_not_found);
  all = look("no\\such file");
  EXPECT_EQ(all[0].status(), NtStatus::object_path_not_found);
  // All of it, and its name as it is kept.
  const Got file = c.create({.name = "report.docx", .access = kGenericRead});
  const Told whole = c.query(file.id, FileInfoClass::all);
  ASSERT_GE(whole.data.size(), 104u);
  EXPECT_EQ(whole.number<uint64_t>(48), 12u);
  EXPECT_EQ(whole.number<uint32_t>(76), kGenericRead);
  EXPECT_EQ(whole.text(100, whole.number<uint32_t>(96)), "\\Report.docx");
  EXPECT_EQ(c.query(file.id, FileInfoClass::all, 104).status, NtStatus::buffer_overflow);
  const Told name = c.query(file.id, FileInfoClass::normalized_name);
  EXPECT_EQ(name.text(4, name.number<uint32_t>(0)), "Report.docx");
  EXPECT_EQ(c.query(file.id, FileInfoClass::alternate_name).status, NtStatus::object_name_not_found);
  EXPECT_EQ(c.query(file.id, static_cast<FileInfoClass>(77)).status, NtStatus::invalid_info_class)
      << "what is new in 24H2 is asked by older ways then";
  EXPECT_EQ(c.close_file(file.id), NtStatus::success);
  files_ = {"Report.docx"};
}

TEST_F(WindowsClientTest, ExplorerOpensAFolder) {
  WindowsClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.mount());
  const Got made = c.create({.name = "folder",
                             .access = kListFolder,
                             .disposition = Disposition::create,
                             .options = kFolderOptions,
                             .attributes = smb2::kAttrNormal});
  ASSERT_EQ(made.status, NtStatus::success);
  EXPECT_EQ(made.facts.action, smb2::kActionCreated);
  EXPECT_EQ(c.close_file(made.id), NtStatus::success);
  std::vector<std::string> expected = {".", ".."};
  for (int i = 0; i < 40; i++) {
    expected.push_back("A rather long name of file number " + std::to_string(100 + i) + ".txt");
    c.put("folder\\" + expected.back(), std::string(static_cast<size_t>(i), 'x'));
  }
  EXPECT_EQ(c.create({.name = "folder\\desktop.ini", .access = kGenericRead, .options = kFileOptions}).status,
            NtStatus::object_name_not_found);
  for (FindClass what : {FindClass::id_both, FindClass::id_full, FindClass::id_extd, FindClass::id_extd_both,
                         FindClass::both, FindClass::full, FindClass::directory, FindClass::names})
    EXPECT_THAT(c.names_in("folder", "*", what), ::testing::UnorderedElementsAreArray(expected));

  // The redirector's first request: the folder, and twice what is in it.
  const FileId none = smb2::kNoFileId;
  const auto all = c.ask_related(
      {{Command::create, Peer::body_of({.name = "folder", .access = kListFolder, .options = kFolderOptions})},
       {Command::query_directory, Peer::list_body(none, FindClass::id_both, "*")},
       {Command::query_directory, Peer::list_body(none, FindClass::id_both, "*")}});
  const FileId dir = Peer::got(all[0]).id;
  const auto entries = entries_of(FindClass::id_both, Peer::told(all[1]).data);
  EXPECT_EQ(entries.size(), 42u);
  EXPECT_EQ(all[2].status(), NtStatus::no_more_files);
  for (const ListedEntry& e : entries) {
    EXPECT_EQ(e.number<uint32_t>(56), e.name.starts_with('.') ? smb2::kAttrDirectory : smb2::kAttrArchive);
    EXPECT_EQ(e.number<uint8_t>(68), 0u) << "no name of 8.3";
    EXPECT_EQ(e.number<uint32_t>(64), 0u) << "no extended attributes";
    const Got file = c.create({.name = e.name.starts_with('.') ? "folder" : "folder\\" + e.name,
                               .access = kLookAtAttributes,
                               .contexts = contexts_of({{smb2::kContextOnDiskId, ""}})});
    if (e.name != "..") {
      EXPECT_EQ(e.number<uint64_t>(96),
                (Told{{}, file.contexts.at(std::string(smb2::kContextOnDiskId))}.number<uint64_t>(0)));
    }
    EXPECT_EQ(e.number<uint64_t>(40), file.facts.end_of_file);
    if (e.name != "..") {
      EXPECT_EQ(e.number<uint64_t>(8), file.facts.times.creation);
    }
    EXPECT_EQ(c.close_file(file.id), NtStatus::success);
  }
  using Q = smb2::QueryDirectoryRequest;
  const auto one = [&](const std::string& pattern, uint8_t flags, uint32_t room = 65536) {
    const Told t = c.list(dir, FindClass::id_both, pattern, flags, room);
    const auto found = entries_of(FindClass::id_both, t.data);
    EXPECT_LE(found.size(), 1u);
    return t.status == NtStatus::success && found.size() == 1 ? found[0].name
                                                              : std::to_string(static_cast<uint32_t>(t.status));
  };
  const auto number_of = [](NtStatus s) { return std::to_string(static_cast<uint32_t>(s)); };
  EXPECT_EQ(one("*", Q::kRestartScans | Q::kReturnSingleEntry), ".");
  EXPECT_EQ(one("*", Q::kReturnSingleEntry), "..");
  EXPECT_TRUE(one("*", Q::kReturnSingleEntry).starts_with("A rather"));
  EXPECT_EQ(one("*", Q::kRestartScans | Q::kReturnSingleEntry), ".");
  EXPECT_EQ(one("a RATHER long name of file number 107.TXT", Q::kRestartScans | Q::kReturnSingleEntry), expected[9]);
  EXPECT_EQ(one("ignored, as the scan goes on", 0), number_of(NtStatus::no_more_files));
  EXPECT_EQ(one("nothing", Q::kReopen), number_of(NtStatus::no_such_file));
  EXPECT_EQ(one("*", Q::kRestartScans, 16), number_of(NtStatus::info_length_mismatch)) << "not one fits";
  EXPECT_EQ(one("*", Q::kRestartScans, 110), ".");
  EXPECT_EQ(one("*", 0, 110), "..");
  EXPECT_EQ(one("*", 0, 120), number_of(NtStatus::info_length_mismatch));
  EXPECT_TRUE(one("*", 0, 220).starts_with("A rather")) << "nothing was lost by that";
  EXPECT_EQ(c.list(dir, static_cast<FindClass>(0x3D), "*", Q::kRestartScans).status, NtStatus::invalid_info_class);
  // With room for a few at a time all of them come, each once.
  std::vector<std::string> found;
  for (uint8_t flags = Q::kRestartScans;; flags = 0) {
    const Told t = c.list(dir, FindClass::id_full, "*", flags, 500);
    if (t.status != NtStatus::success) break;
    EXPECT_LE(t.data.size(), 500u);
    for (const auto& e : entries_of(FindClass::id_full, t.data)) found.push_back(e.name);
  }
  EXPECT_THAT(found, ::testing::UnorderedElementsAreArray(expected));
  EXPECT_EQ(c.close_file(dir), NtStatus::success);
  for (size_t i = 2; i < expected.size(); i++) EXPECT_EQ(c.delete_file("folder\\" + expected[i]), NtStatus::success);
  EXPECT_EQ(c.delete_file("folder", 0x13, smb2::kOptionDirectory), NtStatus::success);
}

TEST_F(WindowsClientTest, CmdListsAndDeletesByWildcards) {
  WindowsClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.mount());
  files_ = {"Makefile", "a.txt", "b.TXT", "c.text", "d.tar.gz"};
  for (const auto& name : files_) c.put(name, "");
  // As FindFirstFile() writes them: "*.*" is "*", a '.' before a wildcard is '"', a '*' before a '.' is '<'.
  EXPECT_THAT(c.names_in("", "<.txt"), UnorderedElementsAre("a.txt", "b.TXT"));
  EXPECT_THAT(c.names_in("", "*.txt"), UnorderedElementsAre("a.txt", "b.TXT"));
  EXPECT_THAT(c.names_in("", "<"), UnorderedElementsAre(".", "..", "Makefile")) << "dir *.";
  EXPECT_THAT(c.names_in("", "<\"*"),
              UnorderedElementsAre(".", "..", "Makefile", "a.txt", "b.TXT", "c.text", "d.tar.gz"));
  EXPECT_THAT(c.names_in("", ">.t>>"), UnorderedElementsAre("a.txt", "b.TXT"));
  EXPECT_THAT(c.names_in("", "?.t*"), UnorderedElementsAre("a.txt", "b.TXT", "c.text", "d.tar.gz"));
  for (const auto& name : c.names_in("", "<.txt")) EXPECT_EQ(c.delete_file(name), NtStatus::success);
  EXPECT_THAT(c.names_in("", "<.txt"), ::testing::ElementsAre());
  files_ = {"Makefile", "c.text", "d.tar.gz"};
}

TEST_F(WindowsClientTest, ExplorerHearsOfChanges) {
  WindowsClient c(port()), other(port());
  ASSERT_NO_FATAL_FAILURE(c.mount());
  ASSERT_NO_FATAL_FAILURE(other.mount());
  const Got root = c.create({.name = "", .access = kListFolder, .options = kFolderOptions});
  smb2::ChangeNotifyRequest watch;
  watch.flags = smb2::ChangeNotifyRequest::kWatchTree;
  watch.file_id = root.id;
  watch.max_output = 32768;
  watch.filter = 0x17f;
  const auto begin = [&] {
    Message m;
    do {  // news that come late are answered at once
      c.send_frame(c.message(Command::change_notify, smb2::write_message(watch)));
      m = c.receive();
    } while (m.status() == NtStatus::success);
    EXPECT_EQ(m.status(), NtStatus::pending);
    EXPECT_TRUE(m.header.async());
    return m.header;
  };
  const auto cancel = [&](const smb2::Header& pending) {
    smb2::Header h;
    h.command = Command::cancel;
    h.flags = smb2::kFlagAsync;
    h.message_id = pending.message_id;
    h.async_id = pending.async_id;
    h.session_id = c.session;
    std::string text;
    smb2::append_header(text, h);
    text += smb2::write_message(smb2::EmptyMessage{});
    c.sign(text);
    c.send_frame(text);
  };
  auto pending = begin();
  other.put("new.txt", "text");
  Message m = c.receive();
  EXPECT_EQ(m.header.async_id, pending.async_id);
  EXPECT_TRUE(c.is_signed(m));
  const Told news = Peer::told(m);
  ASSERT_GE(news.data.size(), 12u);
  EXPECT_EQ(news.number<uint32_t>(4), static_cast<uint32_t>(smb2::NotifyAction::added));
  EXPECT_EQ(news.text(12, news.number<uint32_t>(8)), "new.txt");
  pending = begin();
  cancel(pending);
  // What came meanwhile may be told first.
  for (m = c.receive(); m.status() == NtStatus::success; m = c.receive()) cancel(pending = begin());
  EXPECT_EQ(m.status(), NtStatus::cancelled);
  EXPECT_EQ(m.header.async_id, pending.async_id);
  pending = begin();
  c.send_frame(c.message(Command::close, smb2::write_message(smb2::CloseRequest{0, root.id})));
  for (int answers = 0; answers < 2;) {
    m = c.receive();
    ASSERT_FALSE(m.gone());
    if (m.status() == NtStatus::pending) continue;
    if (m.header.command == Command::change_notify)
      EXPECT_EQ(m.status(), NtStatus::notify_cleanup);
    else
      EXPECT_EQ(m.status(), NtStatus::success);
    answers++;
  }
  files_ = {"new.txt"};
}

TEST_F(WindowsClientTest, ABrowserMarksWhatItHasFetched) {
  WindowsClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.mount());
  c.put("setup.exe.part", "MZ");
  const std::string zone = "[ZoneTransfer]\r\nZoneId=3\r\nHostUrl=https://example.org/\r\n";
  const Got stream = c.create({.name = "setup.exe.part:Zone.Identifier",
                               .access = 0x120116,
                               .share = 3,
                               .disposition = Disposition::overwrite_if,
                               .options = kFileOptions,
                               .attributes = smb2::kAttrNormal});
  ASSERT_EQ(stream.status, NtStatus::success);
  EXPECT_EQ(stream.facts.action, smb2::kActionCreated);
  EXPECT_EQ(c.write(stream.id, 0, zone), NtStatus::success);
  const Told size = c.query(stream.id, FileInfoClass::standard);
  EXPECT_EQ(size.number<uint64_t>(8), zone.size());
  EXPECT_EQ(c.close_file(stream.id), NtStatus::success);
  EXPECT_EQ(c.move("setup.exe.part", "setup.exe", false), NtStatus::success);
  EXPECT_EQ(c.text_of("setup.exe:Zone.Identifier:$DATA"), zone);
  const Got file = c.create({.name = "setup.exe"});
  const Told streams = c.query(file.id, FileInfoClass::stream, 65536);
  ASSERT_GE(streams.data.size(), 64u);
  EXPECT_EQ(streams.text(24, streams.number<uint32_t>(4)), "::$DATA");
  const size_t second = streams.number<uint32_t>(0);
  EXPECT_EQ(streams.text(second + 24, streams.number<uint32_t>(second + 4)), ":Zone.Identifier:$DATA");
  EXPECT_EQ(streams.number<uint64_t>(second + 8), zone.size());
  EXPECT_EQ(c.query(file.id, FileInfoClass::stream, 40).status, NtStatus::buffer_overflow);
  EXPECT_EQ(c.close_file(file.id), NtStatus::success);
  EXPECT_EQ(c.delete_file("setup.exe:Zone.Identifier", 1), NtStatus::success) << "it is unblocked";
  EXPECT_EQ(c.text_of("setup.exe:Zone.Identifier"), "?");
  EXPECT_EQ(c.text_of("setup.exe"), "MZ");
  files_ = {"setup.exe"};
}

}  // namespace isthmus::smb::testing
