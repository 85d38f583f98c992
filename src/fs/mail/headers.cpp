#include "fs/mail/headers.h"

#include <algorithm>
#include <array>
#include <map>

#include "fs/mail/gmime.h"
#include "fs/mail/names.h"

namespace isthmus::fs::mail {
namespace {

constexpr size_t kMostFields = 2000, kMostValue = size_t{256} << 10, kMostFieldName = 200;

/// Names that programs ask for, as they spell them; messages do as they like.
constexpr std::array<std::string_view, 34> kUsual{"From",
                                                  "To",
                                                  "Cc",
                                                  "Bcc",
                                                  "Subject",
                                                  "Date",
                                                  "Sender",
                                                  "Reply-To",
                                                  "Message-ID",
                                                  "In-Reply-To",
                                                  "References",
                                                  "Return-Path",
                                                  "Received",
                                                  "Delivered-To",
                                                  "MIME-Version",
                                                  "Content-Type",
                                                  "Content-Transfer-Encoding",
                                                  "Content-Disposition",
                                                  "Content-Language",
                                                  "Content-ID",
                                                  "Content-Length",
                                                  "List-ID",
                                                  "List-Post",
                                                  "List-Help",
                                                  "List-Subscribe",
                                                  "List-Unsubscribe",
                                                  "List-Archive",
                                                  "DKIM-Signature",
                                                  "Authentication-Results",
                                                  "User-Agent",
                                                  "Status",
                                                  "X-Status",
                                                  "X-Mailer",
                                                  "Precedence"};
/// What else is in a message's directory.
constexpr std::array<std::string_view, 4> kOwnNames{"raw", "body", "attachments", "flags"};

bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// The next line, taken off the front, without its end.
std::string_view next_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  auto line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

std::string file_name(std::string_view field, const std::string& lower) {
  for (auto usual : kUsual)
    if (lower_ascii(usual) == lower) return std::string(usual);
  std::string name = safe_name(field, "_");
  if (std::find(kOwnNames.begin(), kOwnNames.end(), lower_ascii(name)) != kOwnNames.end()) name = "header-" + name;
  return name;
}

}  // namespace

std::optional<size_t> end_of_head(std::string_view text) {
  if (text.starts_with("\n")) return 1;
  if (text.starts_with("\r\n")) return 2;
  for (size_t at = text.find('\n'); at != text.npos; at = text.find('\n', at + 1)) {
    if (text.substr(at + 1).starts_with("\n")) return at + 2;
    if (text.substr(at + 1).starts_with("\r\n")) return at + 3;
  }
  return std::nullopt;
}

std::vector<Field> split_head(std::string_view head) {
  head = head.substr(0, kMostHead);
  std::vector<Field> fields;
  bool in_field = false;
  while (!head.empty()) {
    const auto line = next_line(head);
    if (line.empty()) break;
    if (is_blank(line[0])) {
      if (!in_field) continue;
      std::string& value = fields.back().value;
      value.append(line.substr(0, kMostValue - std::min(kMostValue, value.size())));
      continue;
    }
    const size_t colon = line.find(':');
    auto name = line.substr(0, colon);
    while (!name.empty() && is_blank(name.back())) name.remove_suffix(1);
    in_field = colon != line.npos && !name.empty() && name.size() <= kMostFieldName && fields.size() < kMostFields &&
               std::all_of(name.begin(), name.end(), [](char c) { return c > 32 && c < 127; });
    if (!in_field) continue;
    auto value = line.substr(colon + 1);
    while (!value.empty() && is_blank(value[0])) value.remove_prefix(1);
    fields.push_back({name, std::string(value.substr(0, kMostValue))});
  }
  return fields;
}

std::string decode_value(std::string_view value) {
  std::string text(value);
  std::replace(text.begin(), text.end(), '\0', ' ');
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= 32 && c < 127; });
  if (plain && text.find("=?") == text.npos) return text;
  return scrub_line(gmime::decode_words(text));
}

std::optional<uint32_t> HeaderNames::number_of(const std::string& name) {
  std::lock_guard lock(m_);
  const auto it = numbers_.find(name);
  if (it != numbers_.end()) return it->second;
  if (names_.size() >= kMost) return std::nullopt;
  const auto made = numbers_.emplace(name, static_cast<uint32_t>(names_.size())).first;
  names_.push_back(&made->first);
  return made->second;
}

std::optional<uint32_t> HeaderNames::find(std::string_view name) const {
  std::lock_guard lock(m_);
  const auto it = numbers_.find(std::string(name));
  return it == numbers_.end() ? std::nullopt : std::optional(it->second);
}

std::string HeaderNames::name_of(uint32_t number) const {
  std::lock_guard lock(m_);
  return number < names_.size() ? *names_[number] : std::string();
}

HeaderFiles HeaderFiles::of(std::string_view head, HeaderNames& names) {
  HeaderFiles made;
  std::map<std::string, size_t> at;  // by names in lower case
  std::map<std::string, size_t> taken;
  for (const Field& f : split_head(head)) {
    const std::string lower = lower_ascii(f.name);
    auto known = at.find(lower);
    if (known == at.end()) {
      // Different fields may be one name once it is safe: they share the file.
      const std::string name = file_name(f.name, lower);
      const auto same = taken.find(lower_ascii(name));
      if (same == taken.end()) {
        const auto number = names.number_of(name);
        if (!number) continue;
        taken.emplace(lower_ascii(name), made.files_.size());
        known = at.emplace(lower, made.files_.size()).first;
        made.files_.push_back({*number, {}});
      } else {
        known = at.emplace(lower, same->second).first;
      }
    }
    made.files_[known->second].text += decode_value(f.value) + "\n";
  }
  // There is always a subject to be shown.
  const auto subject = names.number_of("Subject");
  if (subject && std::none_of(made.files_.begin(), made.files_.end(), [&](auto& f) { return f.number == subject; }))
    made.files_.push_back({*subject, "\n"});
  for (File& f : made.files_) {
    if (f.number == subject && f.text == "\n") f.text = "(none)\n";
    made.weight_ += sizeof f + f.text.capacity();
  }
  std::sort(made.files_.begin(), made.files_.end(), [](auto& a, auto& b) { return a.number < b.number; });
  return made;
}

const HeaderFiles::File* HeaderFiles::find(uint32_t number) const {
  const auto it =
      std::lower_bound(files_.begin(), files_.end(), number, [](const File& f, uint32_t n) { return f.number < n; });
  return it == files_.end() || it->number != number ? nullptr : &*it;
}

}  // namespace isthmus::fs::mail
