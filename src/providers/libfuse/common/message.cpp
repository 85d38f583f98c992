#include "providers/libfuse/common/message.h"

#include <atomic>
#include <cstdio>

namespace isthmus::libfuse {
namespace {

std::atomic<fuse_log_func_t> g_function{nullptr};

}  // namespace

void set_message_function(fuse_log_func_t f) { g_function = f; }

void message_list(fuse_log_level level, const char* format, va_list values) {
  if (auto f = g_function.load()) return f(level, format, values);
  vfprintf(stderr, format, values);  // NOLINT(clang-analyzer-valist.Uninitialized): callers start it
}

void message(fuse_log_level level, const char* format, ...) {
  va_list values;
  va_start(values, format);
  message_list(level, format, values);
  va_end(values);
}

}  // namespace isthmus::libfuse
