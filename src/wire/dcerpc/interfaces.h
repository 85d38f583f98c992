#pragma once
#include <cstdint>
#include <set>
#include <span>
#include <string_view>

#include "wire/dcerpc/environment.h"
#include "wire/dcerpc/ndr.h"
#include "wire/dcerpc/pdu.h"

/// The calls of the three pipes. For pipe.h only.
namespace isthmus::dcerpc {

/// What one open of a pipe remembers between calls.
struct Session {
  const Environment& environment;
  uint32_t last_policy = 0;
  std::set<uint32_t> policies;  ///< handles of lsarpc that are open
};

struct Operation {
  uint16_t number;
  /// Reads the parameters and writes the answer's; what was written with a fault is dropped.
  Fault (*run)(Session& session, NdrReader& in, NdrWriter& out);
};

struct Interface {
  std::string_view pipe;
  Syntax id;
  std::span<const Operation> operations;
};
extern const Interface kSrvsvc, kWkssvc, kLsarpc;

/// What Windows 10 says of itself (MS-SRVS section 2.2.2.3, PLATFORM_ID_NT).
constexpr uint32_t kPlatformNt = 500, kVersionMajor = 10, kVersionMinor = 0;

/// Win32 errors that the first two interfaces answer with.
enum class NetError : uint32_t {
  ok = 0,
  invalid_parameter = 87,
  invalid_level = 124,
  no_such_share = 2310,  ///< NERR_NetNameNotFound
};
inline Fault answer(NdrWriter& out, NetError error) {
  out.number<uint32_t>(static_cast<uint32_t>(error));
  return Fault::none;
}

}  // namespace isthmus::dcerpc
