#include "fs/archive/options.h"

#include <fmt/format.h>

#include <charconv>

namespace isthmus::fs::archive {
namespace {

bool parse_number(std::string_view text, uint64_t max, bool units, uint64_t& out) {
  uint64_t n = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || text.empty()) return false;
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  unsigned shift = 0;
  if (!unit.empty()) {
    size_t at = std::string_view("kmgtKMGT").find(unit[0]);
    if (!units || unit.size() != 1 || at == std::string_view::npos) return false;
    shift = static_cast<unsigned>(at % 4 + 1) * 10;
  }
  if (n > (max >> shift)) return false;
  out = n << shift;
  return true;
}

constexpr uint64_t kNoLimit = uint64_t{1} << 62;

}  // namespace

bool set_archive_option(ArchiveOptions& o, std::string_view key, std::string_view value, std::string& why) {
  uint64_t n = 0;
  auto number = [&](uint64_t min, uint64_t max, bool units, const char* example) {
    if (parse_number(value, max, units, n) && n >= min) return true;
    why = fmt::format("option {}={}: not a number from {} to {}, such as {}", key, value, min, max, example);
    return false;
  };
  if (key == "cache_size") {
    if (!number(1 << 20, kNoLimit, true, "512m or 4g")) return false;
    o.cache_size = n;
  } else if (key == "cache_dir") {
    o.cache_in_memory = value == "memory";
    o.cache_dir = o.cache_in_memory ? std::string_view() : value;
    if (value.empty()) {
      why = "option cache_dir: give a directory, or `memory`";
      return false;
    }
  } else if (key == "max_entries") {
    if (!number(1, 1'000'000'000, false, "1000000")) return false;
    o.max_entries = static_cast<uint32_t>(n);
  } else if (key == "max_index_memory") {
    if (!number(1 << 20, kNoLimit, true, "512m")) return false;
    o.max_index_memory = n;
  } else if (key == "max_total") {
    if (!number(1, kNoLimit, true, "100g")) return false;
    o.max_total = n;
  } else if (key == "max_ratio") {
    if (!number(1, UINT32_MAX, false, "100000")) return false;
    o.max_ratio = static_cast<uint32_t>(n);
  } else if (key == "max_filters") {
    if (!number(0, 16, false, "2")) return false;
    o.max_filters = static_cast<uint32_t>(n);
  } else if (key == "uid" || key == "gid") {
    if (!number(0, UINT32_MAX - 1, false, "1000")) return false;
    (key == "uid" ? o.uid : o.gid) = static_cast<uint32_t>(n);
  } else if (key == "charset") {
    o.charset = value;
  } else if (key == "passphrase_file") {
    o.passphrase_file = value;
  } else {
    why = fmt::format(
        "unknown archive option `{}`; there are cache_size, cache_dir, max_entries, max_index_memory, max_total, "
        "max_ratio, max_filters, charset, uid, gid, passphrase_file",
        key);
    return false;
  }
  return true;
}

bool parse_archive_options(ArchiveOptions& o, std::string_view query, std::string& why) {
  while (!query.empty()) {
    size_t end = query.find('&');
    std::string_view one = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (one.empty()) continue;
    size_t eq = one.find('=');
    if (eq == std::string_view::npos) {
      why = fmt::format("archive option `{}` has no value; write {}=VALUE", one, one);
      return false;
    }
    if (!set_archive_option(o, one.substr(0, eq), one.substr(eq + 1), why)) return false;
  }
  return true;
}

}  // namespace isthmus::fs::archive
