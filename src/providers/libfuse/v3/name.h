#pragma once
#include <string>
#include <string_view>

#include "vfs/context.h"

namespace isthmus::libfuse {

/// A name with a NUL behind it. The kernel's requests have one there already (wire/fuse/request.h).
class Name {
 public:
  Name(const Context& ctx, std::string_view name) : view_(name.data()) {
    if (ctx.door == DoorKind::fuse) return;
    copy_ = name;
    view_ = copy_.c_str();
  }
  Name(const Name&) = delete;
  Name& operator=(const Name&) = delete;
  operator const char*() const { return view_; }  // NOLINT(google-explicit-constructor): it is one

 private:
  std::string copy_;
  const char* view_;
};

}  // namespace isthmus::libfuse
