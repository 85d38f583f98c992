#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"

namespace isthmus::dcerpc {

/// SID_NAME_USE (MS-LSAT section 2.2.13).
enum class SidType : uint16_t { user = 1, group = 2, domain = 3, alias = 4, well_known_group = 5, unknown = 8 };

struct SidName {
  std::string domain, name;  ///< of `unknown`: the name may be the SID as text
  SidType type = SidType::unknown;
};

/// What the calls tell, all of it in UTF-8. The door fills it in.
struct Environment {
  /// MS-SRVS section 2.2.2.4.
  static constexpr uint32_t kDiskShare = 0, kIpcShare = 3, kSpecialShare = 0x80000000;
  struct Share {
    std::string name, comment;
    uint32_t type = kDiskShare;
    uint32_t flags = 0;  ///< SHI1005_FLAGS, as in TREE_CONNECT's answer
  };

  std::string server_name, comment;  ///< the first without backslashes
  std::string workgroup = "WORKGROUP";
  std::vector<Share> shares;  ///< IPC$ also, if it is to be seen
  /// Who asks.
  std::string user, user_domain;
  /// What the machine's own accounts begin with; empty: none.
  std::string machine_sid;
  /// Name of a SID, which is 8 + 4 * n bytes and says the same n. None, or no function: unknown.
  std::function<std::optional<SidName>(Bytes sid)> name_of;
  /// Not there: 1970.
  std::function<Time()> now;
};

}  // namespace isthmus::dcerpc
