#pragma once
#include <vector>

#include "doors/webdav/exchange.h"

namespace isthmus::webdav {

/// What could not be done of a whole tree.
struct Failure {
  Names names;
  bool directory = false;
  int status = 500;
};
/// 207 that names them.
Answer failures_answer(Exchange& x, const std::vector<Failure>& failures);

/// Removes a name, and all below it. Where something stays, its parents stay. `names` are for the report.
void remove_tree(Exchange& x, const Names& names, NodeId parent, const std::string& name, bool directory,
                 std::vector<Failure>& failures);

/// What was done in a directory is on the disk.
Status sync_dir(Exchange& x, NodeId dir);

enum class Copying : uint8_t {
  node,  ///< a directory without what is in it
  tree,
  move,  ///< a tree whose source is to be removed: owners and times too, and content is on the disk
};
/// Copies a file, link, special file or directory to a name that is free.
void copy_tree(Exchange& x, const Names& names, const Found& from, NodeId to_dir, const std::string& to_name,
               Copying how, std::vector<Failure>& failures);

}  // namespace isthmus::webdav
