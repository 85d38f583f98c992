#include "fs/mail/charset.h"

#include <algorithm>
#include <cerrno>

#include "base/utf8.h"
#include "fs/mail/names.h"

namespace isthmus::fs::mail {
namespace {

constexpr std::string_view kUnknown = "\xef\xbf\xbd";  // U+FFFD
constexpr size_t kLongestCharacter = 16;               // bytes, escape sequences counted, of any charset of iconv's

iconv_t no_iconv() { return reinterpret_cast<iconv_t>(-1); }

/// iconv_open(3) opens modules by name: nothing but a name may reach it.
bool is_charset_name(std::string_view s) {
  return !s.empty() && s.size() <= 40 && std::all_of(s.begin(), s.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == ':' || c == '+' || c == '.';
  });
}

iconv_t open_charset(std::string_view charset) {
  const std::string name = lower_ascii(charset);
  if (!is_charset_name(name) || name == "utf-8" || name == "utf8" || name == "us-ascii") return no_iconv();
  return iconv_open("UTF-8", name.c_str());
}

/// How many bytes at the end of `s` may be the beginning of a character of UTF-8.
size_t unfinished(std::string_view s) {
  for (size_t n = 1; n <= std::min<size_t>(3, s.size()); n++) {
    const auto c = static_cast<unsigned char>(s[s.size() - n]);
    if ((c & 0xc0) == 0x80) continue;
    const size_t wanted = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;
    return wanted > n ? n : 0;
  }
  return 0;
}

}  // namespace

TextDecoder::TextDecoder(std::string_view charset) : iconv_(open_charset(charset)) {}

TextDecoder::~TextDecoder() {
  if (iconv_ != no_iconv()) iconv_close(iconv_);
}

void TextDecoder::put(std::string_view in, std::string& out) {
  convert(in, false);
  give(out, false);
}

void TextDecoder::finish(std::string& out) {
  convert({}, true);
  give(out, true);
}

void TextDecoder::convert(std::string_view in, bool last) {
  rest_ += in;
  if (iconv_ == no_iconv()) {
    const size_t keep = last ? 0 : unfinished(rest_);
    converted_ += scrub_utf8(std::string_view(rest_).substr(0, rest_.size() - keep));
    rest_.erase(0, rest_.size() - keep);
    return;
  }
  char* from = rest_.data();
  size_t left = rest_.size();
  char room[4096];
  while (left > 0) {
    char* to = room;
    size_t free = sizeof room;
    const size_t done = iconv(iconv_, &from, &left, &to, &free);
    const int why = done == static_cast<size_t>(-1) ? errno : 0;
    converted_.append(room, static_cast<size_t>(to - room));
    if (why == EINVAL && !last && left < kLongestCharacter) break;
    if (why == 0 || why == E2BIG || left == 0) continue;
    converted_ += kUnknown;
    from++;
    left--;
    if (why == EINVAL) break;  // the end, inside a character: one mark for it
  }
  if (last) left = 0;
  rest_.erase(0, rest_.size() - left);
}

/// A CR at the end waits for what comes behind it.
void TextDecoder::give(std::string& out, bool last) {
  size_t keep = !last && converted_.ends_with('\r') ? 1 : 0;
  const std::string_view text = std::string_view(converted_).substr(0, converted_.size() - keep);
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find("\r\n", at), text.size());
    out += text.substr(at, end - at);
    at = end;
    if (at < text.size()) at++;
    if (at < text.size()) out += '\n', at++;
  }
  converted_.erase(0, converted_.size() - keep);
}

}  // namespace isthmus::fs::mail
