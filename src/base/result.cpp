#include "base/result.h"

#include <cstring>

namespace isthmus {

std::string_view name_of(Errno e) {
  const char* n = strerrorname_np(static_cast<int>(e));
  return n ? n : "E?";
}

std::string_view text_of(Errno e) {
  const char* t = strerrordesc_np(static_cast<int>(e));
  return t ? t : "unknown error";
}

}  // namespace isthmus
