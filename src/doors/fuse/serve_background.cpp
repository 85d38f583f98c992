#include "doors/fuse/serve_background.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <ctime>

#include "base/clock.h"
#include "doors/fuse/mount_table.h"
#include "doors/fuse/unmount.h"

namespace isthmus::fuse {
namespace {

// What the child writes: a Word, then what_size bytes of text and hint_size bytes of hint (for ready: the path).
struct Word {
  uint32_t stage = 0;
  int32_t code = 0;
  uint32_t connection = 0;
  uint32_t what_size = 0, hint_size = 0;
};
constexpr uint32_t kMostText = 1 << 20;

void write_all(int fd, const void* data, size_t size) {
  auto* at = static_cast<const char*>(data);
  while (size > 0) {
    ssize_t n = write(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    at += n;
    size -= static_cast<size_t>(n);
  }
}

bool read_all(int fd, void* data, size_t size) {
  auto* at = static_cast<char*>(data);
  while (size > 0) {
    ssize_t n = read(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

void send_word(int fd, Word word, const std::string& what, const std::string& hint) {
  word.what_size = static_cast<uint32_t>(what.size());
  word.hint_size = static_cast<uint32_t>(hint.size());
  write_all(fd, &word, sizeof word);
  write_all(fd, what.data(), what.size());
  write_all(fd, hint.data(), hint.size());
}

volatile pid_t g_child = -1, g_parent = -1;
void pass_on(int signal) {
  int saved = errno;
  // Not from a process that this one has forked since: it may outlive it and hear the terminal close.
  if (g_child > 0 && g_parent == getpid()) kill(g_child, signal);
  errno = saved;
}

/// Passes SIGTERM and SIGHUP on to the child, as long as it lives. Ctrl-C reaches the child by itself, as a member of
/// the terminal's foreground group.
class PassOn {
 public:
  explicit PassOn(pid_t child) {
    g_child = child;
    g_parent = getpid();
    struct sigaction act {};
    act.sa_handler = pass_on;
    act.sa_flags = SA_RESTART;
    for (int s : {SIGTERM, SIGHUP}) sigaction(s, &act, nullptr);
    signal(SIGINT, SIG_IGN);
  }
  ~PassOn() { g_child = -1; }
  PassOn(const PassOn&) = delete;
  PassOn& operator=(const PassOn&) = delete;
};

/// True if `child` has ended within `ms`.
bool ended_within(pid_t child, int ms) {
  for (int waited = 0;; waited += 20) {
    if (waitpid(child, nullptr, WNOHANG) != 0) return true;
    if (waited >= ms) return false;
    timespec nap{.tv_sec = 0, .tv_nsec = 20'000'000};
    nanosleep(&nap, nullptr);
  }
}

/// Takes a server away that mounted and does not answer, with its mount.
void take_back(pid_t child, const std::string& path, uint32_t connection) {
  kill(child, SIGTERM);
  if (!ended_within(child, 2000)) kill(child, SIGTERM);
  if (!ended_within(child, 2000)) kill(child, SIGKILL);
  ended_within(child, 2000);
  if (auto m = mount_at(path); m && m->is_fuse() && m->minor == connection)
    static_cast<void>(unmount_entry(*m, UnmountHow::force));
}

ServeOutcome not_answering(const std::string& path, const Probe& seen, unsigned seconds) {
  ServeOutcome o{.stage = ServeStage::serving, .problem = {}};
  o.problem.code = seen.answered ? err(seen.error) : err(ETIMEDOUT);
  o.problem.what = "mounted on '" + path + "', but ";
  if (!seen.answered)
    o.problem.what += "it did not answer within " + std::to_string(seconds) + " s; unmounted again";
  else if (seen.error != 0)
    o.problem.what += "it answers: " + std::string(text_of(err(seen.error))) + "; unmounted again";
  else
    o.problem.what += "something else is visible there; unmounted again";
  o.problem.hint = "to see what happens: the same command with -f --log-level debug";
  return o;
}

}  // namespace

void Announcer::ready(const Mounted& mounted) {
  if (!pipe_) return;
  setsid();
  static_cast<void>(!chdir("/"));
  Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null)
    for (int i = 0; i < 3; i++) dup2(null.get(), i);
  Word word{.stage = static_cast<uint32_t>(ServeStage::done), .connection = mounted.connection};
  send_word(pipe_.get(), word, mounted.path, "");
  pipe_.reset();
}

bool Announcer::failed(const ServeOutcome& outcome) {
  if (!pipe_) return false;
  Word word{.stage = static_cast<uint32_t>(outcome.stage), .code = static_cast<int32_t>(outcome.problem.code)};
  send_word(pipe_.get(), word, outcome.problem.what, outcome.problem.hint);
  pipe_.reset();
  return true;
}

ServeOutcome wait_for_server(pid_t child, Fd pipe, unsigned answer_seconds) {
  PassOn pass_signals_on(child);
  Word word;
  std::string what, hint;
  bool heard = read_all(pipe.get(), &word, sizeof word) && word.what_size <= kMostText && word.hint_size <= kMostText;
  if (heard) {
    what.resize(word.what_size);
    hint.resize(word.hint_size);
    heard = read_all(pipe.get(), what.data(), what.size()) && read_all(pipe.get(), hint.data(), hint.size());
  }
  if (!heard) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    std::string how = WIFSIGNALED(status) ? "was killed by signal " + std::to_string(WTERMSIG(status))
                                          : "ended with status " + std::to_string(WEXITSTATUS(status));
    return {.stage = ServeStage::serving,
            .problem = {err(EIO), "the serving process " + how + " before the mount answered",
                        "to see what happens: the same command with -f --log-level debug"}};
  }
  auto stage = static_cast<ServeStage>(word.stage);
  if (stage != ServeStage::done) {
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    return {.stage = stage, .problem = {err(word.code), what, hint}};
  }
  if (what.empty()) return {};  // mounted by somebody else, who knows where
  Probe seen = probe(what, static_cast<int>(answer_seconds * 1000));
  // Other users' mounts, and those of a user for root, refuse to be looked at: that is an answer too.
  bool hidden = seen.answered && seen.error == EACCES;
  bool same = seen.dev_minor == word.connection || word.connection == 0;
  if (hidden || (seen.answered && seen.error == 0 && same)) return {};
  take_back(child, what, word.connection);
  return not_answering(what, seen, answer_seconds);
}

}  // namespace isthmus::fuse
