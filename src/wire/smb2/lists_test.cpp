#include <gtest/gtest.h>

#include "wire/smb2/create.h"
#include "wire/smb2/directory_info.h"
#include "wire/smb2/notify_info.h"
#include "wire/smb2/posix_facts.h"
#include "wire/smb2/test_vectors.h"
#include "wire/smb2/volume_info.h"

namespace isthmus::smb2 {
namespace {

using namespace std::literals;

FileFacts some_entry() {
  FileFacts f;
  f.times = {1, 2, 3, 4};
  f.end_of_file = 5;
  f.allocation = 6;
  f.attributes = 0x20;
  f.ea_size = 7;
  f.reparse_tag = 0x80000014;
  f.index_number = 8;
  f.short_name = "S\0"s;
  f.posix_mode = 0755;
  f.posix_allocation = f.allocation;
  f.owner = "own";
  f.group = "gr";
  return f;
}

TEST(Smb2PosixFacts, ModesOnTheWire) {
  const std::pair<uint32_t, uint32_t> modes[] = {{0100644, 0644},   {040755, 0755},   {0104755, 04755},
                                                 {0120777, 020777}, {020600, 030600}, {060600, 040600},
                                                 {010640, 050640},  {0140700, 060700}};
  for (const auto& [own, wire] : modes) EXPECT_EQ(posix_wire_mode(own), wire) << own;
}

std::string one_entry(FindClass what, const FileFacts& f, const AaplEntry* aapl = nullptr) {
  DirectoryWriter w(what, 4096);
  EXPECT_TRUE(w.add(f, as_bytes("n\0"sv), aapl));
  return w.finish();
}

TEST(Smb2DirectoryInfo, Layouts) {
  const std::string times =
      "0100000000000000"
      "0200000000000000"
      "0300000000000000"
      "0400000000000000";
  const std::string sizes =
      "0500000000000000"
      "0600000000000000";
  const std::string head =
      "00000000"
      "00000000" +
      times + sizes +
      "20000000"
      "02000000";
  const std::string short_name =
                        "02"
                        "00"
                        "5300" +
                        std::string(44, '0'),
                    id = "0800000000000000", none = "00000000";
  const std::string name = "6e00", long_id = id + "0000000000000000";
  const struct {
    FindClass what;
    std::string hex;
  } cases[] = {
      {FindClass::directory, head + name},
      {FindClass::full, head + "07000000" + name},
      {FindClass::both, head + "07000000" + short_name + name},
      {FindClass::names,
       "00000000"
       "00000000"
       "02000000" +
           name},
      {FindClass::id_both, head + "07000000" + short_name + "0000" + id + name},
      {FindClass::id_full, head + "07000000" + none + id + name},
      {FindClass::id_extd, head + "07000000" + none + long_id + name},
      {FindClass::id_extd_both, head + "07000000" + none + long_id + short_name + name},
      {FindClass::id_64_extd, head + "07000000" + none + id + name},
      {FindClass::id_64_extd_both, head + "07000000" + none + id + short_name + name},
      {FindClass::id_all_extd, head + "07000000" + none + id + long_id + name},
      {FindClass::id_all_extd_both, head + "07000000" + none + id + long_id + short_name + name},
      {FindClass::posix,
       "00000000"
       "00000000" +
           times + sizes + "20000000" + id + none + none +
           "01000000"
           "14000080"
           "ed010000"
           "6f776e"
           "6772"
           "02000000" +
           name},
  };
  size_t known = 0;
  for (int what = 0; what < 256; what++) known += DirectoryWriter::knows(static_cast<FindClass>(what)) ? 1 : 0;
  EXPECT_EQ(known, std::size(cases));
  for (const auto& c : cases) EXPECT_EQ(one_entry(c.what, some_entry()), from_hex(c.hex)) << int(c.what);
}

TEST(Smb2DirectoryInfo, ReparsePointsAndApple) {
  FileFacts f = some_entry();
  f.attributes |= kAttrReparsePoint;
  EXPECT_EQ(one_entry(FindClass::full, f).substr(64, 4), from_hex("14000080"));
  EXPECT_EQ(one_entry(FindClass::id_extd, f).substr(64, 8), from_hex("07000000"
                                                                     "14000080"));
  AaplEntry a;
  a.max_access = 0x1F01FF;
  a.resource_fork_size = 0x123;
  a.finder_info = "TEXTttxtFfXxDate";
  a.mode = 0100644;
  const std::string entry = one_entry(FindClass::id_both, some_entry(), &a);
  EXPECT_EQ(entry.substr(64), from_hex("ff011f00"
                                       "18"
                                       "00"
                                       "2301000000000000") +
                                  "TEXTttxtFfXxDate" +
                                  from_hex("a481"
                                           "0800000000000000"
                                           "6e00"));
  EXPECT_EQ(one_entry(FindClass::id_full, some_entry(), &a), one_entry(FindClass::id_full, some_entry()));
}

TEST(Smb2DirectoryInfo, LinksAndLimits) {
  // 12 + 2 bytes, then 2 of padding.
  for (size_t limit = 0; limit < 64; limit++) {
    DirectoryWriter w(FindClass::names, limit);
    size_t fitted = 0;
    while (w.add({}, as_bytes("n\0"sv))) fitted++;
    EXPECT_EQ(fitted, limit < 14 ? 0 : 1 + (limit - 14) / 16) << limit;
    EXPECT_EQ(w.first_did_not_fit(), limit < 14);
    EXPECT_EQ(w.empty(), limit < 14);
    EXPECT_LE(w.size(), limit);
  }
  DirectoryWriter w(FindClass::names, 4096);
  EXPECT_TRUE(w.add({}, as_bytes("n\0"sv)));
  EXPECT_TRUE(w.add({}, as_bytes("n\0m\0"sv)));
  EXPECT_EQ(w.finish(), from_hex("10000000"
                                 "00000000"
                                 "02000000"
                                 "6e00"
                                 "0000"
                                 "00000000"
                                 "00000000"
                                 "04000000"
                                 "6e006d00"));
  DirectoryWriter unknown(static_cast<FindClass>(99), 4096);
  EXPECT_FALSE(unknown.add({}, {}));
}

TEST(Smb2NotifyInfo, LinksAndLimits) {
  NotifyWriter w(12 + 6 + 2 + 12 + 2);
  EXPECT_TRUE(w.empty());
  EXPECT_TRUE(w.add(NotifyAction::renamed_old, as_bytes("a\0b\0c\0"sv)));
  EXPECT_TRUE(w.add(NotifyAction::renamed_new, as_bytes("d\0"sv)));
  EXPECT_FALSE(w.add(NotifyAction::added, {}));
  EXPECT_EQ(w.finish(), from_hex("14000000"
                                 "04000000"
                                 "06000000"
                                 "610062006300"
                                 "0000"
                                 "00000000"
                                 "05000000"
                                 "02000000"
                                 "6400"));
  NotifyWriter none(13);
  EXPECT_FALSE(none.add(NotifyAction::added, as_bytes("a\0"sv)));
}

TEST(Smb2VolumeInfo, Layouts) {
  VolumeFacts v;
  v.creation = 1;
  v.serial = 2;
  v.label = "L\0"s;
  v.total_units = 3;
  v.available_units = 4;
  v.free_units = 5;
  v.sectors_per_unit = 8;
  v.attributes = kFsCasePreserved | kFsUnicode;
  v.filesystem = "N\0"s;
  v.object_id.fill(std::byte{9});
  v.blocks = 6;
  v.blocks_free = 7;
  v.blocks_available = 8;
  v.fsid = 9;
  const struct {
    FsInfoClass what;
    std::string hex;
  } cases[] = {
      {FsInfoClass::volume,
       "0100000000000000"
       "02000000"
       "02000000"
       "00"
       "00"
       "4c00"},
      {FsInfoClass::size,
       "0300000000000000"
       "0400000000000000"
       "08000000"
       "00020000"},
      {FsInfoClass::device,
       "07000000"
       "20000000"},
      {FsInfoClass::attribute,
       "06000000"
       "ff000000"
       "02000000"
       "4e00"},
      {FsInfoClass::full_size,
       "0300000000000000"
       "0400000000000000"
       "0500000000000000"
       "08000000"
       "00020000"},
      {FsInfoClass::object_id, "09090909090909090909090909090909" + std::string(96, '0')},
      {FsInfoClass::sector_size,
       "00020000"
       "00100000"
       "00100000"
       "00100000"
       "07000000"
       "00000000"
       "00000000"},
      {FsInfoClass::posix,
       "00100000"
       "00100000"
       "0600000000000000"
       "0700000000000000"
       "0800000000000000"
       "ffffffffffffffff"
       "ffffffffffffffff"
       "0900000000000000"},
  };
  for (const auto& c : cases) EXPECT_EQ(write_volume_info(c.what, v), from_hex(c.hex)) << int(c.what);
  for (int what = 0; what < 256; what++) {
    const auto c = static_cast<FsInfoClass>(what);
    EXPECT_EQ(write_volume_info(c, v).has_value(), minimum_size(c) != 0) << what;
  }
}

}  // namespace
}  // namespace isthmus::smb2
