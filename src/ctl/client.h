#pragma once
#include <poll.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/problem.h"
#include "ctl/ways.h"
#include "doors/fuse/unmount.h"

/// Clients of a WebDAV or SMB door of ours, which mount it on this machine: programs of others, or the kernel.
namespace isthmus::ctl {

/// What a client is to mount, and where.
struct ClientJob {
  Way way = Way::davfs2;
  std::string mountpoint;      ///< absolute
  std::string user, password;  ///< of the door
  std::string files;           ///< a folder for the client's files, of root alone; empty: it needs none
  bool read_only = false, noexec = false, allow_other = false;
  int limit_ms = 30'000;  ///< how long it may take
};

/// Where a client shows the files.
struct ClientMount {
  std::string folder;   ///< empty: only programs of gvfs see them
  int id = -1;          ///< in mount tables; -1: it has no mount of its own
  pid_t pid = 0;        ///< of the client; 0: it is not our child, or the kernel
  mode_t replaced = 0;  ///< of the empty folder whose place a link has taken; 0: none
};

/// Lives in a process that serves nothing (ClientKeeper), as it may wait for the mount. Not thread-safe.
class Client {
 public:
  virtual ~Client() = default;
  /// Starts the client on `url`, which holds no secret, and waits until it has mounted.
  virtual Expected<ClientMount> mount(const std::string& url) = 0;
  /// Takes over what mount() of another process has made.
  virtual void adopt(const ClientMount& mount) = 0;
  /// For poll(2): what happens when the mount may have changed.
  virtual pollfd watch() const = 0;
  /// Whether the mount is there. Asks no file system.
  virtual bool mounted() = 0;
  /// Whether the client runs: without a mount it writes back what is left.
  virtual bool running() = 0;
  virtual Status unmount(fuse::UnmountHow how) = 0;
  /// Takes the mount away if it is there, ends what still runs, removes what was made for the client. Within seconds.
  virtual void clear() = 0;
};
std::unique_ptr<Client> make_client(const ClientJob& job);
std::unique_ptr<Client> make_davfs(const ClientJob& job);
std::unique_ptr<Client> make_gio(const ClientJob& job);
std::unique_ptr<Client> make_cifs(const ClientJob& job);

/// For ClientJob::files, and who must be let in besides us. Empty and none for clients that need neither.
struct ClientNeeds {
  std::string files;
  std::vector<uid_t> uids;
};
Expected<ClientNeeds> prepare_client(Way way);

/// The user that mount.davfs makes itself, as /etc/davfs2/davfs2.conf says.
struct DavfsUser {
  uid_t uid;
  gid_t gid;
};
Expected<DavfsUser> davfs_user();

/// A program of a client: its standard output and error can be read from `out`, what it reads is `input`.
struct ClientProgram {
  pid_t pid = -1;
  Fd out;
};
/// `environment` empty: only PATH.
ClientProgram start_program(const std::vector<std::string>& arguments, const std::string& input, bool own_environment);
/// Waits until it has ended, at most `limit_ms`, then kills it. Its exit status, -1 if it was killed; what it printed
/// is added to `said`, at most 4 KiB.
int finish_program(ClientProgram& program, int limit_ms, std::string& said);

}  // namespace isthmus::ctl
