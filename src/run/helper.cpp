#include "run/helper.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace isthmus {
namespace {

constexpr int kSocket = 3;

/// False: it cannot be told apart from the process it came from.
bool leave(const char* name, int socket) {
  prctl(PR_SET_NAME, name);
  setsid();
  if (chdir("/") < 0) return false;
  for (int s : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTOU, SIGTTIN}) signal(s, SIG_IGN);
  if (socket == kSocket ? fcntl(socket, F_SETFD, FD_CLOEXEC) < 0 : dup3(socket, kSocket, O_CLOEXEC) < 0) return false;
  close_range(kSocket + 1, ~0U, 0);
  close_range(0, 2, 0);
  for (int i = 0; i < 3; i++)
    if (open("/dev/null", O_RDWR) < 0) return false;
  return true;
}

}  // namespace

Expected<Fd> start_helper(const char* name, const std::function<void(int)>& body) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return Problem{last_errno(), "socketpair", ""};
  Fd ours(pair[0]), theirs(pair[1]);
  // Two forks: so it neither waits to be collected nor shows up in wait(2).
  pid_t pid = fork();
  if (pid < 0) return Problem{last_errno(), "cannot start a process: " + std::string(text_of(last_errno())), ""};
  if (pid == 0) {
    pid_t inner = fork();
    if (inner != 0) _exit(inner < 0 ? 1 : 0);
    if (!leave(name, theirs.get())) _exit(1);
    body(kSocket);
    _exit(0);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return Problem{err(EAGAIN), "cannot start a process", ""};
  return ours;
}

ssize_t receive_message(int socket, void* data, size_t size) {
  ssize_t n = 0;
  while ((n = recv(socket, data, size, 0)) < 0 && errno == EINTR) {
  }
  return n;
}

}  // namespace isthmus
