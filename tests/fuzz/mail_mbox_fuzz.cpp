// Bytes as an mbox: the messages are told in order, none reaches into another or out of the file, and what was cut off
// by lines of the file stays so. Unquoting does not depend on the pieces that text comes in.
#include <algorithm>
#include <string>

#include "fs/mail/mbox_split.h"
#include "tests/fuzz/check.h"

using namespace isthmus;
using namespace isthmus::fs::mail;

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const ReadAt read = [&](uint64_t offset, MutableBytes to) -> Result<size_t> {
    const auto part = std::string_view(text).substr(std::min<size_t>(offset, size), to.size());
    std::copy(part.begin(), part.end(), reinterpret_cast<char*>(to.data()));
    return part.size();
  };
  uint64_t end = 0;
  (void)split_mbox(read, size, [&](const Facts& f) {
    check(f.offset > end || end == 0);
    check(f.offset <= size && f.length <= size - f.offset);
    check(!f.key.empty());
    // In front of each lies its From_ line.
    const size_t line = text.rfind("From ", f.offset);
    check(line != text.npos && line >= end);
    end = f.offset + f.length;
    return true;
  });
  std::string whole, pieces;
  Unquoter one, other;
  one.put(text, whole);
  one.finish(whole);
  for (const char c : text) other.put({&c, 1}, pieces);
  other.finish(pieces);
  check(whole == pieces);
  check(whole.size() <= size);
  return 0;
}
