/// The module iconv: names in another encoding.
#include <iconv.h>
#include <langinfo.h>
#include <locale.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "providers/libfuse/common/message.h"
#include "providers/libfuse/common/opt_parser.h"
#include "providers/libfuse/v3/modules.h"

namespace isthmus::libfuse {
namespace {

const auto kNone = iconv_t(-1);  // NOLINT(performance-no-int-to-ptr): as iconv_open() has it

/// One way. Any thread, one after the other.
class Conversion {
 public:
  Conversion(const char* to, const char* from) : state_(iconv_open(to, from)) {}
  ~Conversion() {
    if (there()) iconv_close(state_);
  }
  Conversion(const Conversion&) = delete;
  Conversion& operator=(const Conversion&) = delete;
  bool there() const { return state_ != kNone; }

  /// 0, or -EILSEQ: that is no text, or the other encoding lacks a letter of it.
  int run(const char* text, std::string& to) {
    std::lock_guard lock(m_);
    iconv(state_, nullptr, nullptr, nullptr, nullptr);
    to.clear();
    auto* in = const_cast<char*>(text);
    size_t in_left = strlen(text);
    for (bool ending = in_left == 0;;) {
      std::array<char, 512> room;
      char* out = room.data();
      size_t out_left = room.size();
      size_t rc =
          ending ? iconv(state_, nullptr, nullptr, &out, &out_left) : iconv(state_, &in, &in_left, &out, &out_left);
      to.append(room.data(), static_cast<size_t>(out - room.data()));
      if (rc == size_t(-1)) {
        if (errno != E2BIG) return -EILSEQ;
      } else if (ending) {
        return 0;
      } else {
        ending = true;
      }
    }
  }

 private:
  iconv_t state_;
  std::mutex m_;  // a leaf
};

class Iconv final : public PathMap {
 public:
  Iconv(const char* below, const char* shown) : down_(below, shown), up_(shown, below) {}
  bool there() const { return down_.there() && up_.there(); }

  int down(const char* path, std::string& to) override { return down_.run(path, to); }
  int link_down(const char* target, std::string& to) override { return down_.run(target, to); }
  int link_up(const std::string&, const char* target, std::string& to) override { return up_.run(target, to); }
  bool name_up(const char* name, std::string& to) override { return up_.run(name, to) == 0; }

 private:
  Conversion down_, up_;
};

/// The encoding of the user's locale.
std::string users_encoding() {
  locale_t users = newlocale(LC_CTYPE_MASK, "", locale_t(nullptr));
  if (!users) return "ANSI_X3.4-1968";
  std::string name = nl_langinfo_l(CODESET, users);
  freelocale(users);
  return name;
}

struct Given {
  ~Given() {
    free(from);
    free(to);
  }
  char *from = nullptr, *to = nullptr;
  int help = 0;
};

}  // namespace

fuse_fs* make_iconv(fuse_args* args, fuse_fs* below[]) {
  const fuse_opt table[] = {
      {"-h", offsetof(Given, help), 1},
      {"--help", offsetof(Given, help), 1},
      {"from_code=%s", offsetof(Given, from), 0},
      {"to_code=%s", offsetof(Given, to), 0},
      FUSE_OPT_END,
  };
  Given g;
  OptParser parser(*args, &g, table, nullptr);
  if (parser.run() < 0) return nullptr;
  parser.swap_args(*args);
  std::string shown = g.to ? g.to : users_encoding();
  if (g.help) {
    printf(
        "\nOptions of the module iconv:\n"
        "    -o from_code=CHARSET   encoding of the names below (UTF-8)\n"
        "    -o to_code=CHARSET     encoding of the names shown (%s)\n",
        shown.c_str());
    return nullptr;
  }
  if (!is_one(below, "iconv")) return nullptr;
  const char* from = g.from ? g.from : "UTF-8";
  auto map = std::make_unique<Iconv>(from, shown.c_str());
  if (!map->there()) {
    message(FUSE_LOG_ERR, "fuse-iconv: cannot convert from %s to %s and back\n", from, shown.c_str());
    return nullptr;
  }
  return make_mapped(std::move(map), below[0]);
}

}  // namespace isthmus::libfuse
