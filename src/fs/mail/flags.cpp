#include "fs/mail/flags.h"

#include <strings.h>

#include <algorithm>

namespace isthmus::fs::mail {
namespace {

constexpr std::string_view kBlanks = " \t\r\n,";

bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

/// The next word, taken off the front; empty at the end.
std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  const auto word = text.substr(0, text.find_first_of(kBlanks));
  text.remove_prefix(word.size());
  return word;
}

bool has_word(std::string_view words, std::string_view wanted) {
  for (auto w = next_word(words); !w.empty(); w = next_word(words))
    if (same_word(w, wanted)) return true;
  return false;
}

const FlagNames* by_letter(char c) {
  const auto* it = std::find_if(kFlagNames.begin(), kFlagNames.end(), [&](auto& f) { return f.letter == c; });
  return it == kFlagNames.end() ? nullptr : it;
}

}  // namespace

Flags flag_of_imap(std::string_view name) {
  for (auto& f : kFlagNames)
    if (same_word(f.imap, name)) return f.flag;
  return same_word(name, "$Forward") || same_word(name, "Forwarded") ? Flags{kForwarded} : Flags{0};
}

Flags flags_of_letters(std::string_view letters) {
  Flags flags = 0;
  for (char c : letters)
    if (const auto* f = by_letter(c)) flags |= f->flag;
  return flags;
}

std::string letters_with(std::string_view letters, Flags flags) {
  std::string out;
  for (char c : letters)
    if (!by_letter(c)) out += c;
  for (auto& f : kFlagNames)
    if (flags & f.flag) out += f.letter;
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Flags flags_of_status(std::string_view status, std::string_view x_status) {
  const auto has = [](std::string_view s, char c, Flag f) { return s.find(c) != s.npos ? Flags{f} : Flags{0}; };
  return static_cast<Flags>(has(status, 'R', kSeen) | has(x_status, 'A', kAnswered) | has(x_status, 'F', kFlagged) |
                            has(x_status, 'T', kDraft) | has(x_status, 'D', kDeleted));
}

std::string list_text(Flags flags, std::string_view keywords) {
  std::string out;
  for (auto& f : kFlagNames)
    if (flags & f.flag) out.append(out.empty() ? "" : " ").append(f.name);
  if (!keywords.empty()) out.append(out.empty() ? "" : " ").append(keywords);
  return out + "\n";
}

std::optional<FlagChange> parse_flag_list(std::string_view text, std::string_view keywords) {
  FlagChange change;
  Flags whole = 0;
  bool replaces = false, some = false;
  for (auto word = next_word(text); !word.empty(); word = next_word(text)) {
    some = true;
    const char sign = word[0] == '+' || word[0] == '-' ? word[0] : '\0';
    if (sign) word.remove_prefix(1);
    Flags flag = 0;
    for (auto& f : kFlagNames)
      if (same_word(f.name, word) || same_word(f.imap, word)) flag = f.flag;
    if (!flag && (sign || !has_word(keywords, word))) return std::nullopt;
    if (sign == '+') {
      change.set |= flag;
      change.clear &= static_cast<Flags>(~flag);
    } else if (sign == '-') {
      change.clear |= flag;
      change.set &= static_cast<Flags>(~flag);
    } else {
      whole |= flag;
      replaces = true;
    }
  }
  if (replaces || !some) {
    for (auto& f : kFlagNames)
      if (!((whole | change.set | change.clear) & f.flag)) change.clear |= f.flag;
    change.set |= static_cast<Flags>(whole & ~change.clear);
  }
  return change;
}

std::optional<bool> parse_flag_value(std::string_view text) {
  const auto word = next_word(text);
  if (!next_word(text).empty() || word.size() != 1 || (word[0] != '0' && word[0] != '1')) return std::nullopt;
  return word[0] == '1';
}

}  // namespace isthmus::fs::mail
