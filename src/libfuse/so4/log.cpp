/// Messages by syslog(3).
#include <syslog.h>

#include <string>

#include "libfuse/common/exports.h"
#include "providers/libfuse/common/message.h"

using namespace isthmus::libfuse;

namespace {

// openlog(3) keeps the pointer.
std::string& identity() {
  static std::string name;
  return name;
}

void to_syslog(fuse_log_level level, const char* format, va_list values) { vsyslog(level, format, values); }

}  // namespace

ISTHMUS_EXPORT void fuse_log_enable_syslog(const char* ident, int option, int facility) {
  if (ident) identity() = ident;
  openlog(ident ? identity().c_str() : nullptr, option, facility);
  set_message_function(to_syslog);
}

ISTHMUS_EXPORT void fuse_log_close_syslog() {
  set_message_function(nullptr);
  closelog();
}
