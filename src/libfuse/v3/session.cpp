/// fuse_session_new, _destroy, and what a session is made of.
#include "libfuse/v3/session.h"

#include <poll.h>
#include <unistd.h>

#include <mutex>

#include "base/log.h"
#include "doors/fuse/dev_transport.h"
#include "doors/fuse/unmount.h"
#include "libfuse/v3/exports.h"
#include "libfuse/v3/trace.h"
#include "providers/libfuse/common/args.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/v3/low_level_fs.h"

using namespace isthmus;
using namespace isthmus::libfuse;

fuse_session::fuse_session(std::unique_ptr<Program> p) : program(std::move(p)) {
  program->session = this;
  sem_init(&wake, 0, 0);
}

fuse_session::~fuse_session() {
  close_door();
  sem_destroy(&wake);
}

std::shared_ptr<fuse::Door> fuse_session::door() {
  {
    std::shared_lock lock(door_m);
    if (the_door) return the_door;
  }
  std::unique_lock lock(door_m);
  if (the_door) return the_door;
  if (!transport && (!mounted || !mounted->device)) return nullptr;
  fuse::SessionOptions o;
  o.default_permissions = options.default_permissions.value_or(false);
  if (options.allow_root) o.only_uid = geteuid();
  o.transport = fuse::TransportChoice::classic;
  // A program that wants that answers ENOSYS to open.
  o.stateless_open = false;
  // Threads and processes that callbacks start would inherit one CPU.
  o.follow_core = false;
  o.negotiate = [this](fuse::Agreement& a) { return at_init(a); };
  if (!transport) transport = std::make_unique<fuse::DevTransport>(std::move(mounted->device), o.clone_fd, o.splice);
  auto made = std::make_unique<fuse::Door>(files(), std::move(transport), o);
  if (!files().start(made->upcalls())) return nullptr;
  the_door = {made.release(), [this](fuse::Door* door) {
                if (served_by != getpid()) return;  // its threads are not here
                program->abandon();
                delete door;
              }};
  served_by = getpid();
  current = the_door.get();
  return the_door;
}

void fuse_session::close_door() {
  bool served_here = current.exchange(nullptr) && served_by == getpid();
  // A process that has not served may share the mount with one that does.
  if (served_here && mounted && mounted->by != fuse::MountedBy::somebody) {
    // News under way may wait in the kernel for requests that nobody will read any more. Only while the connection is
    // there: its number is given to others afterwards.
    pollfd p{fd, POLLIN, 0};
    if (fd >= 0 && poll(&p, 1, 0) >= 0 && !(p.revents & (POLLERR | POLLNVAL)))
      static_cast<void>(fuse::abort_connection(mounted->connection));
  }
  std::shared_ptr<fuse::Door> last;
  {
    std::unique_lock lock(door_m);
    last = std::move(the_door);
    transport.reset();
    fd = -1;
  }
  sem_post(&wake);
}

std::unique_ptr<fuse_session> isthmus::libfuse::make_session(fuse_args& args, std::unique_ptr<Program> program) {
  auto se = std::make_unique<fuse_session>(std::move(program));
  if (!parse_session_options(args, *se) || !nothing_left(args)) return nullptr;
  auto trace = trace_by_environment(se->program->files());
  if (!trace) {
    message(FUSE_LOG_ERR, "fuse: %s\n", trace.problem().text().c_str());
    return nullptr;
  }
  se->trace = std::move(*trace);
  if (se->debug) set_log_level(LogLevel::debug);
  return se;
}

ISTHMUS_EXPORT fuse_session* fuse_session_new(fuse_args* args, const fuse_lowlevel_ops* op, size_t op_size,
                                              void* userdata) {
  if (!has_arguments(args)) return nullptr;
  try {
    return make_session(*args, std::make_unique<LowLevelFs>(whole_table(op, op_size), userdata)).release();
  } catch (const std::bad_alloc&) {
    no_memory();
    return nullptr;
  }
}

ISTHMUS_EXPORT void fuse_session_destroy(fuse_session* se) {
  if (!se) return;
  se->close_door();  // the program hears nothing after destroy()
  if (se->initialised.exchange(false)) se->program->destroy();
  delete se;
}

ISTHMUS_EXPORT void fuse_session_exit(fuse_session* se) {
  se->exited = true;
  sem_post(&se->wake);
}

ISTHMUS_EXPORT void fuse_session_reset(fuse_session* se) {
  se->exited = false;
  se->error = 0;
}

ISTHMUS_EXPORT int fuse_session_exited(fuse_session* se) { return se->exited; }
ISTHMUS_EXPORT int fuse_session_fd(fuse_session* se) { return se->fd; }
