#pragma once
#include <string>

#include "libfuse/common/modules.h"
#include "libfuse/v2/session.h"
#include "providers/libfuse/v2/layer.h"

namespace isthmus::libfuse::v2 {

/// Takes the library's options out of the arguments. False: an error, which has been told.
bool parse_fuse_options(fuse_args& args, ::fuse_config& config, std::string& modules);
bool is_fuse_option(const char* option);

/// FindModule: programs and libraries of version 2 name theirs by fuse_register_module().
Module find_module(const std::string& name);

/// fuse_new(). Null: an error, which has been told. `ch` may be null.
fuse* make_fuse(fuse_chan* ch, fuse_args& args, const Callbacks& callbacks, void* user_data);
/// Does not unmount.
void destroy(fuse* f);

}  // namespace isthmus::libfuse::v2
