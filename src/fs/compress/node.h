#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "fs/compress/image.h"
#include "vfs/node_table.h"

namespace isthmus::fs::compress {

/// other: no regular file. plain: a regular file that is shown as it is. packed: one that is shown decoded.
enum class Kind : uint8_t { other, plain, packed };

class Node;
using NodeRef = std::shared_ptr<Node>;

/// A name below.
struct Place {
  NodeRef directory;
  std::string stored;
  friend bool operator==(const Place&, const Place&) = default;
};

/// Tells contents of a stored file apart.
struct Stamp {
  uint64_t size = 0;
  Time mtime, ctime;
  static Stamp of(const Attr& a) { return {a.size, a.mtime, a.ctime}; }
  bool same_content(const Stamp& o) const { return size == o.size && mtime == o.mtime; }
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

/// A file as doors know it. What stands for it below (`inner`) changes whenever a packed file is stored anew.
///
/// Locks, in this order: io of one file; names of one or two directories (of two the one at the lower address first);
/// m, and the lock of Nodes, which are leaves. io and names are held across requests to the tree below, which never
/// comes back here for them; the leaves are not.
class Node {
 public:
  Node(Kind k, InnerRef in) : kind(k), inner_(std::move(in)) {}

  const Kind kind;
  std::atomic<NodeId> id{};  ///< as doors know it; none: they do not, at the moment

  std::shared_mutex names;  ///< (directories) shared: the names below are looked at; alone: changed

  std::shared_mutex io;            ///< shared: the content is read; alone: changed, stored, and so are its attributes
  std::unique_ptr<Image> image;    ///< under io; null while nobody has read or written
  uint32_t handles = 0;            ///< under io
  std::atomic<bool> stale{false};  ///< the stored file is not what `image` was loaded from

  mutable std::mutex m;  ///< guards what follows
  InnerRef inner() const {
    std::lock_guard lock(m);
    return inner_;
  }
  std::vector<Place> places;
  NodeRef home;  ///< the directory where it had a name last
  /// What `image` holds while it is loaded.
  struct Live {
    uint64_t size = 0;
    bool changed = false;
    Time mtime;    ///< of the last change
    Stamp stored;  ///< as the file was when it was loaded, or stored
  };
  std::optional<Live> live;
  /// Plain size of the stored file as of then; without one it cannot be decoded.
  std::optional<std::pair<Stamp, std::optional<uint64_t>>> known;
  std::optional<Stamp> cached;  ///< what doors may have cached at the last open or store
  uint64_t shown_ino = 0;       ///< 0: the inner one's

 private:
  friend class Nodes;
  InnerRef inner_;
};

/// All nodes: by the number that doors know, and by what stands for them below. Any thread.
class Nodes {
 public:
  /// The root becomes NodeId::root.
  explicit Nodes(FileSystem& tree);
  ~Nodes();

  Result<NodeRef> get(NodeId id, Op op) const;
  /// The node for what a lookup below answered, one lookup counted for a door; takes over the one that is counted
  /// below.
  NodeRef enter(NodeId inner, Kind kind);
  /// A node without a count, if it is known at all.
  NodeRef find(NodeId inner, Kind kind) const;
  /// One lookup more, for a door, of a node that is in hand.
  void count(const NodeRef& n);
  void forget(NodeId id, uint64_t n);
  /// Something else stands for `n` below from now on, with the inode number `real_ino`. shown: its inode number so far.
  void replaced(Node& n, InnerRef by, uint64_t shown, uint64_t real_ino);

  /// Inode numbers stay while a node is known, though the stored file is replaced: what is shown for a node of the tree
  /// below that has the number `real`.
  uint64_t shown_ino(Node& n, uint64_t real);
  uint64_t shown_ino(uint64_t real) const;

 private:
  struct Key {
    NodeId inner;
    bool packed;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& k) const { return std::hash<uint64_t>()(raw(k.inner) * 2 + (k.packed ? 1 : 0)); }
  };
  struct Known {
    Node* node;
    std::weak_ptr<Node> ref;
  };
  void publish(const NodeRef& n);
  void gone(Node* n);

  FileSystem& tree_;
  mutable std::mutex m_;  // a leaf; guards all of it, but for finding in table_
  std::unordered_map<Key, Known, KeyHash> known_;
  std::unordered_map<uint64_t, uint64_t> shown_;  // by the real number, where that is another
  std::unordered_map<uint64_t, uint64_t> taken_;  // numbers that are shown for others: the real ones of whom
  std::atomic<bool> displaced_{false};            // there was ever one
  uint64_t next_free_ = 0;
  NodeTable<NodeRef> table_;  // last: nodes end before what they are known by
};

}  // namespace isthmus::fs::compress
