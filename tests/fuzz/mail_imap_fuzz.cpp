// Bytes as what an IMAP server says, whole and in pieces: the same responses come out, and nothing beyond the bounds.
#include <algorithm>
#include <string>
#include <vector>

#include "fs/mail/imap_parser.h"
#include "fs/mail/names.h"
#include "tests/fuzz/check.h"

using namespace isthmus::fs::mail;
using imap::Parser;
using imap::Response;
using imap::Value;

namespace {

void print(const std::vector<Value>& values, std::string& out, int depth) {
  check(depth <= Parser::kDeepest + 1);
  for (const Value& v : values) {
    out += std::to_string(static_cast<int>(v.kind)) + ":" + v.text;
    (void)v.number(UINT32_MAX);
    out += '(';
    print(v.list, out, depth + 1);
    out += ')';
  }
}

std::string parse(std::string_view text, size_t piece) {
  Parser p;
  std::string out;
  for (size_t at = 0; at < text.size(); at += piece) {
    p.put(text.substr(at, piece));
    for (;;) {
      Response r;
      const auto step = p.next(r);
      if (step == Parser::Step::broken) return out + "!";
      if (step == Parser::Step::more) break;
      out += r.tag + "|" + r.status + "|" + r.text + "|";
      print(r.code, out, 0);
      print(r.values, out, 0);
    }
  }
  return out;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string whole = parse(text, std::max<size_t>(size, 1));
  check(parse(text, 1) == whole);
  check(parse(text, 7) == whole);
  (void)imap::time_of(std::string(text));
  if (const auto name = utf8_of_mailbox(text)) check(utf8_of_mailbox(mailbox_of_utf8(*name)) == *name);
  return 0;
}
