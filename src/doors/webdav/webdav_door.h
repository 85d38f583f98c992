#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/problem.h"
#include "doors/common/door_metrics.h"
#include "doors/common/loopback.h"
#include "doors/webdav/channel.h"
#include "vfs/volume/port.h"

namespace isthmus::webdav {

/// What the status page shows, for whoever may read the files. Called on the door's threads, until stop().
struct StatusSource {
  std::function<std::string()> json;      ///< of the process (control::to_json)
  std::function<std::string()> figures;   ///< the same in Prometheus' text format
  std::function<std::string()> commands;  ///< that mount the door's URL, a line each
};

struct Options {
  Endpoint at;
  bool anywhere = false;           ///< addresses beyond the loopback's are allowed, and peers of other machines
  std::vector<std::string> hosts;  ///< further values of Host that are ours, "name:port"
  /// First component of every path, which makes the URL a secret. Empty: none.
  std::string secret;
  /// Users whose connections are served, beside this process's own. Root's are, as the kernel's and davfs2's first ones
  /// come so.
  std::vector<uint32_t> allow_uids;
  enum class Auth : uint8_t { none, digest, basic } auth = Auth::none;
  std::string user, password;
  std::shared_ptr<const TlsServer> tls;  ///< null: plain HTTP
  bool read_only = false;
  uint32_t umask = 022;  ///< for what clients make
  unsigned max_threads = 64;
  size_t max_connections = 1024;
  size_t max_locks = 10'000;
  std::optional<StatusSource> status;           ///< none: no status page
  std::chrono::milliseconds head_time{10'000};  ///< for the head of a request, from its first byte
};

/// Serves a file system over WebDAV (RFC 4918) classes 1, 2 and 3 and HTTP/1.1. One thread, and more while operations
/// block.
class WebdavDoor {
 public:
  /// The port is started, and lives until the door has ended.
  WebdavDoor(VolumePort& port, Options options);
  ~WebdavDoor();  ///< stop()
  WebdavDoor(const WebdavDoor&) = delete;
  WebdavDoor& operator=(const WebdavDoor&) = delete;

  Expected<Unit> start();
  /// Requests in hand are finished; uploads that are not are undone. Any thread but the door's.
  void stop();
  /// "http://127.0.0.1:PORT/SECRET/", once started. Never logged by the door.
  std::string url() const;
  Endpoint endpoint() const;
  /// Once started, until stopped.
  DoorMetrics::Snapshot metrics() const;
  size_t locks() const;  ///< that clients hold

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace isthmus::webdav
