#pragma once
#include <cstdint>
#include <optional>

#include "vfs/types.h"

/// Numbers of nodes. They are made of what they name and never used again, so nobody counts lookups:
/// the upper 42 bits are a message's serial number, 0 for folders; the lower 22 say which of its files.
namespace isthmus::fs::mail {

constexpr int kFileBits = 22;
constexpr uint32_t kMostFolders = 1u << 20;

/// Files of a message. Headers and attachments follow in ranges of their own.
enum FileNumber : uint32_t {
  kMessageItself = 0,
  kRaw = 1,
  kBody = 2,
  kAttachments = 3,
  kFlagsDir = 4,
  kFlagList = 5,
  kFirstFlag = 8,  ///< and one for each of kFlagNames
  kFirstHeader = 64,
  kFirstAttachment = 1u << 21,
};

struct Named {
  uint64_t serial = 0;  ///< 0: a folder
  uint32_t file = 0;    ///< FileNumber; the folder's index
};

constexpr NodeId folder_node(uint32_t index) { return NodeId{uint64_t{index} + 1}; }
constexpr NodeId message_node(uint64_t serial, uint32_t file) { return NodeId{serial << kFileBits | file}; }
constexpr Named named_by(NodeId node) {
  const uint64_t serial = raw(node) >> kFileBits;
  const auto file = static_cast<uint32_t>(raw(node) & ((1u << kFileBits) - 1));
  return serial ? Named{serial, file} : Named{0, file - 1};
}
static_assert(folder_node(0) == NodeId::root);

}  // namespace isthmus::fs::mail
