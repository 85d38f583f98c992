#include "tests/conformance/traits.h"

#include <linux/magic.h>
#include <sys/vfs.h>
#include <charconv>

namespace isthmus::conformance {
namespace {

bool flag_value(std::string_view text, bool* value) {
  if (text == "1" || text == "yes" || text == "true" || text == "on") {
    *value = true;
    return true;
  }
  if (text == "0" || text == "no" || text == "false" || text == "off") {
    *value = false;
    return true;
  }
  return false;
}

bool number_value(std::string_view text, std::uint64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc{} && end == text.data() + text.size();
}

// shmem_fallocate() knows no other mode than KEEP_SIZE and PUNCH_HOLE.
void make_tmpfs(Traits* traits) {
  *traits = Traits{};
  traits->zero_range = false;
  traits->collapse_range = false;
}

// All attributes of an inode share one block; see "Extended Attributes" in the kernel's ext4 documentation. Files end
// at 16 TiB.
void make_ext4(Traits* traits) {
  *traits = Traits{};
  traits->xattr_size_max = 3900;
  traits->huge_files = false;
}

}  // namespace

bool Traits::apply(std::string_view word) {
  if (word == "all" || word == "auto") {
    *this = Traits{};
    return true;
  }
  if (word == "tmpfs") {
    make_tmpfs(this);
    return true;
  }
  if (word == "ext4") {
    make_ext4(this);
    return true;
  }
  const bool negated = word.starts_with('-');
  if (negated) word.remove_prefix(1);
  std::string_view value = negated ? "0" : "1";
  if (const auto equal = word.find('='); equal != std::string_view::npos) {
    value = word.substr(equal + 1);
    word = word.substr(0, equal);
  }
  if (word == "read_only") return flag_value(value, &read_only);
  if (word == "xattr_size_max") return number_value(value, &xattr_size_max);
  if (word == "time_ns") return number_value(value, &time_ns);
  if (word == "name_max") return number_value(value, &name_max);
#define ISTHMUS_TRAIT(name, text) \
  if (word == #name) return flag_value(value, &name);
  ISTHMUS_CONFORMANCE_TRAITS(ISTHMUS_TRAIT)
#undef ISTHMUS_TRAIT
  return false;
}

Traits Traits::of_folder(const std::string& dir) {
  Traits traits;
  struct statfs about {};
  if (statfs(dir.c_str(), &about) != 0) return traits;
  if (about.f_type == TMPFS_MAGIC) make_tmpfs(&traits);
  if (about.f_type == EXT4_SUPER_MAGIC) make_ext4(&traits);
  return traits;
}

std::string trait_list() {
  std::string text;
#define ISTHMUS_TRAIT(name, what)                                \
  text += "  " #name;                                            \
  text.append(sizeof(#name) < 20 ? 20 - sizeof(#name) : 1, ' '); \
  text += what "\n";
  ISTHMUS_CONFORMANCE_TRAITS(ISTHMUS_TRAIT)
#undef ISTHMUS_TRAIT
  text +=
      "  read_only          nothing can be changed: only the ReadOnly tests run (default off)\n"
      "  xattr_size_max=N   bytes of the largest attribute value (65536)\n"
      "  time_ns=N          granularity of stored times in nanoseconds (1)\n"
      "  name_max=N         bytes of the longest name (255)\n";
  return text;
}

}  // namespace isthmus::conformance
