#pragma once
#include <isthmus/fuse3/fuse_lowlevel.h>
#include <semaphore.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>

#include "control/control.h"
#include "doors/fuse/fuse_door.h"
#include "doors/fuse/keeper.h"
#include "doors/fuse/mount.h"
#include "doors/fuse/transport.h"
#include "libfuse/common/private_view.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/v3/program.h"
#include "providers/libfuse/v3/wants.h"

namespace isthmus::libfuse {

/// What a program holds of a mount.
struct Mount {
  fuse::Mounted mounted;
  std::optional<fuse::Keeper> keeper;  // auto_unmount
};

/// What may be asked of a session that may be gone. Any thread.
struct Pulse {
  std::atomic<int> device{-1};  // while it serves
  std::atomic<bool> over{false};
};

}  // namespace isthmus::libfuse

/// A program's session: its file system, where it is mounted, and the door that serves it. Until a loop runs
/// or a message is read there is no door, and never a thread of ours, so that the program may fork.
struct fuse_session {
  explicit fuse_session(std::unique_ptr<isthmus::libfuse::Program> p);
  ~fuse_session();
  fuse_session(const fuse_session&) = delete;
  fuse_session& operator=(const fuse_session&) = delete;

  /// Made when it is first asked for, and there while somebody has it. Null: there is nothing to serve on.
  std::shared_ptr<isthmus::fuse::Door> door();
  /// Whether this door is still the session's. Any thread.
  bool serves(const std::shared_ptr<isthmus::fuse::Door>& door) const { return current == door.get(); }
  /// Calls f(Door&) unless there is none, or no longer. -ENOTCONN then.
  template <class F>
  int with_door(F f) {
    std::shared_lock lock(door_m);
    return the_door ? f(*the_door) : -ENOTCONN;
  }
  /// The end of serving: loops are told to return. When the last has (at once where there is none), what the program
  /// has not answered is answered for it, and the device is closed. Any thread, also inside a callback.
  void close_door();
  /// The program's, or a trace around them.
  isthmus::FileSystem& files() { return trace ? *trace : program->files(); }
  isthmus::Status at_init(isthmus::fuse::Agreement& a);
  /// Of the door; of the last one when it is gone. Any thread.
  isthmus::fuse::SessionStats stats();

#if ISTHMUS_FUSE3_SO >= 4
  isthmus::libfuse::PrivateView private_view;  // first
#endif
  const std::unique_ptr<isthmus::libfuse::Program> program;
  std::unique_ptr<isthmus::FileSystem> trace;  // null: none is wanted
  // From the options.
  isthmus::fuse::MountOptions options;
  bool debug = false;

  // From fuse_session_mount() or fuse_session_custom_io().
  std::optional<isthmus::libfuse::Mount> mount;     // its device goes to the door
  const isthmus::fuse::Mounted* mounted = nullptr;  // what is served: of `mount`, or of whoever else holds it
  std::unique_ptr<isthmus::fuse::Transport> transport;
  std::atomic<int> fd{-1};
  bool custom = false;  // messages by functions of the program
  std::atomic<bool> clone_fd{
      false};  // of the loop's configuration: custom I/O is asked for a descriptor for each thread

  fuse_conn_info conn{};
  std::function<void(fuse_conn_info&)> before_init;  // has its word before the program's init(); null: none
  std::atomic<bool> initialised{false};              // until destroy()
  std::atomic<bool> had_init{false};                 // ever
  std::atomic<bool> exited{false};
  std::atomic<int> error{0};  // what the loop is to return: the number of a signal, or -errno
  const std::shared_ptr<isthmus::libfuse::Pulse> pulse = std::make_shared<isthmus::libfuse::Pulse>();
  sem_t wake;  // posted when a loop of several threads is to look at `exited`

  std::shared_mutex door_m;  // guards the_door; held by news while the kernel takes it
  std::shared_ptr<isthmus::fuse::Door> the_door;
  std::atomic<isthmus::fuse::Door*> current{nullptr};           // the_door, for loops to compare with
  isthmus::fuse::SessionStats last_stats;                       // guarded by door_m
  std::atomic<pid_t> served_by{0};                              // the process that made it: a child has but a copy
  std::unique_ptr<isthmus::control::ControlServer> registered;  // from serving until destroy() is over
};

namespace isthmus::libfuse {

/// Bytes of the longest request: 1 MiB of data and what comes before it.
constexpr size_t kMessageMax = (size_t{1} << 20) + 4096;

/// Whether there are arguments, at least the name of a program. False has been told.
bool has_arguments(const fuse_args* args);
/// What fuse_session_new() takes out of the arguments. False: an error, which has been told.
bool parse_session_options(fuse_args& args, fuse_session& se);
/// False: an option has not been taken by anybody, which has been told.
bool nothing_left(const fuse_args& args);
/// The rest of fuse_session_new(), for any program. Null: an error, which has been told.
std::unique_ptr<fuse_session> make_session(fuse_args& args, std::unique_ptr<Program> program);
/// What every session needs whose options are known: a trace where one is wanted. False: an error, which has been told.
bool make_ready(fuse_session& se);
/// The end of one: nothing is served any more, and the program's destroy() has run.
void end_session(fuse_session& se);
/// A program's table of operations, whatever version it was compiled for.
template <class Ops>
Ops whole_table(const Ops* given, size_t size) {
  Ops ops{};
  if (size > sizeof ops)
    message(FUSE_LOG_ERR,
            "fuse: warning: the program knows more operations than this library; they will not be used\n");
  memcpy(&ops, given, std::min(size, sizeof ops));
  return ops;
}

}  // namespace isthmus::libfuse
