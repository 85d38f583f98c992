#include "fs/mail/gmime.h"

#include <gmime/gmime.h>

#include <mutex>

namespace isthmus::fs::mail::gmime {

void init() {
  static std::once_flag once;
  std::call_once(once, [] { g_mime_init(); });
}

std::string decode_words(const std::string& value) {
  init();
  const std::unique_ptr<char, decltype(&g_free)> text(g_mime_utils_header_decode_text(nullptr, value.c_str()), g_free);
  return text ? text.get() : value;
}

}  // namespace isthmus::fs::mail::gmime
