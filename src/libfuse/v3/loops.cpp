/// fuse_session_loop, _loop_mt, _receive_buf, _process_buf.
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <system_error>
#include <thread>
#include <vector>

#include "doors/fuse/dev_transport.h"
#include "libfuse/v3/exports.h"
#include "libfuse/v3/loop_config.h"
#include "libfuse/v3/session.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/common/no_throw.h"
#include "run/line.h"
#include "run/threads.h"

using namespace isthmus;
using namespace isthmus::libfuse;

namespace {

int nothing_to_serve() {
  message(FUSE_LOG_ERR, "fuse: the session has not been mounted\n");
  return -EINVAL;
}

int end_of_loop(fuse_session* se) {
  int result = se->error;
  fuse_session_reset(se);
  return result;
}

int run_threads(fuse_session* se, const fuse_loop_config& config) {
  auto door = se->door();
  if (!door) return nothing_to_serve();
  Line::Options o;
  o.max_threads = std::clamp(config.max_threads, 1u, fuse::DevTransport::kMaxLanes);
  o.name = "fuse";
  // Callbacks run there, and what they start inherits it: no more than in the original.
  o.blocked = signal_set({SIGTERM, SIGINT, SIGHUP, SIGQUIT});
  Line line(door->source(), o);
  if (Status s = line.start(); !s) return -s.code();
  std::thread watcher;
  try {
    SignalsBlocked blocked;
    watcher = std::thread([&] {
      line.wait_ended();
      fuse_session_exit(se);
    });
  } catch (const std::system_error& e) {
    line.stop();
    return -e.code().value();
  }
  // Signals of the program are handled on this thread, and interrupt the wait.
  while (!se->exited && se->serves(door)) sem_wait(&se->wake);
  line.ask_to_stop();
  // A program's own read() that goes on after EINTR.
  if (se->custom && !line.wait_ended_for(std::chrono::seconds(1)) && line.waiting() > 0) shutdown(se->fd, SHUT_RD);
  line.stop();
  watcher.join();
  return end_of_loop(se);
}

}  // namespace

ISTHMUS_EXPORT int fuse_session_loop(fuse_session* se) {
  auto door = se->door();
  if (!door) return nothing_to_serve();
  LineSource& source = door->source();
  while (!se->exited && se->serves(door)) {
    auto got = source.wait(0);
    if (got == LineSource::Got::closed) break;
    if (got == LineSource::Got::request) source.run(0);
  }
  return end_of_loop(se);
}

ISTHMUS_EXPORT int fuse_session_loop_mt(fuse_session* se, fuse_loop_config* config) {
  return run_threads(se, config ? *config : fuse_loop_config{});
}
ISTHMUS_EXPORT int fuse_session_loop_mt_312(fuse_session* se, fuse_loop_config* config) {
  return fuse_session_loop_mt(se, config);
}
ISTHMUS_EXPORT int fuse_session_loop_mt_32(fuse_session* se, fuse_loop_config_v1* config) {
  fuse_loop_config c;
  if (config) fuse_loop_cfg_convert(&c, config);
  return run_threads(se, c);
}
ISTHMUS_EXPORT int fuse_session_loop_mt_31(fuse_session* se, int clone_fd) {
  fuse_loop_config c;
  c.clone_fd = clone_fd;
  return run_threads(se, c);
}
ISTHMUS_OLD_VERSION(fuse_session_loop_mt, fuse_session_loop_mt_v32, "FUSE_3.2")
ISTHMUS_EXPORT int fuse_session_loop_mt_v32(fuse_session* se, fuse_loop_config_v1* config) {
  return fuse_session_loop_mt_32(se, config);
}
ISTHMUS_OLD_VERSION(fuse_session_loop_mt, fuse_session_loop_mt_v30, "FUSE_3.0")
ISTHMUS_EXPORT int fuse_session_loop_mt_v30(fuse_session* se, int clone_fd) {
  return fuse_session_loop_mt_31(se, clone_fd);
}

ISTHMUS_EXPORT int fuse_session_receive_buf(fuse_session* se, fuse_buf* buf) {
  auto door = se->door();
  if (!door) return nothing_to_serve();
  if (!buf->mem) buf->mem = malloc(kMessageMax);
  if (!buf->mem) return -ENOMEM;
  for (;;) {
    auto n = door->receive({static_cast<std::byte*>(buf->mem), kMessageMax});
    if (se->exited) return 0;
    if (n) {
      buf->size = *n;
      buf->flags = static_cast<fuse_buf_flags>(buf->flags & ~FUSE_BUF_IS_FD);
      return static_cast<int>(*n);
    }
    switch (n.code()) {
      case ENOENT:  // a request that was interrupted before it could be read
        continue;
      case ENODEV:
        fuse_session_exit(se);
        return 0;
      default:
        return -n.code();
    }
  }
}

ISTHMUS_EXPORT void fuse_session_process_buf(fuse_session* se, const fuse_buf* buf) {
  bool done = no_throw(false, [&] {
    auto door = se->door();
    if (!door) return nothing_to_serve() == 0;
    if (!(buf->flags & FUSE_BUF_IS_FD))
      return door->process({static_cast<const std::byte*>(buf->mem), buf->size}), true;
    // A pipe, for instance, that the program has the message in.
    std::vector<uint64_t> words((std::min(buf->size, kMessageMax) + 7) / 8);
    auto memory = std::as_writable_bytes(std::span(words));
    size_t have = 0;
    while (have < memory.size()) {
      ssize_t n = read(buf->fd, memory.data() + have, memory.size() - have);
      if (n <= 0) break;
      have += static_cast<size_t>(n);
    }
    door->process(memory.first(std::min(have, buf->size)));
    return true;
  });
  if (!done) message(FUSE_LOG_ERR, "fuse: a request of %zu bytes is not processed\n", buf->size);
}
