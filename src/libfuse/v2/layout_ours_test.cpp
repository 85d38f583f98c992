#define FUSE_USE_VERSION 26
#include <isthmus/fuse/fuse.h>
#include <isthmus/fuse/fuse_lowlevel.h>
// After them: with an older FUSE_USE_VERSION names would be others.
#include <isthmus/fuse/fuse_common_compat.h>
#include <isthmus/fuse/fuse_compat.h>
#include <isthmus/fuse/fuse_lowlevel_compat.h>

#include "libfuse/common/layout_table.h"

LayoutTable layout_of_ours() {
  LayoutTable table;
#include "libfuse/v2/layout.def"
  return table;
}
