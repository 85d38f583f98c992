#include "doors/smb/facts.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "doors/smb/stored_acl.h"
#include "windows/reparse.h"
#include "windows/security.h"
#include "wire/smb2/create.h"

namespace isthmus::smb {
namespace {

DosFacts stored_facts(Request& r, NodeId node) {
  if (!r.server.port.capabilities().has(Op::GetXattr)) return {};
  const auto value = r.call(op::GetXattr{{}, node, kDosXattr});
  return value ? read_dos_facts(*value) : DosFacts{};
}

Status store_facts(Request& r, NodeId node, const DosFacts& facts) {
  const std::string value = write_dos_facts(facts);
  return r.call(op::SetXattr{{}, node, kDosXattr, as_bytes(value), 0, false});
}

}  // namespace

smb2::FileTimes times_of(const Attr& a) {
  // A file without a time of birth is as old as the oldest time it has.
  const Time birth = a.has_btime ? a.btime : std::min({a.mtime, a.ctime, a.atime});
  return {file_time(birth), file_time(a.atime), file_time(a.mtime), file_time(a.ctime)};
}

uint32_t attributes_of(const Server& server, const Attr& attr, std::optional<uint32_t> stored, std::string_view name) {
  const uint32_t type = attr.mode & S_IFMT;
  uint32_t bits = 0;
  if (stored) {
    bits = *stored & kDosBits;
  } else {
    if ((attr.mode & 0222) == 0) bits |= smb2::kAttrReadOnly;
    if (type == S_IFREG) bits |= smb2::kAttrArchive;
  }
  if (server.options.hide_dot_files && name.starts_with('.')) bits |= smb2::kAttrHidden;
  if (type == S_IFDIR)
    bits |= smb2::kAttrDirectory;
  else if (type != S_IFREG)
    bits |= smb2::kAttrReparsePoint;
  return bits ? bits : smb2::kAttrNormal;
}

uint32_t attributes_of(Request& r, NodeId node, Attr& attr, std::string_view name) {
  const DosFacts facts = stored_facts(r, node);
  if (facts.creation) {
    attr.btime = from_file_time(*facts.creation);
    attr.has_btime = true;
  }
  return attributes_of(r.server, attr, facts.attributes, name);
}

Status set_attributes(Request& r, NodeId node, const Attr& attr, uint32_t attributes) {
  const uint32_t bits = attributes & kDosBits;
  Status done = Unit{};
  {
    std::lock_guard lock(r.server.dos_facts_m(node));
    DosFacts facts = stored_facts(r, node);
    facts.attributes = bits;
    done = store_facts(r, node, facts);
  }
  if (done || !is_unsupported(done.error())) return done;
  // Without a place for it, the write bits say whether a file is to be written.
  op::Setattr set;
  set.node = node;
  set.set.mask = kSetMode;
  set.set.to.mode = bits & smb2::kAttrReadOnly ? attr.mode & ~uint32_t{0222} : attr.mode | 0200;
  if ((set.set.to.mode & 07777) == (attr.mode & 07777)) return Unit{};
  auto changed = r.call(set);
  return changed ? Status(Unit{}) : Status(changed.error());
}

Status set_creation(Request& r, NodeId node, uint64_t time) {
  op::Setattr set;
  set.node = node;
  set.set.mask = kSetBtime;
  set.set.to.btime = from_file_time(time);
  set.set.to.has_btime = true;
  const auto done = r.call(set);
  const bool kept = done && done->attr.has_btime && file_time(done->attr.btime) == time;
  std::lock_guard lock(r.server.dos_facts_m(node));
  DosFacts facts = stored_facts(r, node);
  if (kept && !facts.creation) return Unit{};
  if (!done && done.error() != err(EINVAL) && !is_unsupported(done.error())) return done.error();
  facts.creation = time;
  const Status stored = store_facts(r, node, facts);
  return stored || !is_unsupported(stored.error()) ? stored : Status(Unit{});
}

void keep_write_time(Request& r) {
  op::Setattr set;
  {
    std::lock_guard lock(r.open->m);
    if (!r.open->write_time) return;
    set.set.to.mtime = *r.open->write_time;
  }
  set.node = r.open->file->node;
  set.set.mask = kSetMtime;
  (void)r.call(set);
}

uint64_t stream_allocation(uint64_t size) { return round_up(size, 512); }

uint64_t allocation_of(const Attr& attr) {
  return (attr.mode & S_IFMT) == S_IFDIR ? 0 : std::max(attr.blocks * 512, round_up(attr.size, 512));
}

smb2::FileFacts facts_of(const Server& server, const Attr& attr, uint32_t attributes) {
  smb2::FileFacts f;
  f.times = times_of(attr);
  f.directory = (attr.mode & S_IFMT) == S_IFDIR;
  f.allocation = allocation_of(attr);
  f.end_of_file = f.directory ? 0 : attr.size;
  f.attributes = attributes;
  if (const auto tag = windows::reparse_tag(attr.mode)) f.reparse_tag = static_cast<uint32_t>(*tag);
  f.links = f.directory ? 1 : attr.nlink;
  f.index_number = attr.ino;
  f.posix_mode = attr.mode;
  f.posix_links = attr.nlink;
  f.posix_allocation = attr.blocks * 512;
  f.uid = attr.uid;
  f.gid = attr.gid;
  f.device_major = major(attr.rdev);
  f.device_minor = minor(attr.rdev);
  windows::append_sid(f.owner, server.options.identities.of_user(attr.uid));
  windows::append_sid(f.group, server.options.identities.of_group(attr.gid));
  return f;
}

bool may_delete_in(Request& r, NodeId folder) {
  if (r.server.read_only || folder == NodeId::none) return false;
  if (const auto acl = stored_acl(r, folder)) return rights_by(r, acl->list, acl->attr) & windows::kDeleteChild;
  return r.call(op::Access{{}, folder, W_OK | X_OK}).ok();
}

namespace {

/// Of those that change nothing.
constexpr uint32_t kLooks = windows::kReadAttributes | windows::kReadControl | windows::kSynchronize |
                            windows::kReadEa | windows::kReadData | windows::kExecute;

}  // namespace

uint32_t rights_of(Request& r, NodeId node, const Attr& attr, bool may_delete) {
  using enum windows::Rights;
  if (const auto acl = stored_acl(r, node, attr)) {
    const uint32_t by = rights_by(r, *acl, attr) | kReadAttributes;
    if (r.server.read_only) return by & kLooks;
    return may_delete ? by | kDelete : by;
  }
  uint32_t rights = kReadAttributes | kReadControl | kSynchronize | kReadEa;
  const auto may = [&r](NodeId n, int mask) { return r.call(op::Access{{}, n, mask}).ok(); };
  // Programs of Windows lie here without the bits that POSIX asks for.
  const bool directory = (attr.mode & S_IFMT) == S_IFDIR;
  const bool reads = may(node, R_OK);
  if (reads) rights |= kReadData;
  if (directory ? may(node, X_OK) : reads) rights |= kExecute;
  if (!r.server.read_only && may(node, W_OK)) {
    rights |= kWriteData | kAppendData | kWriteEa | kWriteAttributes | kDeleteChild;
  }
  if (r.server.read_only) return rights;
  const uint32_t uid = r.ctx.cred.uid;
  if (uid == 0 || uid == attr.uid) rights |= kWriteAttributes | kWriteDac | kWriteOwner | kWriteEa;
  if (may_delete) rights |= kDelete;
  return rights;
}

}  // namespace isthmus::smb
