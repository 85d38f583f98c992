#include "doors/fuse/options.h"

#include <limits>
#include <type_traits>
#include <vector>

#include "base/text.h"

namespace isthmus::fuse {
namespace {

using O = MountOptions;
using V = std::string_view;

// Setters, one shape a kind of field.
template <auto Field, bool To>
bool flag(O& o, V) {
  o.*Field = To;
  return true;
}
template <auto Field, uint64_t Min = 0>
bool number(O& o, V v) {
  using Whole = std::remove_reference_t<decltype(o.*Field)>;
  constexpr uint64_t kMax = [] {
    if constexpr (requires { typename Whole::value_type; })
      return uint64_t{std::numeric_limits<typename Whole::value_type>::max()};
    else
      return uint64_t{std::numeric_limits<Whole>::max()};
  }();
  auto n = parse_bytes(v, kMax);
  if (!n || *n < Min) return false;
  if constexpr (requires { typename Whole::value_type; })
    o.*Field = static_cast<typename Whole::value_type>(*n);
  else
    o.*Field = static_cast<Whole>(*n);
  return true;
}
template <auto Field>
bool seconds(O& o, V v) {
  auto ms = parse_seconds(v);
  if (!ms) return false;
  o.*Field = *ms;
  return true;
}
template <auto Field>
bool text(O& o, V v) {
  // A newline or NUL would let one mount look like two in /proc/self/mounts of old tools.
  if (v.empty() || v.size() > 1024 || v.find_first_of(V("\n\0", 2)) != V::npos) return false;
  o.*Field = std::string(v);
  return true;
}
bool nothing(O&, V) { return true; }
bool refuse(O&, V) { return false; }

bool set_allow_root(O& o, V) {
  o.allow_root = o.allow_other = true;
  return true;
}
bool set_allow_other(O& o, V) {
  o.allow_other = true;
  o.allow_root = false;
  return true;
}
template <bool To>
bool set_locks(O& o, V) {
  o.posix_locks = o.flock_locks = To;
  return true;
}
bool set_threads(O& o, V v) {
  auto n = parse_number(v, 1024);
  if (!n || *n == 0) return false;
  o.threads = static_cast<unsigned>(*n);
  return true;
}
bool set_uring_depth(O& o, V v) {
  auto n = parse_number(v, 1024);
  if (!n || *n == 0) return false;
  o.uring_depth = static_cast<unsigned>(*n);
  return true;
}
bool set_transport(O& o, V v) {
  using enum TransportChoice;
  if (v != "auto" && v != "uring" && v != "classic") return false;
  o.transport = v == "auto" ? automatic : v == "uring" ? uring : classic;
  return true;
}
bool set_grace(O& o, V v) {
  auto n = parse_number(v, 86400);
  if (!n) return false;
  o.grace = static_cast<unsigned>(*n);
  return true;
}

using enum OptionPlace;
constexpr auto kNone = OptionValue::none;
constexpr auto kNumber = OptionValue::number;
constexpr auto kBytes = OptionValue::bytes;
constexpr auto kSeconds = OptionValue::seconds;
constexpr auto kText = OptionValue::text;

constexpr OptionInfo kTable[] = {
    {"ro", kNone, mount, "read-only: every change answers EROFS", flag<&O::read_only, true>},
    {"rw", kNone, mount, "read and write (default)", flag<&O::read_only, false>},
    {"allow_other", kNone, fuse,
     "all users may use the mount, not only the one who mounted it; an ordinary user needs user_allow_other in "
     "/etc/fuse.conf",
     set_allow_other},
    {"allow_root", kNone, fuse, "the owner and root may use the mount", set_allow_root},
    {"default_permissions", kNone, fuse,
     "the kernel checks permissions by owner, group and mode (default, but not for a mount by root that only root can "
     "use: such a mount needs this to be exported by an NFS server)",
     flag<&O::default_permissions, true>},
    {"no_default_permissions", kNone, fuse,
     "permissions are left to the file system; names are then asked for at every use where several users share the "
     "mount",
     flag<&O::default_permissions, false>},
    {"nosuid", kNone, mount, "setuid and setgid bits have no effect (default)", flag<&O::suid, false>},
    {"suid", kNone, mount, "setuid and setgid bits work; root only, ignored for ordinary users", flag<&O::suid, true>},
    {"nodev", kNone, mount, "device files cannot be opened (default)", flag<&O::dev, false>},
    {"dev", kNone, mount, "device files work; root only, ignored for ordinary users", flag<&O::dev, true>},
    {"noexec", kNone, mount, "programs cannot be run from the mount", flag<&O::noexec, true>},
    {"exec", kNone, mount, "programs can be run from the mount (default)", flag<&O::noexec, false>},
    {"noatime", kNone, mount, "reading does not change access times", flag<&O::noatime, true>},
    {"atime", kNone, mount, "reading changes access times as the system usually does (default)",
     flag<&O::noatime, false>},
    {"nodiratime", kNone, mount, "listing a directory does not change its access time", flag<&O::nodiratime, true>},
    {"diratime", kNone, mount, "listing a directory changes its access time (default)", flag<&O::nodiratime, false>},
    {"sync", kNone, mount, "every write is synchronous", flag<&O::sync, true>},
    {"async", kNone, mount, "writes are synchronous only where asked for (default)", flag<&O::sync, false>},
    {"dirsync", kNone, mount, "changes of directories are synchronous", flag<&O::dirsync, true>},
    {"max_read", kBytes, fuse, "largest read request", number<&O::max_read, 4096>},
    {"fsname", kText, fuse, "what mount tables show as the source; default: SOURCE", text<&O::fsname>},
    {"subtype", kText, fuse, "what mount tables show after \"fuse.\"; default: the file system's name",
     text<&O::subtype>},
    {"auto_unmount", kNone, process, "unmount even if the serving process is killed", flag<&O::auto_unmount, true>},
    {"grace", kSeconds, process,
     "whole seconds that a busy mount may live on after SIGTERM before it is cut off; default 10", set_grace},

    {"max_write", kBytes, door, "largest write request", number<&O::max_write, 4096>},
    {"max_readahead", kBytes, door,
     "how far the kernel may read ahead; default 1m for root, else what the kernel offers", number<&O::max_readahead>},
    {"max_background", kNumber, door, "most requests the kernel queues in the background",
     number<&O::max_background, 1>},
    {"congestion_threshold", kNumber, door, "background requests above which the kernel holds back",
     number<&O::congestion_threshold, 1>},
    {"async_read", kNone, door, "several reads of one open file at a time (default)", flag<&O::sync_read, false>},
    {"sync_read", kNone, door, "one read of an open file at a time", flag<&O::sync_read, true>},
    {"writeback_cache", kNone, door,
     "the kernel gathers small writes; for a source that nobody else writes to; default where small writes are dear",
     flag<&O::writeback_cache, true>},
    {"no_writeback_cache", kNone, door, "writes reach the file system at once (default elsewhere)",
     flag<&O::writeback_cache, false>},
    {"kernel_cache", kNone, door, "the kernel keeps the data of files from one open to the next",
     flag<&O::kernel_cache, true>},
    {"direct_io", kNone, door, "the kernel keeps no data of files", flag<&O::direct_io, true>},
    {"passthrough", kNone, door,
     "the kernel reads and writes files of a folder by itself; root, Linux 6.9; not with writeback_cache, direct_io",
     flag<&O::passthrough, true>},
    {"no_passthrough", kNone, door, "the server reads and writes all files (default)", flag<&O::passthrough, false>},
    {"no_readdirplus", kNone, door, "directory listings bring names only", flag<&O::no_readdirplus, true>},
    {"entry_timeout", kSeconds, door, "how long the kernel believes a name, in place of the file system's choice",
     seconds<&O::entry_ttl>},
    {"attr_timeout", kSeconds, door, "how long the kernel believes attributes", seconds<&O::attr_ttl>},
    {"negative_timeout", kSeconds, door, "how long the kernel believes that a name does not exist",
     seconds<&O::negative_ttl>},
    {"noforget", kNone, door, "never forget a node, so that NFS file handles stay valid; memory grows with use",
     flag<&O::noforget, true>},
    {"remote_lock", kNone, door,
     "locks are kept by the file system, if it can; default where others than this mount see them", set_locks<true>},
    {"remote_posix_lock", kNone, door, "the same for fcntl(2) locks", flag<&O::posix_locks, true>},
    {"remote_flock", kNone, door, "the same for flock(2) locks", flag<&O::flock_locks, true>},
    {"no_remote_lock", kNone, door, "the kernel keeps all locks, the file system sees none", set_locks<false>},
    {"no_remote_posix_lock", kNone, door, "the same for fcntl(2) locks", flag<&O::posix_locks, false>},
    {"no_remote_flock", kNone, door, "the same for flock(2) locks", flag<&O::flock_locks, false>},
    {"stateless_open", kNone, door, "opening and closing cost no request where the file system allows that (default)",
     flag<&O::stateless_open, true>},
    {"no_stateless_open", kNone, door, "the file system hears of every open and close",
     flag<&O::stateless_open, false>},
    {"splice_write", kNone, door, "answer reads without copying where the data is in a file (default)",
     flag<&O::no_splice, false>},
    {"no_splice_write", kNone, door, "copy the data of reads", flag<&O::no_splice, true>},
    {"transport", kText, door,
     "what carries requests: uring (FUSE over io_uring), classic (/dev/fuse), or auto (default): uring where the "
     "kernel allows it",
     set_transport},
    {"threads", kNumber, door, "most threads that run requests; default: by the number of CPUs", set_threads},
    {"uring_depth", kNumber, door, "requests that each CPU's io_uring queue can hand over at a time; default 8",
     set_uring_depth},
    {"max_threads", kNumber, door, "the same, by libfuse's name", set_threads},
    {"clone_fd", kNone, door, "a device descriptor for each thread (default, where the device can be opened)",
     flag<&O::clone_fd, true>},
    {"no_clone_fd", kNone, door, "one device descriptor for all threads", flag<&O::clone_fd, false>},
    {"debug", kNone, process, "one line an operation on the log, as trace+ does", flag<&O::debug, true>},

    {"nonempty", kNone, ignored, "mounting over a folder with files is always allowed", nothing},
    {"big_writes", kNone, ignored, "always so", nothing},
    {"large_read", kNone, ignored, "always so", nothing},
    {"use_ino", kNone, ignored, "inode numbers are always the file system's", nothing},
    {"hard_remove", kNone, ignored, "removed open files are never renamed", nothing},
    {"atomic_o_trunc", kNone, ignored, "always so where the file system can", nothing},
    {"auto_cache", kNone, ignored, "always so for sources that others can change", nothing},
    {"ac_attr_timeout", kSeconds, ignored, "belongs to auto_cache", nothing},
    {"splice_read", kNone, ignored, "writes arrive with one copy in any case", nothing},
    {"no_splice_read", kNone, ignored, "as splice_read", nothing},
    {"splice_move", kNone, ignored, "the kernel decides", nothing},
    {"no_splice_move", kNone, ignored, "as splice_move", nothing},
    {"max_idle_threads", kNumber, ignored, "the number of threads does not change", nothing},

    {"blkdev", kNone, refused, "no file system of ours lives on a block device", refuse},
    {"blksize", kBytes, refused, "it belongs to blkdev", refuse},
    {"uid", kNumber, refused, "owners are the file system's; sources that invent them have options of their own",
     refuse},
    {"gid", kNumber, refused, "as uid", refuse},
    {"umask", kNumber, refused, "modes are the file system's", refuse},
    {"modules", kText, refused, "libfuse's modules do not apply", refuse},
};

const OptionInfo* find(V name) {
  for (auto& o : kTable)
    if (o.name == name) return &o;
  return nullptr;
}

Problem unknown(V name) {
  std::vector<V> names;
  for (auto& o : kTable) names.push_back(o.name);
  V near = nearest(name, names);
  return {err(EINVAL), "unknown mount option '" + std::string(name) + "'",
          near.empty() ? "`isthmus help mount-options` lists the options"
                       : "did you mean '" + std::string(near) + "'? `isthmus help mount-options` lists the options"};
}

V unit_of(OptionValue v) {
  switch (v) {
    case OptionValue::none:
      return "";
    case OptionValue::number:
      return "N";
    case OptionValue::bytes:
      return "BYTES";
    case OptionValue::seconds:
      return "SECONDS";
    case OptionValue::text:
      return "TEXT";
  }
  return "";
}

Expected<Unit> apply_item(V item, MountOptions& options) {
  size_t eq = item.find('=');
  V name = item.substr(0, eq);
  const OptionInfo* o = find(name);
  if (!o) return unknown(name);
  std::string quoted = "mount option '" + std::string(name) + "'";
  if (o->place == OptionPlace::refused)
    return Problem{err(EOPNOTSUPP), quoted + " is not supported", std::string(o->help)};
  if (o->value == OptionValue::none && eq != V::npos)
    return Problem{err(EINVAL), quoted + " takes no value", "write it without '='"};
  if (o->value != OptionValue::none && eq == V::npos)
    return Problem{err(EINVAL), quoted + " needs a value", "write it as " + option_synopsis(*o)};
  V value = eq == V::npos ? V() : item.substr(eq + 1);
  if (!o->set(options, value))
    return Problem{err(EINVAL), quoted + ": '" + std::string(value) + "' is not a value for it",
                   "it is written as " + option_synopsis(*o) + ": " + std::string(o->help)};
  return Unit{};
}

}  // namespace

std::span<const OptionInfo> option_table() { return kTable; }

void settle_permissions(MountOptions& o, uint32_t uid, bool export_can_be_refused) {
  if (o.default_permissions) return;
  // noforget is for NFS.
  o.default_permissions = uid != 0 || o.allow_other || o.noforget || !export_can_be_refused;
}

std::string option_synopsis(const OptionInfo& option) {
  std::string s(option.name);
  if (option.value != OptionValue::none) s += "=" + std::string(unit_of(option.value));
  return s;
}

Expected<Unit> parse_options(V list, MountOptions& options) {
  std::string item;
  for (size_t i = 0; i <= list.size(); i++) {
    if (i < list.size() && list[i] == '\\' && i + 1 < list.size() && (list[i + 1] == ',' || list[i + 1] == '\\')) {
      item += list[++i];
    } else if (i == list.size() || list[i] == ',') {
      if (!item.empty())
        if (auto done = apply_item(item, options); !done) return done;
      item.clear();
    } else {
      item += list[i];
    }
  }
  return Unit{};
}

}  // namespace isthmus::fuse
