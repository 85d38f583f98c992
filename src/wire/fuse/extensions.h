#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace isthmus::wire::fuse {

/// One security context of a creating request: the attribute ("security.selinux") and the bytes to store under it.
struct SecurityContext {
  std::string_view name;
  std::span<const std::byte> value;
};

/// The extension records at the end of a request, checked by parse_extensions. Views into the message, which may lie at
/// any address.
class Extensions {
 public:
  bool empty() const { return contexts_.empty() && groups_.empty(); }
  uint32_t context_count() const { return context_count_; }
  /// Walks from the first context: i below context_count().
  SecurityContext context(uint32_t i) const;
  uint32_t group_count() const { return static_cast<uint32_t>(groups_.size() / sizeof(uint32_t)); }
  /// A supplementary group of the caller that matters for the new file: i below group_count().
  uint32_t group(uint32_t i) const {
    uint32_t gid;
    std::memcpy(&gid, groups_.data() + i * sizeof(gid), sizeof(gid));
    return gid;
  }

 private:
  friend std::optional<Extensions> parse_extensions(std::span<const std::byte> bytes);
  std::span<const std::byte> contexts_;  // Secctx records
  std::span<const std::byte> groups_;    // uint32_t each
  uint32_t context_count_ = 0;
};

/// Reads all records of `bytes` (InHeader.total_extlen * 8 of them). Unknown types are skipped. Nothing if a record
/// crosses the end, is not a multiple of 8 bytes long, says more than it holds, or comes twice.
std::optional<Extensions> parse_extensions(std::span<const std::byte> bytes);

}  // namespace isthmus::wire::fuse
