#include "doors/webdav/listing_page.h"

#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>

#include "doors/common/secret.h"
#include "doors/webdav/errors.h"
#include "doors/webdav/reserved.h"
#include "wire/dav/escape.h"
#include "wire/http/dates.h"

namespace isthmus::webdav {
namespace {

std::string human_size(uint64_t size) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(size);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return unit ? fmt::format("{:.1f} {}", value, kUnits[unit]) : fmt::format("{} B", size);
}

/// "file2" before "file10": runs of digits count as numbers.
bool natural_less(const std::string& a, const std::string& b) {
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  size_t i = 0, k = 0;
  while (i < a.size() && k < b.size()) {
    if (digit(a[i]) && digit(b[k])) {
      while (i < a.size() && a[i] == '0') ++i;
      while (k < b.size() && b[k] == '0') ++k;
      size_t ends_a = i, ends_b = k;
      while (ends_a < a.size() && digit(a[ends_a])) ++ends_a;
      while (ends_b < b.size() && digit(b[ends_b])) ++ends_b;
      if (ends_a - i != ends_b - k) return ends_a - i < ends_b - k;
      if (int order = a.compare(i, ends_a - i, b, k, ends_b - k)) return order < 0;
      i = ends_a;
      k = ends_b;
    } else {
      if (a[i] != b[k]) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[k]);
      ++i;
      ++k;
    }
  }
  return a.size() - i < b.size() - k;
}

constexpr size_t kPiece = size_t{64} << 10;  // bytes of the page that are sent at once

/// The page, row by row: of a large directory only the names stand in memory.
class RowsPage final : public BodySource {
 public:
  RowsPage(Exchange& x, std::vector<Files::Item> items) : x_(x), items_(std::move(items)), at_names_(x.names) {
    std::erase_if(items_, [](const Files::Item& item) { return is_temporary(item.name); });
    std::sort(items_.begin(), items_.end(), [](const Files::Item& a, const Files::Item& b) {
      const bool a_dir = a.type == DT_DIR, b_dir = b.type == DT_DIR;
      return a_dir != b_dir ? a_dir : natural_less(a.name, b.name);
    });
    begin();
  }

  /// Writes on until a piece is full. False: that was all.
  bool fill() {
    for (; at_ < items_.size() && out_.size() < kPiece; ++at_) row(items_[at_].name);
    if (at_ < items_.size()) return true;
    out_ += "</tbody></table></main></body></html>";
    return false;
  }
  std::string& out() { return out_; }

  Got next(Part& part) override {
    if (ended_) return Got::end;
    // The first piece is there already.
    if (std::exchange(sent_first_, true)) {
      out_.clear();
      ended_ = !fill();
    }
    part = {out_};
    return Got::part;
  }

  const std::string& nonce() const { return nonce_; }

 private:
  void link(const Names& to, bool directory, std::string_view text) {
    out_ += "<a href=\"";
    dav::append_attribute(out_, x_.href(to, directory));
    out_ += "\">";
    dav::append_text(out_, text);
    out_ += directory ? "/</a>" : "</a>";
  }
  /// An attribute's value that leads to a file of the page.
  void asset(std::string_view attribute, std::string_view name) {
    out_ += fmt::format(" nonce=\"{}\" {}=\"", nonce_, attribute);
    dav::append_attribute(out_, x_.href({}, true));
    out_ += fmt::format("?{}={}\"", kReservedKey, name);
  }
  void begin() {
    out_ += "<!DOCTYPE html><html lang=\"en\" data-root=\"";
    dav::append_attribute(out_, x_.href({}, true));
    out_ += x_.site.read_only ? "\" data-read-only" : "\"";
    out_ += x_.site.options.status ? " data-status>" : ">";
    out_ +=
        "<head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
        "<meta name=\"color-scheme\" content=\"light dark\"><link rel=\"icon\" href=\"data:,\"><title>";
    dav::append_text(out_, x_.names.empty() ? "/" : x_.client_name(x_.names.back()));
    out_ += "</title><link rel=\"stylesheet\"";
    asset("href", "page.css");
    out_ += "><script";
    asset("src", "page.js");
    out_ += "></script></head><body><header><nav aria-label=\"Path\">";
    Names up;
    link(up, true, "");
    for (const std::string& name : x_.names) {
      up.push_back(name);
      out_ += ' ';
      link(up, true, x_.client_name(name));
    }
    out_ +=
        "</nav></header><main><table><thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Size</th>"
        "<th scope=\"col\">Changed</th></tr></thead><tbody>";
  }
  void row(const std::string& name) {
    at_names_.push_back(name);
    auto found = x_.files.find(at_names_);
    const bool there = found && found->exists(), directory = there && found->is_dir();
    out_ += "<tr><td>";
    link(at_names_, directory, x_.client_name(name));
    out_ += "</td><td>";
    if (there && !directory) out_ += human_size(found->attr().size);
    out_ += "</td><td>";
    if (there) http::append_date(out_, found->attr().mtime);
    out_ += "</td></tr>";
    at_names_.pop_back();
  }

  Exchange& x_;
  std::vector<Files::Item> items_;
  Names at_names_;
  const std::string nonce_ = random_secret();
  std::string out_;
  size_t at_ = 0;
  bool sent_first_ = false, ended_ = false;
};

}  // namespace

Answer listing_page(Exchange& x, const Found& dir) {
  auto items = x.files.list(dir.node());
  if (!items) return plain_answer(status_of(items.error()), text_of(items.error()));
  auto page = std::make_unique<RowsPage>(x, std::move(*items));
  // Only what carries this answer's nonce runs: a file of a user, which has the same origin, does not.
  const std::string policy = fmt::format(
      "default-src 'none'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; img-src 'self' blob: data:; media-src "
      "'self'; "
      "connect-src 'self'; frame-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      page->nonce());
  Answer answer(200);
  answer.field("Content-Type", "text/html; charset=utf-8").field("Cache-Control", "no-store");
  page_safety(answer, policy);
  if (page->fill()) {
    answer.source = std::move(page);
  } else {
    answer.body = std::move(page->out());
    if (x.only_head) {
      answer.length = answer.body.size();
      answer.body.clear();
    }
  }
  return answer;
}

}  // namespace isthmus::webdav
