#include "wire/ftp/listing.h"

#include <gmock/gmock.h>

namespace isthmus::wire::ftp {
namespace {

using testing::ElementsAre;
using testing::Field;

constexpr int64_t kNow = 1'700'000'000;  // 2023-11-14 22:13:20

Facts list_line(std::string_view line, Line wanted = Line::entry) {
  Facts f;
  EXPECT_EQ(parse_list(line, kNow, f), wanted) << line;
  return f;
}
Facts machine_line(std::string_view line, Line wanted = Line::entry) {
  Facts f;
  EXPECT_EQ(parse_mlsd(line, f), wanted) << line;
  return f;
}
int64_t at(int64_t y, unsigned m, unsigned d, unsigned h = 0, unsigned min = 0, unsigned s = 0) {
  return seconds_of(y, m, d, h, min, s).value_or(-1);
}

TEST(Times, AreThoseOfTheCalendar) {
  EXPECT_EQ(at(1970, 1, 1), 0);
  EXPECT_EQ(at(2000, 2, 29, 12), 951'825'600);
  EXPECT_EQ(at(2023, 11, 14, 22, 13, 20), kNow);
  EXPECT_EQ(at(1969, 12, 31, 23, 59, 59), -1);
  EXPECT_FALSE(seconds_of(2023, 2, 29, 0, 0, 0));
  EXPECT_FALSE(seconds_of(2023, 13, 1, 0, 0, 0));
  EXPECT_FALSE(seconds_of(0, 1, 1, 0, 0, 0));
  for (int64_t sec :
       {int64_t{0}, kNow, int64_t{951'825'599}, int64_t{4'102'444'800}, int64_t{-1}, int64_t{-2'208'988'800}}) {
    auto t = parse_time(format_time({sec, 0}));
    ASSERT_TRUE(t) << sec;
    EXPECT_EQ(t->sec, sec);
  }
  EXPECT_EQ(format_time({INT64_MAX, 0}), "99991231235959");
  EXPECT_EQ(format_time({INT64_MIN, 0}), "00010101000000");
  EXPECT_EQ(parse_time("20231114221320.25"), (Time{kNow, 250'000'000}));
  for (auto text :
       {"", "2023", "2023111422132", "20231114221320.", "20231114221320x", "20231314221320", "-0231114221320"})
    EXPECT_FALSE(parse_time(text)) << text;
}

TEST(Times, WithoutAYearAreTheLastOnes) {
  EXPECT_EQ(recent_seconds(kNow, 11, 14, 22, 13), at(2023, 11, 14, 22, 13));
  EXPECT_EQ(recent_seconds(kNow, 11, 15, 22, 0), at(2023, 11, 15, 22));  // the server's day may be ahead
  EXPECT_EQ(recent_seconds(kNow, 12, 1, 0, 0), at(2022, 12, 1));
  EXPECT_EQ(recent_seconds(at(2024, 1, 1), 12, 31, 23, 0), at(2023, 12, 31, 23));
  EXPECT_EQ(recent_seconds(at(2023, 12, 31, 23), 1, 1, 0, 30), at(2024, 1, 1, 0, 30));
  EXPECT_EQ(recent_seconds(kNow, 2, 29, 0, 0), at(2020, 2, 29));
  EXPECT_FALSE(recent_seconds(kNow, 2, 30, 0, 0));
}

TEST(List, UnixFormsAreUnderstood) {
  auto f = list_line("-rw-r--r--    1 ftp      ftp          2367 Mar 17 10:12 dummy");
  EXPECT_EQ(f.name, "dummy");
  EXPECT_EQ(f.kind, Kind::file);
  EXPECT_EQ(f.size, 2367u);
  EXPECT_EQ(f.mode, 0644u);
  EXPECT_EQ(f.modified->sec, at(2023, 3, 17, 10, 12));
  EXPECT_FALSE(f.exact);
  f = list_line("drwxrwsr-t+ 12 user with blanks group 4096 Feb  3  2019 a  name with  blanks ");
  EXPECT_EQ(f.kind, Kind::folder);
  EXPECT_EQ(f.name, "a  name with  blanks ");
  EXPECT_EQ(f.mode, 03775u);
  EXPECT_FALSE(f.size);
  EXPECT_EQ(f.modified->sec, at(2019, 2, 3));
  f = list_line("lrwxrwxrwx 1 0 0 7 Jan 1 2020 link -> target -> more");
  EXPECT_EQ(f.kind, Kind::link);
  EXPECT_EQ(f.name, "link");
  EXPECT_EQ(f.target, "target -> more");
  EXPECT_EQ(list_line("lrwxrwxrwx 1 0 0 7 Jan 1 2020 link").kind, Kind::unknown);
  EXPECT_EQ(list_line("-rwsr-Sr-T 1 root 17 Dec 24 23:59 no group").mode, 07744u);
  EXPECT_EQ(list_line("-rw-r--r-- 1 root root 17 Dec 24 23:59   two blanks in front").name, "  two blanks in front");
  EXPECT_EQ(list_line("-rw-rw-rw-   1 owner group 123 24 Dec 2001 day first").modified->sec, at(2001, 12, 24));
  EXPECT_EQ(list_line("-rw-r--r-- 1 u g 5 2021-02-03 04:05 iso").modified->sec, at(2021, 2, 3, 4, 5));
  EXPECT_EQ(list_line("-rw-r--r-- 1 u g 5 2021-02-03 04:05:06 iso").modified->sec, at(2021, 2, 3, 4, 5, 6));
  EXPECT_EQ(list_line("crw-rw-rw- 1 root root 1, 3 Jan 1 2020 null").kind, Kind::file);
  EXPECT_FALSE(list_line("crw-rw-rw- 1 root root 1, 3 Jan 1 2020 null").size);
  EXPECT_EQ(list_line("-rw-r--r-- 1 u g 18446744073709551615 Jan 1 2020 huge").size, UINT64_MAX);
  EXPECT_EQ(list_line("-rw-r--r-- 1 Jan 3 Jan 1 2020 an owner called Jan").name, "an owner called Jan");
  EXPECT_EQ(list_line("-rw-r--r-- 1 u g 5 Jan 1 2020 a -> b").name, "a -> b");
}

TEST(List, DosFormsAreUnderstood) {
  auto f = list_line("01-23-70  04:05PM       <DIR>          some folder");
  EXPECT_EQ(f.kind, Kind::folder);
  EXPECT_EQ(f.name, "some folder");
  EXPECT_EQ(f.modified->sec, at(1970, 1, 23, 16, 5));
  f = list_line("12-31-2024  12:00AM                 1234 file.txt");
  EXPECT_EQ(f.kind, Kind::file);
  EXPECT_EQ(f.size, 1234u);
  EXPECT_EQ(f.name, "file.txt");
  EXPECT_EQ(f.modified->sec, at(2024, 12, 31));
  EXPECT_EQ(list_line("2024-12-31  16:05  99  two  words").name, " two  words");
  EXPECT_EQ(list_line("02-03-05  12:05PM <JUNCTION> j").kind, Kind::unknown);
}

TEST(List, WhatIsNoEntryIsNone) {
  list_line("total 17", Line::nothing);
  list_line("", Line::nothing);
  list_line("drwxr-xr-x 2 u g 4096 Jan 1 2020 .", Line::self);
  list_line("drwxr-xr-x 2 u g 4096 Jan 1 2020 ..", Line::self);
  list_line("-rw-r--r-- 1 u g 5 Jan 1 2020 a/b", Line::bad_name);
  list_line("-rw-r--r-- 1 u g 5 Jan 1 2020 ../../etc/passwd", Line::bad_name);
  list_line("-rw-r--r-- 1 u g 5 Jan 1 2020 a\rb", Line::bad_name);
  list_line("-rw-r--r-- 1 u g 5 Jan 1 2020 " + std::string(256, 'n'), Line::bad_name);
  for (auto line : {"-rw-r--r--",
                    "-rw-r--r-- 1 u g 5 Jan 1 2020",
                    "-rw-r--r-- 1 u g 5 Jan 1 2020 ",
                    "-rw-r--r-- 1 u g x Jan 1 2020 name",
                    "-rw-r--r-- 1 u g 5 Foo 1 2020 name",
                    "-rw-r--r-- 1 u g 5 Jan 32 2020 name",
                    "-rw-r--r-- 1 u g 5 Feb 30 2020 name",
                    "?rw-r--r-- 1 u g 5 Jan 1 2020 name",
                    "-rwq------ 1 u g 5 Jan 1 2020 name",
                    "- x",
                    "d",
                    "------------",
                    "01-23-70 04:05PM",
                    "01-23-70 04:05PM <DIR>",
                    "01-23-70 04:05PM <DIR> ",
                    "01-23-70 25:05 5 n",
                    "1",
                    "99999999999999999999",
                    "01-23-70 04:05PM 5",
                    "13-23-70 04:05PM 5 n",
                    "01-23-1 04:05PM 5 n",
                    "+i1.2,m3,/,\tname",
                    "ftp: no such folder"})
    list_line(line, Line::bad);
}

TEST(MachineList, FactsAreUnderstood) {
  auto f = machine_line("type=file;size=17;modify=20231114221320;UNIX.mode=0640;UNIX.uid=1; a name");
  EXPECT_EQ(f.kind, Kind::file);
  EXPECT_EQ(f.name, "a name");
  EXPECT_EQ(f.size, 17u);
  EXPECT_EQ(f.mode, 0640u);
  EXPECT_TRUE(f.exact);
  EXPECT_EQ(f.modified->sec, kNow);
  EXPECT_EQ(machine_line("Type=DIR;Perm=el; d").mode, 0555u);
  EXPECT_EQ(machine_line("Type=dir;Perm=elcmp; d").mode, 0755u);
  EXPECT_EQ(machine_line("Type=file;Perm=r; d").mode, 0444u);
  f = machine_line("type=OS.unix=slink:/to/there; link");
  EXPECT_EQ(f.kind, Kind::link);
  EXPECT_EQ(f.target, "/to/there");
  EXPECT_EQ(machine_line("type=OS.unix=symlink; link").kind, Kind::unknown);
  EXPECT_EQ(machine_line("type=OS.unix=chr-1/3; null").kind, Kind::unknown);
  EXPECT_EQ(machine_line("size=x;modify=y;UNIX.mode=9;type=file; odd").size, std::nullopt);
  EXPECT_EQ(machine_line(" nothing known").name, "nothing known");
  EXPECT_EQ(machine_line("type=file;  a blank in front").name, " a blank in front");
}

TEST(MachineList, WhatIsNoEntryIsNone) {
  machine_line("type=cdir;size=4; .", Line::self);
  machine_line("type=cdir; /some/where", Line::self);
  machine_line("type=pdir; ..", Line::self);
  machine_line("type=dir; .", Line::self);
  machine_line("type=file; a/b", Line::bad_name);
  machine_line("type=file; ", Line::bad_name);
  for (auto line : {"", "type=file;name", "junk name", "type name"}) machine_line(line, Line::bad);
}

TEST(ListingReader, TakesPiecesOfAnySize) {
  const std::string text =
      "total 3\r\n-rw-r--r-- 1 u g 5 Jan 1 2020 b\r\ndrwxr-xr-x 2 u g 4096 Jan 1 2020 .\r\n"
      "-rw-r--r-- 1 u g 5 Jan 1 2020 a/../b\r\ngarbage\r\n-rw-r--r-- 1 u g 7 Jan 1 2020 a";
  for (size_t piece = 1; piece <= text.size(); piece++) {
    ListingReader r(Format::list, kNow, 10);
    for (size_t i = 0; i < text.size(); i += piece) r.feed(std::string_view(text).substr(i, piece));
    EXPECT_THAT(r.finish(), ElementsAre(Field(&Facts::name, "a"), Field(&Facts::name, "b")));
    EXPECT_EQ(r.counts().bad_names, 1u);
    EXPECT_EQ(r.counts().bad_lines, 1u);
    EXPECT_TRUE(r.counts().self);
  }
}

TEST(ListingReader, KeepsItsLimits) {
  ListingReader r(Format::mlsd, kNow, 2);
  r.feed("type=file;size=1; same\ntype=file;size=2; same\n");
  r.feed("type=file; third\n");
  r.feed("type=file; " + std::string(2 * ListingReader::kMostLine, 'x'));
  r.feed(std::string(ListingReader::kMostLine, 'x') + "\n\n");
  auto names = r.finish();
  ASSERT_EQ(names.size(), 1u);
  EXPECT_EQ(names[0].size, 1u);
  EXPECT_EQ(r.counts().bad_names, 1u);
  EXPECT_EQ(r.counts().bad_lines, 1u);
  EXPECT_EQ(r.counts().too_many, 1u);
}

}  // namespace
}  // namespace isthmus::wire::ftp
