/// Messages of the library: the interface of libfuse 3.7 and later. C and C++.
#pragma once
#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The numbers of syslog(3).
enum fuse_log_level {
  FUSE_LOG_EMERG,
  FUSE_LOG_ALERT,
  FUSE_LOG_CRIT,
  FUSE_LOG_ERR,
  FUSE_LOG_WARNING,
  FUSE_LOG_NOTICE,
  FUSE_LOG_INFO,
  FUSE_LOG_DEBUG
};

/// fmt ends with a newline where the message does. Any thread.
typedef void (*fuse_log_func_t)(enum fuse_log_level level, const char* fmt, va_list ap);

/// Has messages go to `func`, or with null back to stderr. Before other threads run.
void fuse_set_log_func(fuse_log_func_t func);
void fuse_log(enum fuse_log_level level, const char* fmt, ...) __attribute__((format(printf, 2, 3)));

// libfuse3.so.4
/// Has messages go to syslog(3), with the arguments of openlog(3).
void fuse_log_enable_syslog(const char* ident, int option, int facility);
void fuse_log_close_syslog(void);

#ifdef __cplusplus
}
#endif
