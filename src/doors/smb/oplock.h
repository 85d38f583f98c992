#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "doors/smb/open.h"
#include "windows/security.h"
#include "wire/smb2/create.h"
#include "wire/smb2/create_contexts.h"

namespace isthmus::smb {

/// What a CREATE asks for.
struct CacheWish {
  smb2::OplockLevel level = smb2::OplockLevel::none;
  std::optional<smb2::Lease> lease;
};
/// Reads it; a lease counts only where it was agreed to (2.1 on).
CacheWish cache_wish(const Request& r, const smb2::CreateRequest& m, const std::vector<smb2::CreateContext>& contexts);
/// Names a lease of a client to the volume; never 0.
uint64_t lease_number(const Request& r, const smb2::Guid& key);
/// Asks the volume, and puts what is granted into the open.
void ask_for_cache(Request& r, Open& open, const CacheWish& wish);
/// Opens with nothing but these take no part in share modes, and cache nothing (windows::Rights).
constexpr uint32_t kStatAccess =
    windows::kReadAttributes | windows::kWriteAttributes | windows::kSynchronize | windows::kReadControl;
/// A change through an open with an oplock of level 2, which its own client loses as all others do (MS-FSA section
/// 2.1.5.18). Leases stay.
void break_own_level2(Request& r);
/// The volume takes back what a client may cache, but for `bits`. Any thread.
void send_break(Server& server, Open& open, uint8_t bits);
/// A connection of the session has ended, and with it perhaps what was told on it: what is not answered is told again.
void resend_breaks(Server& server, const Session& session);

}  // namespace isthmus::smb
