#include "wire/dav/propfind.h"

#include <gtest/gtest.h>

#include "wire/dav/test_infoset.h"

namespace isthmus::dav {
namespace {

using Kind = Propfind::Kind;

Propfind good(std::string_view body) {
  auto parsed = parse_propfind(body);
  EXPECT_EQ(wrong(parsed), "") << body;
  auto* p = std::get_if<Propfind>(&parsed);
  return p ? *p : Propfind{};
}

/// With DAV: as the default namespace.
std::string body_of(std::string_view inside) {
  return "<?xml version=\"1.0\" encoding=\"utf-8\" ?><propfind xmlns='DAV:'>" + std::string(inside) + "</propfind>";
}

TEST(ParsePropfind, Allprop) {
  EXPECT_EQ(good("").kind, Kind::allprop);
  EXPECT_EQ(good(body_of("<allprop/>")).kind, Kind::allprop);
  auto p = good(body_of("<allprop/><include><supported-live-property-set/><x xmlns='u'/></include>"));
  EXPECT_EQ(p.kind, Kind::allprop);
  EXPECT_EQ(p.names, (std::vector<Name>{{"DAV:", "supported-live-property-set"}, {"u", "x"}}));
  // The order of the two is not told.
  EXPECT_EQ(good(body_of("<include><x/></include><allprop/>")).names.size(), 1u);
}

TEST(ParsePropfind, Propname) {
  EXPECT_EQ(good(body_of("<propname/>")).kind, Kind::propname);
  EXPECT_EQ(good("<D:propfind xmlns:D='DAV:'>\n <D:propname>\n</D:propname> </D:propfind>\n").kind, Kind::propname);
}

TEST(ParsePropfind, Names) {
  auto p = good(
      "<D:propfind xmlns:D='DAV:' xmlns:Z='urn:schemas-microsoft-com:'><D:prop><D:getetag/><Z:Win32FileAttributes/>"
      "<nons/><D:getetag/><D:x><D:inner/></D:x></D:prop></D:propfind>");
  EXPECT_EQ(p.kind, Kind::props);
  EXPECT_EQ(p.names,
            (std::vector<Name>{
                {"DAV:", "getetag"}, {std::string(kMicrosoft), "Win32FileAttributes"}, {"", "nons"}, {"DAV:", "x"}}));
  EXPECT_TRUE(good(body_of("<prop/>")).names.empty());
}

// As litmus asks: propextended; RFC 4918 section 17.
TEST(ParsePropfind, UnknownElementsAreIgnored) {
  EXPECT_EQ(good(body_of("<foobar/><allprop/>")).kind, Kind::allprop);
  EXPECT_EQ(good(body_of("<x:prop xmlns:x='other'><a/></x:prop><foo><prop><b/></prop></foo><propname/>")).kind,
            Kind::propname);
  auto p = good(body_of("<prop><a/></prop><foo><b/></foo><x:prop xmlns:x='o'><c/></x:prop>"));
  EXPECT_EQ(p.names, (std::vector<Name>{{"DAV:", "a"}}));
}

TEST(ParsePropfind, Wrong) {
  // propfind_invalid and propfind_invalid2 of litmus.
  EXPECT_NE(wrong(parse_propfind("<foo>")), "");
  EXPECT_EQ(
      wrong(parse_propfind("<D:propfind xmlns:D=\"DAV:\"><D:prop><bar:foo xmlns:bar=\"\"/></D:prop></D:propfind>")),
      "line 1: must not undeclare prefix");
  EXPECT_EQ(wrong(parse_propfind("<propfind/>")), "the root element is not propfind of DAV:");
  EXPECT_EQ(wrong(parse_propfind("<p:prop xmlns:p='DAV:'/>")), "the root element is not propfind of DAV:");
  EXPECT_EQ(wrong(parse_propfind(body_of(""))), "propfind has none of allprop, propname and prop");
  // RFC 4918 appendix A.2: an extension alone.
  EXPECT_EQ(wrong(parse_propfind(body_of("<E:expired-props xmlns:E='e'/>"))),
            "propfind has none of allprop, propname and prop");
  EXPECT_EQ(wrong(parse_propfind(body_of("<allprop/><propname/>"))),
            "propfind has more than one of allprop, propname and prop");
  EXPECT_EQ(wrong(parse_propfind(body_of("<prop/><prop/>"))),
            "propfind has more than one of allprop, propname and prop");
  EXPECT_EQ(wrong(parse_propfind(body_of("<prop/><include><a/></include>"))), "include stands without allprop");
  EXPECT_EQ(wrong(parse_propfind(body_of("<include><a/></include>"))),
            "propfind has none of allprop, propname and prop");
  EXPECT_EQ(wrong(parse_propfind(body_of("<allprop/><include/><include/>"))), "propfind has include twice");
  EXPECT_EQ(wrong(parse_propfind(" ")), "line 1: no element found");
}

TEST(ParsePropfind, Limits) {
  std::string names;
  for (size_t i = 0; i < kMaxProperties; i++) names += "<p" + std::to_string(i) + "/>";
  EXPECT_EQ(good(body_of("<prop>" + names + "<p0/></prop>")).names.size(), kMaxProperties);
  EXPECT_EQ(wrong(parse_propfind(body_of("<prop>" + names + "<q/></prop>"))),
            "too big: too many properties are asked for");
  EXPECT_EQ(wrong(parse_propfind(body_of("<prop/>"), 10)), "too big: the body is larger than 10 bytes");
}

TEST(ParsePropfind, Truncated) {
  std::string body = body_of("<prop><a xmlns='u'/><b/></prop>");
  for (size_t n = 1; n < body.size(); n++) EXPECT_NE(wrong(parse_propfind(body.substr(0, n))), "") << n;
}

}  // namespace
}  // namespace isthmus::dav
