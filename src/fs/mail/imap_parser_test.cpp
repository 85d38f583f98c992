#include "fs/mail/imap_parser.h"

#include <gtest/gtest.h>

namespace isthmus::fs::mail::imap {
namespace {

using Step = Parser::Step;

/// The responses of `text`, given in pieces; "broken" ends it.
std::vector<Response> parse(std::string_view text, size_t piece, bool* broken = nullptr) {
  Parser p;
  std::vector<Response> all;
  for (size_t at = 0; at < text.size(); at += piece) {
    p.put(text.substr(at, piece));
    for (;;) {
      Response r;
      const Step s = p.next(r);
      if (s == Step::broken) {
        if (broken) *broken = true;
        return all;
      }
      if (s == Step::more) break;
      all.push_back(std::move(r));
    }
  }
  return all;
}
bool breaks(std::string_view text) {
  bool broken = false;
  parse(text, 4096, &broken);
  return broken;
}

TEST(ImapParser, WhateverThePieces) {
  const std::string text =
      "* OK [UIDVALIDITY 3857529045] valid {3}\r\n"
      "* 12 FETCH (FLAGS (\\Seen $x) UID 7 BODY[HEADER.FIELDS (A B)]<0> {5}\r\na\r\n)\" RFC822.SIZE 44 X NIL)\r\n"
      "+ idling {9}\r\n"
      "* LIST (\\HasNoChildren \\Trash) \"/\" \"a \\\"b\\\\\"\r\n"
      "* LIST () NIL {3+}\r\nx y\r\n"
      "i1 NO [TRYCREATE] none\r\n"
      "i2 OK\r\n"
      "i3 BAD [BADCODE (a] what\r\n"
      "* CAPABILITY IMAP4rev1 IDLE\n";
  for (size_t piece : {1, 2, 3, 7, 10'000}) {
    const auto all = parse(text, piece);
    ASSERT_EQ(all.size(), 9u) << piece;
    EXPECT_TRUE(all[0].ok());
    EXPECT_TRUE(all[0].has_code("uidvalidity"));
    EXPECT_EQ(all[0].code[1].number(UINT32_MAX), 3857529045u);
    EXPECT_EQ(all[0].text, " valid {3}");
    ASSERT_EQ(all[1].values.size(), 3u);
    EXPECT_EQ(all[1].values[0].number(100), 12u);
    EXPECT_FALSE(all[1].values[0].number(11));
    EXPECT_TRUE(all[1].values[1].is("fetch"));
    const auto& items = all[1].values[2].list;
    ASSERT_EQ(items.size(), 10u);
    EXPECT_EQ(items[1].list[0].text, "\\Seen");
    EXPECT_EQ(items[4].text, "BODY[HEADER.FIELDS (A B)]<0>");
    EXPECT_EQ(items[5].text, "a\r\n)\"");
    EXPECT_EQ(items[5].kind, Value::Kind::string);
    EXPECT_EQ(items[7].number(100), 44u);
    EXPECT_EQ(items[9].kind, Value::Kind::nil);
    EXPECT_EQ(all[2].tag, "+");
    EXPECT_EQ(all[3].values[3].text, "a \"b\\");
    EXPECT_EQ(all[4].values[3].text, "x y");
    EXPECT_EQ(all[5].status, "NO");
    EXPECT_TRUE(all[5].has_code("TRYCREATE"));
    EXPECT_TRUE(all[6].ok());
    EXPECT_EQ(all[7].status, "BAD");
    EXPECT_TRUE(all[7].code.empty());
    EXPECT_TRUE(all[8].values[2].is("IDLE"));
  }
}

TEST(ImapParser, WhatIsNoImap) {
  for (const char* bad :
       {"\r\n", "* 1 FETCH (\r\n", "* 1 FETCH )\r\n", "* LIST \"x\r\n", "* x {1}y\r\nz\r\n", "* a[b\r\n", " x\r\n"})
    EXPECT_TRUE(breaks(bad)) << bad;
}

TEST(ImapParser, Bounds) {
  EXPECT_TRUE(breaks("* 1 FETCH (X {99999999999999999999}\r\n"))
      << "a number that is none is no literal, and a brace no atom";
  EXPECT_TRUE(breaks("* 1 FETCH (X {4194305}\r\n"));
  EXPECT_FALSE(breaks("* 1 FETCH (X {4194304}\r\n"));
  EXPECT_TRUE(breaks("* X " + std::string(Parser::kMost + 10, 'a')));
  EXPECT_TRUE(breaks("* " + std::string(50, '(') + std::string(50, ')') + "\r\n"));
  EXPECT_FALSE(breaks("* " + std::string(15, '(') + std::string(15, ')') + "\r\n"));
  std::string many = "* ";
  for (int i = 0; i < 100'001; i++) many += "a ";
  EXPECT_TRUE(breaks(many + "\r\n"));
  // Literals that add up.
  std::string literals = "* (";
  for (int i = 0; i < 3; i++) literals += "{4000000}\r\n" + std::string(4'000'000, 'x');
  EXPECT_TRUE(breaks(literals + ")\r\n"));
}

TEST(ImapParser, Words) {
  EXPECT_EQ(quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_FALSE(quoted("a\r\nb"));
  EXPECT_FALSE(quoted("\xc3\xa4"));
  EXPECT_EQ(number_set({1, 2, 3, 7, 9, 10}), "1:3,7,9:10");
  EXPECT_EQ(number_set({5}), "5");
  EXPECT_EQ(time_of("17-Jul-1996 02:44:25 -0700"), 837596665);
  EXPECT_EQ(time_of(" 7-Feb-1994 21:52:25 +0000"), 760657945);
  EXPECT_FALSE(time_of("yesterday"));
  EXPECT_FALSE(time_of("17-Jul-1996 02:44:25 -0700 x"));
}

}  // namespace
}  // namespace isthmus::fs::mail::imap
