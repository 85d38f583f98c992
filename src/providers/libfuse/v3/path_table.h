#pragma once
#include <condition_variable>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "base/clock.h"
#include "vfs/lock_ranges.h"
#include "vfs/node_table.h"

namespace isthmus::libfuse {

/// A file that has been looked up, as the paths of a program know it. Guarded by its PathTable.
struct PathNode {
  PathNode* parent = nullptr;  // null: the root, or a node without a name
  std::string name;            // empty likewise
  uint32_t children = 0;       // nodes whose parent this is
  uint32_t users = 0;          // paths in use that lead through it
  uint32_t wanted = 0;         // who waits to have it exclusively: new paths wait for them
  bool exclusive = false;      // its name is about to change or go
  bool hidden = false;         // renamed to .fuse_hidden..., to be removed with its last handle
  bool looked_up = false;      // ever: else it is the name alone, which somebody has exclusively
  bool directory = false;      // as its attributes said last
  uint32_t opens = 0;          // handles of the file
  // auto_cache: what the cached data belongs to.
  bool cache_valid = false;
  Time mtime;
  uint64_t size = 0;
  timespec seen{};  // monotonic
  LockRanges locks;
  // remember: forgotten, but kept since.
  PathNode *older = nullptr, *newer = nullptr;
  time_t forgotten = 0;  // seconds, monotonic
  bool kept = false;
};

/// Nodes with paths, for programs that know files by paths alone. While somebody has a path in use, nothing that it
/// leads through is renamed or removed by others: those wait. A path is taken in one step with everything it needs, so
/// takers never wait for each other in a circle.
///
/// Any thread. One mutex, a leaf.
class PathTable {
 public:
  /// `keep`: seconds that nodes are remembered after they have been forgotten; -1: for good.
  explicit PathTable(int keep = 0);
  ~PathTable();
  PathTable(const PathTable&) = delete;
  PathTable& operator=(const PathTable&) = delete;
  void keep(int seconds) { keep_ = seconds; }  ///< before the first node

  /// What leads to a place: a node, or a name in a directory. `exclusive`: the name is about to change or go.
  /// `nameless`: a node that has no name (any more) is none the worse for it: there is no path then.
  struct Place {
    NodeId node{};
    std::string_view name{};
    bool exclusive = false;
    bool nameless = false;
  };
  /// Paths in use, until it is destroyed.
  class Held {
   public:
    Held() = default;
    Held(Held&& o) noexcept { *this = std::move(o); }
    Held& operator=(Held&& o) noexcept;
    ~Held() { release(); }
    void release();
    /// Null: see Place::nameless.
    const char* path() const { return one_.from ? one_.text.c_str() : nullptr; }
    const char* second() const { return two_.from ? two_.text.c_str() : nullptr; }

   private:
    friend class PathTable;
    struct Part {
      std::string text;
      PathNode *from = nullptr, *exclusive = nullptr;
    };
    PathTable* table_ = nullptr;
    Part one_, two_;
  };
  /// ESTALE: no such node, or a file without a name. ENOENT: a directory without one.
  Result<Held> hold(const Place& place);
  /// Both at once. EINVAL: the first is exclusive and the second lies below it; ENOTEMPTY: the other way round.
  Result<Held> hold(const Place& first, const Place& second);

  /// The node of a name, made if need be, counted once more. ESTALE: no such directory.
  Result<NodeId> look_up(NodeId dir, std::string_view name);
  /// The same for a node by its number. ESTALE.
  Status look_up(NodeId node);
  /// The directory that a node is in, counted once more. ENOENT for the root and nodes without a name.
  Result<NodeId> look_up_parent(NodeId node);
  /// Node none: not known.
  NodeId find(NodeId dir, std::string_view name) const;
  /// The node of an absolute path. ENOENT: not known.
  Result<NodeId> find(std::string_view path) const;
  void forget(NodeId node, uint64_t count);
  /// Drops what has been remembered for long enough. Seconds until there is more to do.
  int clean();

  // The caller has the names exclusively.

  void remove(NodeId dir, std::string_view name);
  /// A node that has the new name loses it.
  void rename(NodeId dir, std::string_view name, NodeId to_dir, std::string_view to_name);
  /// Two names swap their nodes.
  void exchange(NodeId dir, std::string_view name, NodeId to_dir, std::string_view to_name);

  /// f(PathNode&) with the table locked. False: no such node.
  template <class F>
  bool with(NodeId id, F f) {
    std::lock_guard lock(m_);
    PathNode* n = nodes_.find(id);
    if (n) f(*n);
    return n != nullptr;
  }
  /// Every node. f(NodeId, PathNode&).
  template <class F>
  void for_each_named(F f) {
    std::lock_guard lock(m_);
    for (PathNode* n : names_) f(NodeTable<PathNode>::id_of(*n), *n);
  }
  size_t size() const { return nodes_.size(); }

 private:
  struct Key {
    const PathNode* parent;
    std::string_view name;
  };
  struct ByName {
    using is_transparent = void;
    static Key key(const PathNode* n) { return {n->parent, n->name}; }
    static const Key& key(const Key& k) { return k; }
    template <class T>
    size_t operator()(const T& t) const {
      const Key& k = key(t);
      return std::hash<std::string_view>{}(k.name) ^ (reinterpret_cast<uintptr_t>(k.parent) * 0x9e3779b97f4a7c15u);
    }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      const Key &x = key(a), &y = key(b);
      return x.parent == y.parent && x.name == y.name;
    }
  };
  enum class Try : unsigned char { done, wait };
  class Wish;

  PathNode* find_locked(const PathNode* dir, std::string_view name) const;
  Result<Held::Part> plan(const Place& place);
  PathNode* find_or_make(PathNode& dir, std::string_view name);
  static Try check(const Held::Part& part, bool patient);
  static void take(Held::Part& part);
  void give_back(Held::Part& part);
  Result<Held> hold(const Place* places, size_t count);
  void name(PathNode& n, PathNode& dir, std::string_view text);
  void unname(PathNode& n);
  void count_up(PathNode& n);
  void unkeep(PathNode& n);
  void free_if_unused(PathNode* n);

  mutable std::mutex m_;
  std::condition_variable changed_;
  unsigned waiting_ = 0;
  int keep_;
  NodeTable<PathNode> nodes_;
  PathNode* root_;
  std::unordered_set<PathNode*, ByName, ByName> names_;
  PathNode *oldest_ = nullptr, *newest_ = nullptr;
};

}  // namespace isthmus::libfuse
