#include "windows/wildcards.h"

#include <gtest/gtest.h>

#include <random>

#include "windows/fold.h"

namespace isthmus::windows {
namespace {

bool match(std::string_view pattern, std::string_view name, bool ignore_case = true) {
  return Wildcards(pattern, ignore_case).matches(name);
}

TEST(Fold, CaseOfEveryScriptOneForOne) {
  EXPECT_TRUE(same_but_case("Gr\xc3\xbc\xc3\x9f\x65.TXT", "gR\xc3\x9c\xc3\x9f\x65.txt"));
  EXPECT_TRUE(same_but_case("\xd0\xbf\xd1\x80\xd0\xb8", "\xd0\x9f\xd0\xa0\xd0\x98"));  // Cyrillic
  EXPECT_TRUE(same_but_case("\xce\xb1\xcf\x82", "\xce\x91\xce\xa3"));                  // both small sigmas
  EXPECT_TRUE(same_but_case("\xf0\x90\x90\xa8", "\xf0\x90\x90\x80"));                  // Deseret
  EXPECT_FALSE(same_but_case("\xc3\x9f", "ss"));
  EXPECT_FALSE(same_but_case("\xc3\x9f", "\xe1\xba\x9e"));
  EXPECT_FALSE(same_but_case("\xc3\xbc", "u\xcc\x88"));  // composed or not: two names
  EXPECT_FALSE(same_but_case("a", "b"));
  EXPECT_TRUE(same_but_case("\xff\xc3x", "\xff\xc3X"));
  EXPECT_FALSE(same_but_case("\xff", "\xfe"));
  for (uint32_t c = 0; c < 0x110000; c++) EXPECT_EQ(upper_case(upper_case(c)), upper_case(c)) << c;
}

TEST(Wildcards, Matches) {
  for (auto [pattern, name] :
       std::initializer_list<std::pair<const char*, const char*>>{{"*", ""},
                                                                  {"*", "a.b"},
                                                                  {"*", ".."},
                                                                  {"?", "a"},
                                                                  {"a?c", "abc"},
                                                                  {"A*C", "abbbc"},
                                                                  {"*.txt", "a.b.TXT"},
                                                                  {"*.*", "a.b"},
                                                                  {"<", "a"},
                                                                  {"<", "."},
                                                                  {"<", ".."},
                                                                  {"<", "a."},
                                                                  {"<txt", "a.b.txt"},
                                                                  {">", "."},
                                                                  {">>>", "a."},
                                                                  {"<.txt", "a.b.txt"},
                                                                  {"<\"*", "a"},
                                                                  {"<\"*", "a.b.c"},
                                                                  {"<.", "a.b."},
                                                                  {"a<.b", "a.x.b"},
                                                                  {">>>", "a"},
                                                                  {">>>", "abc"},
                                                                  {">>>.>>>", "a.b"},
                                                                  {">>>\">>>", "abc"},
                                                                  {"a>>>.c", "a.c"},
                                                                  {"a\"b", "a.b"},
                                                                  {"a\"", "a"},
                                                                  {"a\"\"\"", "a"},
                                                                  {"\xc3\xbc?", "\xc3\x9c\xe2\x82\xac"},
                                                                  {"", ""},
                                                                  {"*a*a*a*", "xaxaxax"},
                                                                  {"?", "\xff"}})
    EXPECT_TRUE(match(pattern, name)) << pattern << " : " << name;
}

TEST(Wildcards, DoesNotMatch) {
  for (auto [pattern, name] : std::initializer_list<std::pair<const char*, const char*>>{{"", "a"},
                                                                                         {"?", ""},
                                                                                         {"?", "ab"},
                                                                                         {"*.*", "a"},
                                                                                         {"<", "a.b"},
                                                                                         {"<.txt", "a.txt.b"},
                                                                                         {">>>", "abcd"},
                                                                                         {">>>", "a.b"},
                                                                                         {"<b", "a.bb.c"},
                                                                                         {">", ".."},
                                                                                         {">>", ".a"},
                                                                                         {"a\"b", "ab"},
                                                                                         {"a\"", "ab"},
                                                                                         {"*.txt", "txt"},
                                                                                         {"a*b", "ac"},
                                                                                         {"<.", "a"}})
    EXPECT_FALSE(match(pattern, name)) << pattern << " : " << name;
  EXPECT_FALSE(match("A", "a", false));
  EXPECT_TRUE(match("A*", "Ab", false));
  EXPECT_TRUE(Wildcards("name.txt").is_name());
  EXPECT_FALSE(Wildcards("nam>").is_name());
}

TEST(Wildcards, HostilePatternsEnd) {
  std::string pattern, name(255, 'a');
  for (int i = 0; i < 120; i++) pattern += "*a";
  pattern += "b";
  EXPECT_FALSE(match(pattern, name));
}

/// As the rules read, without regard to time.
bool slow(std::string_view p, std::string_view n, size_t k = 0) {
  const bool end = k == n.size();
  if (p.empty()) return end;
  const char c = end ? '\0' : n[k];
  const bool last_dot = k == n.rfind('.');
  auto rest = p.substr(1);
  switch (p[0]) {
    case '*':
      return slow(rest, n, k) || (!end && slow(p, n, k + 1));
    case '<':
      return slow(rest, n, k) || (!end && slow(last_dot ? rest : p, n, k + 1));
    case '>':
      if (c == '.' && k + 1 == n.size() && rest.find_first_not_of('>') == rest.npos) return true;
      return (end || c == '.') ? slow(rest, n, k) : slow(rest, n, k + 1);
    case '"':
      return end ? slow(rest, n, k) : c == '.' && slow(rest, n, k + 1);
    case '?':
      return !end && slow(rest, n, k + 1);
    default:
      return !end && c == p[0] && slow(rest, n, k + 1);
  }
}

TEST(Wildcards, AsTheRulesRead) {
  std::mt19937 random(7);
  auto text = [&random](std::string_view of) {
    std::string s(random() % 7, ' ');
    for (char& c : s) c = of[random() % of.size()];
    return s;
  };
  size_t matched = 0;
  for (int i = 0; i < 200'000; i++) {
    const std::string pattern = text("ab.*?<>\""), name = text("ab.");
    const bool expected = slow(pattern, name);
    matched += expected;
    ASSERT_EQ(match(pattern, name, false), expected) << pattern << " : " << name;
  }
  EXPECT_GT(matched, 10'000u);
}

TEST(Wildcards, AllNames) {
  EXPECT_TRUE(Wildcards("*").is_all());
  for (const char* some : {"", "**", "?", "<", "*.*", "a*", "*a"}) EXPECT_FALSE(Wildcards(some).is_all()) << some;
  for (const char* name : {"", "a", ".", "a.b", "\xff"}) EXPECT_TRUE(Wildcards("*").matches(name)) << name;
}

}  // namespace
}  // namespace isthmus::windows
