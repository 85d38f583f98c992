#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "wire/fuse/flags.h"
#include "wire/fuse/opcodes.h"

/// Writing answers and notifications. Nothing here sends: the caller hands header and parts to writev(2) or copies them
/// to its ring entry.
namespace isthmus::wire::fuse {

/// Header of a successful answer with `payload` bytes behind it (less than 4 GiB).
constexpr OutHeader make_reply(uint64_t unique, size_t payload) {
  return {static_cast<uint32_t>(sizeof(OutHeader) + payload), 0, unique};
}

/// The whole of a failed answer. The kernel refuses numbers outside 1..511, which would leave the request unanswered:
/// they become EIO.
OutHeader make_error(uint64_t unique, Errno e);

enum class Added : uint8_t {
  Yes,
  Full,     // no room: send what there is, the entry comes with the next request
  BadName,  // empty, longer than kNameMaxOld, with '/' or NUL: the kernel would fail the whole directory with EIO
};

/// Fills the answer to READDIR or READDIRPLUS. Records begin at multiples of 8 bytes from the start of the buffer and
/// never cross its end; the buffer itself may lie anywhere. One writer serves one of the two kinds.
class DirentWriter {
 public:
  explicit DirentWriter(std::span<std::byte> out) : out_(out) {}

  /// `next` is the offset with which the kernel asks for what follows the entry, `type` a DT_ constant, `ino` not 0.
  Added add(uint64_t ino, uint64_t next, uint32_t type, std::string_view name);
  /// With entry.nodeid 0 the kernel takes name and ino only and looks nothing up; else one lookup count of the node
  /// passes to the kernel.
  Added add_plus(const EntryOut& entry, uint64_t ino, uint64_t next, uint32_t type, std::string_view name);

  /// Whether one more entry of that name length fits: ask before taking a lookup count for add_plus.
  bool fits(size_t name_length) const { return padded(sizeof(Dirent) + name_length) <= out_.size() - used_; }
  bool fits_plus(size_t name_length) const { return padded(sizeof(Direntplus) + name_length) <= out_.size() - used_; }

  /// Bytes written, the payload of the answer; 0 means the end of the directory to the kernel.
  size_t size() const { return used_; }
  std::span<const std::byte> bytes() const { return out_.first(used_); }

 private:
  static constexpr size_t padded(size_t n) { return (n + 7) & ~size_t{7}; }
  Added append(const void* record, size_t record_size, std::string_view name);

  std::span<std::byte> out_;
  size_t used_ = 0;
};

/// A name the kernel accepts in a directory entry or a notification.
bool valid_out_name(std::string_view name);

// --- Notifications ---
// Each writes a whole message (Store: without its data) to `out` and answers its length. ENOBUFS: `out` is too small
// (kNotifyMax is enough for all but Prune), EINVAL: the name cannot be one. To be sent by one write(2) while no lock is
// held that a request may need: the kernel may wait for requests on the same inode.

inline constexpr size_t kNotifyMax = sizeof(OutHeader) + sizeof(NotifyRetrieveOut) + kNameMaxOld + 1;

/// Wakes the poll(2) with handle `kh` of PollIn.
Result<size_t> write_notify_poll(std::span<std::byte> out, uint64_t kh);
/// Drops cached attributes and, for `offset` >= 0, pages; `length` 0: to the end.
Result<size_t> write_notify_inval_inode(std::span<std::byte> out, uint64_t node, int64_t offset, int64_t length);
/// Drops a name; with kExpireOnly its time ends but mounts below stay.
Result<size_t> write_notify_inval_entry(std::span<std::byte> out, uint64_t parent, std::string_view name,
                                        uint32_t flags);
/// Drops a name that was removed; watchers of it learn so if `child` is still what it names.
Result<size_t> write_notify_delete(std::span<std::byte> out, uint64_t parent, uint64_t child, std::string_view name);
/// Header of a message that puts `size` bytes, which the caller sends behind it in the same write, in the page cache.
Result<size_t> write_notify_store(std::span<std::byte> out, uint64_t node, uint64_t offset, uint32_t size);
/// Asks for pages; the kernel answers with a NOTIFY_REPLY whose unique is `notify_unique`.
Result<size_t> write_notify_retrieve(std::span<std::byte> out, uint64_t notify_unique, uint64_t node, uint64_t offset,
                                     uint32_t size);
/// Has the kernel send unanswered requests again, marked by kUniqueResend.
Result<size_t> write_notify_resend(std::span<std::byte> out);
/// Makes all cached names be looked up again.
Result<size_t> write_notify_inc_epoch(std::span<std::byte> out);
/// Has the kernel forget nodes it does not use. Needs prune_size(nodes.size()) bytes.
Result<size_t> write_notify_prune(std::span<std::byte> out, std::span<const uint64_t> nodes);
constexpr size_t prune_size(size_t nodes) {
  return sizeof(OutHeader) + sizeof(NotifyPruneOut) + nodes * sizeof(uint64_t);
}

}  // namespace isthmus::wire::fuse
