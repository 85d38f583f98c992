#include "doors/smb/extended.h"

#include "base/bytes.h"
#include "doors/smb/facts.h"
#include "doors/smb/request.h"
#include "doors/smb/stored_acl.h"
#include "doors/smb/stream.h"

namespace isthmus::smb {
namespace {

constexpr std::string_view kUser = "user.";

bool is_hidden(std::string_view name) {
  return name == kDosXattr || name == kAclXattr || name.starts_with(kStreamPrefix);
}

}  // namespace

bool is_no_xattr(Errno e) { return e == err(ENODATA) || is_unsupported(e); }

Result<std::vector<smb2::Ea>> extended_attributes(Request& r, NodeId node) {
  std::vector<smb2::Ea> list;
  const auto names = r.call(op::ListXattr{{}, node});
  if (!names) return is_no_xattr(names.error()) ? Result(list) : names.error();
  for (const std::string& name : *names) {
    if (!name.starts_with(kUser) || is_hidden(name)) continue;
    auto value = r.call(op::GetXattr{{}, node, name});
    if (!value) {
      if (is_no_xattr(value.error())) continue;
      return value.error();
    }
    list.push_back({.flags = 0, .name = name.substr(kUser.size()), .value = std::move(*value)});
  }
  return list;
}

Status set_extended(Request& r, NodeId node, const std::vector<smb2::Ea>& list) {
  for (const smb2::Ea& ea : list) {
    const std::string name = std::string(kUser) + ea.name;
    if (ea.name.empty() || is_hidden(name)) return err(EACCES);
    const Status done = ea.value.empty() ? r.call(op::RemoveXattr{{}, node, name})
                                         : r.call(op::SetXattr{{}, node, name, as_bytes(ea.value), 0, false});
    if (!done && !(ea.value.empty() && is_no_xattr(done.error()))) return done;
  }
  return Unit{};
}

}  // namespace isthmus::smb
