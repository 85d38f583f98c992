#pragma once
#include <fmt/format.h>

#include <string_view>

namespace isthmus {

/// Severity, as in syslog(3) without the finer steps.
enum class LogLevel : int { debug, info, warning, error, off };

/// Where log lines go. The line has no newline and no time stamp. Called by any thread, one call a line.
using LogSink = void (*)(LogLevel, std::string_view line);

/// Default: stderr as "isthmus: warning: ...", from `warning` up. Set before threads start.
void set_log_sink(LogSink sink);
void set_log_level(LogLevel level);
bool log_enabled(LogLevel level);

namespace detail {
void log_line(LogLevel level, fmt::string_view format, fmt::format_args args) noexcept;
}

/// log(LogLevel::warning, "{}: cannot open {}", what, path). Never throws, never changes errno. Keep secrets out.
template <class... A>
void log(LogLevel level, fmt::format_string<A...> format, A&&... args) noexcept {
  if (log_enabled(level)) detail::log_line(level, format, fmt::make_format_args(args...));
}

}  // namespace isthmus
