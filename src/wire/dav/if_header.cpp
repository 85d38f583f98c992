#include "wire/dav/if_header.h"

#include <algorithm>

#include "wire/http/token.h"

namespace isthmus::dav {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<std::vector<IfList>> parse() {
    skip();
    bool tagged = next() == '<';
    std::string tag;
    while (ok_ && !text_.empty()) {
      // A tag holds for all lists up to the next one, and all lists have one if the first has.
      if (tagged && next() == '<') {
        tag = angle();
        skip();
      }
      lists_.push_back({.resource = tag, .conditions = {}});
      list(lists_.back().conditions);
      skip();
    }
    if (!ok_ || lists_.empty()) return std::nullopt;
    return std::move(lists_);
  }

 private:
  char next() const { return text_.empty() ? '\0' : text_.front(); }
  void skip() {
    while (http::is_blank(next())) text_.remove_prefix(1);
  }
  void take(char c) {
    ok_ = ok_ && next() == c;
    if (ok_) text_.remove_prefix(1);
  }

  void list(std::vector<Condition>& conditions) {
    take('(');
    skip();
    while (ok_ && next() != ')') {
      if (++conditions_ > kMaxIfConditions) ok_ = false;
      conditions.push_back(condition());
      skip();
    }
    take(')');
    if (conditions.empty()) ok_ = false;
  }

  Condition condition() {
    Condition c;
    if (not_word()) {
      c.negated = true;
      text_.remove_prefix(3);
      skip();
    }
    c.is_etag = next() == '[';
    c.value = c.is_etag ? etag() : angle();
    return c;
  }
  /// Literals of the grammar are in any case.
  bool not_word() const {
    return text_.size() > 3 && (text_[0] | 0x20) == 'n' && (text_[1] | 0x20) == 'o' && (text_[2] | 0x20) == 't';
  }

  /// What is between < and >: a URI, or what a client makes up in its place, but nothing that ends or hides a list.
  std::string angle() {
    take('<');
    size_t end = 0;
    while (end < text_.size() && uri_char(text_[end])) end++;
    std::string value(text_.substr(0, end));
    if (ok_) text_.remove_prefix(end);
    take('>');
    if (value.empty()) ok_ = false;
    return value;
  }
  static bool uri_char(char c) {
    auto u = static_cast<unsigned char>(c);
    return u > 0x20 && u != 0x7f && c != '<' && c != '>' && c != '"';
  }

  std::string etag() {
    take('[');
    skip();
    size_t end = text_.starts_with("W/") ? 2 : 0;
    if (end >= text_.size() || text_[end] != '"') ok_ = false;
    end = text_.find('"', end + 1);
    if (!ok_ || end == std::string_view::npos) {
      ok_ = false;
      return {};
    }
    std::string value(text_.substr(0, end + 1));
    text_.remove_prefix(end + 1);
    skip();
    take(']');
    for (char c : value)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) ok_ = false;
    return value;
  }

  std::string_view text_;
  std::vector<IfList> lists_;
  size_t conditions_ = 0;
  bool ok_ = true;
};

}  // namespace

std::optional<std::vector<IfList>> parse_if(std::string_view value) {
  if (value.size() > kMaxIfHeader) return std::nullopt;
  return Parser(value).parse();
}

std::vector<std::string_view> submitted_tokens(const std::vector<IfList>& lists) {
  std::vector<std::string_view> tokens;
  for (auto& list : lists)
    for (auto& c : list.conditions)
      if (!c.is_etag && std::find(tokens.begin(), tokens.end(), c.value) == tokens.end()) tokens.push_back(c.value);
  return tokens;
}

}  // namespace isthmus::dav
