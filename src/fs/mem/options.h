#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "base/result.h"
#include "fs/mem/space.h"

namespace isthmus::fs::mem {

/// What can be chosen of a MemFs, as in `mem:?size=1g&inodes=1000`.
struct MemOptions {
  Limits limits;                      ///< size=, inodes=; without them half of the memory, as tmpfs
  std::map<uint32_t, Limits> quotas;  ///< uquota=UID:BYTES[:INODES], once a user
  uint32_t mode = 0755;               ///< mode=: permissions of the root directory, octal
  uint32_t uid = 0, gid = 0;          ///< uid=, gid=: its owner; without them who starts the file system
  uint32_t max_links = 0x7fffffff;    ///< links=: names a file may have, and subdirectories a directory
  uint32_t ttl = UINT32_MAX;          ///< ttl=: milliseconds doors may believe names and attributes, or "forever"
  bool atime = true;                  ///< atime=on|off
  bool locks = true;                  ///< locks=on|off; off: doors keep locks to themselves
  bool handles = true;                ///< handles=on|off; off: opens keep no state (fewer requests, no OFD locks)
  std::string name = "mem";           ///< name=: the device column of mount tables

  MemOptions();
};

/// On failure `what` is set to a sentence that names the option, the reason and what is accepted; the result is EINVAL.
Result<MemOptions> parse_options(std::span<const std::pair<std::string, std::string>> options, std::string& what);

}  // namespace isthmus::fs::mem
