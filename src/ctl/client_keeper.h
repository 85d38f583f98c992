#pragma once
#include <optional>
#include <string>

#include "base/fd.h"
#include "ctl/client.h"

namespace isthmus::ctl {

/// A process beside the server that has the client of its door: it starts it, unmounts when asked, sees the client end,
/// and when the server is gone takes the mount, the client and its files away. Start it before any thread exists.
class ClientKeeper {
 public:
  static Expected<ClientKeeper> start(const ClientJob& job);
  ClientKeeper(ClientKeeper&&) = default;
  /// Waits until everything of the client is taken away; also when the keeper has been killed.
  ~ClientKeeper();

  /// Waits; the door answers meanwhile.
  Expected<ClientMount> mount(const std::string& url);
  /// The answer comes by take().
  Status unmount(fuse::UnmountHow how);

  enum class News : uint8_t {
    unmounted,     ///< by us or by somebody; the client may still write back
    busy,          ///< what unmount() asked for
    not_possible,  ///< the same
    ended,         ///< nothing of the client is there any more
    crashed,       ///< the client ended while its mount was there; that has been taken away
    lost,          ///< the keeper is gone
  };
  /// Readable when there is news.
  int fd() const { return socket_.get(); }
  News take();

 private:
  ClientKeeper(const ClientJob& job, Fd socket) : spare_(make_client(job)), socket_(std::move(socket)) {}
  std::unique_ptr<Client> spare_;  // does the keeper's last duty if that is killed
  Fd socket_;
};

}  // namespace isthmus::ctl
