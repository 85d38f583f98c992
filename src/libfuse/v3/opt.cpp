/// fuse_opt_parse.
#include "libfuse/common/exports.h"
#include "providers/libfuse/common/opt_parser.h"

using namespace isthmus::libfuse;

ISTHMUS_EXPORT int fuse_opt_parse(fuse_args* args, void* data, const fuse_opt opts[], fuse_opt_proc_t proc) {
  if (!args || !args->argv || !args->argc) return 0;
  OptParser parser(*args, data, opts, proc);
  int result = parser.run();
  if (result == 0) parser.swap_args(*args);
  return result;
}
