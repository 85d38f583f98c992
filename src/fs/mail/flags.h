#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Flags of messages: one set, and how files, Maildirs, mboxes and IMAP spell it.
namespace isthmus::fs::mail {

enum Flag : uint8_t {
  kSeen = 1u << 0,
  kAnswered = 1u << 1,
  kFlagged = 1u << 2,
  kDraft = 1u << 3,
  kForwarded = 1u << 4,
  kDeleted = 1u << 5,
};
/// Bits of Flag.
using Flags = uint8_t;

/// letter: in the name of a Maildir's file (https://cr.yp.to/proto/maildir.html); imap: RFC 9051, 2.3.2.
struct FlagNames {
  Flag flag;
  std::string_view name;
  char letter;
  std::string_view imap;
};
constexpr std::array<FlagNames, 6> kFlagNames{{{kSeen, "seen", 'S', "\\Seen"},
                                               {kAnswered, "answered", 'R', "\\Answered"},
                                               {kFlagged, "flagged", 'F', "\\Flagged"},
                                               {kDraft, "draft", 'D', "\\Draft"},
                                               {kForwarded, "forwarded", 'P', "$Forwarded"},
                                               {kDeleted, "deleted", 'T', "\\Deleted"}}};

/// Without regard to case; 0: none of these.
Flags flag_of_imap(std::string_view name);
/// Of the part behind ":2,". Letters of others are not looked at.
Flags flags_of_letters(std::string_view letters);
/// `letters` with the flags in it as they are to be, in the order that Maildirs ask for; letters of others stay.
std::string letters_with(std::string_view letters, Flags flags);
/// Of the values of the headers Status and X-Status of an mbox.
Flags flags_of_status(std::string_view status, std::string_view x_status);

/// "seen flagged\n", and behind them the keywords (separated by blanks).
std::string list_text(Flags flags, std::string_view keywords);

struct FlagChange {
  Flags set = 0, clear = 0;
};
/// What is written to a list of flags: words, separated by blanks and commas. "+seen" and "-seen" change one; words
/// without a sign are the new set. A keyword that is there may stand among them and changes nothing. None: a word that
/// is no flag.
std::optional<FlagChange> parse_flag_list(std::string_view text, std::string_view keywords);
/// What is written to the file of one flag: "1" or "0", and blanks around it.
std::optional<bool> parse_flag_value(std::string_view text);

}  // namespace isthmus::fs::mail
