#include <unistd.h>

#include "doors/smb/test_leases.h"
#include "windows/identity.h"
#include "windows/reparse.h"
#include "windows/security.h"
#include "wire/smb2/create_contexts.h"
#include "wire/smb2/error_response.h"
#include "wire/smb2/fsctl_codes.h"
#include "wire/smb2/ioctl.h"
#include "wire/smb2/query.h"

/// The POSIX extensions of SMB 3.1.1.
namespace isthmus::smb::testing {
namespace {

class PosixTest : public DoorTest {
 protected:
  void SetUp() override {
    Options options;
    options.umask = 077;
    start(std::move(options));
    c_.emplace(port());
    c_->posix = true;
    c_->begin();
  }
  void TearDown() override {
    c_.reset();
    stop();
  }

  /// `mode` none: Linux's client when nothing is to be made.
  Message create(const std::string& name, FileId& id, Disposition d = Disposition::open,
                 std::optional<uint32_t> mode = {}, uint32_t options = 0, uint32_t access = 0x1f01ff,
                 const std::string& descriptor = {}) {
    smb2::CreateRequest m = c_->creation(name, d, options, access);
    std::string list, data;
    append_le<uint32_t>(data, mode.value_or(smb2::PosixCreateRequest::kNoMode));
    smb2::append_create_context(list, smb2::kContextPosix, as_bytes(data));
    if (!descriptor.empty()) smb2::append_create_context(list, smb2::kContextSecurity, as_bytes(descriptor));
    m.contexts = as_bytes(list);
    Message answer = c_->ask(Command::create, m);
    if (const auto read = smb2::read_message<smb2::CreateResponse>(as_bytes(answer.bytes));
        answer.status() == NtStatus::success && read) {
      id = read->file_id;
      const auto contexts = smb2::read_create_contexts(read->contexts);
      const auto* found = contexts ? smb2::find_context(*contexts, smb2::kContextPosix) : nullptr;
      told_ = found ? std::string(as_text(found->data)) : "";
    }
    return answer;
  }
  NtStatus open(const std::string& name, FileId& id, Disposition d = Disposition::open,
                std::optional<uint32_t> mode = {}, uint32_t options = 0) {
    return create(name, id, d, mode, options).status();
  }
  /// Links, tag and mode of a file, as the class posix has them.
  std::string facts(const FileId& id) {
    smb2::QueryInfoRequest m;
    m.info_class = static_cast<uint8_t>(smb2::FileInfoClass::posix);
    m.max_output = 4096;
    m.file_id = id;
    const Message answer = c_->ask(Command::query_info, m);
    const auto read = smb2::read_message<smb2::DataResponse>(as_bytes(answer.bytes));
    if (answer.status() != NtStatus::success || !read || read->data.size() < 80) return "";
    return text(read->data.subspan(68));
  }
  static std::string text(Bytes facts) {
    return std::to_string(*load_le<uint32_t>(facts, 0)) + " " + std::to_string(*load_le<uint32_t>(facts, 4)) + " " +
           std::to_string(*load_le<uint32_t>(facts, 8));
  }
  static std::string sid_bytes(const windows::Sid& sid) {
    std::string bytes;
    windows::append_sid(bytes, sid);
    return bytes;
  }
  static std::string expected(uint32_t links, uint32_t tag, uint32_t mode) {
    return std::to_string(links) + " " + std::to_string(tag) + " " + std::to_string(mode);
  }
  NtStatus set_reparse(const FileId& id, const windows::Special& what) {
    const auto buffer = windows::to_reparse(what);
    smb2::IoctlRequest m;
    m.code = smb2::kFsctlSetReparsePoint;
    m.flags = smb2::IoctlRequest::kIsFsctl;
    m.file_id = id;
    m.input = as_bytes(*buffer);
    return c_->ask(Command::ioctl, m).status();
  }

  std::optional<Client> c_;
  std::string told_;  // the context of the last answer
};

TEST_F(PosixTest, ModesAreThoseThatTheClientAsksFor) {
  FileId id;
  ASSERT_EQ(open("file", id, Disposition::create, 0646), NtStatus::success);
  EXPECT_EQ(text(as_bytes(told_)), expected(1, 0, 0646)) << "not the server's umask";
  EXPECT_EQ(facts(id), expected(1, 0, 0646));
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  ASSERT_EQ(open("other", id, Disposition::create), NtStatus::success);
  EXPECT_EQ(facts(id), expected(1, 0, 0600)) << "without a mode it is the server's";
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  ASSERT_EQ(open("dir", id, Disposition::create, 01777, smb2::kOptionDirectory | smb2::kOptionDeleteOnClose),
            NtStatus::success);
  EXPECT_EQ(facts(id), expected(2, 0, 01777));
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  files_ = {"file", "other"};
}

// As Linux's client says it (idsfromsid): owner, group and, where it means no mode, an entry of mode 07777.
TEST_F(PosixTest, NewFilesAreTheirMakers) {
  if (geteuid() != 0) GTEST_SKIP() << "not root: nobody else may give files away";
  const windows::Identities nfs(windows::SidStyle::nfs_ids), ours;
  windows::SecurityDescriptor d = list_of({{windows::Ace::kAllow, 0, 0, windows::nfs_mode_sid(07777), {}}});
  d.owner = nfs.of_user(10001);
  d.group = nfs.of_group(10002);
  const auto made = [&](const std::string& name, std::optional<uint32_t> mode, uint32_t options = 0) {
    FileId id;
    EXPECT_EQ(create(name, id, Disposition::create, mode, options, 0x1f01ff, windows::to_bytes(d)).status(),
              NtStatus::success);
    EXPECT_EQ(c_->close_file(id), NtStatus::success);
    const std::string owner = sid_bytes(ours.of_user(10001)), group = sid_bytes(ours.of_group(10002));
    return text(as_bytes(told_)) + (told_.find(owner) != std::string::npos ? " hers" : "") +
           (told_.find(group) != std::string::npos ? " her group's" : "");
  };
  EXPECT_EQ(made("file", 04755), expected(1, 0, 04755) + " hers her group's");
  EXPECT_EQ(made("moded", {}), expected(1, 0, 0600) + " hers her group's") << "07777 is no mode";
  EXPECT_EQ(made("short", 0xffff), expected(1, 0, 0600) + " hers her group's")
      << "nor is what is left of none in 16 bits";
  EXPECT_EQ(made("dir", 02777, smb2::kOptionDirectory), expected(2, 0, 02777) + " hers her group's");
  // As in any folder with the set-group-ID bit.
  d.group = nfs.of_group(10003);
  EXPECT_EQ(made("dir\\file", 0644), expected(1, 0, 0644) + " hers her group's");
  FileId id;
  ASSERT_EQ(open("short", id), NtStatus::success);
  EXPECT_EQ(set_reparse(id, {S_IFIFO, {}, 0, 0}), NtStatus::success);
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  ASSERT_EQ(open("short", id, Disposition::open, {}, smb2::kOptionOpenReparsePoint), NtStatus::success);
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  EXPECT_TRUE(told_.find(sid_bytes(ours.of_user(10001))) != std::string::npos &&
              told_.find(sid_bytes(ours.of_group(10002))) != std::string::npos)
      << "a special file is whose the file was that it takes the place of";
  files_ = {"file", "moded", "short"};
  ASSERT_EQ(open("dir\\file", id, Disposition::open, {}, smb2::kOptionDeleteOnClose), NtStatus::success);
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  ASSERT_EQ(open("dir", id, Disposition::open, {}, smb2::kOptionDeleteOnClose | smb2::kOptionDirectory),
            NtStatus::success);
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
}

TEST_F(PosixTest, OnlyWhoHasAskedForThemHasThem) {
  Client other(port());
  other.begin();
  smb2::QueryInfoRequest m;
  m.info_class = static_cast<uint8_t>(smb2::FileInfoClass::posix);
  m.max_output = 4096;
  ASSERT_EQ(other.open("file", m.file_id), NtStatus::success);
  EXPECT_EQ(other.ask(Command::query_info, m).status(), NtStatus::invalid_info_class);
  m.type = smb2::InfoType::filesystem;
  EXPECT_EQ(other.ask(Command::query_info, m).status(), NtStatus::invalid_info_class);
  EXPECT_EQ(other.close_file(m.file_id), NtStatus::success);
  ASSERT_EQ(open("file", m.file_id), NtStatus::success);
  EXPECT_EQ(c_->ask(Command::query_info, m).status(), NtStatus::success);
  EXPECT_EQ(c_->close_file(m.file_id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(PosixTest, NamesAreTakenAsTheyStand) {
  FileId id;
  for (const char* name : {"a:b?", "dot.", "x", "X"}) {
    ASSERT_EQ(open(name, id, Disposition::create, 0600), NtStatus::success) << name;
    EXPECT_EQ(c_->close_file(id), NtStatus::success);
  }
  EXPECT_EQ(open("DOT.", id), NtStatus::object_name_not_found);
  EXPECT_EQ(open("a\xEF\x80\xA2"
                 "b\xEF\x80\xA5",
                 id),
            NtStatus::success)
      << "also in the way of clients that have to";
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  files_ = {"a:b?", "dot.", "x", "X"};
}

TEST_F(PosixTest, ANameGoesWhileItsFileIsOpen) {
  FileId id, going, again;
  ASSERT_EQ(open("file", id, Disposition::create, 0600), NtStatus::success);
  ASSERT_EQ(c_->write(id, 0, "text"), NtStatus::success);
  ASSERT_EQ(open("file", going, Disposition::open, {}, smb2::kOptionDeleteOnClose), NtStatus::success);
  EXPECT_EQ(c_->close_file(going), NtStatus::success);
  EXPECT_EQ(open("file", again), NtStatus::object_name_not_found);
  EXPECT_EQ(c_->read(id, 0, 10), "text");
  ASSERT_EQ(open("file", again, Disposition::create, 0600), NtStatus::success) << "the name is free";
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  EXPECT_EQ(c_->close_file(again), NtStatus::success);
  ASSERT_EQ(open("file", again), NtStatus::success) << "the end of the old file does not take the new one along";
  EXPECT_EQ(c_->close_file(again), NtStatus::success);
  files_ = {"file"};
}

TEST_F(PosixTest, TheOtherNameCountsWhenOneHasGone) {
  FileId id, going;
  ASSERT_EQ(open("a", id, Disposition::create, 0600), NtStatus::success);
  const std::string name = *utf16_of("b");
  std::string link(16, '\0');
  append_le<uint32_t>(link, static_cast<uint32_t>(name.size()));
  link += name;
  smb2::SetInfoRequest m;
  m.info_class = static_cast<uint8_t>(smb2::FileInfoClass::link);
  m.data = as_bytes(link);
  m.file_id = id;
  ASSERT_EQ(c_->ask(Command::set_info, m).status(), NtStatus::success);
  EXPECT_EQ(facts(id), expected(2, 0, 0600));
  ASSERT_EQ(open("a", going, Disposition::open, {}, smb2::kOptionDeleteOnClose), NtStatus::success);
  EXPECT_EQ(c_->close_file(going), NtStatus::success);
  EXPECT_EQ(facts(id), expected(1, 0, 0600));
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  files_ = {"b"};
}

TEST_F(PosixTest, AFileThatMayNotBeWrittenIsNoneOfWindows) {
  FileId id;
  ASSERT_EQ(open("file", id, Disposition::create, 0400), NtStatus::success);
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  ASSERT_EQ(open("file", id, Disposition::open, {}, smb2::kOptionDeleteOnClose), NtStatus::success);
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
}

TEST_F(PosixTest, SpecialFilesAreMadeInThePlaceOfNewOnes) {
  FileId id, other;
  ASSERT_EQ(open("link", id, Disposition::create, 0666, smb2::kOptionOpenReparsePoint), NtStatus::success);
  EXPECT_EQ(set_reparse(id, {S_IFLNK, "to/there", 0, 0}), NtStatus::success);
  EXPECT_EQ(facts(id), expected(1, 0xA000000C, 2 << 12 | 0777)) << "the open is of the link now";
  EXPECT_EQ(set_reparse(id, {S_IFLNK, "elsewhere", 0, 0}), NtStatus::io_reparse_tag_mismatch);
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  EXPECT_EQ(c_->close_file(id), NtStatus::file_closed);
  const Message stopped = create("link", id, Disposition::open, {}, 0, windows::kReadAttributes);
  EXPECT_EQ(stopped.status(), NtStatus::stopped_on_symlink);
  const auto data = smb2::read_error(as_bytes(stopped.bytes));
  ASSERT_TRUE(data);
  EXPECT_EQ(load_le<uint32_t>(*data, 0), data->size() - 4);
  EXPECT_EQ(load_le<uint32_t>(*data, 4), 0x4C4D5953u);
  EXPECT_EQ(windows::from_reparse(data->subspan(8)), (windows::Special{S_IFLNK, "to/there", 0, 0}));

  ASSERT_EQ(open("fifo", id, Disposition::create, 0640), NtStatus::success);
  EXPECT_EQ(set_reparse(id, {S_IFIFO, {}, 0, 0}), NtStatus::success);
  EXPECT_EQ(facts(id), expected(1, 0x80000014, 5 << 12 | 0640));
  EXPECT_EQ(c_->close_file(id), NtStatus::success);

  ASSERT_EQ(open("device", id, Disposition::create, 0624), NtStatus::success);
  EXPECT_EQ(set_reparse(id, {S_IFCHR, {}, 1, 3}), NtStatus::success);
  EXPECT_EQ(facts(id), expected(1, 0x80000014, 3 << 12 | 0624)) << "as its client has said";
  EXPECT_EQ(c_->close_file(id), NtStatus::success);

  ASSERT_EQ(open("full", id, Disposition::create, 0640), NtStatus::success);
  ASSERT_EQ(c_->write(id, 0, "text"), NtStatus::success);
  EXPECT_EQ(set_reparse(id, {S_IFIFO, {}, 0, 0}), NtStatus::io_reparse_data_invalid) << "its text would be lost";
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  ASSERT_EQ(open("shared", id, Disposition::create, 0640), NtStatus::success);
  ASSERT_EQ(open("shared", other), NtStatus::success);
  EXPECT_EQ(set_reparse(id, {S_IFIFO, {}, 0, 0}), NtStatus::sharing_violation);
  EXPECT_EQ(c_->close_file(other), NtStatus::success);
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  ASSERT_EQ(c_->open("streams:of it", other), NtStatus::success);
  ASSERT_EQ(c_->write(other, 0, "text"), NtStatus::success);
  EXPECT_EQ(c_->close_file(other), NtStatus::success);
  ASSERT_EQ(open("streams", id), NtStatus::success);
  EXPECT_EQ(set_reparse(id, {S_IFIFO, {}, 0, 0}), NtStatus::io_reparse_data_invalid) << "they would be lost";
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  ASSERT_EQ(open("folder", id, Disposition::create, 0755, smb2::kOptionDirectory), NtStatus::success);
  EXPECT_EQ(set_reparse(id, {S_IFLNK, "to/there", 0, 0}), NtStatus::success) << "junctions are made of directories";
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  files_ = {"link", "fifo", "device", "full", "shared", "streams", "folder"};
}

/// Whoever keeps the file open by a handle lease alone closes it before the name goes, and is not kept from it.
TEST_F(PosixTest, HandlesAreClosedBeforeANameGoes) {
  Client b(port());
  b.guid = std::byte{8};
  b.begin();
  FileId id;
  ASSERT_EQ(open("file", id, Disposition::create, 0600), NtStatus::success);
  const Made theirs = make(b, "file", lease_context(1, kRH));
  ASSERT_TRUE(theirs.lease);
  ASSERT_EQ(theirs.lease->state, kRH);
  FileId going;
  ASSERT_EQ(open("file", going, Disposition::open, {}, smb2::kOptionDeleteOnClose), NtStatus::success);
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  c_->send_frame(c_->message(Command::close, smb2::write_message(smb2::CloseRequest{0, going})));
  const Message broken = b.receive();
  ASSERT_EQ(broken.header.command, Command::oplock_break);
  EXPECT_EQ(b.close_file(theirs.id), NtStatus::success);
  EXPECT_EQ(c_->receive().status(), NtStatus::success);
  EXPECT_EQ(open("file", id), NtStatus::object_name_not_found);
}

TEST_F(PosixTest, AnEntryOfTheAccessListCarriesTheMode) {
  FileId id;
  ASSERT_EQ(open("file", id, Disposition::create, 0600), NtStatus::success);
  EXPECT_EQ(set_list(*c_, id, {{.sid = windows::nfs_mode_sid(04751), .other = {}}}), NtStatus::success);
  EXPECT_EQ(facts(id), expected(1, 0, 04751));
  EXPECT_EQ(c_->close_file(id), NtStatus::success);
  files_ = {"file"};
}

}  // namespace
}  // namespace isthmus::smb::testing
