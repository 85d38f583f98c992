#include "doors/smb/stored_acl.h"

#include <sys/stat.h>

#include "base/bytes.h"
#include "base/log.h"
#include "doors/smb/extended.h"
#include "doors/smb/facts.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "windows/access.h"

namespace isthmus::smb {
namespace {

constexpr char kKind = 'A';

/// What the list hangs on.
std::string head_of(const Attr& attr) {
  std::string head(1, kKind);
  for (const uint32_t n : {attr.mode & 07777, attr.uid, attr.gid}) append_le<uint32_t>(head, n);
  return head;
}

/// None: there is none.
std::optional<std::string> load(Request& r, NodeId node) {
  if (!r.server.port.capabilities().has(Op::GetXattr)) return {};
  auto value = r.call(op::GetXattr{{}, node, kAclXattr});
  return value ? std::optional(std::move(*value)) : std::nullopt;
}

std::optional<windows::SecurityDescriptor> list_in(Request& r, std::string_view value, const Attr& attr) {
  const std::string head = head_of(attr);
  if (!value.starts_with(head)) return {};
  auto acl = windows::read_security(as_bytes(value.substr(head.size())));
  if (!acl || !acl->has_dacl) return {};
  acl->owner = r.server.options.identities.of_user(attr.uid);
  acl->group = r.server.options.identities.of_group(attr.gid);
  return acl;
}

}  // namespace

std::optional<windows::SecurityDescriptor> stored_acl(Request& r, NodeId node, const Attr& attr) {
  const auto value = load(r, node);
  return value ? list_in(r, *value, attr) : std::nullopt;
}

std::optional<StoredAcl> stored_acl(Request& r, NodeId node) {
  const auto value = load(r, node);
  if (!value) return {};
  const auto attr = r.attr_of(node);
  if (!attr) return {};
  auto list = list_in(r, *value, *attr);
  return list ? std::optional(StoredAcl{std::move(*list), *attr}) : std::nullopt;
}

Status store_acl(Request& r, NodeId node, const Attr& attr, const windows::SecurityDescriptor& acl,
                 uint32_t attributes) {
  const auto& ids = r.server.options.identities;
  windows::SecurityDescriptor list = acl;
  list.owner.reset();
  list.group.reset();
  if (list.dacl)
    for (windows::Ace& ace : *list.dacl) ace.mask = windows::expand_generic(ace.mask);
  Status done = Unit{};
  if (list.dacl &&
      list.dacl == windows::security_of_mode(attr.mode, ids.of_user(attr.uid), ids.of_group(attr.gid)).dacl) {
    done = r.call(op::RemoveXattr{{}, node, kAclXattr});
  } else {
    const std::string value = head_of(attr) + windows::to_bytes(list);
    done = r.call(op::SetXattr{{}, node, kAclXattr, as_bytes(value), 0, false});
  }
  // EPERM: of a symlink.
  if (!done) return is_no_xattr(done.error()) || done.error() == err(EPERM) ? Status(Unit{}) : done;
  // Without write bits a file would be read-only, whatever the list says.
  Attr now = attr;
  if ((attributes_of(r, node, now, {}) ^ attributes) & smb2::kAttrReadOnly)
    done = set_attributes(r, node, attr, attributes & ~smb2::kAttrNormal);
  return done;
}

void give_acl(Request& r, NodeId node, Attr& attr, const windows::SecurityDescriptor& acl) {
  const auto& ids = r.server.options.identities;
  const bool directory = (attr.mode & S_IFMT) == S_IFDIR;
  const uint32_t attributes = attributes_of(r, node, attr, {});
  const uint32_t mode = windows::mode_of_security(acl, directory, ids.of_user(attr.uid), ids.of_group(attr.gid));
  if ((mode & 01777) != (attr.mode & 01777)) {
    op::Setattr set;
    set.node = node;
    set.set.mask = kSetMode;
    set.set.to.mode = (attr.mode & ~uint32_t{01777}) | (mode & 01777);
    if (const auto changed = r.call(set)) attr = changed->attr;
  }
  const Status done = store_acl(r, node, attr, acl, attributes);
  if (r.server.acl_troubles.is_news(done))
    log(LogLevel::warning, "smb: an access list cannot be kept: {}", text_of(done.error()));
}

uint32_t rights_by(Request& r, const windows::SecurityDescriptor& acl, const Attr& attr) {
  return windows::allowed_rights(acl, r.server.sids, r.server.own.cred.uid == attr.uid);
}

}  // namespace isthmus::smb
