#include "windows/security.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace isthmus::windows {
namespace {

const Sid kUser{5, {18}}, kTeam{5, {32, 544}}, kStranger{22, {1, 7}};

std::string shown(const SecurityDescriptor& d) {
  std::string text;
  for (const Ace& ace : *d.dacl)
    text += fmt::format("{}{}{:x}", text.empty() ? "" : " ", ace.type == Ace::kAllow ? "A" : "D", ace.mask);
  return text;
}

// Published vectors of WinFsp's mapping, owner SYSTEM and group Administrators.
TEST(Security, ListsOfModes) {
  const std::pair<uint32_t, const char*> vectors[] = {
      {0755, "A1f01bf A1200a9 A1200a9"},           {S_IFDIR | 0755, "A1f01ff A1200a9 A1200a9"},
      {S_IFDIR | 0777, "A1f01ff A1201ef A1201ef"}, {S_IFDIR | 01777, "A1f01ff A1201af A1201af"},
      {0575, "A1f01b9 D6 A1201af A1200a9"},        {0757, "A1f01bf A1200a9 D106 A1201af"},
      {0000, "A1f0198 A120088 A120088"},
  };
  for (auto [mode, list] : vectors) {
    auto d = security_of_mode(mode, kUser, kTeam);
    EXPECT_EQ(shown(d), list) << std::oct << mode;
    EXPECT_EQ(d.dacl->front().sid, kUser);
    EXPECT_EQ(d.dacl->back().sid, kEveryone);
  }
}

TEST(Security, EveryModeComesBack) {
  for (uint32_t mode = 0; mode < 0777 + 1; mode++) {
    for (uint32_t type : {uint32_t{S_IFREG}, uint32_t{S_IFDIR}}) {
      auto d = security_of_mode(type | mode, kUser, kTeam);
      EXPECT_EQ(mode_of_security(d, type == S_IFDIR, kUser, kTeam), mode) << std::oct << mode;
      // What a check of the list gives each of them is what the bits say.
      EXPECT_EQ(read_security(as_bytes(to_bytes(d))), d);
    }
    const bool others_write = mode & 022;
    auto sticky = security_of_mode(S_IFDIR | S_ISVTX | mode, kUser, kTeam);
    EXPECT_EQ(mode_of_security(sticky, true, kUser, kTeam), mode | (others_write && (mode & 0200) ? S_ISVTX : 0))
        << std::oct << mode;
  }
}

TEST(Security, OneWhoIsOwnerAndGroupHasWhatBothHave) {
  for (uint32_t mode = 0; mode < 01000; mode++) {
    auto d = security_of_mode(S_IFREG | mode, kUser, kUser);
    const uint32_t both = mode >> 6 & mode >> 3 & 7;
    EXPECT_EQ(mode_of_security(d, false, kUser, kUser), both << 6 | both << 3 | (mode & 7)) << std::oct << mode;
  }
}

TEST(Security, ListsOfOthers) {
  auto mode = [](std::vector<Ace> list, bool directory = false) {
    SecurityDescriptor d;
    d.has_dacl = true;
    d.dacl = std::move(list);
    return mode_of_security(d, directory, kUser, kTeam);
  };
  auto allow = [](uint32_t mask, const Sid& sid, uint8_t flags = 0) { return Ace{Ace::kAllow, flags, mask, sid, {}}; };
  auto deny = [](uint32_t mask, const Sid& sid) { return Ace{Ace::kDeny, 0, mask, sid, {}}; };
  EXPECT_EQ(mode({}), 0u);
  EXPECT_EQ(mode_of_security(SecurityDescriptor{}, false, kUser, kTeam), 0777u);
  EXPECT_EQ(mode({allow(kGenericAll, kUser)}), 0700u);
  EXPECT_EQ(mode({allow(kGenericRead | kGenericExecute, kEveryone), allow(kGenericWrite, kUser)}), 0755u);
  EXPECT_EQ(mode({allow(kGenericRead, kAuthenticatedUsers)}), 0444u);
  EXPECT_EQ(mode({deny(kWriteData, kEveryone), allow(kGenericAll, kUser)}), 0500u);
  EXPECT_EQ(mode({allow(kGenericAll, kUser), deny(kWriteData, kEveryone)}), 0700u);  // the order counts
  EXPECT_EQ(mode({allow(kWriteData, kUser)}), 0u);                                   // no appending, no writing
  EXPECT_EQ(mode({allow(kGenericAll, kStranger)}), 0u);
  EXPECT_EQ(mode({allow(kGenericAll, kUser, Ace::kInheritOnly)}), 0u);
  EXPECT_EQ(mode({allow(kGenericAll, kCreatorOwner), allow(kGenericRead, kCreatorGroup)}), 0740u);
  EXPECT_EQ(mode({allow(kGenericAll, kUser), allow(kWriteData | kAppendData, kEveryone)}, true), 01722u);
  EXPECT_EQ(mode({{9, 0, 0, {}, "a callback's"}, allow(kGenericRead, kUser)}), 0400u);
}

TEST(Security, WhatIsNotThereIsNotTold) {
  SecurityDescriptor d;
  EXPECT_EQ(to_bytes(d).size(), 20u);
  EXPECT_EQ(read_security(as_bytes(to_bytes(d))), d);
  d.has_dacl = true;  // and none: no limits
  EXPECT_EQ(read_security(as_bytes(to_bytes(d))), d);
  d.dacl.emplace();  // an empty one: nobody
  d.owner = kStranger;
  EXPECT_EQ(read_security(as_bytes(to_bytes(d))), d);
  d.dacl->push_back({5, 2, 0, {}, "four and more bytes"});
  EXPECT_EQ(read_security(as_bytes(to_bytes(d))), d);
}

TEST(Security, BrokenOnesAreRefused) {
  const std::string good = to_bytes(security_of_mode(0757, kUser, kTeam));
  ASSERT_TRUE(read_security(as_bytes(good)));
  for (size_t n = 0; n < good.size(); n++) EXPECT_FALSE(read_security(as_bytes(good).first(n))) << n;
  // Each byte, each with some values: never out of bounds (a sanitizer sees), and what is taken can be written again.
  for (size_t i = 0; i < good.size(); i++)
    for (int value : {0, 1, 7, 8, 0x14, 0x7f, 0x80, 0xff}) {
      std::string bad = good;
      bad[i] = static_cast<char>(value);
      if (auto d = read_security(as_bytes(bad))) {
        EXPECT_EQ(read_security(as_bytes(to_bytes(*d))), *d) << i;
      }
    }
  std::string absolute = good;
  absolute[3] = 0;  // pointers, not offsets
  EXPECT_FALSE(read_security(as_bytes(absolute)));
}

TEST(Security, NumbersForMacOs) {
  SecurityDescriptor d = security_of_mode(0640, kUser, kTeam);
  EXPECT_FALSE(nfs_mode_in(*d.dacl));
  append_nfs_aces(*d.dacl, S_IFREG | 0640, 5, 7);
  std::string sids;
  for (const Ace& ace : *d.dacl)
    if (ace.type == Ace::kDeny && ace.mask == 0) sids += to_text(ace.sid) + " ";
  EXPECT_EQ(sids, "S-1-5-88-3-33184 S-1-5-88-1-5 S-1-5-88-2-7 ");
  EXPECT_EQ(nfs_mode_in(*d.dacl), S_IFREG | 0640u);
  EXPECT_EQ(mode_of_security(d, false, kUser, kTeam), 0640u) << "they deny nothing";
}

TEST(Security, NumbersAreWrittenInOneWay) {
  const Identities ours, nfs(SidStyle::nfs_ids);
  const SecurityDescriptor d = security_of_mode(0751, ours.of_user(5), ours.of_group(7));
  auto list = *security_of_mode(0751, nfs.of_user(5), nfs.of_group(7)).dacl;
  EXPECT_NE(list, *d.dacl);
  write_as(ours, list);
  EXPECT_EQ(list, *d.dacl);
  const std::vector<Ace> others{{.sid = kTeam, .other = {}}, {.sid = nfs_mode_sid(0640), .other = {}}};
  list = others;
  write_as(ours, list);
  EXPECT_EQ(list, others);
}

}  // namespace
}  // namespace isthmus::windows
