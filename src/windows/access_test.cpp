#include "windows/access.h"

#include <gtest/gtest.h>

namespace isthmus::windows {
namespace {

constexpr Sid kAsker{22, {1, 1000}}, kHerGroup{22, {2, 100}}, kSomebody{22, {1, 5}}, kOwnerRights{3, {4}};

Ace ace(uint8_t type, uint32_t mask, const Sid& sid, uint8_t flags = 0) { return {type, flags, mask, sid, {}}; }
SecurityDescriptor list_of(std::vector<Ace> list) {
  SecurityDescriptor d;
  d.has_dacl = true;
  d.dacl = std::move(list);
  return d;
}

TEST(Access, TheFirstThatSpeaksOfARightDecides) {
  const Sid who[] = {kAsker, kHerGroup, kEveryone};
  EXPECT_EQ(allowed_rights(
                list_of({ace(Ace::kDeny, kWriteData, kHerGroup), ace(Ace::kAllow, kReadData | kWriteData, kAsker)}),
                who, false),
            kReadData);
  EXPECT_EQ(allowed_rights(list_of({ace(Ace::kAllow, kWriteData, kAsker), ace(Ace::kDeny, kWriteData, kHerGroup)}), who,
                           false),
            kWriteData);
  EXPECT_EQ(allowed_rights(list_of({ace(Ace::kAllow, kReadData, kSomebody)}), who, false), 0u);
  EXPECT_EQ(allowed_rights(list_of({ace(Ace::kAllow, kReadData, kAsker, Ace::kInheritOnly)}), who, false), 0u);
  EXPECT_EQ(allowed_rights(list_of({ace(Ace::kAllow, kGenericAll, kEveryone)}), who, false), kAllRights);
  EXPECT_EQ(allowed_rights(SecurityDescriptor{}, who, false), kAllRights) << "no list at all";
}

TEST(Access, OwnersMayChangeTheListUnlessItSpeaksOfThem) {
  const Sid who[] = {kAsker};
  EXPECT_EQ(allowed_rights(list_of({}), who, true), kReadControl | kWriteDac);
  EXPECT_EQ(allowed_rights(list_of({}), who, false), 0u);
  EXPECT_EQ(allowed_rights(list_of({ace(Ace::kAllow, kReadData, kOwnerRights)}), who, true), kReadData);
  EXPECT_EQ(allowed_rights(list_of({ace(Ace::kAllow, kReadData, kOwnerRights)}), who, false), 0u);
}

TEST(Access, InheritanceGoesByTheFlags) {
  constexpr uint8_t kObject = Ace::kObjectInherit, kContainer = Ace::kContainerInherit, kOnly = Ace::kInheritOnly,
                    kOnce = Ace::kNoPropagate;
  const auto flags_of = [](uint8_t flags, bool directory, const Sid& sid = kSomebody) {
    const auto d = inherited(list_of({ace(Ace::kAllow, kWriteData, sid, flags)}), directory, kAsker, kHerGroup);
    std::vector<int> all;
    if (d)
      for (const Ace& a : *d->dacl) all.push_back(a.flags);
    return all;
  };
  using Flags = std::vector<int>;
  EXPECT_EQ(flags_of(0, false), Flags{});
  EXPECT_EQ(flags_of(kContainer, false), Flags{});
  EXPECT_EQ(flags_of(kObject, false), Flags{0});
  EXPECT_EQ(flags_of(kObject | kContainer | kOnly, false), Flags{0});
  EXPECT_EQ(flags_of(kObject, true), (Flags{kObject | kOnly}));
  EXPECT_EQ(flags_of(kObject | kOnce, true), Flags{});
  EXPECT_EQ(flags_of(kContainer, true), Flags{kContainer});
  EXPECT_EQ(flags_of(kContainer | kObject | kOnly, true), (Flags{kContainer | kObject}));
  EXPECT_EQ(flags_of(kContainer | kOnce, true), Flags{0});
  EXPECT_EQ(flags_of(kContainer, true, kCreatorOwner), (Flags{0, kContainer | kOnly})) << "for the owner, and on";
  const auto d = inherited(list_of({ace(Ace::kAllow, kGenericRead, kCreatorGroup, kObject)}), false, kAsker, kHerGroup);
  ASSERT_TRUE(d);
  EXPECT_EQ(d->dacl->front().sid, kHerGroup);
  EXPECT_EQ(d->dacl->front().mask, expand_generic(kGenericRead));
}

}  // namespace
}  // namespace isthmus::windows
