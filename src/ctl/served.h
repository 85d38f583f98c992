#pragma once
#include <functional>
#include <memory>
#include <optional>

#include "control/control.h"
#include "ctl/registry.h"
#include "doors/fuse/serve.h"
#include "doors/smb/smb_door.h"
#include "doors/userfs/userfs_door.h"
#include "doors/webdav/webdav_door.h"
#include "vfs/volume/volume.h"

namespace isthmus::ctl {

/// Where the userfs door has its peer, and what is allowed to it.
struct UserfsEnd {
  int in = -1, out = -1;  ///< taken over by the door
  std::string at;         ///< as the command line has it
  userfs::Options options = {};
};

/// Which doors there are to be.
struct DoorOptions {
  std::optional<webdav::Options> webdav = {};
  std::optional<smb::Options> smb = {};
  std::optional<UserfsEnd> userfs = {};
};

/// A file system, its volume, and the doors that have no kernel behind them. Of one thread.
class Served {
 public:
  explicit Served(DoorOptions doors) : options_(std::move(doors)) {}
  ~Served() { stop(); }

  Expected<Unit> open(const Source& source, const SourceHooks& hooks);
  /// The same for one that is open. `source` for messages. `judges`: as judges_itself() has it of what it was made
  /// from.
  Expected<Unit> take(std::unique_ptr<FileSystem> fs, const Source& source, bool judges);
  /// For the kernel's door, which starts it.
  FileSystem& kernel_port();
  /// `status`: what the doors' status page shows, called on their threads.
  Expected<Unit> start_doors(std::function<control::Status()> status = nullptr);
  void stop_doors();
  /// After the kernel's door has let its port go.
  void stop();

  const webdav::WebdavDoor* webdav() const { return webdav_.get(); }
  const smb::SmbDoor* smb() const { return smb_.get(); }
  /// Null: there is none.
  const UserfsEnd* userfs() const { return options_.userfs ? &*options_.userfs : nullptr; }
  const Counters& counters() const { return fs_->counters(); }

 private:
  Expected<Unit> start_userfs();
  Expected<Unit> start_webdav(const std::function<control::Status()>& status);

  const DoorOptions options_;
  std::unique_ptr<FileSystem> fs_;
  std::unique_ptr<Volume> volume_;
  std::unique_ptr<VolumePort> kernel_port_, webdav_port_, smb_port_, userfs_port_;
  Upcalls webdav_news_;  // a client of WebDAV asks again instead of being told
  bool webdav_started_ = false;
  bool judges_itself_ = false;  // the file system decides who may do what
  std::unique_ptr<webdav::WebdavDoor> webdav_;
  std::unique_ptr<smb::SmbDoor> smb_;
  std::unique_ptr<userfs::UserfsDoor> userfs_;
};

/// What `isthmus list` shows of it, without the kernel's door.
control::Status status_of(const Served& served, const Source& source, int64_t started);

/// Shows the server in `isthmus list`, until it ends.
std::unique_ptr<control::ControlServer> show_in_list(std::function<control::Status()> status,
                                                     std::string_view what = "server");
/// A mount by the kernel's driver, from now on.
std::unique_ptr<control::ControlServer> show_mount_in_list(const fuse::Serving& serving, std::string source);

}  // namespace isthmus::ctl
