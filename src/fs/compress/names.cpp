#include "fs/compress/names.h"

#include <fmt/format.h>

#include <charconv>
#include <random>

#include "base/clock.h"

namespace isthmus::fs::compress {

std::string temporary_name() {
  std::random_device random;
  return fmt::format("{}{:x}-{:08x}{:08x}", kTemporary, now().sec, random(), random());
}

std::string redo_name(uint64_t ino) { return fmt::format("{}redo-{:x}", kTemporary, ino); }

bool is_left_behind(std::string_view name) {
  constexpr int64_t kDay = 24 * 60 * 60;
  if (!is_temporary(name)) return false;
  name.remove_prefix(kTemporary.size());
  int64_t made = 0;
  auto [end, e] = std::from_chars(name.data(), name.data() + name.size(), made, 16);
  if (e != std::errc{} || end == name.data() + name.size() || *end != '-') return false;
  return now().sec - made > kDay;
}

}  // namespace isthmus::fs::compress
