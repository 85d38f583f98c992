#include "vfs/volume/kept.h"

#include <new>

namespace isthmus::volume {

Result<Buffer> kept_copy(const Buffer& b) try {
  bool all_kept = true;
  for (auto& s : b.segments())
    all_kept &= std::visit(
        [](auto& piece) {
          if constexpr (requires { piece.keep; })
            return piece.keep != nullptr;
          else
            return false;
        },
        s);
  if (all_kept) return b;
  std::string copy(b.size(), '\0');
  auto n = b.copy_to(std::as_writable_bytes(std::span(copy)));
  if (!n) return n.error();
  copy.resize(*n);
  return Buffer::own(std::move(copy));
} catch (const std::bad_alloc&) {
  return err(ENOMEM);
}

}  // namespace isthmus::volume
