#include "vfs/buffer.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>

namespace isthmus {
namespace {

std::string text(const Buffer& b, size_t room = 1000, Bytes into = {}) {
  std::string out(room, '?');
  auto n = b.copy_to(std::as_writable_bytes(std::span(out)), into);
  EXPECT_TRUE(n);
  out.resize(n ? *n : 0);
  return out;
}

TEST(Buffer, OwnedViewAndEmpty) {
  EXPECT_EQ(Buffer().size(), 0u);
  EXPECT_EQ(text(Buffer()), "");
  EXPECT_EQ(text(Buffer::own("hello")), "hello");
  EXPECT_EQ(text(Buffer::own("hello"), 3), "hel");
  std::string s = "view";
  EXPECT_EQ(text(Buffer::view(as_bytes(s))), "view");
}

TEST(Buffer, InOnePieceCopiesOnlyPieces) {
  std::string room;
  Buffer one = Buffer::own("hello");
  auto bytes = one.in_one_piece(room);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(as_text(*bytes), "hello");
  EXPECT_EQ(room, "");
  EXPECT_EQ(as_text(*Buffer().in_one_piece(room)), "");

  std::FILE* f = std::tmpfile();
  ASSERT_TRUE(f);
  std::fputs("0123", f);
  std::fflush(f);
  one.append(Buffer::FileRange{fileno(f), 2, 10, nullptr});
  bytes = one.in_one_piece(room);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(as_text(*bytes), "hello23");
  EXPECT_EQ(bytes->data(), as_bytes(room).data());
  std::fclose(f);
}

TEST(Buffer, FileRangeEndsWithTheFile) {
  std::FILE* f = std::tmpfile();
  ASSERT_TRUE(f);
  std::fputs("0123456789", f);
  std::fflush(f);
  EXPECT_EQ(text(Buffer::file(fileno(f), 2, 3)), "234");
  EXPECT_EQ(text(Buffer::file(fileno(f), 8, 100)), "89");
  EXPECT_EQ(text(Buffer::file(fileno(f), 50, 10)), "");
  Buffer two = Buffer::own("ab");
  two.append(Buffer::FileRange{fileno(f), 0, 2, nullptr});
  two.append(Buffer::Owned{nullptr, as_bytes("cd")});
  EXPECT_EQ(two.size(), 6u);
  EXPECT_EQ(text(two), "ab01cd");
  Buffer cut = Buffer::file(fileno(f), 8, 4);
  cut.append(Buffer::Owned{nullptr, as_bytes("never after a short file")});
  EXPECT_EQ(text(cut), "89");
  std::fclose(f);
}

TEST(Buffer, Filled) {
  std::string into = "filled in place";
  Buffer b = Buffer::filled(6);
  EXPECT_EQ(text(b, 100, as_bytes(into)), "filled");
  std::string small(3, ' ');
  EXPECT_EQ(b.copy_to(std::as_writable_bytes(std::span(small)), as_bytes("x")).code(), EIO) << "more than there is";
  bool one = false;
  EXPECT_EQ(as_text(b.contiguous_bytes(one, as_bytes(into))), "filled");
  EXPECT_TRUE(one);
}

TEST(Buffer, Contiguous) {
  bool one = false;
  EXPECT_EQ(as_text(Buffer::own("x").contiguous_bytes(one)), "x");
  EXPECT_TRUE(one);
  Buffer two = Buffer::own("x");
  two.append(Buffer::Owned{nullptr, as_bytes("y")});
  EXPECT_TRUE(two.contiguous_bytes(one).empty());
  EXPECT_FALSE(one);
  Buffer().contiguous_bytes(one);
  EXPECT_TRUE(one);
}

TEST(Buffer, BadDescriptor) {
  std::string out(4, ' ');
  EXPECT_EQ(Buffer::file(-1, 0, 4).copy_to(std::as_writable_bytes(std::span(out))).code(), EBADF);
}

}  // namespace
}  // namespace isthmus
