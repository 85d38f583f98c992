#include "wire/fuse/cuse.h"

#include <algorithm>
#include <string_view>

#include "wire/fuse/flags.h"

namespace isthmus::wire::fuse {
namespace {

constexpr size_t kLongestName = 255;

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\v\f\r";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

Result<std::string> cuse_device_name(Bytes info) {
  std::string_view left = as_text(info);
  if (left.empty() || left.size() > kCuseInitInfoMax || left.back() != '\0') return err(EINVAL);
  std::string name;
  while (!left.empty()) {
    const std::string_view text = left.substr(0, left.find('\0'));
    left.remove_prefix(text.size() + 1);
    if (text.empty()) continue;
    const size_t equals = text.find('=');
    const std::string_view key = without_blanks(text.substr(0, equals));
    if (key.empty()) return err(EINVAL);
    if (key == "DEVNAME") name = equals == std::string_view::npos ? "" : without_blanks(text.substr(equals + 1));
  }
  std::replace(name.begin(), name.end(), '/', '!');
  if (name.empty() || name.size() > kLongestName || name == "." || name == "..") return err(EINVAL);
  return name;
}

}  // namespace isthmus::wire::fuse
