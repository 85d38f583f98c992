#pragma once
#include <cstdint>
#include <string>

#include "vfs/ops.h"

namespace isthmus {

/// The set of operations a file system implements itself; for the rest the waist's defaults stand in (defaults.h).
class Capabilities {
 public:
  static_assert(kOpCount <= 64);
  constexpr Capabilities() = default;
  constexpr bool has(Op op) const { return (bits_ >> index_of(op)) & 1; }
  constexpr void set(Op op) { bits_ |= bit(op); }
  constexpr void clear(Op op) { bits_ &= ~bit(op); }
  constexpr uint64_t bits() const { return bits_; }
  static constexpr Capabilities from_bits(uint64_t bits) {
    Capabilities c;
    c.bits_ = bits;
    return c;
  }
  static constexpr uint64_t bit(Op op) { return uint64_t{1} << index_of(op); }

 private:
  uint64_t bits_ = 0;
};

/// A provider's one promise about threads. may_block: an operation may sleep (disk, network, a lock): the line is
/// passed on.
enum class Blocking : uint8_t { may_block, never_blocks };

/// What a door should know besides the operations. Asked once, after start().
struct Traits {
  std::string type = "isthmus";    ///< subtype in mount tables: "pass", "mem"
  std::string source = "isthmus";  ///< device column of mount tables
  bool read_only = false;          ///< every change would answer EROFS
  bool dir_attr = false;           ///< ReadDir fills DirEntry::with cheaply when asked
  bool posix_acl = false;          ///< system.posix_acl_* are kept and obeyed at creation (umask, default ACL, mode)
  bool export_stable = false;      ///< Lookup of "." and ".." works on any node ever handed out, or answers ESTALE
  bool changes_outside =
      false;  ///< files change without passing through this waist: caches must compare mtime and size
  bool tells_changes =
      false;  ///< with changes_outside: upcalls tell of each soon after, so that caches may be kept until then
  /// A node alone serves: read, write and the others that take a handle work with HandleId::none (checked as over NFS
  /// where the door has not checked), an unlinked node lives until it is forgotten, and listings without a handle end
  /// although names are made meanwhile. Doors may then leave out open, create, open_dir and their releases.
  bool inode_addressed = false;
  bool locks_shared = false;  ///< others than one door's clients see the locks: its kernel must not keep them to itself
  bool flush_for_locks = false;      ///< flush has nothing to do but to give back POSIX locks
  bool write_back = true;            ///< a client that was told to may keep written data for a while
  bool small_writes_dear = false;    ///< with write_back: worth it by default, as each write costs a round trip or more
  bool kills_suidgid = false;        ///< write, truncate, chown honour kill_suidgid themselves
  uint32_t time_granularity_ns = 1;  ///< of stored times, a power of ten
  uint32_t name_max = 255;           ///< bytes
};

}  // namespace isthmus
