#pragma once
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "control/status.h"

namespace isthmus::control {

/// The folder of control sockets: $ISTHMUS_RUNTIME_DIR, or /run/isthmus for root, $XDG_RUNTIME_DIR/isthmus, or else
/// /tmp/isthmus-UID. Made if
/// absent, mode 0700; refused when it is a link, somebody else's or open to others.
Expected<std::string> control_folder();

/// Answers "status\n" on a Unix socket in the control folder with one line of JSON, to the same user and root only
/// (SO_PEERCRED). One thread; a client that dawdles is dropped after three seconds.
class ControlServer {
 public:
  /// `status` is called on the server's thread, until the destructor returns.
  static Expected<std::unique_ptr<ControlServer>> start(std::function<Status()> status);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;
  const std::string& path() const { return path_; }

 private:
  ControlServer(std::string path, Fd listener, Fd stop, std::function<Status()> status);
  void run();
  void answer(Fd client);

  const std::string path_;
  const Fd listener_, stop_;
  const std::function<Status()> status_;
  std::thread thread_;
};

/// Status of every serving process of this user, of all users for root. Sockets whose process is gone are removed.
/// With `interval_ms` each is asked twice and per_second filled.
std::vector<Status> list_mounts(int interval_ms);

/// One process's word. ECONNREFUSED: it is gone.
Expected<Status> ask_status(const std::string& socket_path, uint32_t owner);

}  // namespace isthmus::control
