#include "wire/http/request.h"

#include <gmock/gmock.h>

namespace isthmus::http {
namespace {

using ::testing::ElementsAre;

int status_of(std::string_view text) {
  RequestReader reader;
  auto got = reader.head(text);
  if (const auto* refusal = std::get_if<Refusal>(&got)) return refusal->status;
  return std::holds_alternative<RequestReader::Head>(got) ? 0 : -1;
}

TEST(Request, HeadAndFields) {
  RequestReader reader;
  const std::string_view text =
      "PROPFIND /a%20b HTTP/1.1\r\nHost: x:1\r\nDEPTH:  1 \r\nContent-Length: 5\r\nX: a\r\nX: b\r\n\r\nhello";
  auto got = reader.head(text);
  ASSERT_TRUE(std::holds_alternative<RequestReader::Head>(got));
  EXPECT_EQ(text.substr(std::get<RequestReader::Head>(got).consumed), "hello");
  const Request& r = reader.request();
  EXPECT_EQ(r.method, "PROPFIND");
  EXPECT_EQ(r.target, "/a%20b");
  EXPECT_EQ(r.field("depth"), "1");
  EXPECT_EQ(r.field("host"), "x:1");
  EXPECT_EQ(r.field("x"), "a");
  EXPECT_EQ(r.count("X"), 2u);
  EXPECT_EQ(r.content_length, 5u);
  EXPECT_TRUE(r.keep_alive);
  EXPECT_TRUE(r.has_body());
  EXPECT_FALSE(r.has("Y"));
}

TEST(Request, ByteByByteAndPipelined) {
  const std::string both = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n";
  RequestReader reader;
  std::string buffer;
  std::vector<std::string> targets;
  for (char c : both) {
    buffer += c;
    auto got = reader.head(buffer);
    ASSERT_FALSE(std::holds_alternative<Refusal>(got));
    if (const auto* head = std::get_if<RequestReader::Head>(&got)) {
      targets.emplace_back(reader.request().target);
      buffer.erase(0, head->consumed);
    }
  }
  EXPECT_THAT(targets, ElementsAre("/1", "/2"));
  EXPECT_TRUE(buffer.empty());
}

TEST(Request, SmugglingIsRefused) {
  const std::string start = "PUT / HTTP/1.1\r\nHost: a\r\n";
  // A second empty line before the request would keep the rest from being looked at.
  EXPECT_EQ(status_of("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"), 400);
  EXPECT_EQ(status_of("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "Content-Length: 3, 3\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "Content-Length: +3\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "Content-Length: -3\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "Content-Length: 0x3\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "Content-Length:\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "Content-Length: 99999999999999999999\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "Content-Length : 3\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501);
  EXPECT_EQ(status_of(start + "Transfer-Encoding: xchunked\r\n\r\n"), 501);
  EXPECT_EQ(status_of(start + "Transfer-Encoding: identity\r\n\r\n"), 501);
  EXPECT_EQ(status_of("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "A: b\r\n c\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "A: b\r\n\tc\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "A: b\nC: d\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "A: b\rC: d\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + std::string("A: b\0c\r\n\r\n", 10)), 400);
  EXPECT_EQ(status_of(start + ": b\r\n\r\n"), 400);
  EXPECT_EQ(status_of(start + "no colon\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\nHost: a\n\n"), 400);
}

TEST(Request, RequestLine) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 0);
  EXPECT_EQ(status_of("\r\nGET / HTTP/1.1\r\n\r\n"), 0);
  EXPECT_EQ(status_of("GET / HTTP/2.0\r\n\r\n"), 505);
  EXPECT_EQ(status_of("GET / HTTP/1.2\r\n\r\n"), 505);
  EXPECT_EQ(status_of("GET  / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / a HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET /\r\n\r\n"), 400);
  EXPECT_EQ(status_of("G(T / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status_of("\x16\x03\x01\x02"), -1);
}

TEST(Request, Limits) {
  RequestReader reader({.head = 100, .fields = 2, .target = 20});
  EXPECT_TRUE(std::holds_alternative<RequestReader::NeedMore>(reader.head("GET / HTTP/1.1\r\n")));
  auto refusal = [](auto got) { return std::holds_alternative<Refusal>(got) ? std::get<Refusal>(got).status : 0; };
  EXPECT_EQ(refusal(RequestReader({.head = 100}).head("GET / HTTP/1.1\r\nA: " + std::string(100, 'a'))), 431);
  EXPECT_EQ(refusal(RequestReader({.head = 100}).head("GET /" + std::string(100, 'a'))), 414);
  EXPECT_EQ(refusal(RequestReader({.fields = 2}).head("GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n")), 431);
  EXPECT_EQ(refusal(RequestReader({.target = 20}).head("GET /" + std::string(30, 'a') + " HTTP/1.1\r\n\r\n")), 414);
}

TEST(Request, KeepAliveAndExpect) {
  auto request = [](std::string_view text) {
    RequestReader reader;
    EXPECT_TRUE(std::holds_alternative<RequestReader::Head>(reader.head(text)));
    return std::pair(reader.request().keep_alive, reader.request().expects_continue);
  };
  EXPECT_TRUE(request("GET / HTTP/1.1\r\n\r\n").first);
  EXPECT_FALSE(request("GET / HTTP/1.1\r\nConnection: foo, Close\r\n\r\n").first);
  EXPECT_FALSE(request("GET / HTTP/1.0\r\n\r\n").first);
  EXPECT_TRUE(request("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").first);
  EXPECT_TRUE(request("PUT / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n").second);
  EXPECT_FALSE(request("PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n").second);
  EXPECT_EQ(status_of("PUT / HTTP/1.1\r\nExpect: cake\r\n\r\n"), 417);
}

/// The body of `text` read with at most `step` new bytes a time; "!" after a refusal.
std::string chunked_body(std::string_view text, size_t step, std::string* rest = nullptr) {
  RequestReader reader;
  const std::string_view head = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_TRUE(std::holds_alternative<RequestReader::Head>(reader.head(head)));
  std::string buffer, body;
  while (true) {
    auto got = reader.chunk(buffer);
    if (std::holds_alternative<Refusal>(got)) return body + "!";
    auto& piece = std::get<RequestReader::Piece>(got);
    body += piece.data;
    const bool stuck = piece.consumed == 0 && piece.data.empty() && !piece.last;
    buffer.erase(0, piece.consumed);
    if (piece.last) break;
    if (!stuck && !buffer.empty()) continue;
    if (text.empty()) return body + "?";
    buffer += text.substr(0, step);
    text.remove_prefix(std::min(step, text.size()));
  }
  if (rest) *rest = buffer + std::string(text);
  return body;
}

TEST(Request, Chunks) {
  for (size_t step : {size_t{1}, size_t{2}, size_t{7}, size_t{1000}}) {
    std::string rest;
    EXPECT_EQ(chunked_body("5\r\nhello\r\nA;x=\"y\"\r\n, my world\r\n0\r\n\r\nGET", step, &rest), "hello, my world");
    EXPECT_EQ(rest, "GET") << step;
    EXPECT_EQ(chunked_body("1\r\na\r\n0\r\nTrailer: x\r\n\r\n", step), "a");
    EXPECT_EQ(chunked_body("0\r\n\r\n", step), "");
    EXPECT_EQ(chunked_body("5\r\nhel", step), "hel?");
    // A length after the body changes nothing.
    EXPECT_EQ(chunked_body("1\r\na\r\n0\r\nContent-Length: 5\r\n\r\nGET", step, &rest), "a");
    EXPECT_EQ(rest, "GET");
  }
}

TEST(Request, BadChunksAreRefused) {
  for (size_t step : {size_t{1}, size_t{1000}}) {
    EXPECT_EQ(chunked_body("x\r\na\r\n", step), "!");
    EXPECT_EQ(chunked_body("1\r\nab\r\n0\r\n\r\n", step), "a!");
    EXPECT_EQ(chunked_body("-1\r\na\r\n", step), "!");
    EXPECT_EQ(chunked_body("0x1\r\na\r\n", step), "!");
    EXPECT_EQ(chunked_body("fffffffffffffffff\r\na\r\n", step), "!");
    EXPECT_EQ(chunked_body("1\na\n0\n\n", step), "!");
    EXPECT_EQ(chunked_body("1 \r\na\r\n0\r\n\r\n", step), "a");
    EXPECT_EQ(chunked_body("1 2\r\na\r\n0\r\n\r\n", step), "!");
    EXPECT_EQ(chunked_body("0\r\nno colon\r\n\r\n", step), "!");
  }
}

}  // namespace
}  // namespace isthmus::http
