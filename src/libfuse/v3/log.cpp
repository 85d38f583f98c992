/// fuse_log: messages.
#include "libfuse/common/exports.h"
#include "providers/libfuse/common/message.h"

using namespace isthmus::libfuse;

ISTHMUS_EXPORT void fuse_set_log_func(fuse_log_func_t func) { set_message_function(func); }

ISTHMUS_EXPORT void fuse_log(fuse_log_level level, const char* fmt, ...) {
  va_list values;
  va_start(values, fmt);
  message_list(level, fmt, values);
  va_end(values);
}
