#include "wire/ftp/listing.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace isthmus::wire::ftp {
namespace {

using V = std::string_view;

bool same_word(V a, V b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

std::optional<uint32_t> parse_octal(V text) {
  uint32_t n = 0;
  if (text.empty() || text.size() > 7) return std::nullopt;
  for (char c : text) {
    if (c < '0' || c > '7') return std::nullopt;
    n = n * 8 + static_cast<uint32_t>(c - '0');
  }
  return n & 07777;
}

/// "(file|dir|...|OS.name=kind[:target])".
Line take_type(V value, Facts& out) {
  if (same_word(value, "cdir") || same_word(value, "pdir")) return Line::self;
  if (same_word(value, "file")) {
    out.kind = Kind::file;
  } else if (same_word(value, "dir")) {
    out.kind = Kind::folder;
  } else if (const size_t eq = value.find('='); eq != V::npos) {
    const V what = value.substr(eq + 1);
    const size_t colon = what.find(':');
    const V kind = what.substr(0, colon);
    if (same_word(kind, "slink") || same_word(kind, "symlink")) {
      if (colon != V::npos) out.target = what.substr(colon + 1);
      // Without a target it may lead anywhere.
      out.kind = out.target.empty() ? Kind::unknown : Kind::link;
    }
  }
  return Line::entry;
}

/// What RFC 3659's `perm` allows, as a mode.
uint32_t mode_of_perm(V perm, bool folder) {
  auto has = [&](V letters) { return perm.find_first_of(letters) != V::npos; };
  if (folder) return 0555 | (has("cCmMpP") ? 0200 : 0);
  return 0444 | (has("wWaA") ? 0200 : 0);
}

Line take_name(V name, Facts& out) {
  if (name == "." || name == "..") return Line::self;
  if (!is_name(name)) return Line::bad_name;
  out.name = name;
  return Line::entry;
}

// ---- LIST ----

constexpr size_t kMostWords = 24;

/// A line's words, and where each begins. A name may have as many as it likes: only the first are needed.
struct Words {
  explicit Words(V line) {
    for (size_t at = 0; count < kMostWords;) {
      at = line.find_first_not_of(" \t", at);
      if (at == V::npos) break;
      const size_t end = std::min(line.find_first_of(" \t", at), line.size());
      text[count] = line.substr(at, end - at);
      ends[count++] = end;
      at = end;
    }
  }
  std::array<V, kMostWords> text;
  std::array<size_t, kMostWords> ends;
  size_t count = 0;
};

std::optional<uint32_t> number(V text, uint32_t max) {
  auto n = parse_number(text, max);
  return n ? std::optional(static_cast<uint32_t>(*n)) : std::nullopt;
}

std::optional<uint32_t> month_of(V text) {
  constexpr V kMonths[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
  for (uint32_t i = 0; i < 12; i++)
    if (same_word(text, kMonths[i])) return i + 1;
  return std::nullopt;
}

struct Clock {
  uint32_t hour = 0, minute = 0, second = 0;
};
/// "12:34", "12:34:56", "12:34PM".
std::optional<Clock> parse_clock(V text) {
  bool pm = false, am = false;
  if (text.size() > 2 &&
      (same_word(text.substr(text.size() - 2), "pm") || same_word(text.substr(text.size() - 2), "am"))) {
    pm = same_word(text.substr(text.size() - 2), "pm");
    am = !pm;
    text.remove_suffix(2);
  }
  const size_t colon = text.find(':');
  if (colon == V::npos) return std::nullopt;
  const size_t second = text.find(':', colon + 1);
  auto h = number(text.substr(0, colon), 23);
  auto m = number(text.substr(colon + 1, second == V::npos ? V::npos : second - colon - 1), 59);
  auto s = second == V::npos ? std::optional<uint32_t>(0) : number(text.substr(second + 1, 2), 60);
  if (!h || !m || !s) return std::nullopt;
  if ((am || pm) && (*h < 1 || *h > 12)) return std::nullopt;
  if (am || pm) *h = *h % 12 + (pm ? 12 : 0);
  return Clock{*h, *m, *s};
}

/// "1970-01-31".
bool parse_iso_day(V text, uint32_t& year, uint32_t& month, uint32_t& day) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  auto y = number(text.substr(0, 4), 9999), m = number(text.substr(5, 2), 12), d = number(text.substr(8, 2), 31);
  if (!y || !m || !d) return false;
  year = *y;
  month = *m;
  day = *d;
  return true;
}

/// A date that begins at word i. Answers how many words it takes; 0: there is none.
size_t take_date(const Words& w, size_t i, int64_t now, std::optional<Time>& out) {
  std::optional<int64_t> sec;
  size_t used = 0;
  uint32_t year = 0, month = 0, day = 0;
  if (i + 1 < w.count && parse_iso_day(w.text[i], year, month, day)) {
    auto c = parse_clock(w.text[i + 1]);
    if (!c) return 0;
    sec = seconds_of(year, month, day, c->hour, c->minute, c->second);
    used = 2;
  } else if (i + 2 < w.count) {
    auto m = month_of(w.text[i]);
    auto d = number(w.text[i + (m ? 1 : 0)], 31);
    if (!m) m = month_of(w.text[i + 1]);  // "31 Jan", as some have it
    if (!m || !d || *d == 0) return 0;
    if (auto c = parse_clock(w.text[i + 2]))
      sec = recent_seconds(now, *m, *d, c->hour, c->minute);
    else if (auto y = number(w.text[i + 2], 9999); y && *y > 1900)
      sec = seconds_of(*y, *m, *d, 0, 0, 0);
    used = 3;
  }
  if (!sec) return 0;
  out = Time{*sec, 0};
  return used;
}

/// "rwxr-sr-t".
std::optional<uint32_t> parse_mode(V text) {
  if (text.size() < 9) return std::nullopt;
  uint32_t mode = 0;
  for (size_t i = 0; i < 9; i++) {
    const char c = text[i];
    const uint32_t bit = 0400u >> i;
    constexpr V kLetters = "rwx";
    if (c == kLetters[i % 3])
      mode |= bit;
    else if (i % 3 == 2 && (c == 's' || c == 'S' || c == 't' || c == 'T' || c == 'l' || c == 'L'))
      mode |= (c == 's' || c == 't' ? bit : 0) | (i == 2 ? 04000u : i == 5 ? 02000u : 01000u);
    else if (c != '-')
      return std::nullopt;
  }
  return mode;
}

Line parse_unix(V line, int64_t now, Facts& out) {
  const Words w(line);
  auto mode = parse_mode(w.text[0].substr(1));
  if (!mode) return Line::bad;
  for (size_t i = 2; i + 1 < w.count; i++) {
    auto size = parse_number(w.text[i - 1]);
    if (!size) continue;
    const size_t used = take_date(w, i, now, out.modified);
    if (used == 0) continue;
    const size_t begin = w.ends[i + used - 1] + 1;  // exactly one blank: names may begin with more
    if (begin >= line.size()) return Line::bad;
    V name = line.substr(begin);
    out.mode = mode;
    switch (line[0]) {
      case 'd':
        out.kind = Kind::folder;
        break;
      case 'l': {
        const size_t arrow = name.find(" -> ");
        out.kind = arrow == V::npos ? Kind::unknown : Kind::link;
        if (arrow != V::npos) {
          out.target = name.substr(arrow + 4);
          name = name.substr(0, arrow);
        }
        break;
      }
      case '-':
        out.kind = Kind::file;
        out.size = *size;
        break;
      default:
        out.kind = Kind::file;  // devices and such: a file whose size nobody knows
    }
    return take_name(name, out);
  }
  return Line::bad;
}

/// "01-31-70  12:34PM  <DIR>  name", "01-31-1970  12:34  123 name", "1970-01-31 12:34 123 name".
Line parse_dos(V line, Facts& out) {
  const Words w(line);
  if (w.count < 4) return Line::bad;
  const V date = w.text[0];
  uint32_t year = 0, month = 0, day = 0;
  if (!parse_iso_day(date, year, month, day)) {
    if (date.size() < 8 || (date[2] != '-' && date[2] != '/') || date[5] != date[2]) return Line::bad;
    auto m = number(date.substr(0, 2), 12), d = number(date.substr(3, 2), 31), y = number(date.substr(6), 9999);
    if (!m || !d || !y || (date.size() != 8 && date.size() != 10)) return Line::bad;
    year = date.size() == 10 ? *y : *y + (*y < 70 ? 2000 : 1900);
    month = *m;
    day = *d;
  }
  auto clock = parse_clock(w.text[1]);
  auto sec = clock ? seconds_of(year, month, day, clock->hour, clock->minute, clock->second) : std::nullopt;
  if (!sec) return Line::bad;
  out.modified = Time{*sec, 0};
  size_t begin = w.ends[2] + 1;
  if (auto size = parse_number(w.text[2])) {
    out.kind = Kind::file;
    out.size = *size;
  } else if (w.text[2].front() == '<' && w.text[2].back() == '>') {
    out.kind = w.text[2] == "<DIR>" ? Kind::folder : Kind::unknown;
    begin = line.find_first_not_of(' ', begin);
  } else {
    return Line::bad;
  }
  if (begin >= line.size()) return Line::bad;
  return take_name(line.substr(begin), out);
}

}  // namespace

bool is_name(V name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find_first_of(V("/\0\r\n", 4)) == V::npos;
}

Line parse_mlsd(V line, Facts& out) {
  out = {};
  const size_t blank = line.find(' ');
  if (blank == V::npos) return Line::bad;
  std::optional<V> perm;
  for (V facts = line.substr(0, blank); !facts.empty();) {
    const size_t end = std::min(facts.find(';'), facts.size());
    const V fact = facts.substr(0, end);
    facts.remove_prefix(std::min(end + 1, facts.size()));
    const size_t eq = fact.find('=');
    if (eq == V::npos) return Line::bad;
    const V key = fact.substr(0, eq), value = fact.substr(eq + 1);
    if (same_word(key, "type")) {
      if (take_type(value, out) == Line::self) return Line::self;
    } else if (same_word(key, "size")) {
      out.size = parse_number(value);
    } else if (same_word(key, "modify")) {
      out.modified = parse_time(value);
      out.exact = out.modified.has_value();
    } else if (same_word(key, "unix.mode")) {
      out.mode = parse_octal(value);
    } else if (same_word(key, "perm")) {
      perm = value;
    }
  }
  if (!out.mode && perm && (out.kind == Kind::file || out.kind == Kind::folder))
    out.mode = mode_of_perm(*perm, out.kind == Kind::folder);
  return take_name(line.substr(blank + 1), out);
}

Line parse_list(V line, int64_t now, Facts& out) {
  out = {};
  if (line.empty() || line.starts_with("total ")) return Line::nothing;
  if (line[0] >= '0' && line[0] <= '9') return parse_dos(line, out);
  if (V("-dlbcpsD").find(line[0]) == V::npos || line.size() < 10) return Line::bad;
  return parse_unix(line, now, out);
}

void ListingReader::feed(V bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const V piece = bytes.substr(0, end);
    if (!skipping_ && line_.size() + piece.size() > kMostLine) {
      skipping_ = true;
      counts_.bad_lines++;
      line_.clear();
    }
    if (end == V::npos) {
      if (!skipping_) line_ += piece;
      return;
    }
    bytes.remove_prefix(end + 1);
    if (!skipping_) {
      if (line_.empty()) {
        take(piece);
      } else {
        line_ += piece;
        take(line_);
      }
    }
    line_.clear();
    skipping_ = false;
  }
}

void ListingReader::take(V line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) return;
  Facts f;
  switch (format_ == Format::mlsd ? parse_mlsd(line, f) : parse_list(line, now_, f)) {
    case Line::self:
      counts_.self = true;
      return;
    case Line::nothing:
      return;
    case Line::bad_name:
      counts_.bad_names++;
      return;
    case Line::bad:
      counts_.bad_lines++;
      return;
    case Line::entry:
      break;
  }
  if (entries_.size() >= most_) {
    counts_.too_many++;
    return;
  }
  entries_.push_back(std::move(f));
}

std::vector<Facts> ListingReader::finish() {
  if (!skipping_ && !line_.empty()) take(line_);
  line_.clear();
  auto by_name = [](const Facts& a, const Facts& b) { return a.name < b.name; };
  std::stable_sort(entries_.begin(), entries_.end(), by_name);
  auto same = [](const Facts& a, const Facts& b) { return a.name == b.name; };
  auto end = std::unique(entries_.begin(), entries_.end(), same);
  counts_.bad_names += static_cast<uint64_t>(entries_.end() - end);
  entries_.erase(end, entries_.end());
  return std::move(entries_);
}

}  // namespace isthmus::wire::ftp
