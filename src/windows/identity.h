#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/problem.h"
#include "windows/sid.h"

namespace isthmus::windows {

/// How plain users and groups are written.
enum class SidStyle : uint8_t {
  unix_ids,  ///< S-1-22-1-UID and S-1-22-2-GID, as Samba does
  nfs_ids,   ///< S-1-5-88-1-UID and S-1-5-88-2-GID, which macOS and Linux' cifs read as numbers
};

/// Which users, or groups, of ours a SID names.
struct Identity {
  std::optional<uint32_t> uid, gid;
};

/// Users and groups to SIDs and back. All ways of Cygwin, SFU, WinFsp and Samba to put a number into a SID are taken;
/// the SIDs that Windows itself knows keep their numbers (S-1-5-18 is 18, S-1-5-32-544 is 544).
class Identities {
 public:
  explicit Identities(SidStyle style = SidStyle::unix_ids) : style_(style) {}
  /// "UID:SID[;UID:SID...]", at most 64. These go before all else, both ways.
  static Expected<Identities> make(SidStyle style, std::string_view uidmap);
  /// S-1-5-21-...: what a Windows machine makes for its users. Those below it are 0x30000 + the last number.
  void set_machine(const Sid& domain) { machine_ = domain; }

  Sid of_user(uint32_t uid) const;
  Sid of_group(uint32_t gid) const;
  /// Nothing in it: the SID names nobody here.
  Identity identity_of(const Sid& sid) const;

 private:
  SidStyle style_;
  std::vector<std::pair<uint32_t, Sid>> map_;
  std::optional<Sid> machine_;
};

/// The number that Cygwin and WinFsp give a well-known SID, or one below an authority of Windows'.
std::optional<uint32_t> well_known_id(const Sid& sid);
/// The way back: a number that well_known_id() gives, and that no plain user has.
std::optional<Sid> well_known_sid(uint32_t id);

/// S-1-5-88-3-MODE: permissions, in a list that an NFS-minded client reads or writes.
Sid nfs_mode_sid(uint32_t mode);
std::optional<uint32_t> nfs_mode_of(const Sid& sid);

}  // namespace isthmus::windows
