#define FUSE_USE_VERSION 26
#if __has_include(<fuse/fuse_lowlevel.h>)
#include <fuse/fuse.h>
#include <fuse/fuse_lowlevel.h>

#include <fuse/fuse_common_compat.h>
#include <fuse/fuse_compat.h>
#include <fuse/fuse_lowlevel_compat.h>
#endif

#include "libfuse/common/layout_table.h"

LayoutTable layout_of_systems() {
#if defined(FUSE_VERSION) && FUSE_VERSION == 29
  LayoutTable table;
#include "libfuse/v2/layout.def"
  return table;
#else
  return {};
#endif
}
