/// fuse_opt_*: options. fuse_opt_parse() is a version's own.
#include "providers/libfuse/common/args.h"
#include "providers/libfuse/common/opt_parser.h"

#include "libfuse/common/exports.h"

using namespace isthmus::libfuse;

ISTHMUS_EXPORT int fuse_opt_add_opt(char** opts, const char* opt) { return add_opt(*opts, opt, false); }
ISTHMUS_EXPORT int fuse_opt_add_opt_escaped(char** opts, const char* opt) { return add_opt(*opts, opt, true); }
ISTHMUS_EXPORT int fuse_opt_add_arg(fuse_args* args, const char* arg) { return add_arg(*args, arg); }
ISTHMUS_EXPORT int fuse_opt_insert_arg(fuse_args* args, int pos, const char* arg) {
  return insert_arg(*args, pos, arg);
}
ISTHMUS_EXPORT void fuse_opt_free_args(fuse_args* args) {
  if (args) free_args(*args);
}
ISTHMUS_EXPORT int fuse_opt_match(const fuse_opt opts[], const char* opt) {
  size_t sep = 0;
  return find_row(opts, opt, sep) ? 1 : 0;
}
