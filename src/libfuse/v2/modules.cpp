/// fuse_register_module, fuse_fs_new.
#include <cstring>
#include <mutex>
#include <new>

#include "libfuse/v2/exports.h"
#include "libfuse/v2/fuse.h"
#include "providers/libfuse/common/args.h"
#include "providers/libfuse/common/message.h"

namespace isthmus::libfuse::v2 {
namespace {

std::mutex g_m;  // a leaf
fuse_module* g_first = nullptr;

fuse_module_factory_t factory_of(const std::string& name) {
  std::lock_guard lock(g_m);
  for (fuse_module* m = g_first; m; m = m->next)
    // A fuse_fs of version 2 is one of ours.
    if (name == m->name) return reinterpret_cast<fuse_module_factory_t>(m->factory);
  return nullptr;
}

}  // namespace

Module find_module(const std::string& name) {
  if (Module own = own_module(name); own.factory) return own;
  if (auto factory = factory_of(name)) return {factory, nullptr};
  // It registers itself when it is loaded, and stays: what it registered is its own memory.
  auto library = open_module_library(name);
  if (!library) return {};
  static std::mutex m;
  static std::vector<std::shared_ptr<void>> loaded;
  {
    std::lock_guard lock(m);
    loaded.push_back(library);
  }
  if (auto factory = factory_of(name)) return {factory, nullptr};
  message(FUSE_LOG_ERR, "fuse: the library of the module %s has not registered it\n", name.c_str());
  return {};
}

ISTHMUS_FUNCTION_2(void, fuse_register_module, fuse_module* module) {
  std::lock_guard lock(g_m);
  module->ctr = 0;
  module->so = nullptr;
  module->next = g_first;
  g_first = module;
}

ISTHMUS_FUNCTION_2(fuse_fs*, fuse_fs_new, const fuse_operations* op, size_t op_size, void* user_data) {
  try {
    return reinterpret_cast<fuse_fs*>(make_layer(callbacks_of(op, op_size), user_data).release());
  } catch (const std::bad_alloc&) {
    no_memory();
    return nullptr;
  }
}

}  // namespace isthmus::libfuse::v2
