#pragma once
#include <isthmus/fuse3/fuse_log.h>

#include <cstdarg>

namespace isthmus::libfuse {

/// Where the messages for users of a program go: its own function, or stderr. Any thread; set before threads run.
void set_message_function(fuse_log_func_t f);
void message(fuse_log_level level, const char* format, ...) __attribute__((format(printf, 2, 3)));
void message_list(fuse_log_level level, const char* format, va_list values) __attribute__((format(printf, 2, 0)));

}  // namespace isthmus::libfuse
