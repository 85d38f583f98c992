#include "doors/smb/test_peer.h"
#include "wire/smb2/oplock.h"
#include "wire/smb2/volume_info.h"

/// What the client of macOS (smbfs) says, and what Samba with vfs_fruit or Apple's own server answers.
namespace isthmus::smb::testing {

using ::testing::UnorderedElementsAre;

namespace apple {
constexpr uint32_t kReadWrite = 0x12019f, kReadOnly = 0x120089, kLook = 0x100080, kListing = 0x100081;
constexpr size_t kAfpInfo = 60, kFinderInfo = 16;

/// AFP_AfpInfo with 32 bytes of FinderInfo.
inline std::string info(std::string finder_info) {
  std::string text("AFP\0\0\0\1\0", 8);
  text.resize(kFinderInfo);
  finder_info.resize(32);
  return (text + finder_info).append(kAfpInfo - kFinderInfo - 32, '\0');
}
}  // namespace apple

class MacClient : public Peer {
 public:
  using Peer::Peer;

  /// From the first byte to the share: SMB 1's negotiation, 3.1.1 without a context for signing, SPNEGO.
  void mount() {
    std::string first("\xffSMB\x72\0\0\0\0\x08\x01\xc8\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\0\0\0\0\0\0", 33);
    std::string dialects;
    for (std::string_view d : {"NT LM 0.12", "SMB 2.002", "SMB 2.???"}) (dialects += '\x02').append(d).append(1, '\0');
    append_le<uint16_t>(first, static_cast<uint16_t>(dialects.size()));
    send_frame(first + dialects);
    const Message hint = receive();
    const auto any = smb2::read_negotiate_response(as_bytes(hint.bytes));
    ASSERT_TRUE(any);
    EXPECT_EQ(any->dialect, Dialect::any);
    next_id = 1;

    smb2::NegotiateRequest m;
    m.security_mode = smb2::kSigningEnabled;
    m.capabilities = 0x7f;
    m.client_guid = guid_of(static_cast<uint8_t>(guid));
    m.dialects = {0x202, 0x210, 0x300, 0x302, 0x311};
    m.contexts.hashes = {smb2::kPreauthSha512};
    m.contexts.salt = as_bytes(std::string_view("a salt of 32 bytes, as macOS has"));
    m.contexts.ciphers = {2, 1, 4, 3};
    const std::string text = message(Command::negotiate, smb2::write_negotiate_request(m));
    EXPECT_TRUE(preauth.add(as_bytes(text)));
    send_frame(text);
    const Message answer = receive();
    EXPECT_TRUE(preauth.add(as_bytes(answer.bytes)));
    const auto read = smb2::read_negotiate_response(as_bytes(answer.bytes));
    ASSERT_TRUE(read);
    agreed = read->dialect;
    EXPECT_EQ(agreed, Dialect::smb311);
    EXPECT_TRUE(read->contexts.signing.empty()) << "what was not asked for";
    EXPECT_EQ(read->capabilities & smb2::kCapDirectoryLeasing, smb2::kCapDirectoryLeasing);
    ASSERT_EQ(
        log_on_as("WORKGROUP", 1, 1, {spnego::kNtlmssp}, 0, smb2::SigningAlgorithm::aes_cmac, smb2::Cipher::aes128_gcm),
        NtStatus::success);
    ASSERT_EQ(connect_tree("\\\\127.0.0.1\\share"), NtStatus::success);
  }
  /// The context AAPL, in one frame with a look at the root and its end.
  void ask_who_is_there() {
    std::string query;
    append_le<uint32_t>(query, 1);
    append_le<uint32_t>(query, 0);
    append_le<uint64_t>(query, 7);
    append_le<uint64_t>(query, 0x3f);  // what later clients can do besides, too
    const FileId none = smb2::kNoFileId;
    const auto all = ask_related(
        {{Command::create,
          body_of({.name = "", .access = apple::kLook, .contexts = contexts_of({{smb2::kContextAapl, query}})})},
         {Command::query_info,
          query_body(none, smb2::InfoType::filesystem, static_cast<uint8_t>(FsInfoClass::attribute), 4096)},
         {Command::close, smb2::write_message(smb2::CloseRequest{0, none})}});
    const Got root = got(all[0]);
    ASSERT_EQ(root.status, NtStatus::success);
    const Told volume = told(all[1]);
    EXPECT_EQ(volume.number<uint32_t>(0) & (smb2::kFsNamedStreams | smb2::kFsPersistentAcls | smb2::kFsUnicode),
              smb2::kFsNamedStreams | smb2::kFsPersistentAcls | smb2::kFsUnicode);
    EXPECT_EQ(all[2].status(), NtStatus::success);
    const Told aapl{NtStatus::success, root.contexts.at(std::string(smb2::kContextAapl))};
    ASSERT_GE(aapl.data.size(), 40u);
    EXPECT_EQ(aapl.number<uint32_t>(0), 1u);
    EXPECT_EQ(aapl.number<uint64_t>(8), 7u);
    EXPECT_EQ(aapl.number<uint64_t>(16), 0xfu) << "listings with attributes, copies, UNIX, entries for modes";
    EXPECT_EQ(aapl.number<uint64_t>(24), 4u) << "F_FULLFSYNC, and names in any case";
    EXPECT_EQ(aapl.number<uint32_t>(32), 0u);
    EXPECT_EQ(aapl.number<uint32_t>(36), aapl.data.size() - 40);
    EXPECT_FALSE(aapl.text(40, aapl.data.size() - 40).empty());
  }
  /// Opens, does one thing and closes, in one frame. The answer to the one thing.
  Message do_one(const Wanted& w, Command command, const std::string& body) {
    const auto all = ask_related({{Command::create, body_of(w)},
                                  {command, body},
                                  {Command::close, smb2::write_message(smb2::CloseRequest{0, smb2::kNoFileId})}});
    const Got file = got(all[0]);
    if (file.status != NtStatus::success) return all[0];
    EXPECT_EQ(all[2].status(), NtStatus::success);
    return all[1];
  }
  NtStatus write_xattr(const std::string& name, std::string_view data) {
    smb2::WriteRequest m;
    m.file_id = smb2::kNoFileId;
    m.data = as_bytes(data);
    return do_one({.name = name, .access = apple::kReadWrite, .disposition = Disposition::overwrite_if}, Command::write,
                  smb2::write_message(m))
        .status();
  }
  /// "?": there is none.
  std::string read_xattr(const std::string& name) {
    smb2::ReadRequest m;
    m.file_id = smb2::kNoFileId;
    m.length = 65536;
    const Message answer = do_one({.name = name}, Command::read, smb2::write_message(m));
    const auto read = smb2::read_message<smb2::ReadResponse>(as_bytes(answer.bytes));
    if (answer.status() == NtStatus::end_of_file) return "";
    return answer.status() == NtStatus::success && read ? std::string(as_text(read->data)) : "?";
  }
  NtStatus remove_xattr(const std::string& name) {
    return do_one({.name = name, .access = 0x10000}, Command::set_info,
                  set_body(smb2::kNoFileId, FileInfoClass::disposition, std::string(1, '\1')))
        .status();
  }
  std::vector<std::string> xattrs(const std::string& name) {
    const Told t = told(do_one({.name = name, .access = apple::kLook}, Command::query_info,
                               query_body(smb2::kNoFileId, FileInfoClass::stream, 65536)));
    std::vector<std::string> names;
    for (size_t at = 0; at + 24 <= t.data.size();) {
      names.push_back(t.text(at + 24, t.number<uint32_t>(at + 4)));
      if (t.number<uint32_t>(at) == 0) break;
      at += t.number<uint32_t>(at);
    }
    return names;
  }
};

class MacClientTest : public DoorTest {
 protected:
  /// Permission bits, as the file system has them.
  uint32_t mode_of(const std::string& name) {
    const auto e = call_and_wait(*fs_, op::Lookup{{}, NodeId::root, name});
    if (!e) return 0;
    forget(*fs_, {}, e->node);
    return e->attr.mode & 07777;
  }
};

TEST_F(MacClientTest, MountsAndLooksAround) {
  MacClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.mount());
  ASSERT_NO_FATAL_FAILURE(c.ask_who_is_there());
  const Got root = c.create({.name = "", .access = 0x120081, .options = smb2::kOptionDirectory});
  const Told size = c.query(root.id, FsInfoClass::full_size);
  EXPECT_EQ(size.data.size(), 32u);
  EXPECT_EQ(c.query(root.id, FsInfoClass::size).data.size(), 24u);
  const Told volume = c.query(root.id, FsInfoClass::volume);
  EXPECT_EQ(volume.text(18, volume.number<uint32_t>(12)), "share");
  EXPECT_EQ(c.query(root.id, FileInfoClass::all).number<uint32_t>(32), smb2::kAttrDirectory);
  // Mode and owners come as entries of the list that allow and refuse nothing.
  const auto security = windows::read_security(as_bytes(c.query_security(root.id, 7).data));
  ASSERT_TRUE(security && security->dacl);
  EXPECT_EQ(windows::nfs_mode_in(*security->dacl).value_or(0) & S_IFMT, static_cast<uint32_t>(S_IFDIR));
  EXPECT_EQ(c.close_file(root.id), NtStatus::success);
  // What Finder and Time Machine look for, and do not find.
  for (const char* name : {".DS_Store", "._.DS_Store", ".metadata_never_index", ".TemporaryItems", "Mac.sparsebundle",
                           "Backups.backupdb", ".com.apple.timemachine.supported", "Mac.backupbundle"})
    EXPECT_EQ(c.do_one({.name = name, .access = apple::kLook}, Command::query_info,
                       Peer::query_body(smb2::kNoFileId, FileInfoClass::all))
                  .status(),
              NtStatus::object_name_not_found)
        << name;
}

TEST_F(MacClientTest, AListingSaysAllOfAnEntry) {
  MacClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.mount());
  ASSERT_NO_FATAL_FAILURE(c.ask_who_is_there());
  c.put("plain", "12345");
  c.put("Letter", "text");
  std::string finder_info = "TEXTttxt" + std::string("\x40\x08", 2);
  finder_info.resize(24);
  finder_info += std::string("\x12\x34", 2);
  EXPECT_EQ(c.write_xattr("Letter:AFP_AfpInfo", apple::info(finder_info)), NtStatus::success);
  EXPECT_EQ(c.write_xattr("Letter:AFP_Resource", std::string(300, 'r')), NtStatus::success);
  const Got folder = c.create({.name = "Folder",
                               .access = apple::kListing,
                               .disposition = Disposition::create,
                               .options = smb2::kOptionDirectory});
  EXPECT_EQ(c.close_file(folder.id), NtStatus::success);
  finder_info.replace(0, 8, std::string("\0\x10\0\x20\0\x30\0\x40", 8));  // the window's place
  EXPECT_EQ(c.write_xattr("Folder:AFP_AfpInfo", apple::info(finder_info)), NtStatus::success);
  const Got root = c.create({.name = "", .access = apple::kListing, .options = smb2::kOptionDirectory});
  const auto entries = entries_of(FindClass::id_both, c.list(root.id, FindClass::id_both, "*").data);
  EXPECT_THAT(names_of(entries), UnorderedElementsAre(".", "..", "plain", "Letter", "Folder"));
  EXPECT_EQ(c.list(root.id, FindClass::id_both, "*").status, NtStatus::no_more_files);
  for (const ListedEntry& e : entries) {
    if (e.name.starts_with('.')) continue;
    SCOPED_TRACE(e.name);
    const Got file =
        c.create({.name = e.name,
                  .access = apple::kLook,
                  .contexts = contexts_of({{smb2::kContextMaximalAccess, ""}, {smb2::kContextOnDiskId, ""}})});
    EXPECT_EQ(e.number<uint64_t>(8), file.facts.times.creation);
    EXPECT_EQ(e.number<uint64_t>(16), file.facts.times.access);
    EXPECT_EQ(e.number<uint64_t>(24), file.facts.times.write);
    EXPECT_EQ(e.number<uint64_t>(32), file.facts.times.change);
    EXPECT_EQ(e.number<uint64_t>(40), file.facts.end_of_file);
    EXPECT_EQ(e.number<uint64_t>(48), file.facts.allocation);
    EXPECT_EQ(e.number<uint32_t>(56), file.facts.attributes);
    EXPECT_EQ(e.number<uint32_t>(64),
              (Told{{}, file.contexts.at(std::string(smb2::kContextMaximalAccess))}.number<uint32_t>(4)));
    EXPECT_EQ(e.number<uint8_t>(68), 24u) << "as its clients expect";
    EXPECT_EQ(e.number<uint8_t>(69), 0u);
    EXPECT_EQ(e.number<uint64_t>(70), e.name == "Letter" ? 300u : 0u);
    const std::string brief = e.bytes.substr(78, 16);
    EXPECT_EQ(brief.substr(0, 8), e.name == "Letter" ? "TEXTttxt" : std::string(8, '\0'));
    EXPECT_EQ(brief.substr(8, 4), e.name == "plain" ? std::string(4, '\0') : std::string("\x40\x08\x12\x34", 4));
    uint32_t added = 0;  // seconds since 2000, the largest byte first
    for (size_t i = 12; i < 16; i++) added = added << 8 | static_cast<uint8_t>(brief[i]);
    constexpr uint64_t kYear2000 = 125'911'584'000'000'000;
    EXPECT_EQ(added, (file.facts.times.creation - kYear2000) / 10'000'000);
    EXPECT_EQ(e.number<uint16_t>(94), (e.name == "Folder" ? S_IFDIR : S_IFREG) | mode_of(e.name));
    EXPECT_EQ(e.number<uint64_t>(96),
              (Told{{}, file.contexts.at(std::string(smb2::kContextOnDiskId))}.number<uint64_t>(0)));
    EXPECT_EQ(c.close_file(file.id), NtStatus::success);
  }
  // Other classes are as for everybody.
  for (const auto& e : entries_of(FindClass::both, c.list(root.id, FindClass::both, "plain", 1).data))
    EXPECT_EQ(e.number<uint8_t>(68), 0u);
  // A lookup is a listing of one name in one frame.
  const FileId none = smb2::kNoFileId;
  const auto all = c.ask_related(
      {{Command::create, Peer::body_of({.name = "", .access = apple::kListing, .options = smb2::kOptionDirectory})},
       {Command::query_directory, Peer::list_body(none, FindClass::id_both, "Letter", 2)},
       {Command::query_directory, Peer::list_body(none, FindClass::id_both, "Letter", 2)},
       {Command::close, smb2::write_message(smb2::CloseRequest{0, none})}});
  EXPECT_THAT(names_of(entries_of(FindClass::id_both, Peer::told(all[1]).data)), UnorderedElementsAre("Letter"));
  EXPECT_EQ(all[2].status(), NtStatus::no_more_files);
  EXPECT_EQ(all[3].status(), NtStatus::success);
  EXPECT_EQ(c.close_file(root.id), NtStatus::success);
  EXPECT_EQ(c.remove("Folder", smb2::kOptionDirectory), NtStatus::success);
  files_ = {"plain", "Letter"};
}

TEST_F(MacClientTest, ExtendedAttributesAreStreams) {
  MacClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.mount());
  ASSERT_NO_FATAL_FAILURE(c.ask_who_is_there());
  c.put("file", "text");
  // A ':' inside of a name is a private character.
  const std::string where = "com.apple.metadata\xef\x80\xa2kMDItemWhereFroms", quarantine = "com.apple.quarantine";
  EXPECT_THAT(c.xattrs("file"), UnorderedElementsAre("::$DATA"));
  EXPECT_EQ(c.read_xattr("file:" + where), "?");
  EXPECT_EQ(c.write_xattr("file:" + where, "bplist00"), NtStatus::success);
  EXPECT_EQ(c.write_xattr("file:" + quarantine, "0081;5f;Safari;"), NtStatus::success);
  EXPECT_EQ(c.write_xattr("file:AFP_AfpInfo", apple::info("TEXTttxt")), NtStatus::success);
  EXPECT_THAT(c.xattrs("file"), UnorderedElementsAre("::$DATA", ":" + where + ":$DATA", ":" + quarantine + ":$DATA",
                                                     ":AFP_AfpInfo:$DATA"));
  EXPECT_EQ(c.read_xattr("file:" + where), "bplist00");
  EXPECT_EQ(c.read_xattr("file:AFP_AfpInfo"), apple::info("TEXTttxt"));
  EXPECT_EQ(c.write_xattr("file:" + quarantine, "0"), NtStatus::success) << "and shorter";
  EXPECT_EQ(c.read_xattr("file:" + quarantine), "0");
  EXPECT_EQ(c.remove_xattr("file:" + quarantine), NtStatus::success);
  EXPECT_EQ(c.remove_xattr("file:" + quarantine), NtStatus::object_name_not_found);
  EXPECT_EQ(c.write_xattr("file:AFP_AfpInfo", apple::info("")), NtStatus::success);
  EXPECT_THAT(c.xattrs("file"), UnorderedElementsAre("::$DATA", ":" + where + ":$DATA")) << "without FinderInfo none";

  // The resource fork: written in pieces, cut, read, and gone when it is empty.
  const Got fork =
      c.create({.name = "file:AFP_Resource", .access = apple::kReadWrite, .disposition = Disposition::open_if});
  ASSERT_EQ(fork.status, NtStatus::success);
  EXPECT_EQ(c.write(fork.id, 0, std::string(1000, 'a')), NtStatus::success);
  EXPECT_EQ(c.write(fork.id, 1000, std::string(1000, 'b')), NtStatus::success);
  EXPECT_EQ(c.read(fork.id, 990, 20), std::string(10, 'a') + std::string(10, 'b'));
  EXPECT_EQ(c.query(fork.id, FileInfoClass::standard).number<uint64_t>(8), 2000u);
  EXPECT_EQ(c.set(fork.id, FileInfoClass::end_of_file, Peer::size_body(1500)), NtStatus::success);
  EXPECT_EQ(c.query(fork.id, FileInfoClass::all).number<uint64_t>(48), 1500u);
  EXPECT_EQ(c.ask(Command::flush, smb2::FlushRequest{.reserved1 = 0xffff, .file_id = fork.id}).status(),
            NtStatus::success);
  EXPECT_EQ(c.close_file(fork.id), NtStatus::success);
  EXPECT_EQ(c.remove_xattr("file:AFP_Resource"), NtStatus::success) << "which does nothing";
  EXPECT_EQ(c.read_xattr("file:AFP_Resource").size(), 1500u);
  const Got again = c.create({.name = "file:AFP_Resource", .access = apple::kReadWrite});
  EXPECT_EQ(c.set(again.id, FileInfoClass::end_of_file, Peer::size_body(0)), NtStatus::success);
  EXPECT_EQ(c.close_file(again.id), NtStatus::success);
  EXPECT_EQ(c.read_xattr("file:AFP_Resource"), "?");
  files_ = {"file"};
}

TEST_F(MacClientTest, NamesAreThoseOfMacs) {
  MacClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.mount());
  ASSERT_NO_FATAL_FAILURE(c.ask_who_is_there());
  // ':', '?', '*', and a dot and a space at the end, as private characters; composed and decomposed ones as they are.
  const std::string sfm = "a\xef\x80\xa2\x62\xef\x80\xa5\xef\x80\xa1", dot = "end\xef\x80\xa9",
                    space = "end\xef\x80\xa8", composed = "Gr\xc3\xbc\xc3\x9f\x65",
                    decomposed = "Gru\xcc\x88\xc3\x9f\x65";
  for (const auto& name : {sfm, dot, space, composed, decomposed}) c.put(name, name);
  EXPECT_THAT(c.names_in(""), UnorderedElementsAre(".", "..", sfm, dot, space, composed, decomposed));
  for (const auto& name : {sfm, dot, space, composed, decomposed}) EXPECT_EQ(c.text_of(name), name);
  files_ = {"a:b?*", "end.", "end ", composed, decomposed};
  EXPECT_EQ(c.text_of("GR\xc3\x9c\xc3\x9f\x65"), composed) << "in any case";
}

TEST_F(MacClientTest, FinderSavesAndCopies) {
  MacClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.mount());
  ASSERT_NO_FATAL_FAILURE(c.ask_who_is_there());
  const std::string durable =
      smb2::write_data(smb2::DurableV2Request{.timeout = 0, .flags = 0, .create_guid = guid_of(4)});
  constexpr uint32_t kAll = smb2::kLeaseRead | smb2::kLeaseWrite | smb2::kLeaseHandle;
  const Got source = c.create({.name = "source",
                               .access = apple::kReadWrite | 0x50000,
                               .share = 3,
                               .disposition = Disposition::create,
                               .options = smb2::kOptionNonDirectory,
                               .oplock = smb2::OplockLevel::lease,
                               .contexts = contexts_of({{smb2::kContextDurableV2, durable},
                                                        {smb2::kContextLease, lease_of(1, kAll, 9)},
                                                        {smb2::kContextMaximalAccess, ""}})});
  ASSERT_EQ(source.status, NtStatus::success);
  EXPECT_TRUE(source.contexts.contains(std::string(smb2::kContextDurableV2)));
  const auto lease = smb2::read_lease(as_bytes(source.contexts.at(std::string(smb2::kContextLease))));
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->state, kAll);
  EXPECT_EQ(lease->parent, guid_of(9));
  EXPECT_EQ(c.write(source.id, 0, std::string(5000, 's')), NtStatus::success);
  EXPECT_EQ(c.ask(Command::flush, smb2::FlushRequest{.reserved1 = 0xffff, .file_id = source.id}).status(),
            NtStatus::success);
  EXPECT_EQ(c.write_xattr("source:AFP_AfpInfo", apple::info("TEXTttxt")), NtStatus::success);
  EXPECT_EQ(c.write_xattr("source:AFP_Resource", "fork"), NtStatus::success);
  EXPECT_EQ(c.write_xattr("source:com.apple.lastuseddate#PS", "now"), NtStatus::success);
  // chmod is a list with an entry for the mode alone.
  const auto chmod = [&](const FileId& id, uint32_t mode) {
    windows::SecurityDescriptor d;
    d.has_dacl = true;
    d.dacl.emplace();
    windows::append_nfs_aces(*d.dacl, S_IFREG | mode, 0, 0);
    d.dacl->resize(1);
    return c.set_security(id, 4, windows::to_bytes(d));
  };
  EXPECT_EQ(chmod(source.id, 0640), NtStatus::success);
  EXPECT_EQ(mode_of("source"), 0640u);
  const auto told = windows::read_security(as_bytes(c.query_security(source.id, 4).data));
  ASSERT_TRUE(told && told->dacl);
  EXPECT_EQ(windows::nfs_mode_in(*told->dacl).value_or(0) & 07777, 0640u);

  // copyfile(): the whole file, without a list of chunks.
  const Got target = c.create({.name = "target", .access = apple::kReadWrite, .disposition = Disposition::create});
  const Told key = c.fsctl(source.id, smb2::kFsctlSrvRequestResumeKey, "", 32);
  ASSERT_EQ(key.data.size(), 32u);
  const Told copied = c.fsctl(target.id, smb2::kFsctlSrvCopychunk, key.data.substr(0, 24) + std::string(8, '\0'), 12);
  EXPECT_EQ(copied.status, NtStatus::success);
  EXPECT_EQ(copied.number<uint32_t>(8), 5000u);
  EXPECT_EQ(c.close_file(target.id), NtStatus::success);
  EXPECT_EQ(c.close_file(source.id), NtStatus::success);
  EXPECT_EQ(c.text_of("target"), std::string(5000, 's'));
  EXPECT_EQ(c.read_xattr("target:AFP_AfpInfo"), apple::info("TEXTttxt"));
  EXPECT_EQ(c.read_xattr("target:AFP_Resource"), "fork");
  EXPECT_EQ(c.read_xattr("target:com.apple.lastuseddate#PS"), "now");

  // .DS_Store, renamed over from another name, and a file moved to the trash.
  c.put(".dat.nosync0001", "store");
  const auto moved = [&](const std::string& from, const std::string& to, bool replace) {
    return c
        .do_one({.name = from, .access = 0x10100}, Command::set_info,
                Peer::set_body(smb2::kNoFileId, FileInfoClass::rename, Peer::rename_body(to, replace ? 1 : 0)))
        .status();
  };
  c.put(".DS_Store", "old");
  EXPECT_EQ(moved(".dat.nosync0001", ".DS_Store", false), NtStatus::object_name_collision);
  EXPECT_EQ(moved(".dat.nosync0001", ".DS_Store", true), NtStatus::success);
  EXPECT_EQ(c.text_of(".DS_Store"), "store");
  EXPECT_EQ(c.create({.name = ".DS_Store", .access = apple::kLook}).facts.attributes & smb2::kAttrHidden,
            smb2::kAttrHidden);
  for (const char* name : {".Trashes", ".Trashes\\501"}) {
    const Got made = c.create({.name = name,
                               .access = apple::kListing,
                               .disposition = Disposition::open_if,
                               .options = smb2::kOptionDirectory});
    EXPECT_EQ(c.close_file(made.id), NtStatus::success);
  }
  EXPECT_EQ(moved("target", ".Trashes\\501\\target", false), NtStatus::success);
  EXPECT_EQ(c.read_xattr(".Trashes\\501\\target:AFP_Resource"), "fork");
  // Directories move with what is open in them.
  const Got inside = c.create({.name = ".Trashes\\501\\target", .access = apple::kReadOnly});
  EXPECT_EQ(moved(".Trashes", "Found", false), NtStatus::success);
  EXPECT_EQ(c.query(inside.id, FileInfoClass::all).text(100, 2 * 17), "\\Found\\501\\target");
  EXPECT_EQ(c.close_file(inside.id), NtStatus::success);
  for (const char* name : {"Found\\501\\target", "Found\\501", "Found"})
    EXPECT_EQ(c.remove_xattr(name), NtStatus::success) << "which removes files, too";
  files_ = {"source", ".DS_Store"};
}

TEST_F(MacClientTest, DirectoriesAreCached) {
  MacClient c(port()), other(port());
  other.guid = std::byte{8};
  ASSERT_NO_FATAL_FAILURE(c.mount());
  ASSERT_NO_FATAL_FAILURE(c.ask_who_is_there());
  ASSERT_NO_FATAL_FAILURE(other.mount());
  constexpr uint32_t kRh = smb2::kLeaseRead | smb2::kLeaseHandle;
  const Got root = c.create({.name = "",
                             .access = apple::kListing,
                             .options = smb2::kOptionDirectory,
                             .oplock = smb2::OplockLevel::lease,
                             .contexts = contexts_of({{smb2::kContextLease, lease_of(2, kRh)}})});
  const auto lease = smb2::read_lease(as_bytes(root.contexts.at(std::string(smb2::kContextLease))));
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->state, kRh);
  // What the client does itself, and says so, leaves it alone.
  const Got own = c.create({.name = "own",
                            .access = apple::kReadWrite,
                            .disposition = Disposition::create,
                            .oplock = smb2::OplockLevel::lease,
                            .contexts = contexts_of({{smb2::kContextLease, lease_of(3, kRh, 2)}})});
  EXPECT_EQ(own.status, NtStatus::success);
  EXPECT_EQ(c.close_file(own.id), NtStatus::success);
  other.put("theirs", "");
  Message m = c.receive();
  ASSERT_EQ(m.header.command, Command::oplock_break);
  const auto news = smb2::read_message<smb2::LeaseBreakNotification>(as_bytes(m.bytes));
  ASSERT_TRUE(news);
  EXPECT_EQ(news->key, guid_of(2));
  EXPECT_EQ(news->next & smb2::kLeaseRead, 0u);
  EXPECT_EQ(
      c.ask(Command::oplock_break, smb2::LeaseBreakAck{.flags = 0, .key = news->key, .state = news->next}).status(),
      NtStatus::success);
  EXPECT_THAT(names_of(entries_of(FindClass::id_both, c.list(root.id, FindClass::id_both, "*").data)),
              UnorderedElementsAre(".", "..", "own", "theirs"));
  EXPECT_EQ(c.close_file(root.id), NtStatus::success);
  files_ = {"own", "theirs"};
}

/// A backup: a sparse bundle with its bands, synced to the disk.
TEST_F(MacClientTest, TimeMachineBacksUp) {
  MacClient c(port());
  ASSERT_NO_FATAL_FAILURE(c.mount());
  ASSERT_NO_FATAL_FAILURE(c.ask_who_is_there());
  for (const char* name : {"Mac.sparsebundle", "Mac.sparsebundle\\bands"}) {
    const Got made = c.create({.name = name,
                               .access = apple::kListing,
                               .disposition = Disposition::create,
                               .options = smb2::kOptionDirectory});
    ASSERT_EQ(made.status, NtStatus::success);
    EXPECT_EQ(c.close_file(made.id), NtStatus::success);
  }
  c.put("Mac.sparsebundle\\Info.plist", "<plist/>");
  // Whoever attaches the image holds the token.
  const Got token = c.create({.name = "Mac.sparsebundle\\token",
                              .access = apple::kReadWrite,
                              .share = 0,
                              .disposition = Disposition::open_if});
  EXPECT_EQ(c.create({.name = "Mac.sparsebundle\\token", .access = apple::kReadWrite}).status,
            NtStatus::sharing_violation);
  const Got band =
      c.create({.name = "Mac.sparsebundle\\bands\\0", .access = apple::kReadWrite, .disposition = Disposition::create});
  const std::string data(1 << 20, 'b');
  c.charge = 16;
  EXPECT_EQ(c.write(band.id, 0, data), NtStatus::success);
  EXPECT_EQ(c.read(band.id, 0, 1 << 20), data);
  c.charge = 1;
  EXPECT_EQ(c.ask(Command::flush, smb2::FlushRequest{.reserved1 = 0xffff, .file_id = band.id}).status(),
            NtStatus::success);
  EXPECT_EQ(c.query(band.id, FsInfoClass::full_size).data.size(), 32u);
  EXPECT_EQ(c.close_file(band.id), NtStatus::success);
  const Got bands = c.create({.name = "Mac.sparsebundle\\bands", .access = apple::kListing});
  EXPECT_EQ(c.ask(Command::flush, smb2::FlushRequest{.reserved1 = 0xffff, .file_id = bands.id}).status(),
            NtStatus::success)
      << "of a folder, too";
  EXPECT_EQ(c.close_file(bands.id), NtStatus::success);
  EXPECT_EQ(c.close_file(token.id), NtStatus::success);
  for (const char* name : {"Mac.sparsebundle\\token", "Mac.sparsebundle\\Info.plist", "Mac.sparsebundle\\bands\\0",
                           "Mac.sparsebundle\\bands", "Mac.sparsebundle"})
    EXPECT_EQ(c.remove_xattr(name), NtStatus::success);
}

}  // namespace isthmus::smb::testing
