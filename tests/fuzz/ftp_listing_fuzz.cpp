#include <cstdint>
#include <string>

#include "tests/fuzz/check.h"
#include "wire/ftp/listing.h"
#include "wire/ftp/replies.h"

// Listings, replies and lists of features. What is checked beside crashes: each name can be asked for, each comes once
// and in order, there are no more than wanted, and pieces give what the whole gives.

namespace isthmus::wire::ftp {
namespace {

using ::check;

constexpr int64_t kNow = 1'700'000'000;
constexpr size_t kMost = 50;

void listing(Format format, std::string_view text, size_t piece) {
  ListingReader whole(format, kNow, kMost), pieces(format, kNow, kMost);
  whole.feed(text);
  for (size_t at = 0; at < text.size(); at += piece) pieces.feed(text.substr(at, piece));
  const auto entries = whole.finish(), again = pieces.finish();
  check(entries.size() == again.size() && entries.size() <= kMost);
  for (size_t i = 0; i < entries.size(); i++) {
    const Facts& f = entries[i];
    check(is_name(f.name) && f.name == again[i].name && f.size == again[i].size && f.modified == again[i].modified);
    check(i == 0 || entries[i - 1].name < f.name);
    check(!f.mode || *f.mode <= 07777);
    check(!f.modified || f.modified->nsec < 1'000'000'000);
    if (f.modified) check(parse_time(format_time(*f.modified)).has_value());
  }
}

void replies(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  for (auto& r : replies_in(lines)) {
    check(r.code >= 100 && r.code <= 999);
    reason(r.code, r.text);
    for (char c : printable(r.text)) check(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  }
  parse_features(lines);
}

}  // namespace
}  // namespace isthmus::wire::ftp

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isthmus::wire::ftp;
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t piece = size_t{data[1]} + 1;
  switch (data[0] % 3) {
    case 0:
      listing(Format::list, text, piece);
      break;
    case 1:
      listing(Format::mlsd, text, piece);
      break;
    default:
      replies(text);
  }
  return 0;
}
