#include "cli/terminal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/fd.h"

namespace isthmus::cli {
namespace {

void put(int fd, const std::string& text) { static_cast<void>(!write(fd, text.data(), text.size())); }

size_t columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

volatile sig_atomic_t g_signal = 0;
void note_signal(int signal) { g_signal = signal; }

/// Echo off for as long as it lives. A signal that would end the process is put off until the terminal is as it was.
class Silence {
 public:
  explicit Silence(int tty) : tty_(tty) {
    g_signal = 0;
    struct sigaction act {};
    act.sa_handler = note_signal;  // without SA_RESTART: read(2) returns
    for (size_t i = 0; i < kSignals.size(); i++) sigaction(kSignals[i], &act, &handlers_[i]);
    valid_ = tcgetattr(tty, &before_) == 0;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    quiet.c_lflag |= ECHONL | ICANON;
    if (valid_) tcsetattr(tty, TCSAFLUSH, &quiet);
  }
  ~Silence() {
    if (valid_) tcsetattr(tty_, TCSAFLUSH, &before_);
    for (size_t i = 0; i < kSignals.size(); i++) sigaction(kSignals[i], &handlers_[i], nullptr);
    if (g_signal) raise(g_signal);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  static constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP};
  int tty_;
  bool valid_ = false;
  termios before_{};
  std::array<struct sigaction, kSignals.size()> handlers_{};
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
  Silence silence(tty.get());  // before the prompt, which says that one may type
  put(tty.get(), prompt);
  std::string answer;
  char c = 0;
  while (read(tty.get(), &c, 1) == 1 && c != '\n')
    if (answer.size() < 4096) answer += c;
  if (g_signal || c != '\n') return std::nullopt;
  if (answer.empty()) return std::nullopt;
  return answer;
}

}  // namespace isthmus::cli
