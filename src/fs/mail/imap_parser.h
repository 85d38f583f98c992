#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What an IMAP server says (RFC 9051, 9; RFC 3501).
namespace isthmus::fs::mail::imap {

/// A part of a response: an atom, a string (quoted or literal), NIL or a list.
struct Value {
  enum class Kind : uint8_t { nil, atom, string, list } kind = Kind::nil;
  std::string text;         ///< of atoms and strings
  std::vector<Value> list;  ///< of lists

  /// Of an atom, without regard to case.
  bool is(std::string_view word) const;
  bool is_text() const { return kind == Kind::atom || kind == Kind::string; }
  std::optional<uint64_t> number(uint64_t max) const;
};

/// One response. "+ text": tag "+", nothing but text. A status ("* OK [CODE args] text", "a1 NO text"): status, code
/// and text. Data ("* 3 FETCH (...)"): values.
struct Response {
  std::string tag;
  std::string status;  ///< OK, NO, BAD, BYE, PREAUTH, in upper case; empty: data
  std::vector<Value> code;
  std::string text;
  std::vector<Value> values;
  bool ok() const { return status == "OK"; }
  bool has_code(std::string_view word) const { return !code.empty() && code[0].is(word); }
};

/// Responses out of a stream of bytes. Everything is bounded: a response of more than kMost bytes, a literal of more
/// than kMostLiteral, more than kDeepest lists in each other or kMostValues values is the end of the conversation.
class Parser {
 public:
  static constexpr size_t kMost = size_t{8} << 20, kMostLiteral = size_t{4} << 20;
  static constexpr int kDeepest = 20;
  static constexpr size_t kMostValues = 100'000;

  void put(std::string_view bytes) { bytes_ += bytes; }
  enum class Step : uint8_t { more, ready, broken };
  /// The next response, if it is there whole. broken: nothing that comes can be understood.
  Step next(Response& r);

 private:
  std::string bytes_;
  size_t begin_ = 0;  // of the response
  size_t scan_ = 0;   // where its next line begins; behind its literals
};

/// As an argument of a command; none if that would take a literal (control characters, bytes above 126).
std::optional<std::string> quoted(std::string_view text);
/// "1:3,7" of ascending numbers.
std::string number_set(const std::vector<uint32_t>& numbers);
/// Seconds since 1970 of " 7-Feb-1994 21:52:25 -0800".
std::optional<int64_t> time_of(const std::string& date);

}  // namespace isthmus::fs::mail::imap
