#include "windows/identity.h"

#include <gtest/gtest.h>

#include <set>

namespace isthmus::windows {
namespace {

Sid sid(std::string_view text) {
  auto s = parse_sid(text);
  EXPECT_TRUE(s) << text;
  return s.value_or(Sid());
}

TEST(Sid, TextAndBytes) {
  for (std::string text : {"S-1-0-0", "S-1-5-18", "S-1-5-21-4294967295-0-1-1001", "S-1-0x100000000001-7", "S-1-5",
                           "S-1-1-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15"}) {
    EXPECT_EQ(to_text(sid(text)), text);
    std::string bytes;
    append_sid(bytes, sid(text));
    EXPECT_EQ(bytes.size(), sid_size(sid(text)));
    auto back = read_sid(as_bytes(bytes + "more"));
    ASSERT_TRUE(back);
    EXPECT_EQ(to_text(*back), text);
    for (size_t n = 0; n < bytes.size(); n++) EXPECT_FALSE(read_sid(as_bytes(bytes).first(n))) << text << ' ' << n;
  }
  std::string admins;
  append_sid(admins, kAdministrators);
  EXPECT_EQ(admins, std::string("\x01\x02\0\0\0\0\0\x05\x20\0\0\0\x20\x02\0\0", 16));
  for (auto bad : {"", "S", "S-1", "S-1-", "S-2-5-18", "S-1--5", "S-1-5-", "S-1-5-x", "S-1-5-4294967296", "S-1-5 ",
                   "S-1-5-18 ", "S-1-281474976710656-1", "S-1-0xg", "S-1-1-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16"})
    EXPECT_FALSE(parse_sid(bad)) << bad;
  EXPECT_FALSE(read_sid(as_bytes(std::string("\x02\x01\0\0\0\0\0\x05\0\0\0\0", 12))));  // another revision
  EXPECT_FALSE(read_sid(as_bytes("\x01\x10" + std::string(80, '\0'))));                 // sixteen numbers
}

TEST(Identity, NumbersOfWindowsOwn) {
  const std::pair<const char*, uint32_t> both_ways[] = {
      {"S-1-1-0", 0x10100},  {"S-1-3-0", 0x10300},    {"S-1-5-18", 18},         {"S-1-5-11", 11},
      {"S-1-5-32-544", 544}, {"S-1-5-80-0", 0x50000}, {"S-1-5-64-10", 0x4000A}, {"S-1-16-8192", 0x62000},
      {"S-1-5-32-545", 545}, {"S-1-2-1", 0x10201},    {"S-1-5-1000", 1000},     {"S-1-16-0", 0x60000},
  };
  for (auto [text, id] : both_ways) {
    EXPECT_EQ(well_known_id(sid(text)), id) << text;
    EXPECT_EQ(well_known_sid(id), sid(text)) << text;
    Identity who = Identities().identity_of(sid(text));
    EXPECT_EQ(who.uid, id) << text;
    EXPECT_EQ(who.gid, id) << text;
  }
  for (auto nobody :
       {"S-1-5-5-0-1234", "S-1-5-21-1-2-3-500", "S-1-5", "S-1-16-65536", "S-1-5-80-1-2-3-4-5", "S-1-18-1", "S-1-22-3-4",
        "S-1-22-1", "S-1-5-88-4-1", "S-1-22-1-4294967295", "S-1-5-88-2-4294967295", "S-1-5-88-3-420"}) {
    EXPECT_FALSE(Identities().identity_of(sid(nobody)).uid) << nobody;
    EXPECT_FALSE(Identities().identity_of(sid(nobody)).gid) << nobody;
  }
}

TEST(Identity, NoTwoNumbersShareASid) {
  std::set<Sid> seen;
  size_t known = 0;
  for (uint32_t id = 0; id < 0x110000; id++) {
    auto s = well_known_sid(id);
    if (!s) continue;
    known++;
    EXPECT_EQ(well_known_id(*s), id);
    EXPECT_TRUE(seen.insert(*s).second) << id;
  }
  EXPECT_GT(known, 0x80000u);
}

TEST(Identity, UsersAndGroupsAreToldApart) {
  for (SidStyle style : {SidStyle::unix_ids, SidStyle::nfs_ids}) {
    Identities ids(style);
    for (uint32_t id : {0u, 1u, 100u, 1000u, 65534u, 0x10100u, UINT32_MAX - 1}) {
      EXPECT_EQ(ids.identity_of(ids.of_user(id)).uid, id);
      EXPECT_FALSE(ids.identity_of(ids.of_user(id)).gid);
      EXPECT_EQ(ids.identity_of(ids.of_group(id)).gid, id);
      EXPECT_FALSE(ids.identity_of(ids.of_group(id)).uid);
    }
  }
  EXPECT_EQ(to_text(Identities().of_user(1000)), "S-1-22-1-1000");
  EXPECT_EQ(to_text(Identities(SidStyle::nfs_ids).of_group(7)), "S-1-5-88-2-7");
  // Each style's are taken by both.
  EXPECT_EQ(Identities().identity_of(sid("S-1-5-88-1-5")).uid, 5u);
  EXPECT_EQ(Identities(SidStyle::nfs_ids).identity_of(sid("S-1-22-2-5")).gid, 5u);
}

TEST(Identity, TheMapGoesFirst) {
  auto ids = Identities::make(SidStyle::unix_ids, "1000:S-1-5-21-1-2-3-1001;0:S-1-5-18;");
  ASSERT_TRUE(ids);
  EXPECT_EQ(to_text(ids->of_user(1000)), "S-1-5-21-1-2-3-1001");
  EXPECT_EQ(to_text(ids->of_user(0)), "S-1-5-18");
  EXPECT_EQ(to_text(ids->of_user(1)), "S-1-22-1-1");
  EXPECT_EQ(ids->identity_of(sid("S-1-5-18")).uid, 0u);
  EXPECT_EQ(ids->identity_of(sid("S-1-22-1-1000")).uid, 1000u);
  ids->set_machine(sid("S-1-5-21-1-2-3"));
  EXPECT_EQ(ids->identity_of(sid("S-1-5-21-1-2-3-1001")).uid, 1000u);
  EXPECT_EQ(ids->identity_of(sid("S-1-5-21-1-2-3-513")).gid, 0x30201u);
  EXPECT_FALSE(ids->identity_of(sid("S-1-5-21-1-2-4-513")).gid);
  for (auto bad : {"1000", "x:S-1-5-18", "1000:", "1000:S-1-x", "4294967295:S-1-5-18", "1:S-1-5-18;1:S-1-5-19",
                   "1:S-1-5-18;2:S-1-5-18"})
    EXPECT_FALSE(Identities::make(SidStyle::unix_ids, bad)) << bad;
}

TEST(Identity, ModesInSids) {
  EXPECT_EQ(to_text(nfs_mode_sid(0644)), "S-1-5-88-3-420");
  EXPECT_EQ(nfs_mode_of(sid("S-1-5-88-3-420")), 0644u);
  EXPECT_FALSE(nfs_mode_of(sid("S-1-5-88-1-420")));
}

}  // namespace
}  // namespace isthmus::windows
