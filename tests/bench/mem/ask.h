#pragma once
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "vfs/filesystem.h"

/// What a door does for an operation, without the door: the cheapest asker there is.
namespace isthmus::bench {

/// For file systems that answer before submit() returns. Ends the program on an error: a benchmark of failures says
/// nothing.
template <class T>
struct Ask final : Pending<T> {
  void answered(Result<typename T::Reply>&& r) noexcept override {
    if (!r) {
      std::fprintf(stderr, "mem_bench: %s: errno %d\n", std::string(name_of(T::id)).c_str(), r.code());
      std::exit(1);
    }
    reply.emplace(std::move(*r));
  }
  std::optional<typename T::Reply> reply;
};

template <class T>
typename T::Reply ask(FileSystem& fs, const T& args) {
  Ask<T> a;
  a.args = args;
  a.ctx.cred = {.known = true, .uid = 0, .gid = 0, .pid = 1, .umask = 022, .groups = {}, .groups_known = true};
  a.ctx.access_checked = true;
  a.ctx.door = DoorKind::fuse;
  fs.submit(a);
  return std::move(*a.reply);
}

}  // namespace isthmus::bench
