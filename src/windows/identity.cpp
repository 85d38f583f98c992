#include "windows/identity.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace isthmus::windows {
namespace {

constexpr uint64_t kNt = 5, kLabels = 16, kUnix = 22;
constexpr uint32_t kUnixUser = 1, kUnixGroup = 2;
constexpr uint32_t kNfs = 88, kNfsUser = 1, kNfsGroup = 2, kNfsMode = 3;
constexpr uint32_t kLogon = 5, kBuiltin = 32, kNotUnique = 21;
constexpr uint32_t kFirstMachine = 0x30000, kFirstLabel = 0x60000, kFirstOther = 0x10000;
constexpr size_t kMostMapped = 64;

bool has_own_range(uint32_t id) {
  auto within = [id](uint32_t first, uint32_t size) { return id >= first && id - first < size; };
  return within(kFirstOther, 0x1000) || within(kFirstMachine, 0x10000) || within(kFirstLabel, 0x10000);
}

uint32_t last_of(const Sid& sid) { return sid.numbers[sid.count - 1u]; }

}  // namespace

Expected<Identities> Identities::make(SidStyle style, std::string_view uidmap) {
  Identities made(style);
  while (!uidmap.empty()) {
    const size_t end = std::min(uidmap.find(';'), uidmap.size());
    const std::string_view entry = uidmap.substr(0, end);
    uidmap.remove_prefix(std::min(end + 1, uidmap.size()));
    if (entry.empty()) continue;
    const size_t colon = std::min(entry.find(':'), entry.size());
    auto uid = parse_number(entry.substr(0, colon), UINT32_MAX - 1);
    auto sid = colon < entry.size() ? parse_sid(entry.substr(colon + 1)) : std::nullopt;
    if (!uid || !sid)
      return Problem{err(EINVAL), fmt::format("'{}' is no user and SID", entry),
                     "for instance 1000:S-1-5-21-1-2-3-1001"};
    for (const auto& [other_uid, other_sid] : made.map_)
      if (other_uid == *uid || other_sid == *sid)
        return Problem{err(EINVAL), fmt::format("'{}': the user or the SID is mapped twice", entry), ""};
    if (made.map_.size() == kMostMapped)
      return Problem{err(EINVAL), fmt::format("more than {} users are mapped", kMostMapped), ""};
    made.map_.emplace_back(static_cast<uint32_t>(*uid), *sid);
  }
  return made;
}

Sid Identities::of_user(uint32_t uid) const {
  for (const auto& [id, sid] : map_)
    if (id == uid) return sid;
  return style_ == SidStyle::unix_ids ? Sid{kUnix, {kUnixUser, uid}} : Sid{kNt, {kNfs, kNfsUser, uid}};
}

Sid Identities::of_group(uint32_t gid) const {
  return style_ == SidStyle::unix_ids ? Sid{kUnix, {kUnixGroup, gid}} : Sid{kNt, {kNfs, kNfsGroup, gid}};
}

Identity Identities::identity_of(const Sid& sid) const {
  for (const auto& [id, mapped] : map_)
    if (mapped == sid) return {id, {}};
  const bool unix = sid.authority == kUnix && sid.count == 2;
  const bool nfs = sid.authority == kNt && sid.count == 3 && sid.numbers[0] == kNfs;
  if (unix || nfs) {
    const uint32_t kind = sid.numbers[nfs ? 1 : 0], id = last_of(sid);
    // -1 would mean "leave it as it is" to chown(2).
    if (id == UINT32_MAX) return {};
    if (kind == (unix ? kUnixUser : kNfsUser)) return {id, {}};
    if (kind == (unix ? kUnixGroup : kNfsGroup)) return {{}, id};
    return {};
  }
  if (machine_ && sid.is_in(*machine_) && last_of(sid) <= 0xffff)
    return {kFirstMachine + last_of(sid), kFirstMachine + last_of(sid)};
  if (auto id = well_known_id(sid)) return {*id, *id};
  return {};
}

std::optional<uint32_t> well_known_id(const Sid& sid) {
  if (sid.count == 0) return std::nullopt;
  const uint32_t last = last_of(sid), first = sid.numbers[0];
  if (sid.authority == kLabels && sid.count == 1)
    return last <= 0xffff ? std::optional(kFirstLabel + last) : std::nullopt;
  if (sid.authority == kNt) {
    if (first == kLogon || first == kNotUnique || first == kNfs) return std::nullopt;
    if (sid.count == 1 || (sid.count == 2 && first == kBuiltin))
      return last < 0x1000 ? std::optional(last) : std::nullopt;
    // 0x1000 * first + last, but for the ranges that something else has.
    if (sid.count != 2 || first == 0 || first > 0xff || last > 0xfff) return std::nullopt;
    const uint32_t id = first * 0x1000 + last;
    return has_own_range(id) ? std::nullopt : std::optional(id);
  }
  if (sid.count != 1 || sid.authority > 0xf || last > 0xff) return std::nullopt;
  return kFirstOther + static_cast<uint32_t>(sid.authority) * 0x100 + last;
}

std::optional<Sid> well_known_sid(uint32_t id) {
  std::optional<Sid> sid;
  if (id < 0x200 || id == 1000)
    sid = Sid(kNt, {id});
  else if (id < 1000)
    sid = Sid(kNt, {kBuiltin, id});
  else if (id >= kFirstLabel && id <= kFirstLabel + 0xffff)
    sid = Sid(kLabels, {id - kFirstLabel});
  else if (id >= kFirstOther && id <= kFirstOther + 0xfff)
    sid = Sid((id - kFirstOther) >> 8, {id & 0xff});
  else if (id >= 0x1000 && id <= 0xfffff)
    sid = Sid(kNt, {id >> 12, id & 0xfff});
  return sid && well_known_id(*sid) == id ? sid : std::nullopt;
}

Sid nfs_mode_sid(uint32_t mode) { return {kNt, {kNfs, kNfsMode, mode}}; }

std::optional<uint32_t> nfs_mode_of(const Sid& sid) {
  if (sid.authority != kNt || sid.count != 3 || sid.numbers[0] != kNfs || sid.numbers[1] != kNfsMode)
    return std::nullopt;
  return sid.numbers[2];
}

}  // namespace isthmus::windows
