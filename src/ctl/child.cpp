#include "ctl/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <system_error>

#include "base/log.h"
#include "run/threads.h"

namespace isthmus::ctl {
namespace {

constexpr int kLookMs = 20;
constexpr size_t kMostLine = 1000;
constexpr int kPipeBytes = 1 << 20;  // what an ordinary user may have: large reads in one go

struct Pipe {
  Fd read, write;
};
bool make(Pipe& p) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return false;
  p.read.reset(ends[0]);
  p.write.reset(ends[1]);
  fcntl(ends[0], F_SETPIPE_SZ, kPipeBytes);
  return true;
}

/// In the new process, where nothing may be allocated.
[[noreturn]] void become(const char* file, char* const* words, const int* fds, int folder, bool own_group) {
  if (own_group) setpgid(0, 0);
  if (folder >= 0 && fchdir(folder) < 0) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int s : {SIGPIPE, SIGINT, SIGHUP, SIGTERM, SIGCHLD}) signal(s, SIG_DFL);
  int high[3];
  for (int i = 0; i < 3; i++)
    if ((high[i] = fcntl(fds[i], F_DUPFD, 3)) < 0) _exit(127);
  for (int i = 0; i < 3; i++)
    if (dup2(high[i], i) < 0) _exit(127);
  close_range(3, ~0U, 0);
  execv(file, words);
  constexpr char kText[] = "cannot be run\n";
  static_cast<void>(!write(2, kText, sizeof kText - 1));
  _exit(127);
}

}  // namespace

Expected<Child::Started> Child::start(const Job& job) {
  Pipe in, out, said;
  if (!make(in) || !make(out) || !make(said))
    return Problem{last_errno(), "no pipes: " + std::string(text_of(last_errno())), ""};
  std::vector<std::string> words = job.words;
  std::vector<char*> argv;
  for (auto& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  std::shared_ptr<Child> child(new Child);
  child->name_ = job.words[0];
  child->own_group_ = job.own_group;
  child->stop_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const int fds[3] = {in.read.get(), out.write.get(), said.write.get()};
  {
    // No handler of ours runs in the new process.
    SignalsBlocked blocked;
    child->pid_ = fork();
    if (child->pid_ == 0) become(job.file.c_str(), argv.data(), fds, job.folder, job.own_group);
  }
  if (child->pid_ < 0)
    return Problem{last_errno(), "cannot start a process: " + std::string(text_of(last_errno())), ""};
  if (job.own_group) setpgid(child->pid_, child->pid_);
  child->said_ = std::move(said.read);
  fcntl(child->said_.get(), F_SETFL, O_NONBLOCK);
  return Started{std::move(child), std::move(out.read), std::move(in.write)};
}

/// Whole lines, printable.
void Child::say(std::string& text, bool all) const {
  while (!text.empty()) {
    size_t end = text.find('\n');
    if (end == std::string::npos && !all && text.size() < kMostLine) return;
    end = std::min(std::min(end, text.size()), kMostLine);
    std::string line;
    for (char c : text.substr(0, end)) line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    if (!line.empty()) log(LogLevel::warning, "{}: {}", name_, line);
    text.erase(0, end + (end < text.size() && text[end] == '\n' ? 1 : 0));
  }
}

void Child::follow() {
  const auto pass_on = [this] {
    std::string text;
    for (;;) {
      pollfd p[2] = {{said_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
      if (poll(p, 2, -1) < 0 && errno != EINTR) return;
      char room[4096];
      const ssize_t n = read(said_.get(), room, sizeof room);
      if (n > 0) text.append(room, static_cast<size_t>(n));
      say(text, n == 0);
      if (n == 0 || (n < 0 && p[1].revents != 0)) return;
    }
  };
  try {
    SignalsBlocked blocked;
    following_ = std::thread(pass_on);
    name_thread(following_, "child says");
  } catch (const std::system_error&) {
    // It says nothing then, until it ends.
  }
}

bool Child::gone(int ms) {
  for (int waited = 0; pid_ > 0; waited += kLookMs) {
    if (waitpid(pid_, nullptr, WNOHANG) != 0) pid_ = -1;
    if (pid_ < 0) return true;
    if (waited >= ms) return false;
    poll(nullptr, 0, kLookMs);
  }
  return true;
}

void Child::signal_it(int signal) const { kill(own_group_ ? -pid_ : pid_, signal); }

Child::~Child() {
  if (!gone(2000)) signal_it(SIGTERM);
  if (!gone(3000)) signal_it(SIGKILL);
  gone(10'000);
  eventfd_write(stop_.get(), 1);
  if (following_.joinable()) {
    following_.join();
    return;
  }
  std::string text;
  char room[4096];
  for (ssize_t n; (n = read(said_.get(), room, sizeof room)) > 0 && text.size() < kMostLine * 64;)
    text.append(room, static_cast<size_t>(n));
  say(text, true);
}

}  // namespace isthmus::ctl
