#include "fs/mail/imap_parser.h"

#include <fmt/format.h>
#include <strings.h>
#include <time.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace isthmus::fs::mail::imap {
namespace {

bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view word_at(std::string_view text) { return text.substr(0, text.find(' ')); }

/// Of "{12}" or "{12+}" at the end of a line: the number, unbounded as it is.
std::optional<uint64_t> literal_at_end(std::string_view line) {
  if (!line.ends_with('}')) return std::nullopt;
  const size_t open = line.rfind('{');
  if (open == line.npos) return std::nullopt;
  auto digits = line.substr(open + 1, line.size() - open - 2);
  if (digits.ends_with('+')) digits.remove_suffix(1);
  return parse_number(digits);
}

std::string_view status_word(std::string_view word) {
  constexpr std::array<std::string_view, 5> kWords{"OK", "NO", "BAD", "BYE", "PREAUTH"};
  for (auto w : kWords)
    if (same_word(w, word)) return w;
  return {};
}

/// The values of a line, its literals in it.
class Tokens {
 public:
  explicit Tokens(std::string_view text) : rest_(text) {}

  /// Up to the end, or to `close`.
  bool values(std::vector<Value>& to, char close, int depth) {
    for (;;) {
      while (!rest_.empty() && rest_[0] == ' ') rest_.remove_prefix(1);
      if (rest_.empty()) return close == '\0';
      if (close && rest_[0] == close) {
        rest_.remove_prefix(1);
        return true;
      }
      if (++count_ > Parser::kMostValues || !value(to.emplace_back(), depth, close)) return false;
    }
  }
  std::string_view rest() const { return rest_; }

 private:
  bool value(Value& v, int depth, char close) {
    switch (rest_[0]) {
      case '(':
        rest_.remove_prefix(1);
        v.kind = Value::Kind::list;
        return depth < Parser::kDeepest && values(v.list, ')', depth + 1);
      case '"':
        return quoted_string(v);
      case '{':
        return literal(v);
      case ')':
        return false;
      default:
        return atom(v, close);
    }
  }

  bool quoted_string(Value& v) {
    v.kind = Value::Kind::string;
    for (size_t i = 1; i < rest_.size(); i++) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return true;
      }
      if (rest_[i] == '\\') i++;
      if (i < rest_.size()) v.text += rest_[i];
    }
    return false;
  }

  bool literal(Value& v) {
    v.kind = Value::Kind::string;
    const size_t end = rest_.find('\n');
    if (end == rest_.npos) return false;
    auto head = rest_.substr(0, end);
    if (head.ends_with('\r')) head.remove_suffix(1);
    const auto n = literal_at_end(head);
    // Nothing but the number may be between the brace and the end of the line.
    if (!n || head.rfind('{') != 0 || *n > rest_.size() - end - 1) return false;
    v.text = rest_.substr(end + 1, *n);
    rest_.remove_prefix(end + 1 + *n);
    return true;
  }

  /// "BODY[HEADER.FIELDS (A B)]<0>" is one.
  bool atom(Value& v, char close) {
    v.kind = Value::Kind::atom;
    bool section = false;
    size_t i = 0;
    for (; i < rest_.size(); i++) {
      const char c = rest_[i];
      if (c == '[' && close != ']') section = true;
      if (!section && (c == ' ' || c == '(' || c == ')' || c == '"' || c == close)) break;
      if (c == '\n' || c == '\r') return false;
      if (c == ']') section = false;
    }
    if (i == 0 || section) return false;
    v.text = rest_.substr(0, i);
    rest_.remove_prefix(i);
    if (same_word(v.text, "NIL")) v = {};
    return true;
  }

  std::string_view rest_;
  size_t count_ = 0;
};

bool parse_response(std::string_view line, Response& r) {
  r = {};
  r.tag = word_at(line);
  if (r.tag.empty()) return false;
  line.remove_prefix(std::min(r.tag.size() + 1, line.size()));
  if (r.tag == "+") {
    r.text = line;
    return true;
  }
  r.status = status_word(word_at(line));
  if (r.status.empty()) return Tokens(line).values(r.values, '\0', 0);
  line.remove_prefix(std::min(r.status.size() + 1, line.size()));
  if (line.starts_with('[')) {
    Tokens code(line.substr(1));
    // A code that cannot be read is no code, and part of the text.
    if (code.values(r.code, ']', 0))
      line = code.rest();
    else
      r.code.clear();
  }
  r.text = line;
  return true;
}

}  // namespace

bool Value::is(std::string_view word) const { return kind == Kind::atom && same_word(text, word); }

std::optional<uint64_t> Value::number(uint64_t max) const {
  return kind == Kind::atom ? parse_number(text, max) : std::nullopt;
}

Parser::Step Parser::next(Response& r) {
  scan_ = std::max(scan_, begin_);
  for (;;) {
    const size_t newline = scan_ <= bytes_.size() ? bytes_.find('\n', scan_) : bytes_.npos;
    if (newline == bytes_.npos) {
      if (bytes_.size() - begin_ > kMost) return Step::broken;
      return Step::more;
    }
    if (newline - begin_ > kMost) return Step::broken;
    std::string_view line(bytes_.data() + scan_, newline - scan_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string_view whole(bytes_.data() + begin_,
                                 static_cast<size_t>(line.data() + line.size() - bytes_.data()) - begin_);
    // Texts for people have no literals, whatever they end with.
    const size_t tag = word_at(whole).size();
    const bool for_people =
        whole.starts_with("+") || !status_word(word_at(whole.substr(std::min(tag + 1, whole.size())))).empty();
    const auto literal = for_people ? std::nullopt : literal_at_end(line);
    if (literal) {
      if (*literal > kMostLiteral) return Step::broken;
      scan_ = newline + 1 + *literal;
      continue;
    }
    const bool understood = parse_response(whole, r);
    begin_ = scan_ = newline + 1;
    if (begin_ > (size_t{1} << 20) || begin_ == bytes_.size()) {
      bytes_.erase(0, begin_);
      begin_ = scan_ = 0;
    }
    return understood ? Step::ready : Step::broken;
  }
}

std::optional<std::string> quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c < 0x20 || c > 0x7e) return std::nullopt;
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string number_set(const std::vector<uint32_t>& numbers) {
  std::string out;
  for (size_t i = 0; i < numbers.size();) {
    size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) last++;
    out += fmt::format("{}{}", out.empty() ? "" : ",", numbers[i]);
    if (last > i) out += fmt::format(":{}", numbers[last]);
    i = last + 1;
  }
  return out;
}

std::optional<int64_t> time_of(const std::string& date) {
  tm t{};
  const char* end = strptime(date.c_str(), " %d-%b-%Y %H:%M:%S %z", &t);
  if (!end || *end) return std::nullopt;
  const int64_t offset = t.tm_gmtoff;
  return timegm(&t) - offset;
}

}  // namespace isthmus::fs::mail::imap
