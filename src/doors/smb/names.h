#pragma once
#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "vfs/types.h"
#include "wire/smb2/status.h"

namespace isthmus::smb {

class Request;

/// A path as a client writes it, taken apart.
struct ClientPath {
  std::vector<std::string> names;  ///< from the share's root, as the file system has them; empty: the root
  std::string stream;              ///< behind the ':', without its type; "::$DATA" is none
  bool data = false;               ///< a type was written, so it is not about a directory itself
  smb2::NtStatus status = smb2::NtStatus::success;  ///< an error: it cannot be a path
};
/// `posix`: names are taken as they stand, or as others have to write them, as Linux's client does with `mapposix`; '/'
/// and '\' both part them.
ClientPath read_path(Bytes utf16, bool posix);
/// UTF-16, as the client sees a name. POSIX clients see what there is.
std::string client_name(std::string_view name, bool posix = false);
/// The same of a path of ours, with '\' between names and in front.
std::string client_path(std::string_view path, bool posix = false);

/// Names of directories by what they are without case: for the names that a client writes in another case. What is kept
/// is more than there is at times, so that each hit is looked up. Any thread.
class FoldedNames {
 public:
  /// Names of `dir` that differ from `name` in case alone. Lists the directory if it is not known.
  std::vector<std::string> alike(Request& r, NodeId dir, std::string_view name);
  /// The name may be there now.
  void may_be(NodeId dir, std::string_view name);
  void forget(NodeId dir);
  void forget_all();

 private:
  static constexpr size_t kMostDirectories = 256, kMostNames = 1'000'000;
  using Clock = std::chrono::steady_clock;
  struct Directory {
    std::mutex m;  // a leaf
    bool whole = false;
    Clock::time_point since;
    std::unordered_multimap<std::string, std::string> names;  // folded to real
  };
  struct Place {
    std::shared_ptr<Directory> directory;
    std::list<NodeId>::iterator recent;
  };
  std::shared_ptr<Directory> find(NodeId dir) const;
  std::shared_ptr<Directory> make(NodeId dir);

  mutable std::mutex m_;  // a leaf
  std::unordered_map<NodeId, Place> all_;
  std::list<NodeId> recent_;  // the last: used least recently
};

/// A name's entry in a directory, whatever its case unless `exact`. The node is counted; none: there is no such name.
/// `name` becomes the one that is there.
Result<Entry> find_name(Request& r, NodeId dir, std::string& name, bool exact);

}  // namespace isthmus::smb
