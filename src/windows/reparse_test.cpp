#include "windows/reparse.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/utf16.h"

namespace isthmus::windows {
namespace {

using namespace std::string_literals;

TEST(Utf16, EveryCharacterBothWays) {
  for (uint32_t c = 0; c <= 0x10ffff; c++) {
    if (c >= 0xd800 && c < 0xe000) continue;
    std::string wide;
    if (c < 0x10000) {
      wide = {static_cast<char>(c), static_cast<char>(c >> 8)};
    } else {
      const uint32_t high = 0xd800 + ((c - 0x10000) >> 10), low = 0xdc00 + (c & 0x3ff);
      for (uint32_t unit : {high, low}) {
        wide += static_cast<char>(unit);
        wide += static_cast<char>(unit >> 8);
      }
    }
    auto text = utf8_of(as_bytes(wide));
    ASSERT_TRUE(text) << c;
    ASSERT_EQ(utf16_of(*text), wide) << c;
  }
  EXPECT_EQ(utf16_of("\xf0\x9f\x98\x80"), "\x3d\xd8\x00\xde"s);
  for (const auto& bad : {"\x00"s, "\x3d\xd8"s, "\x3d\xd8\x41\x00"s, "\x00\xde\x3d\xd8"s, "\x3d\xd8\x3d\xd8"s})
    EXPECT_FALSE(utf8_of(as_bytes(bad)));
  EXPECT_FALSE(utf16_of("\xed\xa0\x80"));
}

TEST(Reparse, KnownBuffers) {
  EXPECT_EQ(to_reparse({S_IFIFO, {}, 0, 0}), "\x14\0\0\x80\x08\0\0\0FIFO\0\0\0\0"s);
  EXPECT_EQ(to_reparse({S_IFSOCK, {}, 0, 0}), "\x14\0\0\x80\x08\0\0\0SOCK\0\0\0\0"s);
  EXPECT_EQ(to_reparse({S_IFCHR, {}, 1, 3}), "\x14\0\0\x80\x10\0\0\0CHR\0\0\0\0\0\x01\0\0\0\x03\0\0\0"s);
  EXPECT_EQ(to_reparse({S_IFBLK, {}, 8, 1}), "\x14\0\0\x80\x10\0\0\0BLK\0\0\0\0\0\x08\0\0\0\x01\0\0\0"s);
  EXPECT_EQ(to_reparse({S_IFLNK, "a/b", 0, 0}), "\x0c\0\0\xa0\x12\0\0\0\0\0\x06\0\0\0\x06\0\x01\0\0\0a\0\\\0b\0"s);
  EXPECT_EQ(to_reparse({S_IFLNK, "a/:", 0, 0}, true), "\x0c\0\0\xa0\x12\0\0\0\0\0\x06\0\0\0\x06\0\x01\0\0\0a\0/\0:\0"s)
      << "as it stands";
  EXPECT_EQ(to_reparse({S_IFLNK, "\xff", 0, 0}, true), to_reparse({S_IFLNK, "\xff", 0, 0}))
      << "what is no UTF-8 does not stand";
  EXPECT_EQ(to_reparse({S_IFREG, {}, 0, 0}), std::nullopt);
  EXPECT_EQ(to_reparse({S_IFLNK, "", 0, 0}), std::nullopt);
  EXPECT_EQ(to_reparse({S_IFLNK, std::string(9000, 'x'), 0, 0}), std::nullopt);
}

TEST(Reparse, ThereAndBack) {
  const Special all[] = {{S_IFIFO, {}, 0, 0},
                         {S_IFSOCK, {}, 0, 0},
                         {S_IFCHR, {}, 4095, 1048575},
                         {S_IFBLK, {}, 0, 0},
                         {S_IFLNK, "a", 0, 0},
                         {S_IFLNK, "../x/./y", 0, 0},
                         {S_IFLNK, "/etc/passwd", 0, 0},
                         {S_IFLNK, "a\\b:c", 0, 0},
                         {S_IFLNK, "end. /", 0, 0},
                         {S_IFLNK, "\xff\xfe", 0, 0},
                         {S_IFLNK, "gr\xc3\xbc\xc3\x9f\x65", 0, 0},
                         {S_IFLNK, "//two", 0, 0}};
  for (const Special& s : all) {
    auto buffer = to_reparse(s);
    ASSERT_TRUE(buffer) << s.target;
    EXPECT_EQ(from_reparse(as_bytes(*buffer)), s) << s.target;
    EXPECT_EQ(static_cast<uint32_t>(*reparse_tag(s.type)),
              static_cast<uint32_t>(static_cast<unsigned char>((*buffer)[0])) |
                  static_cast<uint32_t>(static_cast<unsigned char>((*buffer)[3])) << 24);
    // Cut, or with a byte of another value: an answer or none, never out of bounds.
    for (size_t n = 0; n < buffer->size(); n++) EXPECT_FALSE(from_reparse(as_bytes(*buffer).first(n)));
    for (size_t i = 0; i < buffer->size(); i++)
      for (int value : {0, 1, 0x7f, 0x80, 0xff}) {
        std::string bad = *buffer;
        bad[i] = static_cast<char>(value);
        (void)from_reparse(as_bytes(bad));
      }
  }
}

TEST(Reparse, WhatOthersWrite) {
  // Windows: a substitute name behind the print name, of an absolute link.
  auto wide = [](std::string_view s) { return *utf16_of(s); };
  const std::string print = wide("C:\\x"), substitute = wide("\\??\\C:\\x");
  std::string data = "\x08\0\x10\0\0\0\x08\0\0\0\0\0"s + print + substitute;
  std::string buffer = "\x0c\0\0\xa0"s + static_cast<char>(data.size()) + "\0\0\0"s + data;
  EXPECT_EQ(from_reparse(as_bytes(buffer)), (Special{S_IFLNK, "C:/x", 0, 0}));
  // Linux's client: without the slash in front, and with that of POSIX between names.
  for (const auto& [sent, meant] :
       {std::pair("etc/passwd", "/etc/passwd"), {"", "/"}, {"/x", "/x"}, {"a\xef\x80\xa2", "/a:"}}) {
    const std::string path = wide(sent);
    const char size = static_cast<char>(path.size());
    data = "\0\0"s + size + "\0\0\0"s + size + "\0\0\0\0\0"s + path;
    buffer = "\x0c\0\0\xa0"s + static_cast<char>(data.size()) + "\0\0\0"s + data;
    EXPECT_EQ(from_reparse(as_bytes(buffer), true), (Special{S_IFLNK, meant, 0, 0})) << sent;
  }
  // NFS and WSL links hold paths of POSIX.
  data = "LNK\x01\0\0\0\0"s + wide("a\\b/c");
  buffer = "\x14\0\0\x80"s + static_cast<char>(data.size()) + "\0\0\0"s + data;
  EXPECT_EQ(from_reparse(as_bytes(buffer)), (Special{S_IFLNK, "a\\b/c", 0, 0}));
  EXPECT_EQ(from_reparse(as_bytes("\x1d\0\0\xa0\x07\0\0\0\x02\0\0\0a/b"s)), (Special{S_IFLNK, "a/b", 0, 0}));
  EXPECT_EQ(from_reparse(as_bytes("\x24\0\0\x80\0\0\0\0"s)), (Special{S_IFIFO, {}, 0, 0}));
  EXPECT_EQ(from_reparse(as_bytes("\x23\0\0\x80\0\0\0\0"s)), (Special{S_IFSOCK, {}, 0, 0}));
  EXPECT_EQ(from_reparse(as_bytes("\x25\0\0\x80\0\0\0\0"s)), (Special{S_IFCHR, {}, 0, 0}));
  EXPECT_EQ(from_reparse(as_bytes("\x26\0\0\x80\0\0\0\0"s)), (Special{S_IFBLK, {}, 0, 0}));
  for (const auto& bad :
       {"\x03\0\0\xa0\0\0\0\0"s, "\x1d\0\0\xa0\x04\0\0\0\x02\0\0\0"s, "\x1d\0\0\xa0\x06\0\0\0\x02\0\0\0a\0"s,
        "\x24\0\0\x80\x01\0\0\0x"s, "\x1d\0\0\xa0\x05\0\0\0\x01\0\0\0a"s})
    EXPECT_FALSE(from_reparse(as_bytes(bad)));
}

}  // namespace
}  // namespace isthmus::windows
