#include "fs/mail/mbox_split.h"

#include <glib.h>
#include <strings.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/text.h"
#include "fs/mail/headers.h"

namespace isthmus::fs::mail {
namespace {

constexpr std::string_view kFrom = "From ";
constexpr size_t kWindow = size_t{256} << 10;
constexpr size_t kLineShown = 1024;  // bytes of a line that are looked at
constexpr uint64_t kMostMessages = 2'000'000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct Line {
  uint64_t offset = 0;
  std::string_view text;  // its first bytes, without its end
  bool blank() const { return text.empty(); }
};

/// Lines of a file, each as far as it is looked at.
class Lines {
 public:
  Lines(const ReadAt& read, uint64_t size) : read_(read), size_(size), window_(kWindow) {}

  /// False: the end, or an error.
  bool next(Line& line) {
    if (at_ >= size_) return false;
    line.offset = at_;
    shown_.clear();
    for (;;) {
      if (!fill()) return false;
      const auto rest = as_text(Bytes(window_)).substr(at_ - begin_, end_ - at_);
      const size_t newline = rest.find('\n');
      const auto part = rest.substr(0, newline);
      if (shown_.size() < kLineShown) shown_.append(part.substr(0, kLineShown - shown_.size()));
      at_ += part.size();
      if (newline != rest.npos) at_++;
      if (newline != rest.npos || at_ >= size_) break;
    }
    if (shown_.ends_with('\r')) shown_.pop_back();
    line.text = shown_;
    return true;
  }
  void seek(uint64_t offset) { at_ = offset; }
  uint64_t at() const { return at_; }
  Status status() const { return status_; }

 private:
  bool fill() {
    if (at_ >= begin_ && at_ < end_) return true;
    const auto most = static_cast<size_t>(std::min<uint64_t>(window_.size(), size_ - at_));
    auto got = read_(at_, MutableBytes(window_).first(most));
    if (!got) status_ = got.error();
    begin_ = at_;
    end_ = at_ + (got ? *got : 0);
    if (got && *got == 0) size_ = at_;  // it has become shorter
    return got && *got > 0;
  }

  const ReadAt& read_;
  uint64_t size_, at_ = 0, begin_ = 0, end_ = 0;  // [begin_, end_): what the window holds
  std::vector<std::byte> window_;
  std::string shown_;
  Status status_{Unit{}};
};

/// Names of fields that programs change in an mbox.
bool is_kept_up(std::string_view name) {
  constexpr std::array<std::string_view, 9> kNames{"status",         "x-status", "x-keywords",
                                                   "x-uid",          "x-imap",   "x-imapbase",
                                                   "content-length", "lines",    "x-mozilla-status"};
  return std::any_of(kNames.begin(), kNames.end(), [&](auto n) {
    return n.size() == name.size() && strncasecmp(n.data(), name.data(), n.size()) == 0;
  });
}

class Splitter {
 public:
  Splitter(const ReadAt& read, uint64_t size, const std::function<bool(Facts)>& give)
      : read_(read), lines_(read, size), peek_(read, size), size_(size), give_(give) {}

  Status run() {
    Line line;
    while (more_ && lines_.next(line)) {
      if (after_blank_ && is_from_line(line.text)) {
        end_message(line.offset);
        begin_message(line);
      } else if (!in_message_) {
        if (!line.blank()) return err(EBADMSG);
      } else if (in_head_) {
        head_line(line);
      } else {
        after_blank_ = line.blank();
        separator_ = line.blank() ? std::optional(line.offset) : std::nullopt;
      }
    }
    if (!lines_.status()) return lines_.status();
    if (more_) end_message(lines_.at());
    return Unit{};
  }

 private:
  void begin_message(const Line& from) {
    in_message_ = in_head_ = true;
    after_blank_ = false;
    separator_.reset();
    known_end_.reset();
    now_ = {};
    now_.offset = lines_.at();
    now_.time = time_of_from_line(from.text).value_or(Time{});
    status_.clear();
    x_status_.clear();
    length_.reset();
    internal_ = false;
    skips_ = false;
    sum_.reset(g_checksum_new(G_CHECKSUM_SHA256));
    add_to_sum(from.text);
    version_ = 0xcbf29ce484222325;
  }

  void add_to_sum(std::string_view text) {
    g_checksum_update(sum_.get(), reinterpret_cast<const guchar*>(text.data()), static_cast<gssize>(text.size()));
    g_checksum_update(sum_.get(), reinterpret_cast<const guchar*>("\n"), 1);
  }

  void head_line(const Line& line) {
    for (char c : line.text) version_ = (version_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    if (line.blank()) {
      in_head_ = false;
      // It ends the head, and may be all there is before the next message.
      after_blank_ = true;
      if (length_) jump();
      return;
    }
    const bool goes_on = line.text[0] == ' ' || line.text[0] == '\t';
    const size_t colon = line.text.find(':');
    if (!goes_on) {
      const auto name = line.text.substr(0, colon);
      auto value = colon == line.text.npos ? std::string_view() : line.text.substr(colon + 1);
      while (!value.empty() && (value[0] == ' ' || value[0] == '\t')) value.remove_prefix(1);
      const auto is = [&](std::string_view n) {
        return n.size() == name.size() && strncasecmp(n.data(), name.data(), n.size()) == 0;
      };
      skips_ = is_kept_up(name);
      if (is("status")) status_ = value;
      if (is("x-status")) x_status_ = value;
      if (is("content-length")) length_ = parse_number(value, INT64_MAX);
      // Programs of the University of Washington and others keep notes in a first message of this name.
      if (is("subject") && value.starts_with("DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA")) internal_ = true;
    }
    if (!skips_) add_to_sum(line.text);
  }

  /// To where Content-Length says that the message ends, if one ends there.
  void jump() {
    const uint64_t body = lines_.at();
    if (*length_ > size_ - std::min(size_, body)) return;
    const uint64_t end = body + *length_;
    std::byte before{'\n'};
    if (*length_ > 0)
      if (auto got = read_(end - 1, MutableBytes(&before, 1)); !got || *got != 1) return;
    peek_.seek(end);
    Line line;
    bool there = end == size_, begins = before == std::byte{'\n'};
    for (int i = 0; i < 3 && !there && peek_.next(line); i++) {
      there = begins && is_from_line(line.text);
      if (!line.blank()) break;
      begins = true;
      there |= peek_.at() >= size_;
    }
    if (!there) return;
    lines_.seek(end);
    now_.place = kByLength;
    after_blank_ = true;
    known_end_ = end;
  }

  /// `end`: where the next one begins.
  void end_message(uint64_t end) {
    if (!in_message_) return;
    in_message_ = false;
    end = known_end_ ? *known_end_ : separator_.value_or(end);
    end = std::max(end, now_.offset);
    now_.length = end - now_.offset;
    now_.size = now_.length;
    now_.flags = flags_of_status(status_, x_status_);
    now_.version = version_;
    const std::string sum(g_checksum_get_string(sum_.get()), 32);
    const uint64_t times = ++times_[sum];  // of messages that look the same, the first is the first
    now_.key = times == 1 ? sum : sum + "." + std::to_string(times);
    if (!internal_) more_ = give_(std::move(now_)) && ++count_ < kMostMessages;
  }

  struct FreeSum {
    void operator()(GChecksum* s) const { g_checksum_free(s); }
  };

  const ReadAt& read_;
  Lines lines_, peek_;
  const uint64_t size_;
  const std::function<bool(Facts)>& give_;
  Facts now_;
  std::string status_, x_status_;
  std::optional<uint64_t> length_;
  std::optional<uint64_t> known_end_;  // where Content-Length says
  std::optional<uint64_t> separator_;  // where the empty line in front of this place began, unless it ended a head
  std::unique_ptr<GChecksum, FreeSum> sum_;
  std::unordered_map<std::string, uint64_t> times_;
  uint64_t version_ = 0, count_ = 0;
  bool in_message_ = false, in_head_ = false, after_blank_ = true, more_ = true, internal_ = false, skips_ = false;
};

}  // namespace

bool is_from_line(std::string_view line) {
  if (!line.starts_with(kFrom)) return false;
  bool time = false, year = false;
  size_t digits = 0;
  for (size_t i = kFrom.size(); i < line.size(); i++) {
    digits = is_digit(line[i]) ? digits + 1 : 0;
    const bool ends = i + 1 == line.size() || !is_digit(line[i + 1]);
    year |= digits == 4 && ends && time;
    time |= digits == 2 && i >= 5 && line[i - 2] == ':' && is_digit(line[i - 3]);
  }
  return time && year;
}

std::optional<Time> time_of_from_line(std::string_view line) {
  const std::string text(line);
  for (size_t at = text.find(' '); at != text.npos; at = text.find(' ', at + 1))
    for (const char* format : {" %a %b %d %H:%M:%S %Y", " %a %b %d %H:%M %Y", " %a %b %d %H:%M:%S %Z %Y"}) {
      tm t{};
      if (!strptime(text.c_str() + at, format, &t)) continue;
      return Time{timegm(&t), 0};
    }
  return std::nullopt;
}

Status split_mbox(const ReadAt& read, uint64_t size, const std::function<bool(Facts)>& give) {
  return Splitter(read, size, give).run();
}

void Unquoter::give_up(std::string& out) {
  out.append(marks_, '>');
  out.append(kFrom.substr(0, matched_));
  marks_ = matched_ = 0;
  at_begin_ = false;
}

void Unquoter::put(std::string_view in, std::string& out) {
  for (const char c : in) {
    if (at_begin_) {
      if (c == '>' && matched_ == 0) {
        marks_++;
        continue;
      }
      if (marks_ > 0 && c == kFrom[matched_]) {
        if (++matched_ == kFrom.size()) {
          marks_--;
          give_up(out);
        }
        continue;
      }
      give_up(out);
    }
    out += c;
    at_begin_ = c == '\n';
  }
}

void Unquoter::finish(std::string& out) { give_up(out); }

}  // namespace isthmus::fs::mail
