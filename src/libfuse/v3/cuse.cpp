/// cuse_lowlevel_*: there is no CUSE here.
#include <isthmus/fuse3/cuse_lowlevel.h>

#include "libfuse/common/exports.h"
#include "providers/libfuse/common/message.h"

namespace {

fuse_session* none() {
  isthmus::libfuse::message(FUSE_LOG_ERR,
                            "cuse: this libfuse3 (of isthmus) serves file systems, not character devices; run the "
                            "program with the libfuse3 of the system\n");
  return nullptr;
}

}  // namespace

ISTHMUS_EXPORT fuse_session* cuse_lowlevel_new(fuse_args*, const cuse_info*, const cuse_lowlevel_ops*, void*) {
  return none();
}
ISTHMUS_EXPORT fuse_session* cuse_lowlevel_setup(int, char*[], const cuse_info*, const cuse_lowlevel_ops*, int*,
                                                 void*) {
  return none();
}
#if ISTHMUS_FUSE3_SO >= 4
// The same with arguments of 3.19.
ISTHMUS_EXPORT fuse_session* cuse_lowlevel_new_319() { return none(); }
ISTHMUS_EXPORT fuse_session* cuse_lowlevel_setup_319() { return none(); }
ISTHMUS_EXPORT int cuse_lowlevel_main_319() {
  none();
  return 1;
}
#endif
ISTHMUS_EXPORT void cuse_lowlevel_teardown(fuse_session*) {}
ISTHMUS_EXPORT int cuse_lowlevel_main(int, char*[], const cuse_info*, const cuse_lowlevel_ops*, void*) {
  none();
  return 1;
}
