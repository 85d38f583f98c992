#include "ctl/served.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <ctime>

#include "base/log.h"
#include "control/describe.h"
#include "control/prometheus.h"
#include "control/status_json.h"
#include "ctl/hosted.h"
#include "ctl/ways.h"

namespace isthmus::ctl {

Expected<Unit> Served::open(const Source& source, const SourceHooks& hooks) {
  bool judges = false;
  SourceHooks own = hooks;
  own.made = [&judges](const FileSystem& fs) { judges = judges_itself(fs); };
  auto made = open_source(source, own);
  if (hooks.opened) hooks.opened();
  if (!made) return made.problem();
  return take(std::move(*made), source, judges);
}

Expected<Unit> Served::take(std::unique_ptr<FileSystem> fs, const Source& source, bool judges) {
  fs_ = std::move(fs);
  judges_itself_ = judges;
  volume_ = std::make_unique<Volume>(*fs_);
  if (Status started = volume_->start(); !started) {
    volume_.reset();
    return Problem{started.error(), "cannot start '" + source.label() + "': " + std::string(text_of(started.error())),
                   ""};
  }
  return Unit{};
}

FileSystem& Served::kernel_port() {
  PortOptions options;
  options.door = DoorKind::fuse;
  options.has_kernel = true;
  kernel_port_ = volume_->port(options);
  return *kernel_port_;
}

Expected<Unit> Served::start_doors(std::function<control::Status()> status) {
  if (options_.webdav)
    if (auto started = start_webdav(status); !started) return started.problem();
  if (options_.smb) {
    PortOptions options;
    options.door = DoorKind::smb;
    options.check_access = !judges_itself_;
    smb_port_ = volume_->port(options);
    smb_ = std::make_unique<smb::SmbDoor>(*smb_port_, *options_.smb);
    if (auto started = smb_->start(); !started) return started.problem();
  }
  return options_.userfs ? start_userfs() : Expected<Unit>(Unit{});
}

Expected<Unit> Served::start_userfs() {
  PortOptions options;
  options.door = DoorKind::userfs;
  options.has_kernel = true;  // the peer is one
  userfs_port_ = volume_->port(options);
  // Without its peer nobody is left to serve, but for those of other doors.
  const bool alone = !webdav_ && !smb_ && !kernel_port_;
  userfs_ = std::make_unique<userfs::UserfsDoor>(*userfs_port_, Fd(options_.userfs->in), Fd(options_.userfs->out),
                                                 options_.userfs->options, [alone] {
                                                   if (alone) kill(getpid(), SIGTERM);
                                                 });
  if (Status started = userfs_->start(); !started)
    return Problem{started.error(), "cannot start the userfs door: " + std::string(text_of(started.error())), ""};
  return Unit{};
}

Expected<Unit> Served::start_webdav(const std::function<control::Status()>& status) {
  PortOptions options;
  options.door = DoorKind::webdav;
  options.check_access = !judges_itself_;
  webdav_port_ = volume_->port(options);
  if (Status started = webdav_port_->start(webdav_news_); !started)
    return Problem{started.error(), "cannot start the WebDAV door: " + std::string(text_of(started.error())), ""};
  webdav_started_ = true;
  webdav::Options own = *options_.webdav;
  if (status)
    own.status = webdav::StatusSource{[status] { return control::to_json(status()); },
                                      // By way of JSON, which makes UTF-8 of names that are not.
                                      [status] {
                                        auto told = control::status_from_json(control::to_json(status()));
                                        return told ? control::to_prometheus({*told}) : std::string();
                                      },
                                      [this] { return client_commands(webdav_->url()); }};
  webdav_ = std::make_unique<webdav::WebdavDoor>(*webdav_port_, std::move(own));
  return webdav_->start();
}

void Served::stop_doors() {
  if (userfs_) userfs_->stop();
  userfs_.reset();
  userfs_port_.reset();
  if (smb_) smb_->stop();
  smb_.reset();
  smb_port_.reset();
  if (webdav_) webdav_->stop();  // while its threads can still ask for the status
  webdav_.reset();
  if (std::exchange(webdav_started_, false)) webdav_port_->stop();
  webdav_port_.reset();
}

void Served::stop() {
  stop_doors();
  kernel_port_.reset();
  if (volume_) volume_->stop();
  volume_.reset();
}

control::Status status_of(const Served& served, const Source& source, int64_t started) {
  control::Status s = control::describe({}, served.counters());
  s.source = source.label();
  s.started = started;
  s.transport = s.protocol = "";
  s.door = "";
  const auto add = [&s](control::DoorStatus door) {
    s.door += s.door.empty() ? door.door : "+" + door.door;
    if (s.mountpoint.empty()) s.mountpoint = door.at;
    s.doors.push_back(std::move(door));
  };
  if (served.webdav()) {
    const Endpoint at = served.webdav()->endpoint();
    const bool tls = served.webdav()->url().starts_with("https");
    // The rest of the URL is the secret.
    s.transport = tls ? "TLS" : "HTTP/1.1";
    add({"webdav", fmt::format("{}://{}:{}/", tls ? "https" : "http", at.address, at.port), served.webdav()->metrics(),
         served.webdav()->locks()});
  }
  if (served.smb()) {
    const Endpoint at = served.smb()->endpoint();
    if (s.transport.empty()) s.transport = "SMB";
    add({"smb", fmt::format("smb://{}:{}/{}", at.address, at.port, served.smb()->options().share),
         served.smb()->metrics(), 0});
  }
  if (served.userfs()) {
    if (s.transport.empty()) s.transport = "userfs";
    add({"userfs", "fd:" + served.userfs()->at, {}, 0});
  }
  return s;
}

std::unique_ptr<control::ControlServer> show_in_list(std::function<control::Status()> status, std::string_view what) {
  auto started = control::ControlServer::start(std::move(status));
  if (started) return std::move(*started);
  log(LogLevel::warning, "`isthmus list` will not show this {}: {}", what, started.problem().what);
  return nullptr;
}

std::unique_ptr<control::ControlServer> show_mount_in_list(const fuse::Serving& serving, std::string source) {
  return show_in_list(
      [serving, source = std::move(source), now = int64_t{time(nullptr)}] {
        control::Status s = control::describe(serving.door.stats(), serving.fs.counters());
        s.source = source;
        s.mountpoint = serving.mounted.path;
        s.started = now;
        return s;
      },
      "mount");
}

}  // namespace isthmus::ctl
