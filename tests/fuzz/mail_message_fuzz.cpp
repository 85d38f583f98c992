// Bytes as a message: whatever they are, there is a text in UTF-8, names are single components that stand alone, and
// headers are lines that a terminal can be shown.
#include <cstring>
#include <set>
#include <string>

#include "base/utf8.h"
#include "fs/mail/headers.h"
#include "fs/mail/mime.h"
#include "fs/mail/names.h"
#include "tests/fuzz/check.h"

using namespace isthmus;
using namespace isthmus::fs::mail;

namespace {

void check_name(const std::string& name) {
  check(!name.empty() && name.size() <= 255 && name[0] != '.');
  check(name.find_first_of(std::string_view("/\\\0\n\r\x1b", 6)) == name.npos);
  check(is_utf8(name));
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  static HeaderNames names;
  const auto head = HeaderFiles::of(text, names);
  std::set<std::string> seen;
  for (const auto& f : head.files()) {
    const std::string name = names.name_of(f.number);
    check_name(name);
    check(seen.insert(lower_ascii(name)).second);
    check(is_utf8(f.text) && f.text.ends_with('\n'));
    for (const char c : f.text) check(c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
    check(head.find(f.number) == &f);
  }
  seen.clear();
  const auto content = parse_message(*Blob::of(text));
  check(content.ok());
  auto body = content->body->text();
  check(body.ok() && is_utf8(*body));
  for (const auto& a : content->attachments) {
    check_name(a.name);
    check(seen.insert(lower_ascii(a.name)).second);
    check(a.data->size() <= 2 * size + 4096);
  }
  return 0;
}
