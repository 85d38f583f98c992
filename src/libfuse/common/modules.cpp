#include "libfuse/common/modules.h"

#include <dlfcn.h>

#include "providers/libfuse/common/message.h"
#include "providers/libfuse/v3/modules.h"

#include <isthmus/fuse3/fuse_opt.h>

namespace isthmus::libfuse {

Module own_module(const std::string& name) {
  if (name == "subdir") return {make_subdir, nullptr};
  if (name == "iconv") return {make_iconv, nullptr};
  return {};
}

std::shared_ptr<void> open_module_library(const std::string& name) {
  std::string file = "libfusemod_" + name + ".so";
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library) return {library, [](void* l) { dlclose(l); }};
  message(FUSE_LOG_ERR, "fuse: dlopen(%s) failed: %s\n", file.c_str(), dlerror());
  return nullptr;
}

namespace {

/// f(name) for each name of "one:two" until it is false.
template <class F>
bool for_each_name(const std::string& list, F f) {
  for (size_t at = 0; at < list.size();) {
    size_t end = std::min(list.find(':', at), list.size());
    if (end > at && !f(list.substr(at, end - at))) return false;
    at = end + 1;
  }
  return true;
}

}  // namespace

std::unique_ptr<fuse_fs> with_modules(std::unique_ptr<fuse_fs> top, const std::string& list, fuse_args& args,
                                      FindModule find) {
  bool all = for_each_name(list, [&](const std::string& name) {
    Module module = find(name);
    if (!module.factory) return false;
    fuse_fs* below[] = {top.get(), nullptr};
    std::unique_ptr<fuse_fs> made(module.factory(&args, below));
    if (!made) return false;
    static_cast<void>(top.release());  // the module's now
    made->library = std::move(module.library);
    top = std::move(made);
    return true;
  });
  return all ? std::move(top) : nullptr;
}

void print_module_help(const std::string& list, FindModule find) {
  for_each_name(list, [&](const std::string& name) {
    Module module = find(name);
    if (!module.factory) return true;
    std::string program, help = "-h";
    char* argv[] = {program.data(), help.data(), nullptr};
    fuse_args args = FUSE_ARGS_INIT(2, argv);
    fuse_fs* below[] = {nullptr, nullptr};
    static_cast<void>(module.factory(&args, below));
    fuse_opt_free_args(&args);
    return true;
  });
}

}  // namespace isthmus::libfuse
