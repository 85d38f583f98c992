#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

/// Names of files, made of what messages and servers say.
namespace isthmus::fs::mail {

/// `text` as UTF-8, U+FFFD in place of what is none.
std::string scrub_utf8(std::string_view text);
/// The same on one line: control characters (also those that turn the direction of text) become U+FFFD, tabs blanks.
/// What a terminal shows of it is text and nothing else.
std::string scrub_line(std::string_view text);

/// A name that is a single component, of at most 255 bytes, not hidden, without control characters, slashes and
/// backslashes; `otherwise` if nothing is left of it. The ending (".pdf") of a long one stays.
std::string safe_name(std::string_view text, std::string_view otherwise);

/// Names of one directory: each once, also for clients that do not tell upper from lower case.
class UniqueNames {
 public:
  /// `name`, or `name~2` and so on; the number goes in front of the ending ("a~2.pdf").
  std::string add(const std::string& name);
  bool has(const std::string& name) const;

 private:
  std::unordered_set<std::string> taken_;
};

/// Whether it is read as a message's number: three or more digits.
bool is_number_name(std::string_view name);

/// Modified UTF-7 of mailbox names (RFC 3501, 5.1.3). None: it is not.
std::optional<std::string> utf8_of_mailbox(std::string_view name);
std::string mailbox_of_utf8(std::string_view name);

/// Upper and lower case of ASCII alike.
std::string lower_ascii(std::string_view text);

}  // namespace isthmus::fs::mail
