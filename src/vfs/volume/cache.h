#pragma once
#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vfs/permissions.h"
#include "vfs/types.h"
#include "vfs/volume/change_clock.h"
#include "vfs/volume/listings.h"

namespace isthmus::volume {

/// Lookups to be given back to the provider, by whoever holds no lock.
using Forgets = std::vector<std::pair<NodeId, uint64_t>>;

/// What decides about access to a node; `acl` only where it says more than the mode.
struct Rules {
  uint32_t mode = 0, uid = 0, gid = 0;
  std::shared_ptr<const PosixAcl> acl;
  Guard guard() const { return {mode, uid, gid, acl.get()}; }
};

/// Names, existing and missing ones, listings, attributes, and the lookup counts of all nodes that the volume's doors
/// and its own services hold. Users of a node here: each lookup that a door has got, each cached name, each open file.
/// The provider's lookups of a node are given back when its last user leaves; the numbers are exact. A name is kept for
/// the provider's time-out, until it is invalidated, or until many others were used since (least recently used goes
/// first).
///
/// Any thread. Locks: a shard of names, then a shard of nodes, then the listings'; leaves for everybody else.
class Cache {
 public:
  using Stamp = ChangeClock::Stamp;

  explicit Cache(size_t names);
  ~Cache();

  ChangeClock& clock() { return clock_; }
  Listings& listings() { return listings_; }
  Stamp begin() const { return clock_.now(); }

  // Hits. `now` is monotonic_ns().
  /// A name's answer; with a node, one user more, for the caller. node none: known to be missing.
  std::optional<Entry> find(NodeId dir, std::string_view name, int64_t now) { return find(dir, name, now, false); }
  /// The same for who wants to know which node it is, and whose: its size and times may be stale.
  std::optional<Entry> find_node(NodeId dir, std::string_view name, int64_t now) { return find(dir, name, now, true); }
  /// Until when the name is believed to lead to that node; 0: it is not.
  int64_t believed_until(NodeId dir, std::string_view name, NodeId node, int64_t now);
  /// Whether find() would answer.
  bool knows(NodeId dir, std::string_view name, int64_t now);
  std::optional<Attributes> attributes(NodeId node, int64_t now);
  /// Mode, owner and ACL. need_acl: nothing when it is not known whether there is one.
  std::optional<Rules> rules(NodeId node, int64_t now, bool need_acl);

  // Answers of the provider. `since`: begin() from before the question.
  /// An entry that the provider counted once: the caller has one user more.
  void enter(const Entry& e, int64_t now, Stamp since);
  /// The same under a name. node none: the name is missing.
  void enter_name(NodeId dir, std::string_view name, const Entry& e, int64_t now, Stamp name_since, Stamp attr_since,
                  Forgets& out);
  /// A name of a node that the caller is a user of.
  void put_name(NodeId dir, std::string_view name, NodeId node, int64_t until, Stamp since, Forgets& out);
  void learn(NodeId node, const Attributes& a, int64_t now, Stamp since);
  void learn_acl(NodeId node, std::shared_ptr<const PosixAcl> acl, Stamp since);

  // Users.
  void hold(NodeId node, uint64_t users = 1);
  void leave(NodeId node, uint64_t users, Forgets& out);

  // Invalidation: marks and removes.
  /// Also the directory's listing. Returns the node the name had, with a user for the caller, or none.
  NodeId invalidate_name(NodeId dir, std::string_view name, Forgets& out, ChangeClock::Marked* marked = nullptr);
  void invalidate_names(Forgets& out);
  ChangeClock::Marked invalidate_attributes(NodeId node);
  /// Size and times are stale; mode and owner stand.
  ChangeClock::Marked invalidate_data(NodeId node);

  /// Every user leaves: at the end.
  void clear(Forgets& out);

  size_t names() const;
  size_t nodes() const;
  uint64_t users(NodeId node) const;

 private:
  struct Node {
    uint64_t lookups = 0, users = 0;
    uint64_t generation = 0;
    Attr attr;
    int64_t until = 0;  // the attributes are believed; 0: unknown
    bool data_stale = false, acl_known = false;
    std::shared_ptr<const PosixAcl> acl;
  };
  struct NodeShard {
    mutable std::mutex m;
    std::unordered_map<NodeId, Node> nodes;
  };
  struct Name {
    NodeId dir;
    std::string name;
    NodeId node;  // a user of it; none: missing
    int64_t until;
  };
  struct Key {
    NodeId dir;
    std::string_view name;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& k) const { return key_of(k.dir, k.name); }
  };
  using Recent = std::list<Name>;  // most recently used first
  struct NameShard {
    mutable std::mutex m;
    Recent recent;
    std::unordered_map<Key, Recent::iterator, KeyHash> index;  // views into recent
  };
  static constexpr size_t kShards = 16;

  NameShard& names_of(NodeId dir, std::string_view name) { return names_[(key_of(dir, name) >> 7) % kShards]; }
  NodeShard& nodes_of(NodeId n) { return nodes_[key_of(n) % kShards]; }
  const NodeShard& nodes_of(NodeId n) const { return nodes_[key_of(n) % kShards]; }
  std::optional<Entry> find(NodeId dir, std::string_view name, int64_t now, bool stale_will_do);
  void remove(NameShard& s, Recent::iterator at, Forgets& out);
  void put_attr(Node& n, NodeId id, const Attr& a, Ttl ttl, int64_t now, Stamp since);

  ChangeClock clock_;
  Listings listings_;
  const size_t per_shard_;
  std::array<NameShard, kShards> names_;
  std::array<NodeShard, kShards> nodes_;
};

/// When something that is believed for `ttl` from now on ends.
int64_t end_of(Ttl ttl, int64_t now);

}  // namespace isthmus::volume
