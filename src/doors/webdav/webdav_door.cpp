#include "doors/webdav/webdav_door.h"

#include <fmt/format.h>

#include "doors/webdav/connection.h"
#include "doors/webdav/exchange.h"

namespace isthmus::webdav {

class WebdavDoor::Impl {
 public:
  Impl(VolumePort& port, Options options) : port_(port), options_(std::move(options)) {}

  Expected<Unit> start() {
    auto listener = listen_on(options_.at, options_.anywhere);
    if (!listener) return listener.problem();
    bound_ = listener->bound;
    site_ = std::make_unique<Site>(port_, options_, bound_);
    StreamServer::Options server;
    server.max_connections = options_.max_connections;
    server.line.max_threads = options_.max_threads;
    server.line.name = "webdav";
    server_ = std::make_unique<StreamServer>(
        std::move(listener->socket),
        [this](int socket) -> std::unique_ptr<Stream> {
          std::optional<uint32_t> uid;
          if (!admission_.admits(socket, uid)) return nullptr;
          auto channel = options_.tls ? options_.tls->channel(socket) : plain_channel(socket);
          if (!channel) return nullptr;
          return std::make_unique<Connection>(*site_, socket, std::move(channel), uid);
        },
        std::move(server));
    if (Status started = server_->start(); !started)
      return Problem{started.error(),
                     fmt::format("cannot start the threads of the WebDAV server: {}", text_of(started.error())), ""};
    return Unit{};
  }

  void stop() {
    if (server_) server_->stop();
    server_.reset();
    if (site_) remove_uploads(*site_);
    site_.reset();
  }

  std::string url() const {
    const bool six = bound_.address.find(':') != std::string::npos;
    return fmt::format("{}://{}{}{}:{}/{}{}", options_.tls ? "https" : "http", six ? "[" : "", bound_.address,
                       six ? "]" : "", bound_.port, options_.secret, options_.secret.empty() ? "" : "/");
  }
  const Endpoint& bound() const { return bound_; }
  Site& site() const { return *site_; }

 private:
  VolumePort& port_;
  const Options options_;
  Admission admission_{options_.anywhere, options_.allow_uids};
  Endpoint bound_;
  std::unique_ptr<Site> site_;
  std::unique_ptr<StreamServer> server_;
};

WebdavDoor::WebdavDoor(VolumePort& port, Options options) : impl_(std::make_unique<Impl>(port, std::move(options))) {}
WebdavDoor::~WebdavDoor() { stop(); }
Expected<Unit> WebdavDoor::start() { return impl_->start(); }
void WebdavDoor::stop() { impl_->stop(); }
std::string WebdavDoor::url() const { return impl_->url(); }
Endpoint WebdavDoor::endpoint() const { return impl_->bound(); }
DoorMetrics::Snapshot WebdavDoor::metrics() const { return impl_->site().metrics.snapshot(); }
size_t WebdavDoor::locks() const { return impl_->site().locks.size(); }

}  // namespace isthmus::webdav
