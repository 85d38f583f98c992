#include "fs/pass/options.h"

#include <fmt/format.h>

#include <charconv>

namespace isthmus::fs::pass {

namespace {

constexpr size_t kMinFds = 8;

std::string wrong(const std::string& key, const std::string& value, std::string_view allowed) {
  return fmt::format("{}={}: not a value of this option; use {}", key, value, allowed);
}

bool parse_flag(const std::string& value, bool& to) {
  if (value.empty() || value == "yes" || value == "true" || value == "1") return to = true, true;
  if (value == "no" || value == "false" || value == "0") return to = false, true;
  return false;
}

std::string parse_one(const std::string& key, const std::string& value, PassOptions& to) {
  if (key == "cache") {
    if (value == "none") return to.cache = Cache::none, "";
    if (value == "auto") return to.cache = Cache::automatic, "";
    if (value == "always") return to.cache = Cache::always, "";
    return wrong(key, value, "none, auto or always");
  }
  if (key == "watch") {
    if (value == "auto") return to.watch = Watching::automatic, "";
    if (value == "on") return to.watch = Watching::on, "";
    if (value == "off") return to.watch = Watching::off, "";
    return wrong(key, value, "auto, on or off");
  }
  if (key == "ro") return parse_flag(value, to.read_only) ? "" : wrong(key, value, "yes or no");
  if (key == "rw") {
    bool rw = true;
    if (!parse_flag(value, rw)) return wrong(key, value, "yes or no");
    to.read_only = !rw;
    return "";
  }
  if (key == "handles") return parse_flag(value, to.handles) ? "" : wrong(key, value, "yes or no");
  if (key == "fds") {
    size_t n = 0;
    auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), n);
    if (ec != std::errc{} || end != value.data() + value.size() || n < kMinFds)
      return wrong(key, value, fmt::format("a number of at least {}", kMinFds));
    to.max_fds = n;
    return "";
  }
  return fmt::format("{}: a folder has no such option; it has cache, watch, ro, rw, fds and handles", key);
}

}  // namespace

std::string PassOptions::parse(std::span<const std::pair<std::string, std::string>> pairs, PassOptions& to) {
  for (auto& [key, value] : pairs)
    if (auto e = parse_one(key, value, to); !e.empty()) return e;
  return "";
}

}  // namespace isthmus::fs::pass
