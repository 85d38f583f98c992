#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace isthmus::http {

/// "Not Found"; "" for a number that has no text here.
std::string_view reason_of(int status);

/// Writes the head of an answer. Values with CR, LF or NUL are cut there, so that no value can make a field of its own.
class ResponseHead {
 public:
  /// Begins with the status line.
  ResponseHead(std::string& out, int status);
  ResponseHead& field(std::string_view name, std::string_view value);
  ResponseHead& field(std::string_view name, uint64_t value);
  /// The empty line.
  void end();

 private:
  std::string& out_;
};

}  // namespace isthmus::http
