#define FUSE_USE_VERSION 312
#if __has_include(<fuse3/fuse_lowlevel.h>)
#include <fuse3/fuse.h>
#include <fuse3/fuse_lowlevel.h>
#endif

#include "libfuse/common/layout_table.h"

LayoutTable layout_of_systems() {
#if defined(FUSE_VERSION) && FUSE_VERSION == 314
  LayoutTable table;
#include "libfuse/v3/layout.def"
  return table;
#else
  return {};
#endif
}
