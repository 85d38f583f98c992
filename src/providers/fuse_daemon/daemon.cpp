#include "providers/fuse_daemon/daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstring>
#include <fstream>
#include <system_error>

#include "base/clock.h"
#include "base/log.h"
#include "providers/fuse_daemon/device.h"
#include "providers/fuse_daemon/message.h"
#include "providers/fuse_daemon/notifier.h"
#include "providers/fuse_daemon/process.h"
#include "providers/fuse_daemon/warden.h"
#include "run/threads.h"

namespace isthmus::fuse_daemon {
namespace {

constexpr int kWardensSocket = 3, kWardensDevice = 4;  // of the warden

/// In the new process: nothing is open but the standard descriptors and these two.
bool leave_host(int socket, int device) {
  const int s = fcntl(socket, F_DUPFD, 10), d = fcntl(device, F_DUPFD, 10);
  if (s < 0 || d < 0 || dup3(s, kWardensSocket, O_CLOEXEC) < 0 || dup3(d, kWardensDevice, O_CLOEXEC) < 0) return false;
  return close_range(kWardensDevice + 1, ~0U, 0) == 0;
}

bool put(const char* file, const std::string& text) {
  std::ofstream out(file);
  out << text << std::flush;
  return out.good();
}

/// In new namespaces: the same user and group as outside; mounts that nobody else sees.
bool settle(uid_t user, gid_t group, bool users) {
  if (users && (!put("/proc/self/setgroups", "deny") || !put("/proc/self/uid_map", fmt::format("{0} {0} 1", user)) ||
                !put("/proc/self/gid_map", fmt::format("{0} {0} 1", group))))
    return false;
  return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0;
}

std::string_view signal_name(int signal) {
  const char* text = strsignal(signal);  // NOLINT(concurrency-mt-unsafe): of known numbers, a constant
  return text ? text : "";
}

}  // namespace

std::string how_it_ended(int status) {
  if (!WIFSIGNALED(status)) return fmt::format("ended with status {}", WEXITSTATUS(status));
  return fmt::format("was ended by signal {} ({})", WTERMSIG(status), signal_name(WTERMSIG(status)));
}

Expected<Unit> seccomp_works() {
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    _exit(Notifier::install().code());
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
    return Problem{err(EAGAIN), "cannot start a process", ""};
  const Errno e = err(WEXITSTATUS(status));
  if (e == Errno{}) return Unit{};
  return Problem{e,
                 fmt::format("seccomp's user notifications are not to be had: {}",
                             e == err(EBUSY) ? "a program around us uses them" : text_of(e)),
                 ""};
}

Expected<std::shared_ptr<Daemon>> Daemon::start(const Job& job) {
  auto device = make_device();
  if (!device) return device.problem();
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return Problem{last_errno(), "socketpair", ""};
  Fd ours(ends[0]), theirs(ends[1]);
  std::shared_ptr<Daemon> d(new Daemon);
  d->name_ = job.file.substr(job.file.rfind('/') + 1);
  d->folder_ = job.folder;
  d->temporary_ = job.temporary;
  d->isolated_ = job.isolated;
  const auto signals = InheritedSignals::now();
  const uid_t user = geteuid();
  const gid_t group = getegid();
  const bool users = user != 0;
  const unsigned long namespaces = job.isolated ? CLONE_NEWNS | CLONE_NEWPID | (users ? CLONE_NEWUSER : 0) : 0;
  // As fork(2), with namespaces.
  d->warden_ = static_cast<pid_t>(syscall(SYS_clone, namespaces | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (d->warden_ == 0) {
    if (!leave_host(theirs.get(), device->theirs.get())) _exit(1);
    static_cast<void>(theirs.release());
    static_cast<void>(device->theirs.release());
    if (job.isolated && !settle(user, group, users)) {
      const Word word{.kind = Word::cannot, .code = errno};
      send_message(kWardensSocket, std::string(reinterpret_cast<const char*>(&word), sizeof word) + "namespaces", -1);
      remove_folders(job.folder, job.temporary);
      _exit(1);
    }
    run_warden(job, Fd(kWardensSocket), Fd(kWardensDevice), signals);
    _exit(0);
  }
  const auto failed = [&](Errno e, const std::string& what) {
    return Problem{e, fmt::format("{} cannot be run: {}{}", job.file, what.empty() ? "" : what + ": ", text_of(e)), ""};
  };
  if (d->warden_ < 0) {
    const Errno e = last_errno();
    remove_folders(job.folder, job.temporary);
    return failed(e, job.isolated ? "namespaces" : "a process");
  }
  d->socket_ = std::move(ours);
  d->device_ = std::move(device->ours);
  theirs.reset();
  device->theirs.reset();
  while (true) {
    Message m = receive_message(d->socket_.get());
    Word word;
    if (m.over || m.text.size() < sizeof word) return failed(err(ECHILD), "its warden");
    memcpy(&word, m.text.data(), sizeof word);
    if (word.kind == Word::cannot) return failed(err(word.code), m.text.substr(sizeof word));
    d->take(m.text);
    if (word.kind == Word::started) return d;
  }
}

Daemon::~Daemon() {
  device_.reset();
  if (socket_) {
    const Order order = serves_ ? Order::end : Order::end_now;
    send_message(socket_.get(), std::string_view(reinterpret_cast<const char*>(&order), sizeof order), -1);
    if (thread_.joinable()) thread_.join();
    while (hear(-1)) {
    }
  }
  while (warden_ > 0 && waitpid(warden_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool Daemon::look(int ms) {
  if (!hear(ms)) return false;
  while (hear(0)) {
    pollfd p{socket_.get(), POLLIN, 0};
    if (poll(&p, 1, 0) <= 0) break;
  }
  std::lock_guard lock(m_);
  return !over_;
}

/// One message, if one comes. False: none will come any more.
bool Daemon::hear(int ms) {
  {
    std::lock_guard lock(m_);
    if (over_) return false;
  }
  pollfd p{socket_.get(), POLLIN, 0};
  if (poll(&p, 1, ms) <= 0) return true;
  Message m = receive_message(socket_.get(), MSG_DONTWAIT);
  if (m.over) {
    warden_lost();
    return false;
  }
  take(m.text);
  return true;
}

void Daemon::take(std::string_view message) {
  Word word;
  if (message.size() < sizeof word) return;
  memcpy(&word, message.data(), sizeof word);
  std::string text(message.substr(sizeof word));
  switch (word.kind) {
    case Word::started:
      first_ = word.pid;
      return;
    case Word::opened: {
      // Numbers of another namespace mean other processes here. Its own die with the warden, the first of them.
      if (isolated_) return;
      std::lock_guard lock(m_);
      Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, word.pid, 0)));
      if (pidfd) processes_[word.pid] = std::move(pidfd);
      return;
    }
    case Word::mounted: {
      Mount m;
      m.max_read = word.max_read;
      m.read_only = word.read_only;
      m.allow_other = word.allow_other;
      m.default_permissions = word.default_permissions;
      m.block_device = word.block_device;
      m.character_device = word.character_device;
      for (auto* part : {&m.target, &m.fsname, &m.subtype}) {
        const size_t end = std::min(text.find('\0'), text.size());
        *part = text.substr(0, end);
        text.erase(0, end + 1);
      }
      mount_ = std::move(m);
      return;
    }
    case Word::line:
      return log(word.code == 2 ? LogLevel::warning : LogLevel::info, "{}: {}", name_, text);
    case Word::ended: {
      std::lock_guard lock(m_);
      ended_.push_back({word.pid, word.code});
      return;
    }
    case Word::last_words: {
      std::lock_guard lock(m_);
      last_words_ = std::move(text);
      return;
    }
    case Word::cannot:
    case Word::over: {
      std::lock_guard lock(m_);
      over_ = true;
      return;
    }
  }
}

void Daemon::warden_lost() {
  log(LogLevel::error, "the process that watches {} has been killed: {} is, too", name_, name_);
  std::lock_guard lock(m_);
  over_ = true;
  for (auto& [pid, pidfd] : processes_) syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
  // The one that was started has died with it. Of the others no more is known than this.
  for (pid_t pid : processes_with(kMark, folder_)) kill(pid, SIGKILL);
  remove_folders(folder_, temporary_);
}

std::optional<int> Daemon::status() const {
  std::lock_guard lock(m_);
  for (auto& e : ended_)
    if (e.pid == first_) return e.status;
  return std::nullopt;
}

std::string Daemon::last_words() const {
  std::lock_guard lock(m_);
  return last_words_;
}

Status Daemon::serves(pid_t pid) {
  server_ = pid;
  serves_ = true;
  if (pid > 0) {
    std::lock_guard lock(m_);
    Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (pidfd) processes_[pid] = std::move(pidfd);
  }
  const Order order = Order::serves;
  send_message(socket_.get(), std::string_view(reinterpret_cast<const char*>(&order), sizeof order), -1);
  try {
    SignalsBlocked blocked;
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& e) {
    return err(e.code().value());
  }
  name_thread(thread_, "fuse daemon");
  return Unit{};
}

void Daemon::run() {
  while (hear(-1)) {
  }
}

std::string Daemon::why_it_ended() {
  constexpr int kPatienceMs = 1000, kLookMs = 20;
  std::string why = "has closed its device";
  for (int waited = 0; waited < kPatienceMs; waited += kLookMs) {
    {
      std::lock_guard lock(m_);
      const Ended* its = nullptr;
      for (auto& e : ended_)
        if (e.pid == server_ || (over_ && (!its || e.status != 0))) its = &e;
      if (its) {
        why = how_it_ended(its->status);
        if (!last_words_.empty()) why += ": " + last_words_;
        return why;
      }
      if (over_) return why;
    }
    poll(nullptr, 0, kLookMs);
  }
  return why;
}

}  // namespace isthmus::fuse_daemon
