#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>

namespace isthmus {
namespace {

constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};

void to_stderr(LogLevel level, std::string_view line) {
  std::string s = fmt::format("isthmus: {}: {}\n", kNames[static_cast<int>(level)], line);
  // One write a line, so that lines of several threads and processes stay whole.
  [[maybe_unused]] ssize_t n = ::write(STDERR_FILENO, s.data(), s.size());
}

std::atomic<LogSink> g_sink{to_stderr};
std::atomic<LogLevel> g_level{LogLevel::warning};

}  // namespace

void set_log_sink(LogSink sink) { g_sink.store(sink ? sink : to_stderr); }
void set_log_level(LogLevel level) { g_level.store(level, std::memory_order_relaxed); }
bool log_enabled(LogLevel level) { return level >= g_level.load(std::memory_order_relaxed); }

void detail::log_line(LogLevel level, fmt::string_view format, fmt::format_args args) noexcept {
  int saved = errno;
  try {
    g_sink.load()(level, fmt::vformat(format, args));
  } catch (...) {
    // A log line that cannot be formatted or written must not take a file system down.
  }
  errno = saved;
}

}  // namespace isthmus
