#pragma once
#include <string>
#include <utility>
#include <vector>

#include "doors/smb/names.h"
#include "doors/smb/request.h"
#include "vfs/then.h"

namespace isthmus::smb {

/// Nodes on the way of a path. Both lookups are counted, and given back unless taken.
class Place {
 public:
  explicit Place(Request& r) : r_(r) {}
  ~Place() {
    give(parent);
    give(entry.node);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  bool exists() const { return entry.node != NodeId::none; }
  void step_into() {
    give(parent);
    parent = std::exchange(entry.node, NodeId::none);
  }
  void put(const Entry& e) {
    give(entry.node);
    entry = e;
  }
  NodeId take_node() { return std::exchange(entry.node, NodeId::none); }
  NodeId take_parent() { return std::exchange(parent, NodeId::none); }

  NodeId parent = NodeId::none;  ///< none: the root itself
  Entry entry;
  std::string name, path;

 private:
  void give(NodeId n) {
    if (n != NodeId::none && n != NodeId::root) forget(r_.files(), r_.ctx, n);
  }
  Request& r_;
};

/// What a symlink in `directory` (a path of ours) leads to, inside of the share. Counted.
Result<Entry> follow(Request& r, const std::string& directory, NodeId link);
/// The place of a path; symlinks on the way are followed, one at its end is not. An error: a directory on the way is
/// missing, or none. A missing last name is none.
smb2::NtStatus walk(Request& r, const std::vector<std::string>& names, bool exact, Place& at);
/// Whether a name leads to the file still: other doors and programs may have put something else there.
bool leads_to(Request& r, NodeId dir, const std::string& name, NodeId node);
/// "a/b" of "a/b/c".
std::string above(const Place& at);

}  // namespace isthmus::smb
