#pragma once
#include <sys/types.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/problem.h"
#include "providers/fuse_daemon/mount_words.h"

/// FUSE daemons of other people, started and watched: a daemon gets our socket in the place of /dev/fuse, whatever it
/// is written in, with no device, no mount and no privilege.
namespace isthmus::fuse_daemon {

enum class WayIn : uint8_t {
  seccomp,     ///< the system calls by which it mounts are answered by us (seccomp(2), user notification)
  fd,          ///< its mountpoint is /dev/fd/N (libfuse 3, go-fuse)
  fusermount,  ///< our fusermount is the first on its $PATH
  preload,     ///< a library of ours in it asks us instead of its kernel; and as fusermount
  own,         ///< it connects to a host by itself (our libfuse)
};

/// Whether this kernel, and whoever runs us, let calls be answered so; else why not.
Expected<Unit> seccomp_works();

struct Job {
  std::string file;                    ///< what is executed
  std::vector<std::string> arguments;  ///< with argv[0]; kMountpoint in one stands for the mountpoint
  std::vector<std::pair<std::string, std::string>> environment;  ///< set besides ours
  std::string folder;                                            ///< of this user's alone, empty; removed at the end
  std::string temporary;   ///< the same, for its $TMPDIR, removed with all that is in it; empty: it has its starter's
  std::string mountpoint;  ///< for kMountpoint, but for WayIn::fd; empty: kMountpoint is a word like others
  std::string fusermount;  ///< the program that calls fusermount_main() when its name is that
  std::string preload;     ///< the library, for WayIn::preload
  WayIn way = WayIn::seccomp;
  bool isolated = false;  ///< in namespaces of its own: users, mounts, processes
};
constexpr std::string_view kMountpoint = "{}";

/// A process of a daemon that has ended.
struct Ended {
  pid_t pid = 0;
  int status = 0;  ///< as of wait(2)
};
/// "was ended by signal 9 (Killed)"; "ended with status 3".
std::string how_it_ended(int status);

/// A daemon, and all processes that came of it, in a session of its own. A process beside this one, the warden, is
/// their parent, also of those that go to the background: it hears what they write, gives them their device, and ends
/// them when we end or are killed; if the warden is killed, they are as well.
class Daemon {
 public:
  /// No thread may run yet, and none is made.
  static Expected<std::shared_ptr<Daemon>> start(const Job& job);
  /// Close the device before, which is the daemon's sign to finish. It may work on what it keeps for a minute, is told
  /// by SIGTERM when it does nothing for some seconds or the time is over, and killed if that does not help.
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Our end of its device. Once.
  Fd take_device() { return std::move(device_); }

  /// Before serves(): hears what is new, for at most `ms`. False: no process is left.
  bool look(int ms);
  /// What it mounted; none: not yet.
  const std::optional<Mount>& mount() const { return mount_; }
  /// Of the process that was started, once it has ended.
  std::optional<int> status() const;
  /// The last line on its standard error; may be empty.
  std::string last_words() const;

  /// `pid` has answered INIT. What the daemon writes goes to the log from now on, not to the terminal. Starts a thread.
  Status serves(pid_t pid);
  /// The device was closed by the daemon. Waits a second for the reason: "ended with status 1: its last line".
  std::string why_it_ended();

 private:
  Daemon() = default;
  bool hear(int ms);
  void take(std::string_view message);
  void run();
  void warden_lost();

  pid_t warden_ = -1;
  bool isolated_ = false;
  Fd socket_, device_;
  std::string name_, folder_, temporary_;
  std::thread thread_;
  std::atomic<bool> serves_{false};
  pid_t server_ = 0, first_ = 0;
  std::optional<Mount> mount_;

  mutable std::mutex m_;  // guards what follows; leaf
  bool over_ = false;
  std::vector<Ended> ended_;
  std::map<pid_t, Fd> processes_;  // that have the device, to be killed if the warden cannot do it
  std::string last_words_;
};

}  // namespace isthmus::fuse_daemon
