#define FUSE_USE_VERSION 312
#include <isthmus/fuse3/fuse_lowlevel.h>

#include "libfuse/v3/layout_table.h"

LayoutTable layout_of_ours() {
  LayoutTable table;
#define S(type) table.emplace_back(#type, long{sizeof(struct type)});
#define X(type, member) table.emplace_back(#type "::" #member, long{offsetof(struct type, member)});
#define B(type, member) \
  table.emplace_back(#type "::" #member, bits_of<struct type>([](struct type& object) { object.member = 1; }));
#define N(name) table.emplace_back(#name, long{name});
#include "libfuse/v3/layout.def"
#undef S
#undef X
#undef B
#undef N
  return table;
}
