#include "wire/dav/xml_reader.h"

#include <gtest/gtest.h>

#include "wire/dav/test_infoset.h"

namespace isthmus::dav {
namespace {

class Counter : public XmlHandler {
 public:
  void start(const XmlPlace&, const XmlElement&) override { starts++; }
  void end() override { ends++; }
  void text(std::string_view) override {}
  int starts = 0, ends = 0;
};

std::string error_of(std::string_view body, size_t max_body = kMaxBody) {
  Counter c;
  read_xml(body, max_body, c);
  if (!c.error) return "";
  return c.error->too_big ? "too big: " + c.error->what : c.error->what;
}

std::string repeat(std::string_view s, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; i++) out += s;
  return out;
}

TEST(XmlReader, Malformed) {
  EXPECT_EQ(error_of("<foo>"), "line 1: no element found");
  EXPECT_EQ(error_of("<a>\n</b>"), "line 2: mismatched tag");
  for (auto bad :
       {"", " ", "text", "<a/><b/>", "<a b/>", "<a b='1' b='2'/>", "<p:a/>", "<a p:b=''/>", "<a>\x01</a>",
        "<a>&#1;</a>", "<a>\xff</a>", "<a>\xef\xbf\xbf</a>", "<a>&nbsp;</a>", "<a xmlns:p=''/>", "<a xmlns:xml='x'/>",
        "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", "<a xmlns:p='x' xmlns:q='x' p:b='' q:b=''/>",
        "<a xmlns='x&#10;y'/>", "<?xml version='1.0' encoding='windows-1252'?><a/>"})
    EXPECT_NE(error_of(bad), "") << bad;
  for (auto good : {"<a/>", "<?xml version='1.0'?><!-- c --><a b='1'>&lt;&#x20ac;<![CDATA[<]]><?pi?></a> ",
                    "<a xmlns='x'><b xmlns=''/></a>"})
    EXPECT_EQ(error_of(good), "") << good;
}

TEST(XmlReader, DocumentTypesAreRefusedBeforeTheirEntities) {
  std::string bomb = "<!DOCTYPE a [<!ENTITY x 'xxxxxxxxxx'>";
  for (char c = 'a'; c < 'k'; c++)
    bomb += std::string("<!ENTITY ") + c + " '" +
            repeat(c == 'a' ? "&x;" : std::string("&") + static_cast<char>(c - 1) + ";", 10) + "'>";
  for (auto& body : {bomb + "]><a>&j;</a>", std::string("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>"),
                     std::string("<!DOCTYPE a [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><a>&f;</a>"),
                     std::string("<!DOCTYPE a PUBLIC 'x' 'http://127.0.0.1/'><a/>"), std::string("<!DOCTYPE a><a/>")})
    EXPECT_EQ(error_of(body), "a document type declaration is not allowed");
}

TEST(XmlReader, Limits) {
  EXPECT_EQ(error_of(repeat("<a>", 64) + repeat("</a>", 64)), "");
  EXPECT_EQ(error_of(repeat("<a>", 65) + repeat("</a>", 65)), "too big: elements are nested too deep");
  EXPECT_EQ(error_of("<a>" + repeat("<b/>", kMaxElements - 1) + "</a>"), "");
  EXPECT_EQ(error_of("<a>" + repeat("<b/>", kMaxElements) + "</a>"), "too big: too many elements");
  EXPECT_EQ(error_of("<a/>", 4), "");
  EXPECT_EQ(error_of("<a/> ", 4), "too big: the body is larger than 4 bytes");

  auto attributes = [](size_t n, std::string_view name) {
    std::string out = "<a";
    for (size_t i = 0; i < n; i++) out += " " + std::string(name) + std::to_string(i) + "='u'";
    return out + "/>";
  };
  EXPECT_EQ(error_of(attributes(256, "x")), "");
  EXPECT_EQ(error_of(attributes(257, "x")), "too big: an element has too many attributes");
  EXPECT_EQ(error_of(attributes(256, "xmlns:x")), "");
  EXPECT_EQ(error_of(attributes(257, "xmlns:x")), "too big: too many namespaces");

  std::string long_name(kMaxName, 'n'), longer = long_name + "n";
  EXPECT_EQ(error_of("<a xmlns='" + long_name + "'/>"), "");
  EXPECT_EQ(error_of("<a xmlns='" + longer + "'/>"), "too big: a namespace is too long");
  EXPECT_EQ(error_of("<a xmlns:" + longer + "='x'/>"), "too big: a namespace is too long");
  EXPECT_EQ(error_of("<" + long_name + "/>"), "");
  EXPECT_EQ(error_of("<" + longer + "/>"), "too big: a name is too long");
  EXPECT_EQ(error_of("<a " + longer + "='x'/>"), "too big: a name is too long");
  EXPECT_EQ(error_of("<a xml:lang='" + longer + "'/>"), "too big: a language is too long");
}

// The handler is not called any more once it is content with the error.
TEST(XmlReader, StopsAtAnError) {
  class Stops : public Counter {
   public:
    void start(const XmlPlace& place, const XmlElement& e) override {
      Counter::start(place, e);
      if (e.local == "b") fail("enough");
    }
  } handler;
  read_xml("<a><b><c/></b><d/></a", kMaxBody, handler);
  EXPECT_EQ(handler.error->what, "enough");
  EXPECT_EQ(handler.starts, 2);
  EXPECT_EQ(handler.ends, 0);
}

TEST(XmlReader, Encodings) {
  std::string euro = infoset("<a>\xe2\x82\xac</a>", {"", "a"});
  EXPECT_EQ(euro, "[|\xe2\x82\xac]");
  EXPECT_EQ(infoset("\xef\xbb\xbf<a>\xe2\x82\xac</a>", {"", "a"}), euro);
  EXPECT_EQ(infoset(std::string_view("\xff\xfe<\0a\0>\0\xac\x20<\0/\0a\0>\0", 18), {"", "a"}), euro);
  EXPECT_EQ(infoset(std::string_view("\xfe\xff\0<\0a\0>\x20\xac\0<\0/\0a\0>", 18), {"", "a"}), euro);
  EXPECT_EQ(infoset("<?xml version='1.0' encoding='iso-8859-1'?><a>\xe4</a>", {"", "a"}), "[|\xc3\xa4]");
}

TEST(XmlReader, NamespacesAndLanguages) {
  class Places : public XmlHandler {
   public:
    void start(const XmlPlace& place, const XmlElement& e) override {
      seen += std::string(e.local) + " " + place.lang() + " " + std::to_string(place.depth) + " " +
              std::to_string(place.declared_here) + "/" + std::to_string(place.namespaces.size()) + ";";
    }
    void end() override {}
    void text(std::string_view) override {}
    std::string seen;
  } handler;
  read_xml("<a xmlns='u' xml:lang='en'><b xmlns:p='v' xmlns:q='w'><c xml:lang=''/></b><d xmlns=''/></a>", kMaxBody,
           handler);
  EXPECT_EQ(handler.seen, "a en 1 1/1;b en 2 2/3;c  3 0/3;d en 2 1/2;");
}

}  // namespace
}  // namespace isthmus::dav
