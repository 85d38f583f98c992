#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "doors/webdav/exchange.h"
#include "vfs/dos_facts.h"
#include "wire/dav/multistatus.h"
#include "wire/dav/name.h"
#include "wire/dav/proppatch.h"

namespace isthmus::webdav {

/// What properties are asked of.
struct Subject {
  const Names& names;  ///< of the file, for locks and the type of its content
  NodeId node = NodeId::none;
  const Attr& attr;
  bool listed = false;  ///< one of many: what is long and seldom wanted is left out
};

/// Properties that follow from the file itself. Which of them a client may set is in live_props.cpp.
class LiveProps {
 public:
  explicit LiveProps(Exchange& x) : x_(x) {}

  struct Row;
  /// What `name` stands for; null: no such property.
  static const Row* find(const dav::Name& name);
  /// False: this file has no such property.
  bool write(dav::Multistatus& to, const Row& row, const Subject& of);
  /// Those of allprop, with their values.
  void write_all(dav::Multistatus& to, const Subject& of);
  /// The names of all that the file has.
  void write_names(dav::Multistatus& to, const Subject& of);

  /// What a PROPPATCH sets.
  struct Change {
    SetAttr set;
    std::optional<uint32_t> dos_attributes;
  };
  /// Takes one property into `to`. The status: 200, 403 for those that cannot be set, 409 for values that are none.
  static int change(const dav::PropChange& wanted, Change& to, const Attr& now);
  Status apply(NodeId node, const Change& change);

 private:
  DosFacts dos_facts(NodeId node);
  /// `born`: the file system itself has taken the time of birth.
  Status set_attributes(NodeId node, SetAttr set, bool& born);
  Status set_dos_facts(NodeId node, const Change& change, bool born);
  Status store(NodeId node, const DosFacts& facts);
  std::string dos_attributes(const Subject& of);
  const StatFs* statfs();

  Exchange& x_;
  std::optional<StatFs> statfs_;
  bool statfs_asked_ = false;
};

}  // namespace isthmus::webdav
