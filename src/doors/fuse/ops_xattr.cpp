/// Extended attributes.
#include <linux/limits.h>

#include "doors/fuse/handlers.h"
#include "doors/fuse/session.h"

namespace isthmus::fuse {

using namespace wire::fuse;

namespace {

/// Size 0 asks how long the value is; else the value must fit.
void answer_sized(Exchange& x, const std::string& value, size_t most) {
  uint32_t room = x.in().as<GetxattrIn>().size;
  if (value.size() > most) return x.error(err(E2BIG));
  if (room == 0) return void(x.reply(GetxattrOut{static_cast<uint32_t>(value.size()), 0}));
  if (value.size() > room) return x.error(err(ERANGE));
  x.reply_bytes(as_bytes(value));
}

void answer_value(Exchange& x, const op::GetXattr&, Result<std::string>&& r) {
  if (!r) return x.error(r.error());
  answer_sized(x, *r, XATTR_SIZE_MAX);
}

void answer_list(Exchange& x, const op::ListXattr&, Result<std::vector<std::string>>&& r) {
  if (!r) return x.error(r.error());
  std::string list;
  for (auto& name : *r) {
    // The kernel fails the whole list over an empty name.
    if (name.empty() || name.size() > XATTR_NAME_MAX || name.find('\0') != std::string::npos) continue;
    list += name;
    list += '\0';
  }
  answer_sized(x, list, XATTR_LIST_MAX);
}

}  // namespace

void do_getxattr(Exchange& x) {
  op::GetXattr a;
  a.node = x.node();
  a.name = x.in().name;
  x.submit<op::GetXattr, answer_value>(a);
}

void do_listxattr(Exchange& x) {
  op::ListXattr a;
  a.node = x.node();
  x.submit<op::ListXattr, answer_list>(a);
}

void do_setxattr(Exchange& x) {
  if (x.in().data.size() > XATTR_SIZE_MAX) return x.refuse(err(E2BIG));
  op::SetXattr a;
  a.node = x.node();
  a.name = x.in().name;
  a.value = x.in().data;
  a.flags = static_cast<int>(x.in().as<SetxattrCompatIn>().flags);
  a.kill_sgid = x.in().setxattr_flags() & kSetxattrAclKillSgid;
  x.submit<op::SetXattr, answer_unit<op::SetXattr>>(a);
}

void do_removexattr(Exchange& x) {
  op::RemoveXattr a;
  a.node = x.node();
  a.name = x.in().name;
  x.submit<op::RemoveXattr, answer_unit<op::RemoveXattr>>(a);
}

}  // namespace isthmus::fuse
