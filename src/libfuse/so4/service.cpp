/// fuse_service_*: this library does not speak to mount.service (fuse_service.h).
#include <isthmus/fuse3/fuse_lowlevel.h>
#include <isthmus/fuse3/fuse_service.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/text.h"
#include "libfuse/common/exports.h"
#include "libfuse/v3/cmdline.h"
#include "providers/libfuse/common/message.h"

using namespace isthmus::libfuse;

namespace {

int refused() {
  message(FUSE_LOG_ERR,
          "fuse: this libfuse3 (of isthmus) cannot serve under a mount service (mount.service); run the program by "
          "itself, or with the libfuse3 of the system\n");
  return -EOPNOTSUPP;
}

/// Whether systemd has given this process a Unix socket (sd_listen_fds(3)).
bool has_service_socket() {
  constexpr int kFirst = 3;
  const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
  auto ours = pid ? isthmus::parse_number(pid, INT32_MAX) : std::nullopt;
  auto n = count ? isthmus::parse_number(count, INT32_MAX) : std::nullopt;
  if (!ours || static_cast<pid_t>(*ours) != getpid() || !n || *n == 0) return false;
  int family = 0;
  socklen_t size = sizeof family;
  return getsockopt(kFirst, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family == AF_UNIX;
}

}  // namespace

ISTHMUS_EXPORT int fuse_service_accept(fuse_service** sfp) {
  *sfp = nullptr;
  return has_service_socket() ? refused() : 0;
}
ISTHMUS_EXPORT void fuse_service_release(fuse_service*) {}
ISTHMUS_EXPORT void fuse_service_destroy(fuse_service** sfp) { *sfp = nullptr; }

ISTHMUS_EXPORT char* fuse_service_cmdline(int argc, char* argv[], fuse_args* args) {
  std::string line = argc > 0 ? argv[0] : "";
  for (int i = 1; args && i < args->argc; i++) line += " " + std::string(args->argv[i]);
  return strdup(line.c_str());
}

ISTHMUS_EXPORT int fuse_service_parse_cmdline_opts(fuse_args* args, fuse_cmdline_opts* opts) {
  return parse_cmdline(*args, *opts, false);
}
ISTHMUS_EXPORT int fuse_service_exit(int ret) { return ret ? EXIT_FAILURE : EXIT_SUCCESS; }

ISTHMUS_EXPORT bool fuse_service_can_allow_other(fuse_service*) { return false; }
ISTHMUS_EXPORT bool fuse_service_can_fuseblk(fuse_service*) { return false; }
ISTHMUS_EXPORT int fuse_service_append_args(fuse_service*, fuse_args*) { return refused(); }
ISTHMUS_EXPORT int fuse_service_request_file(fuse_service*, const char*, int, mode_t, unsigned) { return refused(); }
ISTHMUS_EXPORT int fuse_service_request_blockdev(fuse_service*, const char*, int, mode_t, unsigned, unsigned) {
  return refused();
}
ISTHMUS_EXPORT int fuse_service_receive_file(fuse_service*, const char*, int* fdp) {
  if (fdp) *fdp = -EOPNOTSUPP;
  return refused();
}
ISTHMUS_EXPORT int fuse_service_finish_file_requests(fuse_service*) { return refused(); }
ISTHMUS_EXPORT void fuse_service_expect_mount_format(fuse_service*, mode_t) {}
ISTHMUS_EXPORT int fuse_service_session_mount(fuse_service*, fuse_session*, mode_t, fuse_cmdline_opts*) {
  return refused();
}
ISTHMUS_EXPORT int fuse_service_send_goodbye(fuse_service*, int) { return refused(); }
ISTHMUS_EXPORT int fuse_service_main_real_versioned(fuse_service*, int, char*[], const fuse_operations*, size_t,
                                                    libfuse_version*, void*) {
  refused();
  return 1;
}
