#pragma once
#include <memory>
#include <string>

#include "providers/libfuse/v3/layer.h"

/// Modules: file systems over the program's.
namespace isthmus::libfuse {

struct Module {
  fuse_module_factory_t factory = nullptr;
  std::shared_ptr<void> library;  // null: none
};

/// One of ours, or of libfusemod_NAME.so. Factory null: there is none, which has been told.
using FindModule = Module (*)(const std::string& name);
/// Ours; factory null: not one of these.
Module own_module(const std::string& name);
/// Null: an error, which has been told.
std::shared_ptr<void> open_module_library(const std::string& name);

/// Puts the modules of a list "one:two" over `top`, each with its options from `args`. Null: an error, which has been
/// told.
std::unique_ptr<fuse_fs> with_modules(std::unique_ptr<fuse_fs> top, const std::string& list, fuse_args& args,
                                      FindModule find);
/// Has each print its help.
void print_module_help(const std::string& list, FindModule find);

}  // namespace isthmus::libfuse
