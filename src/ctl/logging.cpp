#include "ctl/logging.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <ctime>

#include "base/fd.h"

namespace isthmus::ctl {
namespace {

constexpr std::string_view kNames[] = {"debug", "info", "warning", "error", "off"};
constexpr const char* kJournal = "/run/systemd/journal/socket";

// Written once, before threads start; open until the process ends.
int g_file = -1, g_journal = -1;

void file_sink(LogLevel level, std::string_view line) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm t{};
  localtime_r(&now.tv_sec, &t);
  char stamp[40];
  size_t n = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &t);
  std::string text = fmt::format("{}.{:03} isthmus[{}]: {}: {}\n", std::string_view(stamp, n), now.tv_nsec / 1'000'000,
                                 getpid(), kNames[static_cast<int>(level)], line);
  static_cast<void>(!write(g_file, text.data(), text.size()));
}

void journal_sink(LogLevel level, std::string_view line) {
  constexpr int kPriority[] = {7, 6, 4, 3, 3};  // of syslog(3)
  // A field with newlines would need a binary length; log lines have none, and one that has is cut there.
  std::string text = fmt::format("PRIORITY={}\nSYSLOG_IDENTIFIER=isthmus\nMESSAGE={}\n",
                                 kPriority[static_cast<int>(level)], line.substr(0, line.find('\n')));
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  strncpy(to.sun_path, kJournal, sizeof to.sun_path - 1);
  static_cast<void>(sendto(g_journal, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                           reinterpret_cast<sockaddr*>(&to), sizeof to));
}

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view name) {
  for (int i = 0; i < 5; i++)
    if (kNames[i] == name) return static_cast<LogLevel>(i);
  return std::nullopt;
}

Expected<Unit> log_to_file(const std::string& path) {
  Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600));
  if (!fd)
    return Problem{last_errno(), "cannot write the log file '" + path + "': " + std::string(text_of(last_errno())),
                   "--log names a file in a folder that exists and is yours"};
  g_file = fd.release();
  set_log_sink(file_sink);
  return Unit{};
}

bool log_to_journal() {
  if (access(kJournal, W_OK) < 0) return false;
  Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return false;
  g_journal = fd.release();
  set_log_sink(journal_sink);
  return true;
}

}  // namespace isthmus::ctl
