#pragma once
#include <iconv.h>

#include <string>
#include <string_view>

namespace isthmus::fs::mail {

/// Text of a charset, piece by piece, into UTF-8 with "\n" at the ends of lines. What cannot be converted becomes
/// U+FFFD; a charset that iconv(3) does not know is taken for UTF-8.
class TextDecoder {
 public:
  explicit TextDecoder(std::string_view charset);
  ~TextDecoder();
  TextDecoder(const TextDecoder&) = delete;
  TextDecoder& operator=(const TextDecoder&) = delete;

  void put(std::string_view in, std::string& out);
  void finish(std::string& out);

 private:
  void convert(std::string_view in, bool last);
  void convert_utf8(std::string_view in, bool last);
  void give(std::string& out, bool last);

  iconv_t iconv_;          // (iconv_t)-1: UTF-8
  std::string rest_;       // the beginning of a character
  std::string converted_;  // with the line ends of the original
};

}  // namespace isthmus::fs::mail
