#include "fs/mem/options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

namespace isthmus::fs::mem {
namespace {

uint64_t memory_pages() {
  long n = ::sysconf(_SC_PHYS_PAGES);
  return n > 0 ? static_cast<uint64_t>(n) : 1u << 20;
}

std::optional<uint64_t> number(std::string_view s, uint64_t max, int base = 10) {
  uint64_t n = 0;
  auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n, base);
  if (error != std::errc() || end != s.data() + s.size() || n > max) return {};
  return n;
}

// "4096", "64k", "1g"; "50%" of the machine's memory.
std::optional<uint64_t> byte_size(std::string_view s) {
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (s.empty()) return {};
  if (s.back() == '%') {
    auto n = number(s.substr(0, s.size() - 1), 100);
    return n ? std::optional(memory_pages() * 4096 / 100 * *n) : std::nullopt;
  }
  constexpr std::string_view kUnits = "kmgtKMGT";
  unsigned shift = 0;
  if (auto at = kUnits.find(s.back()); at != std::string_view::npos) {
    shift = 10 * (static_cast<unsigned>(at) % 4 + 1);
    s.remove_suffix(1);
  }
  auto n = number(s, kMax >> shift);
  return n ? std::optional(*n << shift) : std::nullopt;
}

std::optional<bool> on_off(std::string_view s) {
  if (s == "on") return true;
  if (s == "off") return false;
  return {};
}

bool quota(std::string_view s, MemOptions& o) {
  auto colon = s.find(':');
  if (colon == std::string_view::npos) return false;
  std::string_view rest = s.substr(colon + 1);
  auto second = rest.find(':');
  auto uid = number(s.substr(0, colon), UINT32_MAX - 1);
  auto bytes = byte_size(rest.substr(0, second));
  auto inodes =
      second == std::string_view::npos ? std::optional<uint64_t>(0) : number(rest.substr(second + 1), INT64_MAX);
  if (!uid || !bytes || !inodes) return false;
  o.quotas[static_cast<uint32_t>(*uid)] = {*bytes, *inodes};
  return true;
}

template <class To, class From>
bool put(To& to, std::optional<From> v) {
  if (v) to = static_cast<To>(*v);
  return v.has_value();
}

struct Known {
  std::string_view name, accepts;
  bool (*set)(MemOptions&, const std::string&);
};
using O = MemOptions;
using S = std::string;
constexpr std::string_view kSizes = "bytes, with k, m, g or t, or a percentage of memory such as 50%; 0: no limit";
constexpr Known kKnown[] = {
    {"size", kSizes, [](O& o, const S& v) { return put(o.limits.bytes, byte_size(v)); }},
    {"inodes", "a number of files; 0: no limit",
     [](O& o, const S& v) { return put(o.limits.inodes, number(v, INT64_MAX)); }},
    {"uquota", "UID:BYTES or UID:BYTES:INODES", [](O& o, const S& v) { return quota(v, o); }},
    {"mode", "octal permissions up to 7777", [](O& o, const S& v) { return put(o.mode, number(v, 07777, 8)); }},
    {"uid", "a user's number", [](O& o, const S& v) { return put(o.uid, number(v, UINT32_MAX - 1)); }},
    {"gid", "a group's number", [](O& o, const S& v) { return put(o.gid, number(v, UINT32_MAX - 1)); }},
    {"links", "a number from 1 to 2147483647",
     [](O& o, const S& v) { return put(o.max_links, number(v, 0x7fffffff)) && o.max_links > 0; }},
    {"ttl", "milliseconds, or forever",
     [](O& o, const S& v) {
       return put(o.ttl, v == "forever" ? std::optional<uint64_t>(UINT32_MAX) : number(v, UINT32_MAX));
     }},
    {"atime", "on or off", [](O& o, const S& v) { return put(o.atime, on_off(v)); }},
    {"locks", "on or off", [](O& o, const S& v) { return put(o.locks, on_off(v)); }},
    {"handles", "on or off", [](O& o, const S& v) { return put(o.handles, on_off(v)); }},
    {"name", "a name for mount tables",
     [](O& o, const S& v) {
       o.name = v;
       return !v.empty();
     }},
};

std::string names() {
  std::string s;
  for (auto& k : kKnown) s += (s.empty() ? "" : ", ") + std::string(k.name);
  return s;
}

}  // namespace

MemOptions::MemOptions() : limits{memory_pages() * 2048, memory_pages() / 2}, uid(::geteuid()), gid(::getegid()) {}

Result<MemOptions> parse_options(std::span<const std::pair<std::string, std::string>> options, std::string& what) {
  MemOptions o;
  for (auto& [key, value] : options) {
    const Known* known = nullptr;
    for (auto& k : kKnown)
      if (k.name == key) known = &k;
    if (!known) {
      what = fmt::format("mem: unknown option '{}' (accepted: {})", key, names());
      return err(EINVAL);
    }
    if (!known->set(o, value)) {
      what = fmt::format("mem: bad value '{}' of option '{}' (accepted: {})", value, key, known->accepts);
      return err(EINVAL);
    }
  }
  return o;
}

}  // namespace isthmus::fs::mem
