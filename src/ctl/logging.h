#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/problem.h"

namespace isthmus::ctl {

/// "debug", "info", "warning", "error", "off".
std::optional<LogLevel> parse_log_level(std::string_view name);

/// Log lines go to the end of `path`, with a time stamp and the process number, from now on.
Expected<Unit> log_to_file(const std::string& path);

/// Log lines go to the systemd journal, by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL). False: there is no
/// journal here; nothing has changed.
bool log_to_journal();

}  // namespace isthmus::ctl
