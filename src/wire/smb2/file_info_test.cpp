#include "wire/smb2/file_info.h"

#include <gtest/gtest.h>

#include "wire/smb2/set_info.h"
#include "wire/smb2/test_messages.h"
#include "wire/smb2/test_vectors.h"

namespace isthmus::smb2 {
namespace {

using namespace std::literals;

FileFacts some_file() {
  FileFacts f;
  f.times = {1, 2, 3, 4};
  f.allocation = 0x1000;
  f.end_of_file = 5;
  f.attributes = 0x420;
  f.reparse_tag = 0xA000000C;
  f.links = f.posix_links = 2;
  f.delete_pending = true;
  f.index_number = 6;
  f.volume_serial = 7;
  f.ea_size = 8;
  f.granted_access = 9;
  f.mode = 10;
  f.position = 11;
  f.alignment = 1;
  f.name = "\\\0a\0"s;
  f.short_name = "A\0"s;
  f.posix_mode = 0644;
  f.posix_allocation = f.allocation;
  f.uid = 12;
  f.gid = 13;
  f.device = 14;
  f.owner = "owner";
  f.group = "group";
  return f;
}

constexpr std::string_view kTimesHex =
    "0100000000000000"
    "0200000000000000"
    "0300000000000000"
    "0400000000000000";

TEST(Smb2FileInfo, Layouts) {
  const std::string times(kTimesHex), sizes =
                                          "0010000000000000"
                                          "0500000000000000";
  const std::string standard = sizes +
                               "02000000"
                               "01"
                               "00"
                               "0000";
  const std::string stat = "0600000000000000" + times + sizes +
                           "20040000"
                           "0c0000a0"
                           "02000000"
                           "09000000";
  const struct {
    FileInfoClass what;
    std::string hex;
  } cases[] = {
      {FileInfoClass::basic, times + "20040000"
                                     "00000000"},
      {FileInfoClass::standard, standard},
      {FileInfoClass::internal, "0600000000000000"},
      {FileInfoClass::ea, "08000000"},
      {FileInfoClass::access, "09000000"},
      {FileInfoClass::name,
       "04000000"
       "5c006100"},
      {FileInfoClass::position, "0b00000000000000"},
      {FileInfoClass::mode, "0a000000"},
      {FileInfoClass::alignment, "01000000"},
      {FileInfoClass::all, times +
                               "20040000"
                               "00000000" +
                               standard +
                               "0600000000000000"
                               "08000000"
                               "09000000"
                               "0b00000000000000"
                               "0a000000"
                               "01000000"
                               "04000000"
                               "5c006100"},
      {FileInfoClass::alternate_name,
       "02000000"
       "4100"},
      {FileInfoClass::compression,
       "0500000000000000"
       "0000"
       "00"
       "00"
       "00"
       "000000"},
      {FileInfoClass::network_open, times + sizes +
                                        "20040000"
                                        "00000000"},
      {FileInfoClass::attribute_tag,
       "20040000"
       "0c0000a0"},
      {FileInfoClass::normalized_name,
       "02000000"
       "6100"},
      {FileInfoClass::standard_link,
       "02000000"
       "02000000"
       "01"
       "00"
       "0000"},
      {FileInfoClass::id,
       "0700000000000000"
       "0600000000000000"
       "0000000000000000"},
      {FileInfoClass::stat, stat},
      {FileInfoClass::stat_lx, stat + "07000000"
                                      "0c000000"
                                      "0d000000"
                                      "a4010000"
                                      "00000000"
                                      "00000000"},
      {FileInfoClass::case_sensitive, "00000000"},
      {FileInfoClass::posix, times + "0500000000000000"
                                     "0010000000000000"
                                     "20040000"
                                     "0600000000000000"
                                     "0e000000"
                                     "00000000"
                                     "02000000"
                                     "0c0000a0"
                                     "a4010000"
                                     "6f776e6572"
                                     "67726f7570"},
  };
  for (const auto& c : cases) {
    const auto bytes = write_file_info(c.what, some_file());
    ASSERT_TRUE(bytes);
    EXPECT_EQ(*bytes, from_hex(c.hex)) << int(c.what);
    EXPECT_GE(minimum_size(c.what), 4u);
    // Names may be so short that the answer is below the smallest room.
    const bool short_one = c.what == FileInfoClass::alternate_name || c.what == FileInfoClass::normalized_name;
    EXPECT_LE(minimum_size(c.what), bytes->size() + (short_one ? 2 : 0)) << int(c.what);
  }
}

TEST(Smb2FileInfo, Classes) {
  for (int what = 0; what < 256; what++) {
    const auto c = static_cast<FileInfoClass>(what);
    EXPECT_EQ(write_file_info(c, {}).has_value(), minimum_size(c) != 0) << what;
  }
}

TEST(Smb2FileInfo, Streams) {
  FileFacts f;
  EXPECT_EQ(write_file_info(FileInfoClass::stream, f), "");
  f.streams = {{"::$DATA", 5, 0x1000}, {":a:$DATA", 6, 0x2000}};  // bytes are bytes
  EXPECT_EQ(write_file_info(FileInfoClass::stream, f), from_hex("20000000"
                                                                "07000000"
                                                                "0500000000000000"
                                                                "0010000000000000") +
                                                           "::$DATA\0"s +
                                                           from_hex("00000000"
                                                                    "08000000"
                                                                    "0600000000000000"
                                                                    "0020000000000000") +
                                                           ":a:$DATA");
}

TEST(Smb2Ea, ListThereAndBackAndCut) {
  const std::vector<Ea> list{{0, "user.a", "value"}, {Ea::kNeeded, "B", ""}};
  const std::string bytes = write_ea_list(list);
  EXPECT_EQ(bytes, from_hex("14000000"
                            "00"
                            "06"
                            "0500") +
                       "user.a\0value"s +
                       from_hex("00000000"
                                "80"
                                "01"
                                "0000") +
                       "B\0"s);
  EXPECT_EQ(ea_size(list[0]), 20u);
  EXPECT_EQ(ea_size(list[1]), 12u);
  EXPECT_EQ(read_ea_list(as_bytes(bytes)), list);
  EXPECT_TRUE(read_ea_list({})->empty());
  for (size_t n = 1; n < bytes.size(); n++) EXPECT_FALSE(read_ea_list(as_bytes(bytes).first(n))) << n;
  EXPECT_FALSE(read_ea_list(as_bytes(bytes), 1));
  FileFacts f;
  f.eas = list;
  EXPECT_EQ(write_file_info(FileInfoClass::full_ea, f), bytes);
  EXPECT_EQ(write_ea_list({{0, std::string(256, 'n'), ""}, {0, "n", std::string(65536, 'v')}, {0, "", "v"}}), "");
  // No name, a zero in it, none behind it, the next one inside of the first, at its end, behind the list.
  const struct {
    size_t at;
    std::string_view bytes;
  } cases[] = {{5, "\0"sv}, {9, "\0"sv}, {14, "x"sv}, {0, "\x13"sv}, {0, "\1"sv}, {0, "\x1e"sv}, {3, "\x80"sv}};
  for (const auto& c : cases) {
    std::string bad = bytes;
    bad.replace(c.at, c.bytes.size(), c.bytes);
    EXPECT_EQ(read_ea_list(as_bytes(bad)).has_value(), false) << c.at;
  }
}

TEST(Smb2Ea, Names) {
  const std::string bytes = from_hex(
                                "0c000000"
                                "04") +
                            "ab.c\0\0\0"s +
                            from_hex(
                                "00000000"
                                "01") +
                            "d\0"s;
  const auto names = read_ea_names(as_bytes(bytes));
  ASSERT_TRUE(names);
  EXPECT_EQ(*names, (std::vector<std::string_view>{"ab.c", "d"}));
  for (size_t n = 1; n < bytes.size(); n++) EXPECT_FALSE(read_ea_names(as_bytes(bytes).first(n))) << n;
  EXPECT_FALSE(read_ea_names(as_bytes(bytes), 1));
}

TEST(Smb2SetInfo, Basic) {
  const std::string bytes = from_hex(
      "0000000000000000"
      "ffffffffffffffff"
      "feffffffffffffff"
      "010000000000d001"
      "80000000"
      "00000000");
  const auto m = read_basic_change(as_bytes(bytes));
  ASSERT_TRUE(m);
  EXPECT_EQ(time_change(m->times.creation), TimeChange::keep);
  EXPECT_EQ(time_change(m->times.access), TimeChange::freeze);
  EXPECT_EQ(time_change(m->times.write), TimeChange::thaw);
  EXPECT_EQ(time_change(m->times.change), TimeChange::set);
  EXPECT_EQ(m->attributes, 0x80u);
  readable_only_whole(bytes, [](Bytes b) { return read_basic_change(b).has_value(); });
  for (size_t at = 0; at < 32; at += 8) {
    std::string bad = bytes;
    bad.replace(at, 8, "\xfd\xff\xff\xff\xff\xff\xff\xff");
    EXPECT_FALSE(read_basic_change(as_bytes(bad))) << at;
  }
}

TEST(Smb2SetInfo, Names) {
  const std::string bytes = from_hex(
      "ff00000000000000"
      "0000000000000000"
      "04000000"
      "61006200");
  for (bool ex : {false, true}) {
    const auto m = read_name_change(as_bytes(bytes), ex);
    ASSERT_TRUE(m);
    EXPECT_EQ(m->flags, ex ? 0xFFu : NameChange::kReplace);
    EXPECT_EQ(m->root, 0u);
    EXPECT_EQ(as_text(m->name), "a\0b\0"sv);
    readable_only_whole(bytes, [ex](Bytes b) { return read_name_change(b, ex).has_value(); });
  }
  for (std::string_view length : {"\0\0\0\0"sv, "\3\0\0\0"sv, "\6\0\0\0"sv, "\xfe\xff\xff\xff"sv}) {
    std::string bad = bytes;
    bad.replace(16, 4, length);
    EXPECT_FALSE(read_name_change(as_bytes(bad), false));
  }
  const std::string short_name = from_hex(
      "04000000"
      "61006200");
  EXPECT_EQ(as_text(*read_short_name_change(as_bytes(short_name))), "a\0b\0"sv);
  readable_only_whole(short_name, [](Bytes b) { return read_short_name_change(b).has_value(); });
}

TEST(Smb2SetInfo, Numbers) {
  EXPECT_EQ(read_disposition_change(as_bytes("\1"), false)->flags, DispositionChange::kDelete);
  EXPECT_EQ(read_disposition_change(as_bytes("\0"sv), false)->flags, 0u);
  EXPECT_FALSE(read_disposition_change({}, false));
  EXPECT_EQ(read_disposition_change(as_bytes("\x13\0\0\0"sv), true)->flags, 0x13u);
  readable_only_whole("\x13\0\0\0"sv, [](Bytes b) { return read_disposition_change(b, true).has_value(); });
  EXPECT_EQ(read_size_change(as_bytes(from_hex("ffffffffffffff7f"))), uint64_t{INT64_MAX});
  EXPECT_FALSE(read_size_change(as_bytes(from_hex("0000000000000080"))));
  readable_only_whole("\1\2\3\4\5\6\7\1"sv, [](Bytes b) { return read_size_change(b).has_value(); });
  EXPECT_EQ(read_flags_change(as_bytes("\2\0\0\0"sv)), 2u);
  readable_only_whole("\1\2\3\4"sv, [](Bytes b) { return read_flags_change(b).has_value(); });
  EXPECT_EQ(minimum_set_size(FileInfoClass::basic), 40u);
  EXPECT_EQ(minimum_set_size(FileInfoClass::all), 0u);
}

}  // namespace
}  // namespace isthmus::smb2
