// A whole program, from before it starts to after it ends.
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "bench/fuse/measure/meter.h"

namespace isthmus::bench {

void measure_exec(Meter& meter, const Setup& setup) {
  if (setup.command.size() < 3) {
    std::fprintf(stderr, "measure: exec wants NAME COMMAND ARG...\n");
    std::exit(2);
  }
  const std::string name = setup.command[0];
  const Fd null = open_file("/dev/null", O_WRONLY);  // our output has the figures
  meter.client_is_children();
  meter.phase(name, 1, [&] {
    // What shells do, too: a fork would copy our page tables, which grow with the run.
    // NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork)
    pid_t pid = vfork();
    if (pid == 0) {
      dup2(null.get(), STDOUT_FILENO);
      execvp(setup.command[1], &setup.command[1]);
      _exit(127);
    }
    // NOLINTEND(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork)
    int status = 0;
    need(pid > 0 && waitpid(pid, &status, 0) == pid, "vfork");
    if (status == 0) return;
    std::fprintf(stderr, "measure: %s: exit status %d\n", setup.command[1], WEXITSTATUS(status));
    std::exit(1);
  });
}

}  // namespace isthmus::bench
