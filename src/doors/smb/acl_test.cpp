#include <sys/stat.h>
#include <unistd.h>

#include "doors/smb/test_door.h"
#include "doors/smb/troubles.h"
#include "vfs/test_fs.h"
#include "windows/identity.h"
#include "windows/security.h"
#include "wire/smb2/create_contexts.h"
#include "wire/smb2/query.h"
#include "wire/smb2/set_info.h"

namespace isthmus::smb::testing {
namespace {

using smb2::Disposition;
using smb2::FileId;

struct AclTest : DoorTest {};

std::optional<std::vector<windows::Ace>> list_at(Client& c, const FileId& id) {
  smb2::QueryInfoRequest m;
  m.type = smb2::InfoType::security;
  m.additional = smb2::kSecurityDacl;
  m.max_output = 4096;
  m.file_id = id;
  const Message answer = c.ask(Command::query_info, m);
  const auto data = smb2::read_message<smb2::DataResponse>(as_bytes(answer.bytes));
  const auto d = data ? windows::read_security(data->data) : std::nullopt;
  return d ? d->dacl : std::nullopt;
}

TEST_F(AclTest, AnAccessListIsKeptAndHolds) {
  using windows::Ace;
  Client c(port());
  c.begin();
  FileId id, other;
  ASSERT_EQ(c.open("file", id), NtStatus::success);
  const auto usual = list_at(c, id);
  ASSERT_TRUE(usual);
  const std::vector<Ace> list{{Ace::kDeny, 0, windows::kWriteData | windows::kAppendData, windows::kEveryone, {}},
                              {Ace::kAllow, 0, windows::kAllRights, windows::kEveryone, {}}};
  ASSERT_EQ(set_list(c, id, list), NtStatus::success);
  EXPECT_EQ(list_at(c, id), list);
  EXPECT_EQ(c.open("file", other, Disposition::open, 0, windows::kWriteData), NtStatus::access_denied);
  ASSERT_EQ(c.open("file", other, Disposition::open, 0, windows::kReadData), NtStatus::success);
  EXPECT_EQ(c.close_file(other), NtStatus::success);
  // The mode's own list is as good as none.
  ASSERT_EQ(set_list(c, id, *usual), NtStatus::success);
  EXPECT_EQ(list_at(c, id), usual);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(AclTest, ACreateBringsItsList) {
  using windows::Ace;
  Client c(port());
  c.begin();
  const auto make = [&](const std::string& name, const std::vector<Ace>& list) {
    std::string contexts;
    const std::string bytes = windows::to_bytes(list_of(list));
    smb2::append_create_context(contexts, smb2::kContextSecurity, as_bytes(bytes));
    smb2::CreateRequest m = c.creation(name, Disposition::create, smb2::kOptionDeleteOnClose);
    m.contexts = as_bytes(contexts);
    const Message answer = c.ask(Command::create, m);
    const auto made = smb2::read_message<smb2::CreateResponse>(as_bytes(answer.bytes));
    EXPECT_EQ(answer.status(), NtStatus::success);
    return made ? made->file_id : FileId{};
  };
  const std::vector<Ace> list{{Ace::kAllow, 0, windows::kReadData, windows::kEveryone, {}}};
  FileId id = make("listed", list);
  EXPECT_EQ(list_at(c, id), list);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  // One that says a mode is none: the file has the mode.
  id = make("moded", {{Ace::kAllow, 0, 0, windows::nfs_mode_sid(0640), {}}});
  const auto by_mode = list_at(c, id);
  ASSERT_TRUE(by_mode);
  EXPECT_EQ(by_mode, windows::security_of_mode(S_IFREG | 0640, by_mode->front().sid, by_mode->at(1).sid).dacl);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
}

TEST_F(AclTest, WhatCannotBeKeptIsLoggedOnce) {
  using windows::Ace;
  start({}, "set_xattr:ENOSPC:after=1:count=2");
  isthmus::testing::LogCatcher log;
  Client c(port());
  c.begin();
  FileId folder, id;
  ASSERT_EQ(c.open("folder", folder, Disposition::create, smb2::kOptionDirectory), NtStatus::success);
  ASSERT_EQ(set_list(c, folder, {{Ace::kAllow, Ace::kObjectInherit, windows::kAllRights, windows::kEveryone, {}}}),
            NtStatus::success);
  const auto make = [&] {
    ASSERT_EQ(c.open("folder\\file", id, Disposition::create, smb2::kOptionDeleteOnClose), NtStatus::success);
    EXPECT_EQ(c.close_file(id), NtStatus::success);
  };
  make();
  make();
  EXPECT_EQ(log.count("access list cannot be kept"), 1u);
  make();  // works again
  EXPECT_EQ(log.count("access list cannot be kept"), 1u);
  EXPECT_EQ(c.close_file(folder), NtStatus::success);
  ASSERT_EQ(c.open("folder", folder, Disposition::open, smb2::kOptionDirectory | smb2::kOptionDeleteOnClose),
            NtStatus::success);
  EXPECT_EQ(c.close_file(folder), NtStatus::success);
}

TEST(TroublesTest, AreNewsUntilItWorksAgain) {
  Troubles t;
  EXPECT_TRUE(t.is_news(err(ENOSPC)));
  EXPECT_FALSE(t.is_news(err(ENOSPC)));
  EXPECT_TRUE(t.is_news(err(EIO)));
  EXPECT_FALSE(t.is_news(err(ENOSPC)));
  EXPECT_FALSE(t.is_news(Unit{}));
  EXPECT_TRUE(t.is_news(err(ENOSPC)));
}

TEST_F(AclTest, NewFilesInheritAccessLists) {
  using windows::Ace;
  Client c(port());
  c.begin();
  FileId folder, id;
  ASSERT_EQ(c.open("folder", folder, Disposition::create, smb2::kOptionDirectory), NtStatus::success);
  constexpr uint8_t kBoth = Ace::kObjectInherit | Ace::kContainerInherit;
  ASSERT_EQ(set_list(c, folder,
                     {{Ace::kAllow, kBoth, windows::kReadData, windows::kEveryone, {}},
                      {Ace::kAllow, 0, windows::kAllRights, windows::kEveryone, {}}}),
            NtStatus::success);
  ASSERT_EQ(c.open("folder\\file", id, Disposition::create, smb2::kOptionDeleteOnClose), NtStatus::success);
  EXPECT_EQ(list_at(c, id), (std::vector<Ace>{{Ace::kAllow, 0, windows::kReadData, windows::kEveryone, {}}}));
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  // Who may not add files does not.
  ASSERT_EQ(set_list(c, folder, {{Ace::kAllow, 0, windows::kReadData | windows::kDelete, windows::kEveryone, {}}}),
            NtStatus::success);
  EXPECT_EQ(c.open("folder\\file", id, Disposition::create), NtStatus::access_denied);
  EXPECT_EQ(c.close_file(folder), NtStatus::success);
  ASSERT_EQ(c.open("folder", folder, Disposition::open, smb2::kOptionDirectory | smb2::kOptionDeleteOnClose,
                   windows::kDelete),
            NtStatus::success);
  EXPECT_EQ(c.close_file(folder), NtStatus::success);
}

// As Linux's client does chown: owner and list in one, the list with the new owner's entries instead of the old one's.
TEST_F(AclTest, AnOwnerComesWithTheEntriesThatWereTheOldOnes) {
  if (geteuid() != 0) GTEST_SKIP() << "not root: nobody else may give files away";
  Client c(port());
  c.begin();
  FileId id;
  ASSERT_EQ(c.open("file", id), NtStatus::success);
  const auto usual = list_at(c, id);
  ASSERT_TRUE(usual);
  const windows::Identities ours, nfs(windows::SidStyle::nfs_ids);
  windows::SecurityDescriptor d = list_of(*usual);
  d.owner = nfs.of_user(10001);
  for (windows::Ace& ace : *d.dacl)
    if (ace.sid == ours.of_user(0)) ace.sid = *d.owner;
  ASSERT_NE(d.dacl, usual);
  const std::string bytes = windows::to_bytes(d);
  smb2::SetInfoRequest m;
  m.type = smb2::InfoType::security;
  m.additional = smb2::kSecurityOwner | smb2::kSecurityDacl;
  m.file_id = id;
  m.data = as_bytes(bytes);
  ASSERT_EQ(c.ask(Command::set_info, m).status(), NtStatus::success);
  auto wanted = *usual;
  for (windows::Ace& ace : wanted)
    if (ace.sid == ours.of_user(0)) ace.sid = ours.of_user(10001);
  EXPECT_EQ(list_at(c, id), wanted) << "the mode is what it was";
  // The mode's own list is no list: the server's user has what root has.
  FileId other;
  EXPECT_EQ(c.open("file", other, Disposition::open, 0, windows::kWriteDac | windows::kWriteData), NtStatus::success);
  EXPECT_EQ(c.close_file(other), NtStatus::success);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  files_ = {"file"};
}

}  // namespace
}  // namespace isthmus::smb::testing
