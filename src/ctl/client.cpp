#include "ctl/client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

extern char** environ;

namespace isthmus::ctl {

std::unique_ptr<Client> make_client(const ClientJob& job) {
  if (job.way == Way::cifs) return make_cifs(job);
  return job.way == Way::gio ? make_gio(job) : make_davfs(job);
}

ClientProgram start_program(const std::vector<std::string>& arguments, const std::string& input, bool own_environment) {
  ClientProgram p;
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) < 0) return p;
  Fd read_end(in[0]), write_end(in[1]);
  if (pipe2(out, O_CLOEXEC) < 0) return p;
  p.out.reset(out[0]);
  Fd print(out[1]);
  fcntl(p.out.get(), F_SETFL, O_NONBLOCK);
  // Far less than a pipe takes.
  static_cast<void>(!write(write_end.get(), input.data(), input.size()));
  std::vector<char*> argv;
  for (auto& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* plain[] = {path, nullptr};
  p.pid = fork();
  if (p.pid != 0) return p;
  for (int s : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTOU, SIGTTIN, SIGCHLD}) signal(s, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(read_end.get(), STDIN_FILENO);
  dup2(print.get(), STDOUT_FILENO);
  dup2(print.get(), STDERR_FILENO);
  execve(argv[0], argv.data(), own_environment ? plain : environ);
  _exit(127);
}

int finish_program(ClientProgram& program, int limit_ms, std::string& said) {
  constexpr size_t kMost = 4096;
  constexpr int kPauseMs = 20;
  const int64_t until = monotonic_ns() + int64_t{limit_ms} * 1'000'000;
  int status = 0;
  bool ended = program.pid < 0;
  // A daemon that it leaves may keep the pipe open: the end of the program counts, not that of what it prints.
  for (bool last = false; !last;) {
    last = ended;
    char block[512];
    for (ssize_t n; (n = read(program.out.get(), block, sizeof block)) > 0;)
      if (said.size() < kMost) said.append(block, static_cast<size_t>(n));
    if (ended) continue;
    ended = waitpid(program.pid, &status, WNOHANG) == program.pid;
    if (ended) continue;
    if (monotonic_ns() > until) {
      kill(program.pid, SIGKILL);
      waitpid(program.pid, &status, 0);
      ended = true;
      continue;
    }
    pollfd p{program.out.get(), POLLIN, 0};
    poll(&p, 1, kPauseMs);
    if (p.revents & POLLHUP) poll(nullptr, 0, 1);
  }
  while (!said.empty() && said.back() == '\n') said.pop_back();
  return program.pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace isthmus::ctl
