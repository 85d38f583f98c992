#include "cli/terminal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>

#include "base/fd.h"

namespace isthmus::cli {
namespace {

void put(int fd, const std::string& text) { static_cast<void>(!write(fd, text.data(), text.size())); }

size_t columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// Echo off for as long as it lives; Ctrl-C still works, and ends the process with the terminal as it was.
class Silence {
 public:
  explicit Silence(int tty) : tty_(tty) {
    valid_ = tcgetattr(tty, &before_) == 0;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    quiet.c_lflag |= ECHONL | ICANON;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ISIG);
    if (valid_) tcsetattr(tty, TCSAFLUSH, &quiet);
  }
  ~Silence() {
    if (valid_) tcsetattr(tty_, TCSAFLUSH, &before_);
  }

 private:
  int tty_;
  bool valid_ = false;
  termios before_{};
};

}  // namespace

Progress::Progress() : terminal_(isatty(STDERR_FILENO) == 1) {}

void Progress::show(uint64_t done, uint64_t total, uint64_t entries) {
  if (!terminal_) return;
  double part = total > 0 ? std::min(1.0, static_cast<double>(done) / static_cast<double>(total)) : 0;
  std::string tail = fmt::format(" {:3.0f}%  {} entries", part * 100, entries);
  size_t room = columns() > tail.size() + 12 ? std::min<size_t>(columns() - tail.size() - 12, 40) : 10;
  auto filled = static_cast<size_t>(part * static_cast<double>(room));
  put(STDERR_FILENO, fmt::format("\rindexing [{:=<{}}{: <{}}]{}\033[K", "", filled, "", room - filled, tail));
  shown_ = true;
}

void Progress::clear() {
  if (shown_) put(STDERR_FILENO, "\r\033[K");
  shown_ = false;
}

std::optional<std::string> ask_secret(const std::string& prompt) {
  Fd tty(open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!tty) return std::nullopt;
  put(tty.get(), prompt);
  std::string answer;
  Silence silence(tty.get());
  for (char c = 0; read(tty.get(), &c, 1) == 1 && c != '\n';) {
    if (c == 3) return std::nullopt;  // Ctrl-C
    if (answer.size() < 4096) answer += c;
  }
  if (answer.empty()) return std::nullopt;
  return answer;
}

}  // namespace isthmus::cli
