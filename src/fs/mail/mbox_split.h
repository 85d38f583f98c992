#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "fs/mail/mailbox.h"

/// Where the messages of an mbox begin and end (RFC 4155; mboxo, mboxrd, mboxcl and mboxcl2 alike).
namespace isthmus::fs::mail {

/// Reads at an offset, as pread(2): fewer bytes only at the end.
using ReadAt = std::function<Result<size_t>(uint64_t offset, MutableBytes to)>;

/// Whether a line (as far as it is known) begins a message: "From ", somebody, and a date with a time and a year.
bool is_from_line(std::string_view line);
/// What the date at the end of such a line says, taken for UTC; none if it cannot be read.
std::optional<Time> time_of_from_line(std::string_view line);

/// A message of an mbox. facts.offset and length: without its From_ line and without the empty line before the next
/// one. place: kByLength when its end is where Content-Length said, so that no line in it is quoted.
constexpr std::string_view kByLength = "length";

/// Gives the messages in [0, size), in their order; false: enough. EBADMSG: it is no mbox. A message begins with a
/// From_ line at the beginning or after an empty line; a Content-Length that leads to such a place is believed.
Status split_mbox(const ReadAt& read, uint64_t size, const std::function<bool(Facts)>& give);

/// Takes one '>' off lines of the form ">From ", ">>From " and so on, piece by piece.
class Unquoter {
 public:
  void put(std::string_view in, std::string& out);
  void finish(std::string& out);

 private:
  void give_up(std::string& out);

  uint64_t marks_ = 0;  // '>' at the beginning of the line, not given yet
  size_t matched_ = 0;  // of "From " behind them
  bool at_begin_ = true;
};

}  // namespace isthmus::fs::mail
