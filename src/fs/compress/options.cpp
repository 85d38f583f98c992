#include "fs/compress/options.h"

#include <fmt/format.h>

#include "base/text.h"

namespace isthmus::fs::compress {
namespace {

constexpr uint64_t kLeastFrame = 4096, kMostFrame = uint64_t{8} << 20;

bool bytes(const std::string& key, const std::string& value, uint64_t least, uint64_t most, uint64_t& out,
           std::string& why) {
  auto n = parse_bytes(value, most);
  if (n && *n >= least)
    out = *n;
  else
    why = fmt::format("{}: '{}' is not a size from {} to {} bytes", key, value, least, most);
  return why.empty();
}

}  // namespace

bool parse_options(KeyValues keys, Options& out, std::string& why) {
  for (auto& [key, value] : keys) {
    if (!key.starts_with("compress.")) continue;
    if (key == "compress.level") {
      auto n = parse_number(value, 19);
      if (n && *n >= 1)
        out.level = static_cast<int>(*n);
      else
        why = fmt::format("compress.level: '{}' is not a number from 1 to 19", value);
    } else if (key == "compress.frame") {
      bytes(key, value, kLeastFrame, kMostFrame, out.frame, why);
    } else if (key == "compress.cache") {
      bytes(key, value, uint64_t{1} << 20, uint64_t{1} << 40, out.cache, why);
    } else if (key == "compress.spool") {
      bytes(key, value, 0, uint64_t{1} << 50, out.spool, why);
    } else if (key == "compress.spool_dir") {
      out.spool_dir = value;
      if (!value.starts_with('/')) why = fmt::format("compress.spool_dir: '{}' is not an absolute path", value);
    } else if (key == "compress.write_after") {
      auto ms = parse_seconds(value);
      if (ms && *ms >= 1)
        out.write_after_ms = *ms;
      else
        why = fmt::format("compress.write_after: '{}' is not a number of seconds", value);
    } else {
      why = fmt::format("compress+ has no option '{}'", key);
    }
    if (!why.empty()) return false;
  }
  return true;
}

}  // namespace isthmus::fs::compress
