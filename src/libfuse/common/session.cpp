#include "libfuse/common/session.h"

#include <poll.h>
#include <unistd.h>

#include <mutex>

#include "base/log.h"
#include "doors/fuse/dev_transport.h"
#include "doors/fuse/unmount.h"
#include "libfuse/common/registration.h"
#include "libfuse/common/trace.h"
#include "providers/libfuse/common/message.h"

using namespace isthmus;
using namespace isthmus::libfuse;

fuse_session::fuse_session(std::unique_ptr<Program> p) : program(std::move(p)) {
  program->session = this;
  sem_init(&wake, 0, 0);
}

fuse_session::~fuse_session() {
  close_door();
  // Its thread is not here after a fork, and its socket is not ours to remove.
  if (served_by != getpid()) static_cast<void>(registered.release());
  registered.reset();
  sem_destroy(&wake);
}

std::shared_ptr<fuse::Door> fuse_session::door() {
  {
    std::shared_lock lock(door_m);
    if (the_door) return the_door;
  }
  std::unique_lock lock(door_m);
  if (the_door) return the_door;
  if (!transport && (!mount || !mount->mounted.device)) return nullptr;
  fuse::SessionOptions o;
  o.default_permissions = options.default_permissions.value_or(false);
  if (options.allow_root) o.only_uid = geteuid();
  o.transport = fuse::TransportChoice::classic;
  // A program that wants that answers ENOSYS to open.
  o.stateless_open = false;
  // Threads and processes that callbacks start would inherit one CPU.
  o.follow_core = false;
  o.negotiate = [this](fuse::Agreement& a) { return at_init(a); };
  if (!transport)
    transport = std::make_unique<fuse::DevTransport>(std::move(mount->mounted.device), o.clone_fd, o.splice);
  auto made = std::make_unique<fuse::Door>(files(), std::move(transport), o);
  if (!files().start(made->upcalls())) return nullptr;
  the_door = {made.release(), [this](fuse::Door* door) {
                if (served_by != getpid()) return;  // its threads are not here
                program->abandon();
                delete door;
              }};
  served_by = getpid();
  current = the_door.get();
  program->use_device(fd);
  pulse->device = fd.load();
  if (!registered) registered = register_session(*this);
  return the_door;
}

fuse::SessionStats fuse_session::stats() {
  std::shared_lock lock(door_m);
  return the_door ? the_door->stats() : last_stats;
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
    if (the_door && served_here) last_stats = the_door->stats();
    last = std::move(the_door);
    transport.reset();
    program->use_device(-1);
    pulse->device = -1;
    pulse->over = true;
    fd = -1;
  }
  sem_post(&wake);
}

std::unique_ptr<fuse_session> isthmus::libfuse::make_session(fuse_args& args, std::unique_ptr<Program> program) {
  auto se = std::make_unique<fuse_session>(std::move(program));
  if (!parse_session_options(args, *se) || !nothing_left(args) || !make_ready(*se)) return nullptr;
  return se;
}

bool isthmus::libfuse::make_ready(fuse_session& se) {
  auto trace = make_trace(se.program->files(), se.debug);
  if (!trace) {
    message(FUSE_LOG_ERR, "fuse: %s\n", trace.problem().text().c_str());
    return false;
  }
  se.trace = std::move(*trace);
  if (se.debug) set_log_level(LogLevel::debug);
  return true;
}

void isthmus::libfuse::end_session(fuse_session& se) {
  se.close_door();  // the program hears nothing after destroy()
  if (se.initialised.exchange(false)) se.program->destroy();
}
