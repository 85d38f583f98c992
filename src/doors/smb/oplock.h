#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "doors/smb/open.h"
#include "doors/smb/sweep.h"
#include "windows/security.h"
#include "wire/smb2/create.h"
#include "wire/smb2/create_contexts.h"

namespace isthmus::smb {

/// A lease of a client: its ClientGuid, and the key that it chose.
using LeaseName = std::pair<smb2::Guid, smb2::Guid>;

/// What a client may cache of a file: an oplock, which is of one open, or a lease, of all the opens of a file that a
/// client makes with one key (MS-SMB2 sections 3.3.1.10 and 3.3.1.12).
struct CacheGrant {
  CacheGrant(uint64_t n, std::optional<LeaseName> lease_name) : number(n), name(std::move(lease_name)) {}

  const uint64_t number;                ///< names it to the volume: Context::lease_key
  const std::optional<LeaseName> name;  ///< none: an oplock
  /// Held while the volume is asked for more or told of less. Taken before all others.
  std::mutex asking_m;
  /// Guards what follows. A leaf.
  mutable std::mutex m;
  NodeId node = NodeId::none;  ///< of a lease; none: nobody has opened anything yet
  smb2::OplockLevel level = smb2::OplockLevel::none;
  uint8_t bits = 0;  ///< held, LeaseBits
  bool v2 = false;   ///< of a lease, as its first CREATE was
  uint16_t epoch = 0;
  bool breaking = false;  ///< the client has to acknowledge
  uint8_t break_to = 0;
  bool acknowledging = false;  ///< the volume hears of it
  /// The connection by which the client has heard of the break under way, or of the last one, after which it has not
  /// been told what it has; and what it had before.
  std::weak_ptr<Link> told_on{};
  uint8_t told_from = 0;
  bool asking = false;  ///< more is on its way; what is taken back meanwhile:
  uint8_t left = 0;
  std::vector<std::weak_ptr<Open>> opens;
};

/// The leases of all clients. Any thread.
class LeaseTable {
 public:
  /// The lease of that name, or one that is nobody's yet and has the number.
  std::shared_ptr<CacheGrant> find_or_make(const LeaseName& name, uint64_t number);
  std::shared_ptr<CacheGrant> find(const LeaseName& name) const;

 private:
  mutable std::mutex m_;  // a leaf
  std::map<LeaseName, std::weak_ptr<CacheGrant>> all_;
  Sweep sweep_;
};

/// What a CREATE asks for.
struct CacheWish {
  smb2::OplockLevel level = smb2::OplockLevel::none;
  std::optional<smb2::Lease> lease;
  std::shared_ptr<CacheGrant> grant{};   ///< to be the open's
  std::shared_ptr<CacheGrant> parent{};  ///< of the directory; null: none is named
};
/// Reads it; a lease counts only where it was agreed to (2.1 on).
CacheWish cache_wish(const Request& r, smb2::OplockLevel level, const std::vector<smb2::CreateContext>& contexts);
/// False: it is a lease of another file.
bool is_for(const CacheGrant& grant, NodeId node);
/// Asks the volume, and puts what is granted into the open's grant. is_new: the open has made the file.
void ask_for_cache(Request& r, const std::shared_ptr<Open>& open, const CacheWish& wish, bool is_new);
/// The open has ended, and with the last one the grant. With its asking_m held since before the handle was released:
/// what is being broken would look like what is held to who asks meanwhile.
void leave_cache(Open& open);
/// What CREATE answers about it: the level, and the context's lease if it is one.
std::pair<smb2::OplockLevel, std::optional<smb2::Lease>> answer_cache(const CacheWish& wish);
/// Opens with nothing but these cache nothing (windows::Rights).
constexpr uint32_t kStatAccess =
    windows::kReadAttributes | windows::kWriteAttributes | windows::kSynchronize | windows::kReadControl;
/// A change or a lock through an open with an oplock of level 2, which its own client loses as all others do (MS-FSA
/// section 2.1.5.18). Leases stay.
void break_own_level2(Request& r);
/// The volume takes back what a client may cache, but for `bits`; told again, it has taken all. Any thread.
void send_break(Server& server, Open& open, uint8_t bits);
/// A connection has ended, or a session's use of it, and with it perhaps what was told on it: that is told again.
void resend_breaks(Server& server, const Link& gone);

}  // namespace isthmus::smb
