#include "wire/dav/proppatch.h"

#include <gtest/gtest.h>

#include <random>

#include "wire/dav/multistatus.h"
#include "wire/dav/test_infoset.h"

namespace isthmus::dav {
namespace {

constexpr std::string_view kLitmus = "http://webdav.org/neon/litmus/";

std::vector<PropChange> good(std::string_view body) {
  auto parsed = parse_proppatch(body);
  EXPECT_EQ(wrong(parsed), "") << body;
  auto* changes = std::get_if<std::vector<PropChange>>(&parsed);
  return changes ? *changes : std::vector<PropChange>(1);
}

std::string body_of(std::string_view inside) {
  return "<?xml version=\"1.0\" encoding=\"utf-8\" ?><propertyupdate xmlns='DAV:'>" + std::string(inside) +
         "</propertyupdate>";
}
std::string set_of(std::string_view inside) { return body_of("<set><prop>" + std::string(inside) + "</prop></set>"); }

/// The property, stored and listed again.
std::string listed(const PropChange& change) {
  std::string out;
  Multistatus m(out);
  m.begin();
  m.begin_response("/a");
  m.begin_propstat();
  m.raw(change.name, change.value, change.lang);
  m.end_propstat(200);
  m.end_response();
  m.end();
  return out;
}

/// That what is listed says what was sent.
void expect_kept(const std::string& body) {
  auto changes = good(body);
  EXPECT_TRUE(is_property(changes[0].name, changes[0].value)) << changes[0].value;
  EXPECT_EQ(infoset(listed(changes[0]), changes[0].name), infoset(body, changes[0].name)) << body << "\n"
                                                                                          << changes[0].value;
}

TEST(ParseProppatch, LitmusPropset) {
  auto c =
      good(set_of("<prop0 xmlns='http://webdav.org/neon/litmus/'>value0</prop0></prop></set><set><prop>"
                  "<prop1 xmlns='http://webdav.org/neon/litmus/'>value1</prop1>"));
  ASSERT_EQ(c.size(), 2u);
  EXPECT_EQ(c[1].name, (Name{std::string(kLitmus), "prop1"}));
  EXPECT_EQ(c[1].value, "value1");
  EXPECT_EQ(c[1].text, "value1");
  EXPECT_FALSE(c[1].remove);
}

TEST(ParseProppatch, LitmusPropnullns) {
  auto c = good(set_of("<nonamespace xmlns=\"\">randomvalue</nonamespace>"));
  EXPECT_EQ(c[0].name, (Name{"", "nonamespace"}));
  EXPECT_EQ(c[0].value, "randomvalue");
  EXPECT_EQ(infoset(listed(c[0]), {"", "nonamespace"}), "[|randomvalue]");
}

TEST(ParseProppatch, LitmusProphighunicode) {
  auto c = good(set_of("<high-unicode xmlns='http://webdav.org/neon/litmus/'>&#65536;</high-unicode>"));
  EXPECT_EQ(c[0].value, "\xf0\x90\x80\x80");
}

// propremoveset and propsetremove: document order.
TEST(ParseProppatch, LitmusOrder) {
  constexpr std::string_view kP = "<removeset xmlns='http://webdav.org/neon/litmus/'>";
  auto instruction = [&](const std::string& what, const std::string& value) {
    return "<" + what + "><prop>" + std::string(kP) + value + "</removeset></prop></" + what + ">";
  };
  auto c = good(body_of(instruction("remove", "") + instruction("set", "x") + instruction("set", "y")));
  ASSERT_EQ(c.size(), 3u);
  EXPECT_TRUE(c[0].remove && !c[1].remove && !c[2].remove);
  EXPECT_EQ(c[2].value, "y");
  c = good(body_of(instruction("set", "x") + instruction("remove", "")));
  ASSERT_EQ(c.size(), 2u);
  EXPECT_TRUE(!c[0].remove && c[1].remove);
}

TEST(ParseProppatch, LitmusPropvalnspace) {
  auto c = good(set_of("<t:valnspace xmlns:t='http://webdav.org/neon/litmus/'><foo xmlns='bar'/></t:valnspace>"));
  EXPECT_EQ(c[0].value, "<foo xmlns=\"bar\"/>");
  EXPECT_EQ(infoset(listed(c[0]), {std::string(kLitmus), "valnspace"}), "[|({bar}foo:)]");
}

TEST(ParseProppatch, LitmusPropmanyns) {
  std::string all;
  for (auto ns : {"alpha", "beta", "gamma"}) all += std::string("<somename xmlns='") + ns + "'>manynsvalue</somename>";
  auto c = good(set_of(all));
  ASSERT_EQ(c.size(), 3u);
  EXPECT_EQ(c[2].name, (Name{"gamma", "somename"}));
}

TEST(ParseProppatch, ValuesStandAlone) {
  auto value = [](std::string_view inside) { return good(set_of(inside))[0].value; };
  EXPECT_EQ(value("<p/>"), "");
  // The default namespace of the request is DAV: here.
  EXPECT_EQ(value("<p><a><b/></a><c/></p>"), "<a xmlns=\"DAV:\"><b/></a><c xmlns=\"DAV:\"/>");
  EXPECT_EQ(value("<p xmlns:q='u'><q:a q:b='1'><q:c/></q:a></p>"), "<q:a xmlns:q=\"u\" q:b=\"1\"><q:c/></q:a>");
  EXPECT_EQ(value("<p xmlns:q='u'><a xmlns='' q:b='1'/></p>"), "<a xmlns=\"\" xmlns:q=\"u\" q:b=\"1\"/>");
  // A prefix that only text names stays where it is declared inside of the value.
  EXPECT_EQ(value("<p><a xmlns='x' xmlns:s='u' t='s:name'>s:name</a></p>"),
            "<a xmlns=\"x\" xmlns:s=\"u\" t=\"s:name\">s:name</a>");
  EXPECT_EQ(value("<p>a&amp;b&lt;&gt;<![CDATA[<&]]>\"<!-- c --><?pi d?>&#13;&#x20ac;</p>"),
            "a&amp;b&lt;&gt;&lt;&amp;\"&#13;\xe2\x82\xac");
  EXPECT_EQ(value("<p><a xmlns='' b='&lt;&quot;&#9;&#10;&#13; &apos;'/></p>"),
            "<a xmlns=\"\" b=\"&lt;&quot;&#9;&#10;&#13; '\"/>");
  EXPECT_EQ(value("<p> <a xmlns='x'> </a> </p>"), " <a xmlns=\"x\"> </a> ");
}

TEST(ParseProppatch, TextIsThatOfAllElements) {
  EXPECT_EQ(good(set_of("<p>a<b>&lt;</b>c</p>"))[0].text, "a<c");
  EXPECT_EQ(
      good(set_of("<Z:Win32FileAttributes xmlns:Z='urn:schemas-microsoft-com:'>00000020</Z:Win32FileAttributes>"))[0]
          .text,
      "00000020");
}

TEST(ParseProppatch, Languages) {
  auto c = good(
      "<propertyupdate xmlns='DAV:' xml:lang='en'><set><prop><a/><b xml:lang='de'><x xml:lang='fr'/></b></prop></set>"
      "<set xml:lang='it'><prop><c/></prop></set><remove><prop><d/></prop></remove></propertyupdate>");
  EXPECT_EQ(c[0].lang, "en");
  EXPECT_EQ(c[1].lang, "de");
  EXPECT_EQ(c[1].value, "<x xmlns=\"DAV:\" xml:lang=\"fr\"/>");
  EXPECT_EQ(c[2].lang, "it");
  EXPECT_EQ(c[3].lang, "");
  EXPECT_NE(listed(c[1]).find("<D:b xml:lang=\"de\"><x xmlns=\"DAV:\""), std::string::npos);
}

TEST(ParseProppatch, RemovedPropertiesHaveNoValue) {
  auto c =
      good(body_of("<remove><prop><p xml:lang='en'>text<a/></p><q/></prop></remove><set><prop><r>1</r></prop></set>"));
  ASSERT_EQ(c.size(), 3u);
  EXPECT_EQ(c[0].value + c[0].text + c[0].lang, "");
  EXPECT_EQ(c[2].value, "1");
}

TEST(ParseProppatch, UnknownElementsAreIgnored) {
  auto c = good(
      body_of("<foo><prop><a/></prop></foo><x:set xmlns:x='o'><prop><b/></prop></x:set>"
              "<set><foo><c>1</c></foo><x:prop xmlns:x='o'><d><e/></d></x:prop>text<prop>text<f>2</f></prop></set>"));
  ASSERT_EQ(c.size(), 1u);
  EXPECT_EQ(c[0].name.local, "f");
  EXPECT_EQ(c[0].value, "2");
}

TEST(ParseProppatch, Wrong) {
  EXPECT_EQ(wrong(parse_proppatch("")), "line 1: no element found");
  EXPECT_EQ(wrong(parse_proppatch("<propertyupdate/>")), "the root element is not propertyupdate of DAV:");
  EXPECT_EQ(wrong(parse_proppatch(body_of(""))), "propertyupdate names no property to set or remove");
  EXPECT_EQ(wrong(parse_proppatch(body_of("<set/><remove><prop/></remove>"))),
            "propertyupdate names no property to set or remove");
  EXPECT_NE(wrong(parse_proppatch(set_of("<b:x xmlns:b=''/>"))), "");
  std::string body = set_of("<a xmlns='u'>text<b/></a>");
  for (size_t n = 0; n < body.size(); n++) EXPECT_NE(wrong(parse_proppatch(body.substr(0, n))), "") << n;
}

TEST(ParseProppatch, Limits) {
  std::string names;
  for (size_t i = 0; i < kMaxProperties; i++) names += "<p" + std::to_string(i) + "/>";
  EXPECT_EQ(good(set_of(names)).size(), kMaxProperties);
  EXPECT_EQ(wrong(parse_proppatch(set_of(names + "<q/>"))), "too big: too many properties");
  // 70 KiB that would declare 1,000 bytes of namespace 10,000 times.
  std::string many;
  for (int i = 0; i < 10'000; i++) many += "<q:a/>";
  EXPECT_EQ(wrong(parse_proppatch(set_of("<p xmlns:q='" + std::string(1000, 'n') + "'>" + many + "</p>"))),
            "too big: the values are too large");
  EXPECT_EQ(good(set_of("<p>" + std::string(1'000'000, 'x') + "</p>"))[0].value.size(), 1'000'000u);
}

TEST(ParseProppatch, KeptInAMultistatus) {
  expect_kept(
      set_of("<p xmlns='u' xml:lang='en'>a<b c='1' xmlns:D='other' D:e='2'><D:f xmlns=''><g/></D:f></b>&#13;\n\t</p>"));
  expect_kept(set_of("<x:p xmlns:x='u'><x:x xmlns:x='v'><x:x xmlns:x='u'/></x:x><x:y/></x:p>"));
  expect_kept(
      "<Z:propertyupdate xmlns:Z='DAV:' xmlns='d'><Z:set><Z:prop><Z:p><a><Z:b "
      "xmlns=''><c/></Z:b></a></Z:p></Z:prop></Z:set></Z:propertyupdate>");
  expect_kept(set_of("<xml:p><xml:a xml:space='preserve'> </xml:a></xml:p>"));
  std::string latin1 = set_of("<p a='\xe4'>\xfc</p>");
  expect_kept(latin1.replace(latin1.find("utf-8"), 5, "iso-8859-1"));
}

TEST(IsProperty, WhatAStoreGivesBack) {
  EXPECT_TRUE(is_property({"u", "a"}, ""));
  EXPECT_TRUE(is_property({"", "a"}, "text&amp;<b/><c xmlns=\"v\"/>"));
  EXPECT_TRUE(is_property({"DAV:", "a"}, "<D:b xmlns:D=\"DAV:\"/>"));
  EXPECT_TRUE(is_property({"u&\"'<>", "a"}, ""));
  EXPECT_TRUE(is_property({"http://www.w3.org/XML/1998/namespace", "a"}, ""));
  for (auto value : {"<b>", "</b>", "&", "<D:b/>", "<x:b/>", "</root><root>", "</root>", "</x:a></D:prop><D:prop><x:a>",
                     "<!DOCTYPE a>", "<!--", "\xff", "\x01", "&nbsp;", "<?xml version='1.0'?>", "<![CDATA["})
    EXPECT_FALSE(is_property({"u", "a"}, value)) << value;
  for (auto local : {"", " ", "a b", "a:b", "a/><b", "a b='c'", "a xmlns='c'", "a>", "1a", "a&", "\xff", "a/", "!--"})
    EXPECT_FALSE(is_property({"u", local}, "")) << local;
  for (auto& ns : {std::string("\xff"), std::string("\x01"), std::string("http://www.w3.org/2000/xmlns/"),
                   std::string(kMaxName + 1, 'n')})
    EXPECT_FALSE(is_property({ns, "a"}, "")) << ns;
}

/// A document with elements and attributes in namespaces whose prefixes are bound and bound anew at every depth.
class Random {
 public:
  explicit Random(unsigned seed) : random_(seed) {}

  std::string element(int depth, std::vector<std::string> bound, bool root) {
    std::string declared;
    for (size_t i = 0; i < bound.size(); i++) {
      if (below(3) != 0 && !(root && i > 0)) continue;
      // Only the default namespace, which is the first, can be none.
      bound[i] = i == 0 && below(3) == 0 ? "" : "urn:" + std::to_string(below(4));
      declared += std::string(" xmlns") + (i == 0 ? "" : ":" + prefix(i)) + "='" + bound[i] + "'";
    }
    size_t p = below(bound.size());
    std::string tag = (p == 0 ? "" : prefix(p) + ":") + "e" + std::to_string(below(3));
    if (root) tag = "p1:property";
    std::string attributes;
    if (below(2) == 0) attributes += " a='&lt;&#10;" + std::to_string(below(9)) + "'";
    // One with a prefix: two could be the same one, by two prefixes.
    if (size_t q = 1 + below(bound.size() - 1); below(2) == 0) attributes += " " + prefix(q) + ":b='\"'";
    if (below(4) == 0) attributes += " xml:lang='l" + std::to_string(below(3)) + "'";
    std::string inside;
    for (size_t i = below(4); depth > 0 && i > 0; i--)
      inside += below(2) == 0 ? element(depth - 1, bound, false) : "t&amp;" + std::to_string(below(99)) + "\n";
    return "<" + tag + declared + attributes + ">" + inside + "</" + tag + ">";
  }

 private:
  size_t below(size_t n) { return random_() % n; }
  static std::string prefix(size_t i) { return std::string(i == 3 ? "D" : i == 4 ? "x" : "p" + std::to_string(i)); }
  std::mt19937 random_;
};

TEST(ParseProppatch, RandomValuesAreKept) {
  for (unsigned seed = 0; seed < 2'000; seed++) {
    SCOPED_TRACE(seed);
    expect_kept("<p2:propertyupdate xmlns:p2='DAV:'><p2:set><p2:prop>" +
                Random(seed).element(5, {"", "", "", "", ""}, true) + "</p2:prop></p2:set></p2:propertyupdate>");
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace isthmus::dav
