#include "libfuse/v3/module_library.h"

#include <dlfcn.h>

#include "providers/libfuse/common/message.h"

namespace isthmus::libfuse {

Module find_module(const std::string& name) {
  if (Module own = own_module(name); own.factory) return own;
  auto library = open_module_library(name);
  if (!library) return {};
  std::string symbol = "fuse_module_" + name + "_factory";
  auto* factory = static_cast<fuse_module_factory_t*>(dlsym(library.get(), symbol.c_str()));
  if (!factory) {
    message(FUSE_LOG_ERR, "fuse: symbol <%s> not found in module: %s\n", symbol.c_str(), dlerror());
    return {};
  }
  return {*factory, std::move(library)};
}

}  // namespace isthmus::libfuse
