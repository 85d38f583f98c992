#include "doors/smb/place.h"

#include <sys/stat.h>

#include <algorithm>
#include <future>

#include "doors/smb/errors.h"
#include "doors/smb/server.h"
#include "vfs/volume/resolve.h"

namespace isthmus::smb {

using smb2::NtStatus;

bool leads_to(Request& r, NodeId dir, const std::string& name, NodeId node) {
  auto found = r.call(op::Lookup{{}, dir, name});
  if (!found || found->node == NodeId::none) return false;
  if (found->node != NodeId::root) forget(r.files(), r.ctx, found->node);
  return found->node == node;
}

std::string above(const Place& at) {
  return at.path.substr(0, at.path.size() - std::min(at.path.size(), at.name.size() + 1));
}

Result<Entry> follow(Request& r, const std::string& directory, NodeId link) {
  auto target = r.call(op::Readlink{{}, link});
  if (!target) return target.error();
  const std::string path = target->starts_with('/') ? *target : directory + "/" + *target;
  std::promise<Result<Resolved>> promise;
  resolve(r.server.port, r.ctx, path, {}, [&](Result<Resolved> found) { promise.set_value(std::move(found)); });
  auto found = promise.get_future().get();
  if (!found) return found.error();
  const Entry entry = found->entry;
  found->entry.node = NodeId::none;
  give_back(r.server.port, r.ctx, *found);
  if (entry.node == NodeId::none) return err(ENOENT);
  return entry;
}

smb2::NtStatus walk(Request& r, const std::vector<std::string>& names, bool exact, Place& at) {
  const auto root = r.attr_of(NodeId::root);
  if (!root) return status_of(root.error());
  Entry e;
  e.node = NodeId::root;
  e.attr = *root;
  at.put(e);
  for (size_t i = 0; i < names.size(); i++) {
    if ((at.entry.attr.mode & S_IFMT) == S_IFLNK) {
      auto target = follow(r, above(at), at.entry.node);
      if (!target) return NtStatus::object_path_not_found;
      at.put(*target);
    }
    if ((at.entry.attr.mode & S_IFMT) != S_IFDIR) return NtStatus::object_path_not_found;
    at.step_into();
    at.name = names[i];
    auto found = find_name(r, at.parent, at.name, exact);
    if (!found) return found.error() == err(ENOENT) ? NtStatus::object_path_not_found : status_of(found.error());
    if (!at.path.empty()) at.path += '/';
    at.path += at.name;
    at.put(*found);
    if (!at.exists() && i + 1 < names.size()) return NtStatus::object_path_not_found;
  }
  return NtStatus::success;
}

}  // namespace isthmus::smb
