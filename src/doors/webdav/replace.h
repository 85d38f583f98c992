#pragma once
#include <optional>
#include <string>

#include "doors/webdav/exchange.h"

namespace isthmus::webdav {

/// New content for a name: a file beside it that takes the name when commit() is called, and is removed if it never is.
/// What was there keeps its mode, owner, extended attributes and ACLs. A file with several names is not replaced but
/// rewritten from the complete new content, so that it stays one file.
class Replacement {
 public:
  /// `at`: what the name leads to before the content comes, held by the caller for as long.
  Replacement(Exchange& x, const Found& at) : x_(x), beside_(at) {}
  ~Replacement();
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;

  /// whole: the content comes at once. Then a file system that makes no files may take it into the one that is there.
  Status create(bool whole);
  /// Goes on with a file that leave() has left behind. ENOENT: it is gone.
  Status resume(const std::string& temporary);
  /// Closes the file and leaves it where it is, under the name that is answered; empty: commit() has used it up.
  std::string leave();
  const OpenFile& file() const { return file_; }
  /// The content goes into the file that is there, which is another one by now.
  bool in_place() const { return in_place_; }
  void set_mtime(Time t) { mtime_ = t; }
  /// `at`: what the name leads to now. It has the new content from then on; on an error it has the old. `if_free`:
  /// EEXIST, if somebody has taken the name meanwhile. None: it has it, but nobody can tell what it looks like.
  Result<std::optional<Attr>> commit(const Found& at, bool if_free);

 private:
  Status may_replace();
  Status open_in_place();
  Status keep_what_was(const Found& at);
  Status rewrite(const Found& at);
  void save_aside(const Found& at, Errno why);
  Status take_name(const Found& at, bool if_free);

  Exchange& x_;
  const Found& beside_;    // its directory holds the temporary name
  std::string temporary_;  // name; empty: nothing to remove
  NodeId node_ = NodeId::none;
  OpenFile file_;
  bool in_place_ = false;  // file_ is the one that is there
  std::optional<Time> mtime_;
};

/// Rename; with `if_free` EEXIST, if the new name is taken, in one step where the file system can.
Status rename_to(Files& files, NodeId dir, std::string_view name, NodeId to_dir, std::string_view to_name,
                 bool if_free);
/// Gives `node` the owner of `was`. False: we may not, and it is another's.
Result<bool> give_owner(Files& files, NodeId node, HandleId handle, const Attr& was);
/// The answer of an fsync: a file system that has none has done what it can.
Status synced(Status s);
/// Copies all bytes from one open file to the other.
Status copy_content(Files& files, const OpenFile& from, const OpenFile& to);
/// Extended attributes, ACLs among them, and properties. Those that the file system does not take are left out; an
/// error is one of the disk or of the provider.
Status copy_xattrs(Exchange& x, NodeId from, NodeId to);

}  // namespace isthmus::webdav
