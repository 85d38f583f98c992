/// cuse_lowlevel_*: there is no CUSE here.
#include "libfuse/v2/exports.h"
#include "providers/libfuse/common/message.h"

namespace isthmus::libfuse::v2 {
namespace {

fuse_session* none() {
  message(
      FUSE_LOG_ERR,
      "cuse: this libfuse (of isthmus) serves file systems, not character devices; run the program with the libfuse "
      "of the system\n");
  return nullptr;
}

}  // namespace

ISTHMUS_FUNCTION_2(fuse_session*, cuse_lowlevel_new, fuse_args*, const cuse_info*, const cuse_lowlevel_ops*, void*) {
  return none();
}
ISTHMUS_FUNCTION_2(fuse_session*, cuse_lowlevel_setup, int, char*[], const cuse_info*, const cuse_lowlevel_ops*, int*,
                   void*) {
  return none();
}
ISTHMUS_FUNCTION_2(void, cuse_lowlevel_teardown, fuse_session*) {}
ISTHMUS_FUNCTION_2(int, cuse_lowlevel_main, int, char*[], const cuse_info*, const cuse_lowlevel_ops*, void*) {
  none();
  return 1;
}

}  // namespace isthmus::libfuse::v2
