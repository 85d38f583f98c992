#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/problem.h"
#include "doors/fuse/fuse_door.h"

namespace isthmus::fuse {

/// Everything `-o` can say. Names and meanings are libfuse's where it has them (mount.fuse(8)). An empty optional means
/// that the door decides.
struct MountOptions {
  // What the kernel is told at mount time.
  bool read_only = false;
  bool allow_other = false;                 ///< also set by allow_root
  bool allow_root = false;                  ///< the door refuses everyone but root and the owner
  std::optional<bool> default_permissions;  ///< the kernel checks; empty: settle_permissions() decides
  bool suid = false, dev = false;           ///< honoured for root only
  bool noexec = false, noatime = false, nodiratime = false, sync = false, dirsync = false, nosymfollow = false;
  bool strictatime = false;  ///< shown only: the kernel keeps no access times of FUSE files
  uint32_t max_read = 0;     ///< bytes; 0: no limit of ours
  /// The type fuseblk: fsname is a block device, which the kernel holds while it is mounted. As root only; not by -o.
  bool block_device = false;
  uint32_t block_size = 0;  ///< of it, bytes; 0: 512
  /// SELinux's: "context", "fscontext", "defcontext", "rootcontext" and what they are. Not by -o.
  std::vector<std::pair<std::string, std::string>> labels;
  std::string fsname, subtype;
  bool auto_unmount = false;

  // What the door negotiates with the kernel, or does itself.
  std::optional<uint32_t> max_write, max_readahead;              ///< bytes
  std::optional<uint16_t> max_background, congestion_threshold;  ///< requests
  std::optional<bool> writeback_cache;
  bool sync_read = false, no_readdirplus = false, no_splice = false;
  bool direct_io = false, kernel_cache = false, passthrough = false;
  std::optional<bool> posix_locks, flock_locks;  ///< false: locks stay inside this machine's kernel
  std::optional<bool> stateless_open;            ///< false: every open and close is a request
  bool noforget = false;
  std::optional<uint32_t> entry_ttl, attr_ttl, negative_ttl;  ///< milliseconds, in place of the provider's (vfs Ttl)
  TransportChoice transport = TransportChoice::automatic;
  unsigned threads = 0;      ///< 0: as many as the machine suggests
  unsigned uring_depth = 0;  ///< entries of an io_uring queue; 0: the door decides
  bool clone_fd = true;
  bool debug = false;   ///< one line an operation, by the trace decorator
  unsigned grace = 10;  ///< seconds that a busy mount may live on after the first signal
};

/// What follows the name: nothing, or =VALUE in this unit.
enum class OptionValue : uint8_t { none, number, bytes, seconds, text };
/// Who acts on an option. ignored: accepted because programs and fstab lines written for libfuse give it.
enum class OptionPlace : uint8_t { mount, fuse, door, process, ignored, refused };

struct OptionInfo {
  std::string_view name;
  OptionValue value;
  OptionPlace place;
  std::string_view help;
  bool (*set)(MountOptions&, std::string_view value);  ///< false: a value out of range
};

/// The one list: the parser, --help and isthmus-mount(1) come from it. In the order of the man page.
std::span<const OptionInfo> option_table();

/// Applies "ro,max_read=64k,..." to `options`; later ones win. "\," is a comma inside a value. The Problem names the
/// option and, for an unknown one, the nearest known name.
Expected<Unit> parse_options(std::string_view list, MountOptions& options);

/// Decides about default_permissions where the user has not. Off where only root can come in (fuse(4) lets nobody in
/// but processes all of whose ids are those of the one who mounts, unless allow_other is given): the kernel's check can
/// refuse little there and costs a request for the directory's attributes after every change in it. Needs a kernel that
/// can be told not to export the mount (Linux 6.7): an NFS server comes in as root for anybody.
void settle_permissions(MountOptions& options, uint32_t uid, bool export_can_be_refused);

/// The option as written in help: "max_read=BYTES".
std::string option_synopsis(const OptionInfo& option);

}  // namespace isthmus::fuse
