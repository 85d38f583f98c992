#define FUSE_USE_VERSION 312
#include <isthmus/fuse3/fuse.h>
#include <isthmus/fuse3/fuse_lowlevel.h>

#include "libfuse/common/layout_table.h"

LayoutTable layout_of_ours() {
  LayoutTable table;
#include "libfuse/v3/layout.def"
  return table;
}
