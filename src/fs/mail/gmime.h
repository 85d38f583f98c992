#pragma once
#include <memory>
#include <string>

/// GMime (libgmime-3.0), which knows MIME; only gmime.cpp and mime.cpp see its headers.
namespace isthmus::fs::mail::gmime {

/// Before anything else of GMime's; more than once is fine. Any thread.
void init();

/// A header's value with its encoded words (RFC 2047) decoded. What GMime cannot decode it leaves as it is: the result
/// may be no UTF-8.
std::string decode_words(const std::string& value);

}  // namespace isthmus::fs::mail::gmime
