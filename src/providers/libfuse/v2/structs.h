#pragma once
#include <isthmus/fuse3/fuse.h>
#include <isthmus/fuse3/fuse_lowlevel.h>
#include <isthmus/fuse3/fuse_winfsp.h>
#include <sys/statfs.h>
#include <utime.h>

#include <type_traits>

// The interface of version 2, in a namespace: names, and some structs, are those of version 3, which is the form that
// our own file systems have (docs/decisions/0011).
#undef FUSE_USE_VERSION
#undef FUSE_MAJOR_VERSION
#undef FUSE_MINOR_VERSION
#undef FUSE_MAKE_VERSION
#undef FUSE_VERSION
#undef FUSE_BUFVEC_INIT
#undef FUSE_REGISTER_MODULE
#undef fuse_main
#define FUSE_USE_VERSION 29
#define FUSE_C_DECLARATIONS
#define FUSE_C_END

namespace isthmus::libfuse::v2 {
#include <isthmus/fuse/cuse_lowlevel.h>
#include <isthmus/fuse/fuse.h>
#include <isthmus/fuse/fuse_common_compat.h>
#include <isthmus/fuse/fuse_compat.h>
#include <isthmus/fuse/fuse_lowlevel_compat.h>
}  // namespace isthmus::libfuse::v2

#undef fuse_main

namespace isthmus::libfuse::v2 {

// What both have in common goes from one to the other as it is.
static_assert(sizeof(fuse_bufvec) == sizeof(::fuse_bufvec) && sizeof(fuse_buf) == sizeof(::fuse_buf) &&
              offsetof(fuse_buf, mem) == offsetof(::fuse_buf, mem) &&
              offsetof(fuse_buf, pos) == offsetof(::fuse_buf, pos));
static_assert(sizeof(fuse_entry_param) == sizeof(::fuse_entry_param) &&
              offsetof(fuse_entry_param, attr_timeout) == offsetof(::fuse_entry_param, attr_timeout));
static_assert(sizeof(fuse_ctx) == sizeof(::fuse_ctx) && sizeof(fuse_forget_data) == sizeof(::fuse_forget_data) &&
              sizeof(fuse_context) == sizeof(::fuse_context));

}  // namespace isthmus::libfuse::v2
