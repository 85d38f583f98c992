#include "doors/smb/smb_door.h"

#include <fmt/format.h>

#include "base/log.h"
#include "doors/smb/connection.h"
#include "doors/smb/server.h"

namespace isthmus::smb {

class SmbDoor::Impl {
 public:
  Impl(VolumePort& port, Options options) : server_(port, std::move(options)) {}

  Expected<Unit> start() {
    auto listener = listen_on(options().at, options().anywhere);
    if (!listener) return listener.problem();
    bound_ = listener->bound;
    if (Status started = server_.port.start(server_); !started)
      return Problem{started.error(), fmt::format("cannot start the file system: {}", text_of(started.error())), ""};
    port_started_ = true;
    StreamServer::Options streams;
    streams.max_connections = options().max_connections;
    streams.line.max_threads = options().max_threads + 2 * static_cast<unsigned>(options().max_connections);
    streams.line.name = "smb";
    streams_ = std::make_unique<StreamServer>(
        std::move(listener->socket), [this](int socket) { return accept(socket); }, std::move(streams));
    if (Status started = streams_->start(); !started)
      return Problem{started.error(),
                     fmt::format("cannot start the threads of the SMB server: {}", text_of(started.error())), ""};
    return Unit{};
  }

  void stop() {
    if (streams_) {
      server_.cancel_all();
      streams_->stop();
      streams_.reset();
    }
    server_.backlogs.stop();
    server_.durables.stop();
    if (std::exchange(port_started_, false)) server_.port.stop();
  }

  const Options& options() const { return server_.options; }
  const Endpoint& bound() const { return bound_; }
  DoorMetrics::Snapshot metrics() const { return server_.metrics.snapshot(); }

 private:
  std::unique_ptr<Stream> accept(int socket) {
    std::optional<uint32_t> uid;
    if (!admission_.admits(socket, uid)) return nullptr;
    return std::make_unique<Connection>(server_, socket, uid);
  }

  Server server_;
  Admission admission_{options().anywhere, options().allow_uids};
  Endpoint bound_;
  bool port_started_ = false;
  std::unique_ptr<StreamServer> streams_;
};

SmbDoor::SmbDoor(VolumePort& port, Options options) : impl_(std::make_unique<Impl>(port, std::move(options))) {}
SmbDoor::~SmbDoor() { stop(); }
Expected<Unit> SmbDoor::start() { return impl_->start(); }
void SmbDoor::stop() { impl_->stop(); }
Endpoint SmbDoor::endpoint() const { return impl_->bound(); }
const Options& SmbDoor::options() const { return impl_->options(); }
DoorMetrics::Snapshot SmbDoor::metrics() const { return impl_->metrics(); }

}  // namespace isthmus::smb
