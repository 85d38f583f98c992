#include "wire/dav/multistatus.h"

#include <gtest/gtest.h>

#include "wire/dav/dates.h"
#include "wire/dav/headers.h"
#include "wire/dav/test_infoset.h"
#include "wire/http/dates.h"

namespace isthmus::dav {
namespace {

constexpr std::string_view kHead = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";

/// What `write` puts between <D:multistatus> and its end.
template <class Write>
std::string written(Write write, std::string_view declared = {}) {
  std::string out;
  Multistatus m(out);
  m.begin(declared);
  size_t begin = out.size();
  write(m);
  size_t end = out.size();
  m.end();
  infoset(out, {"DAV:", "multistatus"});  // well-formed
  return out.substr(begin, end - begin);
}

TEST(Multistatus, Golden) {
  std::string out = "before";
  Multistatus m(out);
  m.begin();
  m.begin_response("/a%20b/");
  m.begin_propstat();
  m.resourcetype(true);
  m.text("displayname", "a b");
  m.text(Name{"urn:x", "y"}, "<1>");
  m.end_propstat(200);
  m.begin_propstat();
  m.empty("getetag");
  m.empty(Name{"", "nons"});
  m.end_propstat(404);
  m.end_response();
  m.response_status("/a%20b/c", 423, "lock-token-submitted");
  m.end();
  EXPECT_EQ(
      out,
      "before<?xml version=\"1.0\" encoding=\"utf-8\"?><D:multistatus "
      "xmlns:D=\"DAV:\"><D:response><D:href>/a%20b/</D:href>"
      "<D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype><D:displayname>a b</D:displayname>"
      "<x:y xmlns:x=\"urn:x\">&lt;1&gt;</x:y></D:prop><D:status>HTTP/1.1 200 "
      "OK</D:status></D:propstat><D:propstat><D:prop>"
      "<D:getetag/><nons/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response><D:response>"
      "<D:href>/a%20b/c</D:href><D:status>HTTP/1.1 423 Locked</D:status><D:error><D:lock-token-submitted/></D:error>"
      "</D:response></D:multistatus>");
}

TEST(Multistatus, Names) {
  EXPECT_EQ(written([](auto& m) { m.text(Name{"DAV:", "a"}, "1"); }), "<D:a>1</D:a>");
  EXPECT_EQ(written([](auto& m) { m.text(Name{"u&\"", "a"}, ""); }), "<x:a xmlns:x=\"u&amp;&quot;\"></x:a>");
  Name win32{std::string(kMicrosoft), "Win32FileAttributes"};
  EXPECT_EQ(written([&](auto& m) { m.text(win32, "00000020"); }, kMicrosoft),
            "<Z:Win32FileAttributes>00000020</Z:Win32FileAttributes>");
  EXPECT_EQ(written([&](auto& m) { m.text(Name{"u", "a"}, "1"); }, kMicrosoft), "<x:a xmlns:x=\"u\">1</x:a>");
  EXPECT_EQ(written([](auto& m) { m.empty(Name{"http://www.w3.org/XML/1998/namespace", "a"}); }), "<xml:a/>");
  EXPECT_EQ(written([](auto& m) {
              m.raw(Name{"u", "a"}, "<b xmlns=\"v\"/>", "d\"e");
            }),
            "<x:a xmlns:x=\"u\" xml:lang=\"d&quot;e\"><b xmlns=\"v\"/></x:a>");
  EXPECT_EQ(written([](auto& m) { m.raw(Name{"u", "a"}, "", "en"); }), "<x:a xmlns:x=\"u\" xml:lang=\"en\"/>");
  EXPECT_EQ(written([](auto& m) { m.raw("getetag", "1"); }), "<D:getetag>1</D:getetag>");
}

TEST(Multistatus, TextIsEscaped) {
  auto text = [](std::string_view s) {
    std::string all = written([&](auto& m) { m.text("a", s); });
    return all.substr(5, all.size() - 11);
  };
  EXPECT_EQ(text("a<b>&c\"'"), "a&lt;b&gt;&amp;c\"'");
  EXPECT_EQ(text("]]>\t\n\r"), "]]&gt;\t\n&#13;");
  EXPECT_EQ(text(std::string_view("\x00\x01z\x1f\x7f", 5)), "\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\x7f");
  EXPECT_EQ(text("\xc3\xa4\xf0\x90\x80\x80"), "\xc3\xa4\xf0\x90\x80\x80");
  EXPECT_EQ(text("\xffz\xc3"), "\xef\xbf\xbdz\xef\xbf\xbd");
  EXPECT_EQ(text("\xef\xbf\xbe.\xef\xbf\xbf.\xef\xbf\xbc"), "\xef\xbf\xbd.\xef\xbf\xbd.\xef\xbf\xbc");
  EXPECT_EQ(text("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  // The end tag and all else stand, whatever a name is made of.
  for (int c = 0; c < 256; c++) {
    std::string name = std::string("x") + static_cast<char>(c) + "y";
    written([&](auto& m) {
      m.response_status(name, 200);
      m.text("displayname", name);
      m.text(Name{"u" + std::string(c < 0x80 && c > 0x1f ? name : "v"), "a"}, name);
    });
  }
}

ActiveLock example() {
  return {.exclusive = true,
          .infinite = true,
          .owner = "<D:href xmlns:D=\"DAV:\">me</D:href>",
          .token = "urn:uuid:1",
          .root_href = "/a&b",
          .timeout_s = 604800};
}
constexpr std::string_view kActive =
    "<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope><D:exclusive/></D:lockscope><D:depth>infinity</"
    "D:depth>"
    "<D:owner><D:href "
    "xmlns:D=\"DAV:\">me</D:href></D:owner><D:timeout>Second-604800</D:timeout><D:locktoken><D:href>urn:uuid:1</D:href>"
    "</D:locktoken><D:lockroot><D:href>/a&amp;b</D:href></D:lockroot></D:activelock>";

TEST(Multistatus, Locks) {
  ActiveLock shared;
  shared.exclusive = false;
  shared.token = "t:2";
  shared.root_href = "/";
  shared.timeout_s = kInfiniteTimeout;
  EXPECT_EQ(
      written([&](auto& m) {
        m.lockdiscovery(std::vector{example(), shared});
      }),
      "<D:lockdiscovery>" + std::string(kActive) +
          "<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope><D:shared/></D:lockscope><D:depth>0</D:depth>"
          "<D:timeout>Infinite</D:timeout><D:locktoken><D:href>t:2</D:href></D:locktoken><D:lockroot><D:href>/</"
          "D:href></D:lockroot>"
          "</D:activelock></D:lockdiscovery>");
  EXPECT_EQ(written([](auto& m) { m.lockdiscovery({}); }), "<D:lockdiscovery/>");
  EXPECT_EQ(written([](auto& m) { m.supportedlock(); }),
            "<D:supportedlock><D:lockentry><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></"
            "D:locktype></D:lockentry>"
            "<D:lockentry><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry></"
            "D:supportedlock>");
  std::string out;
  lock_body(out, std::vector{example()});
  EXPECT_EQ(out, std::string(kHead) + "<D:prop xmlns:D=\"DAV:\"><D:lockdiscovery>" + std::string(kActive) +
                     "</D:lockdiscovery></D:prop>");
}

TEST(ErrorBody, Golden) {
  std::string out;
  error_body(out, "propfind-finite-depth");
  EXPECT_EQ(out, std::string(kHead) + "<D:error xmlns:D=\"DAV:\"><D:propfind-finite-depth/></D:error>");
  out.clear();
  error_body(out, "lock-token-submitted", std::vector<std::string>{"/a", "/b&"});
  EXPECT_EQ(out, std::string(kHead) +
                     "<D:error xmlns:D=\"DAV:\"><D:lock-token-submitted><D:href>/a</D:href><D:href>/b&amp;</D:href>"
                     "</D:lock-token-submitted></D:error>");
}

TEST(Multistatus, StatusLines) {
  for (int status : {200, 201, 204, 400, 401, 403, 404, 405, 409, 412, 413, 414,
                     415, 422, 423, 424, 500, 501, 502, 503, 507, 508, 299, 599}) {
    std::string all = written([&](auto& m) { m.response_status("/", status); });
    EXPECT_EQ(all.find("<D:status>HTTP/1.1 " + std::to_string(status) + " "), all.find("<D:status>")) << all;
  }
}

// Windows lists at most 1,000,000 bytes of a collection: what is not the href and the size of an entry of a small
// allprop answer is to have at most 250 bytes.
TEST(Multistatus, EntriesAreSmall) {
  std::string entry = written([](auto& m) {
    m.begin_response("");
    m.begin_propstat();
    m.resourcetype(false);
    m.text("getcontentlength", "");
    m.text("getlastmodified", http::format_date({784111777, 0}));
    m.end_propstat(200);
    m.end_response();
  });
  EXPECT_LE(entry.size(), 250u) << entry;
}

TEST(Rfc3339, Format) {
  EXPECT_EQ(format_rfc3339({784111777, 999'999'999}), "1994-11-06T08:49:37Z");
  EXPECT_EQ(format_rfc3339({0, 0}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_rfc3339({-1, 0}), "1969-12-31T23:59:59Z");
  EXPECT_EQ(format_rfc3339({INT64_MAX, 0}), "9999-12-31T23:59:59Z");
  EXPECT_EQ(format_rfc3339({INT64_MIN, 0}), "0000-01-01T00:00:00Z");
}

}  // namespace
}  // namespace isthmus::dav
