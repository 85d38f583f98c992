#include "wire/http/response.h"

#include <gmock/gmock.h>

namespace isthmus::http {
namespace {

TEST(Response, Head) {
  std::string out;
  ResponseHead(out, 207).field("A", "b").field("Content-Length", 18446744073709551615u).end();
  EXPECT_EQ(out, "HTTP/1.1 207 Multi-Status\r\nA: b\r\nContent-Length: 18446744073709551615\r\n\r\n");
}

TEST(Response, ValuesMakeNoFields) {
  std::string out;
  ResponseHead(out, 200).field("Location", "/a\r\nSet-Cookie: x").end();
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nLocation: /a\r\n\r\n");
}

}  // namespace
}  // namespace isthmus::http
