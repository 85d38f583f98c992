#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/problem.h"
#include "doors/common/door_metrics.h"
#include "doors/common/loopback.h"
#include "vfs/volume/port.h"
#include "windows/identity.h"

namespace isthmus::smb {

struct Options {
  Endpoint at;
  bool anywhere = false;  ///< addresses beyond the loopback's are allowed, and peers of other machines
  /// Users whose connections are served, beside this process's own and root's.
  std::vector<uint32_t> allow_uids;
  std::string share = "isthmus";  ///< name of the one share
  std::string user, password;     ///< the one account; not empty
  std::string server_name;        ///< NetBIOS name; empty: a random one, as clients keep what they know of a name
  enum class Encrypt : uint8_t {
    off,
    offered,  ///< for clients that ask for it
    required
  } encrypt = Encrypt::offered;
  bool must_sign = true;  ///< false: clients may send messages that are not signed
  bool case_sensitive = false;
  bool hide_dot_files = true;
  bool read_only = false;
  uint32_t umask = 022;  ///< for what clients make
  windows::Identities identities{};
  /// For requests that wait, beside two threads of each connection: one that waits, and one that reads on.
  unsigned max_threads = 128;
  size_t max_connections = 256;
  size_t max_opens = 16384;  ///< of one connection, and of one session
};

/// Serves a file system over SMB 2 and 3 (MS-SMB2, dialects 2.0.2 to 3.1.1). One thread, and more while operations
/// block.
class SmbDoor {
 public:
  /// The port has not been started, and outlives the door.
  SmbDoor(VolumePort& port, Options options);
  ~SmbDoor();  ///< stop()
  SmbDoor(const SmbDoor&) = delete;
  SmbDoor& operator=(const SmbDoor&) = delete;

  Expected<Unit> start();
  /// Requests in hand are finished or cancelled; files that clients had open are closed. Any thread but the door's.
  void stop();
  Endpoint endpoint() const;
  const Options& options() const;
  /// Once started, until stopped.
  DoorMetrics::Snapshot metrics() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace isthmus::smb
