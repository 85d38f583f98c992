#include "vfs/posix_acl.h"

#include <sys/stat.h>

#include <algorithm>

#include "vfs/context.h"
#include "vfs/permissions.h"

namespace isthmus {
namespace {

constexpr uint32_t kVersion = 2;
constexpr size_t kHeader = 4, kEntry = 8;

uint32_t get(Bytes b, size_t at, size_t bytes) {
  uint32_t v = 0;
  for (size_t i = 0; i < bytes; i++) v |= static_cast<uint32_t>(b[at + i]) << (8 * i);
  return v;
}
void put(std::string& s, uint32_t v, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) s.push_back(static_cast<char>((v >> (8 * i)) & 0xff));
}
bool named(PosixAcl::Tag t) { return t == PosixAcl::kUser || t == PosixAcl::kGroup; }

}  // namespace

PosixAcl PosixAcl::from_mode(uint32_t mode) {
  PosixAcl a;
  a.entries_ = {{kUserObj, static_cast<uint16_t>((mode >> 6) & 7)},
                {kGroupObj, static_cast<uint16_t>((mode >> 3) & 7)},
                {kOther, static_cast<uint16_t>(mode & 7)}};
  return a;
}

Result<PosixAcl> PosixAcl::parse(Bytes b) {
  if (b.size() < kHeader) return err(EINVAL);
  if (get(b, 0, 4) != kVersion) return err(EOPNOTSUPP);
  if ((b.size() - kHeader) % kEntry != 0) return err(EINVAL);
  size_t n = (b.size() - kHeader) / kEntry;
  if (n > kMaxEntries) return err(EINVAL);
  PosixAcl a;
  a.entries_.reserve(n);
  for (size_t at = kHeader; at < b.size(); at += kEntry) {
    Entry e{static_cast<Tag>(get(b, at, 2)), static_cast<uint16_t>(get(b, at + 2, 2)), get(b, at + 4, 4)};
    if (!named(e.tag)) e.id = UINT32_MAX;
    a.entries_.push_back(e);
  }
  if (!a.entries_.empty() && !a.valid()) return err(EINVAL);
  return a;
}

Result<PosixAcl> PosixAcl::of(std::vector<Entry> entries) {
  std::sort(entries.begin(), entries.end(),
            [](auto& a, auto& b) { return a.tag != b.tag ? a.tag < b.tag : a.id < b.id; });
  PosixAcl a;
  a.entries_ = std::move(entries);
  if (a.entries_.size() > kMaxEntries || !a.valid()) return err(EINVAL);
  return a;
}

std::string PosixAcl::serialise() const {
  std::string s;
  s.reserve(kHeader + entries_.size() * kEntry);
  put(s, kVersion, 4);
  for (auto& e : entries_) {
    put(s, e.tag, 2);
    put(s, e.perm, 2);
    put(s, e.id, 4);
  }
  return s;
}

// As Linux: tags ascend; exactly one of user, group and other; a mask at most once, and needed when there are names.
// Ids need not ascend, but must not be the one that means "none".
bool PosixAcl::valid() const {
  unsigned count[64] = {};
  uint32_t last = 0;
  for (auto& e : entries_) {
    if (e.tag != kUserObj && e.tag != kUser && e.tag != kGroupObj && e.tag != kGroup && e.tag != kMask &&
        e.tag != kOther)
      return false;
    if ((e.perm & ~7u) || e.tag < last || (named(e.tag) && e.id == UINT32_MAX)) return false;
    last = e.tag;
    count[e.tag]++;
  }
  bool names = count[kUser] || count[kGroup];
  return count[kUserObj] == 1 && count[kGroupObj] == 1 && count[kOther] == 1 && count[kMask] <= 1 &&
         (!names || count[kMask] == 1);
}

PosixAcl::Entry* PosixAcl::find(Tag tag) {
  auto it = std::find_if(entries_.begin(), entries_.end(), [tag](const Entry& e) { return e.tag == tag; });
  return it == entries_.end() ? nullptr : &*it;
}
const PosixAcl::Entry* PosixAcl::find(Tag tag) const { return const_cast<PosixAcl*>(this)->find(tag); }

uint32_t PosixAcl::mode() const {
  auto perm = [&](const Entry* e) -> uint32_t { return e ? e->perm : 0; };
  const Entry* mask = find(kMask);
  return perm(find(kUserObj)) << 6 | perm(mask ? mask : find(kGroupObj)) << 3 | perm(find(kOther));
}

void PosixAcl::chmod(uint32_t mode) {
  if (Entry* e = find(kUserObj)) e->perm = (mode >> 6) & 7;
  Entry* mask = find(kMask);
  if (Entry* e = mask ? mask : find(kGroupObj)) e->perm = (mode >> 3) & 7;
  if (Entry* e = find(kOther)) e->perm = mode & 7;
}

bool PosixAcl::permits(const Credentials& cred, uint32_t uid, uint32_t gid, uint32_t want) const {
  const Entry* m = find(kMask);
  uint32_t mask = m ? m->perm : 7;
  auto gives = [want](uint32_t perm) { return (perm & want) == want; };
  if (cred.uid == uid) {
    const Entry* e = find(kUserObj);
    return e && gives(e->perm);
  }
  for (auto& e : entries_)
    if (e.tag == kUser && e.id == cred.uid) return gives(e.perm & mask);
  bool member = false;
  for (auto& e : entries_) {
    if (e.tag != kGroupObj && e.tag != kGroup) continue;
    if (!in_group(cred, e.tag == kGroupObj ? gid : e.id)) continue;
    if (gives(e.perm & mask)) return true;
    member = true;
  }
  const Entry* other = find(kOther);
  return !member && other && gives(other->perm);
}

Inherited inherit_acl(const PosixAcl& dflt, uint32_t mode) {
  Inherited r;
  PosixAcl access = dflt;
  // A bit is given only when both the creator asked for it and the default ACL has it.
  access.chmod(mode & dflt.mode());
  r.mode = (mode & ~0777u) | access.mode();
  if (!access.is_minimal()) r.access = std::move(access);
  if (S_ISDIR(mode)) r.dflt = dflt;
  return r;
}

}  // namespace isthmus
