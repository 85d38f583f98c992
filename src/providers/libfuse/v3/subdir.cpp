/// The module subdir: the file system shows one of its directories only.
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "providers/libfuse/common/message.h"
#include "providers/libfuse/common/opt_parser.h"
#include "providers/libfuse/v3/modules.h"

namespace isthmus::libfuse {
namespace {

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

class Subdir final : public PathMap {
 public:
  Subdir(std::string base, bool relative) : base_(std::move(base)), relative_(relative) {
    if (!base_.ends_with('/')) base_ += '/';
  }

  int down(const char* path, std::string& to) override {
    to = base_ + (path[0] == '/' ? path + 1 : path);
    return 0;
  }
  int link_down(const char* target, std::string& to) override {
    to = target;
    return 0;
  }
  /// An absolute target inside the directory becomes a relative one, which leads there from outside as well. It ends as
  /// it is written: a slash asks for a directory.
  int link_up(const std::string& below, const char* target, std::string& to) override {
    to = target;
    if (!relative_ || target[0] != '/' || base_[0] != '/') return 0;
    auto link = parts_of(below), there = parts_of(target);
    size_t base = parts_of(base_).size(), same = 0;
    while (same < link.size() && same < there.size() && link[same] == there[same]) same++;
    if (same < base || same == link.size()) return 0;
    std::string_view rest = same < there.size() ? there[same].data() : "";
    if (rest.empty() && there.size() == base && !to.ends_with('/')) return 0;
    to.clear();
    for (size_t i = same; i + 1 < link.size(); i++) to += "../";
    to += rest;
    if (to.empty()) to = ".";
    return 0;
  }
  bool name_up(const char* name, std::string& to) override {
    to = name;
    return true;
  }

 private:
  std::string base_;
  bool relative_;
};

struct Given {
  ~Given() { free(base); }
  char* base = nullptr;
  int relative = 0, help = 0;
};

}  // namespace

fuse_fs* make_subdir(fuse_args* args, fuse_fs* below[]) {
  const fuse_opt table[] = {
      {"-h", offsetof(Given, help), 1},
      {"--help", offsetof(Given, help), 1},
      {"subdir=%s", offsetof(Given, base), 0},
      {"rellinks", offsetof(Given, relative), 1},
      {"norellinks", offsetof(Given, relative), 0},
      FUSE_OPT_END,
  };
  Given g;
  OptParser parser(*args, &g, table, nullptr);
  if (parser.run() < 0) return nullptr;
  parser.swap_args(*args);
  if (g.help) {
    printf(
        "\nOptions of the module subdir:\n"
        "    -o subdir=DIR          put DIR before all paths (required)\n"
        "    -o [no]rellinks        absolute links that lead into it become relative (off)\n");
    return nullptr;
  }
  if (!g.base) {
    message(FUSE_LOG_ERR, "fuse-subdir: missing 'subdir' option\n");
    return nullptr;
  }
  if (!is_one(below, "subdir")) return nullptr;
  return make_mapped(std::make_unique<Subdir>(g.base, g.relative != 0), below[0]);
}

}  // namespace isthmus::libfuse
