#include "providers/fuse_daemon/mount_words.h"

#include <sys/mount.h>

#include "base/text.h"

namespace isthmus::fuse_daemon {
namespace {

constexpr std::string_view kTypes[] = {"fuse", "fuseblk"};

void take_option(std::string_view name, std::string value, Mount& to) {
  const auto number = [&] { return static_cast<uint32_t>(parse_number(value, INT32_MAX).value_or(0)); };
  if (name == "ro") to.read_only = true;
  if (name == "rw") to.read_only = false;
  if (name == "allow_other") to.allow_other = true;
  if (name == "default_permissions") to.default_permissions = true;
  if (name == "blkdev") to.block_device = true;
  if (name == "max_read") to.max_read = number();
  if (name == "fd") to.device = static_cast<int>(parse_number(value, INT32_MAX).value_or(-1));
  if (name == "fsname") to.fsname = std::move(value);
  if (name == "subtype") to.subtype = std::move(value);
}

}  // namespace

bool is_fuse_type(std::string_view type) {
  for (auto t : kTypes)
    if (type.starts_with(t) && (type.size() == t.size() || type[t.size()] == '.')) return true;
  return false;
}

void take_options(std::string_view options, Mount& to) {
  while (!options.empty()) {
    std::string word;
    size_t at = 0;
    for (; at < options.size() && options[at] != ','; at++) {
      if (options[at] == '\\' && at + 1 < options.size()) at++;
      word += options[at];
    }
    options.remove_prefix(at < options.size() ? at + 1 : at);
    const size_t equals = word.find('=');
    take_option(std::string_view(word).substr(0, equals), equals == std::string::npos ? "" : word.substr(equals + 1),
                to);
  }
}

Mount take_mount(std::string_view source, std::string_view type, unsigned long flags, std::string_view data) {
  Mount m;
  if (size_t dot = type.find('.'); dot != std::string_view::npos) m.subtype = type.substr(dot + 1);
  m.block_device = type.starts_with("fuseblk");
  m.fsname = source;
  take_options(data, m);
  if (flags & MS_RDONLY) m.read_only = true;
  return m;
}

}  // namespace isthmus::fuse_daemon
