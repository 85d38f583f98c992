#include "wire/ftp/replies.h"

#include <gmock/gmock.h>

namespace isthmus::wire::ftp {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;

auto is(int code, std::string text) { return AllOf(Field(&Reply::code, code), Field(&Reply::text, text)); }

TEST(Replies, AreTheirLastLines) {
  EXPECT_THAT(
      replies_in({"220-welcome", "226 not the end", "220 ready", "331 password", "230", "junk", "25", "2301 x"}),
      ElementsAre(is(220, "ready"), is(331, "password"), is(230, "")));
  EXPECT_THAT(replies_in({"211-Features:", " SIZE", "211 End"}), ElementsAre(is(211, "End")));
  EXPECT_THAT(replies_in({"", " ", "012 x", "-11 x"}), ElementsAre());
}

TEST(Replies, FeaturesAreFoundInAnyForm) {
  auto f = parse_features(
      {"211-Features:", " EPRT", " SIZE", " MDTM", " REST STREAM", " UTF8", " MLST type*;size*;", " mfmt", "211 End"});
  EXPECT_TRUE(f.size && f.modified && f.restart && f.utf8 && f.machine_lists && f.set_modified);
  f = parse_features({"211-SIZE", "211-  MLSD", "211 End"});
  EXPECT_TRUE(f.size && f.machine_lists);
  EXPECT_FALSE(f.modified || f.restart || f.utf8 || f.set_modified);
  f = parse_features({"500 unknown", "", "211-"});
  EXPECT_FALSE(f.size);
}

TEST(Replies, ReasonsAreFoundInTheText) {
  EXPECT_EQ(reason(550, "Can't open file: No such file or directory"), err(ENOENT));
  EXPECT_EQ(reason(550, "No such file or directory: quota"), Errno{});  // a name says nothing
  EXPECT_EQ(reason(550, "Can't open No such file: Permission denied"), err(EACCES));
  EXPECT_EQ(reason(550, "Can't remove directory: Directory not empty"), err(ENOTEMPTY));
  EXPECT_EQ(reason(550, "Can't create directory: File exists"), err(EEXIST));
  EXPECT_EQ(reason(550, "Failed to open file."), Errno{});
  EXPECT_EQ(reason(552, "Quota exceeded"), err(EDQUOT));
  EXPECT_EQ(reason(552, "Disk full"), err(ENOSPC));
  EXPECT_EQ(reason(452, "Insufficient storage"), err(ENOSPC));
  EXPECT_EQ(reason(553, "Could not create file."), err(EACCES));
  EXPECT_EQ(reason(530, "Login incorrect"), err(EACCES));
  EXPECT_EQ(reason(502, "Not here"), err(EOPNOTSUPP));
  EXPECT_EQ(reason(226, "permission denied"), Errno{});
}

TEST(Replies, TextsAreMadePrintable) {
  EXPECT_EQ(printable("a\x1b[31m\nb"), "a?[31m?b");
  EXPECT_EQ(printable(std::string(300, 'x')), std::string(200, 'x') + "...");
}

}  // namespace
}  // namespace isthmus::wire::ftp
