#include "providers/libfuse/v3/path_table.h"

#include <array>

namespace isthmus::libfuse {
namespace {

time_t now_seconds() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return t.tv_sec;
}

/// Whether `n` is `above` or lies below it.
bool lies_in(const PathNode* n, const PathNode* above) {
  for (; n; n = n->parent)
    if (n == above) return true;
  return false;
}

/// The path of `n` and then `name`. False: something on the way has no name.
bool path_of(const PathNode* n, const PathNode* root, std::string_view name, std::string& to) {
  size_t length = name.empty() ? 0 : name.size() + 1;
  for (const PathNode* p = n; p != root; p = p->parent) {
    if (!p || p->name.empty()) return false;
    length += p->name.size() + 1;
  }
  if (length == 0) {
    to = "/";
    return true;
  }
  to.resize(length);
  auto prepend = [&](std::string_view part) {
    length -= part.size();
    part.copy(to.data() + length, part.size());
    to[--length] = '/';
  };
  if (!name.empty()) prepend(name);
  for (const PathNode* p = n; p != root; p = p->parent) prepend(p->name);
  return true;
}

}  // namespace

PathTable::PathTable(int keep) : keep_(keep), root_(nodes_.emplace(1).node) { root_->directory = true; }
PathTable::~PathTable() = default;

// ---- paths in use ----

PathTable::Held& PathTable::Held::operator=(Held&& o) noexcept {
  if (this == &o) return *this;
  release();
  table_ = std::exchange(o.table_, nullptr);
  one_ = std::move(o.one_);
  two_ = std::move(o.two_);
  return *this;
}

void PathTable::Held::release() {
  PathTable* t = std::exchange(table_, nullptr);
  if (!t) return;
  std::lock_guard lock(t->m_);
  t->give_back(one_);
  t->give_back(two_);
  if (t->waiting_ > 0) t->changed_.notify_all();
}

Result<PathTable::Held::Part> PathTable::plan(const Place& place) {
  Held::Part part;
  part.from = nodes_.find(place.node);
  if (!part.from) return err(ESTALE);
  if (!path_of(part.from, root_, place.name, part.text)) {
    // A kernel that met a file's name just before it went to another file looks it up again after ESTALE.
    bool other_file = place.name.empty() && !part.from->directory;
    if (!place.nameless) return err(other_file ? ESTALE : ENOENT);
    part.from = nullptr;
  }
  // A name that nobody has looked up gets its node now, for those to wait at who look it up meanwhile.
  if (place.exclusive && part.from) part.exclusive = find_or_make(*part.from, place.name);
  return part;
}

PathTable::Try PathTable::check(const Held::Part& part, bool patient) {
  for (const PathNode* n = part.from; n; n = n->parent)
    if (n->exclusive || (patient && n->wanted > 0)) return Try::wait;
  if (const PathNode* e = part.exclusive; e && (e->exclusive || e->users > 0)) return Try::wait;
  return Try::done;
}

void PathTable::take(Held::Part& part) {
  for (PathNode* n = part.from; n; n = n->parent) n->users++;
  if (part.exclusive) part.exclusive->exclusive = true;
}

void PathTable::give_back(Held::Part& part) {
  if (part.exclusive) {
    part.exclusive->exclusive = false;
    free_if_unused(std::exchange(part.exclusive, nullptr));
  }
  for (PathNode* n = part.from; n;) {
    PathNode* above = n->parent;
    n->users--;
    n = above;
  }
  if (part.from) free_if_unused(std::exchange(part.from, nullptr));
}

Result<PathTable::Held> PathTable::hold(const Place& place) { return hold(&place, 1); }
Result<PathTable::Held> PathTable::hold(const Place& first, const Place& second) {
  const Place both[] = {first, second};
  return hold(both, 2);
}

/// What somebody waits for, and has new paths wait for, until it has it or gives up. The table is locked.
class PathTable::Wish {
 public:
  explicit Wish(PathTable& t) : table_(t) {}
  ~Wish() { become({}); }
  Wish(const Wish&) = delete;
  Wish& operator=(const Wish&) = delete;
  void become(std::array<PathNode*, 2> now) {
    for (PathNode* n : now)
      if (n) n->wanted++;
    bool others_may_go_on = false;
    for (PathNode* n : std::exchange(nodes_, now))
      if (n && --n->wanted == 0) {
        others_may_go_on = true;
        table_.free_if_unused(n);
      }
    if (others_may_go_on && table_.waiting_ > 0) table_.changed_.notify_all();
  }

 private:
  PathTable& table_;
  std::array<PathNode*, 2> nodes_{};
};

Result<PathTable::Held> PathTable::hold(const Place* places, size_t count) {
  std::unique_lock lock(m_);
  Wish wish(*this);
  for (;;) {
    Held held;
    std::array<Held::Part*, 2> parts{&held.one_, &held.two_};
    Try result = Try::done;
    Errno error{};
    for (size_t i = 0; i < count && error == Errno{}; i++) {
      auto part = plan(places[i]);
      if (part)
        *parts[i] = std::move(*part);
      else
        error = part.error();
    }
    PathNode *first = held.one_.exclusive, *second = held.two_.exclusive;
    if (first == second) held.two_.exclusive = second = nullptr;
    if (error == Errno{} && first && lies_in(held.two_.from, first)) error = err(EINVAL);
    if (error == Errno{} && second && lies_in(held.one_.from, second)) error = err(ENOTEMPTY);
    if (error != Errno{}) {
      free_if_unused(first);
      free_if_unused(second);
      return error;
    }
    // Who wants a name does not give way to others who want one: they might wait for each other.
    bool patient = !first && !second;
    for (size_t i = 0; i < count; i++)
      if (check(*parts[i], patient) == Try::wait) result = Try::wait;
    if (result == Try::done) {
      for (size_t i = 0; i < count; i++) take(*parts[i]);
      held.table_ = this;
      return held;
    }
    // What is wanted stays there meanwhile: exclusive or used it cannot go, and `wanted` keeps it.
    wish.become({first, second});
    waiting_++;
    changed_.wait(lock);
    waiting_--;
  }
}

// ---- names ----

PathNode* PathTable::find_locked(const PathNode* dir, std::string_view name) const {
  auto at = names_.find(Key{dir, name});
  return at == names_.end() ? nullptr : *at;
}

PathNode* PathTable::find_or_make(PathNode& dir, std::string_view name) {
  if (PathNode* n = find_locked(&dir, name)) return n;
  auto made = nodes_.prepare();
  try {
    this->name(*made.node, dir, name);
  } catch (...) {
    nodes_.discard(made);
    throw;
  }
  nodes_.publish(made, 0);
  return made.node;
}

NodeId PathTable::find(NodeId dir, std::string_view name) const {
  std::lock_guard lock(m_);
  const PathNode* d = nodes_.find(dir);
  const PathNode* n = d ? find_locked(d, name) : nullptr;
  return n && n->looked_up ? NodeTable<PathNode>::id_of(*n) : NodeId::none;
}

Result<NodeId> PathTable::find(std::string_view path) const {
  std::lock_guard lock(m_);
  const PathNode* n = root_;
  while (!path.empty()) {
    std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    if (part.empty()) continue;
    n = find_locked(n, part);
    if (!n || !n->looked_up) return err(ENOENT);
  }
  return NodeTable<PathNode>::id_of(*n);
}

void PathTable::name(PathNode& n, PathNode& dir, std::string_view text) {
  n.name = text;
  n.parent = &dir;
  try {
    names_.insert(&n);
  } catch (...) {
    n.name.clear();
    n.parent = nullptr;
    throw;
  }
  dir.children++;
}

void PathTable::unname(PathNode& n) {
  PathNode* dir = n.parent;
  names_.erase(&n);
  n.name.clear();
  n.parent = nullptr;
  dir->children--;
  free_if_unused(dir);
}

void PathTable::count_up(PathNode& n) {
  unkeep(n);
  n.looked_up = true;
  NodeTable<PathNode>::add_lookup(n);
}

Result<NodeId> PathTable::look_up(NodeId dir, std::string_view name) {
  std::lock_guard lock(m_);
  PathNode* d = nodes_.find(dir);
  if (!d) return err(ESTALE);
  PathNode* n = find_or_make(*d, name);
  count_up(*n);
  return NodeTable<PathNode>::id_of(*n);
}

Status PathTable::look_up(NodeId node) {
  std::lock_guard lock(m_);
  PathNode* n = nodes_.find(node);
  if (!n) return err(ESTALE);
  count_up(*n);
  return Unit{};
}

Result<NodeId> PathTable::look_up_parent(NodeId node) {
  std::lock_guard lock(m_);
  PathNode* n = nodes_.find(node);
  if (!n) return err(ESTALE);
  if (!n->parent) return err(ENOENT);
  count_up(*n->parent);
  return NodeTable<PathNode>::id_of(*n->parent);
}

void PathTable::remove(NodeId dir, std::string_view name) {
  std::lock_guard lock(m_);
  PathNode* d = nodes_.find(dir);
  PathNode* n = d ? find_locked(d, name) : nullptr;
  if (!n) return;
  unname(*n);
  unkeep(*n);
  free_if_unused(n);
}

void PathTable::rename(NodeId dir, std::string_view name, NodeId to_dir, std::string_view to_name) {
  std::lock_guard lock(m_);
  PathNode *d = nodes_.find(dir), *to = nodes_.find(to_dir);
  if (!d || !to) return;
  PathNode *n = find_locked(d, name), *there = find_locked(to, to_name);
  if (there && there == n) return;
  if (there) {
    unname(*there);
    unkeep(*there);
    free_if_unused(there);
  }
  if (!n) return;
  unname(*n);
  this->name(*n, *to, to_name);
}

void PathTable::exchange(NodeId dir, std::string_view name, NodeId to_dir, std::string_view to_name) {
  std::lock_guard lock(m_);
  PathNode *d = nodes_.find(dir), *to = nodes_.find(to_dir);
  if (!d || !to) return;
  PathNode *n = find_locked(d, name), *there = find_locked(to, to_name);
  if (n == there) return;
  if (n) unname(*n);
  if (there) unname(*there);
  if (n) this->name(*n, *to, to_name);
  if (there) this->name(*there, *d, name);
}

// ---- life ----

void PathTable::forget(NodeId node, uint64_t count) {
  std::lock_guard lock(m_);
  PathNode* n = nodes_.find(node);
  if (!n || n == root_ || !nodes_.forget(*n, count)) return;
  if (keep_ > 0 && n->parent && !n->kept) {
    n->kept = true;
    n->forgotten = now_seconds();
    n->older = newest_;
    (newest_ ? newest_->newer : oldest_) = n;
    newest_ = n;
  }
  free_if_unused(n);
}

void PathTable::unkeep(PathNode& n) {
  if (!n.kept) return;
  n.kept = false;
  (n.older ? n.older->newer : oldest_) = n.newer;
  (n.newer ? n.newer->older : newest_) = n.older;
  n.older = n.newer = nullptr;
}

int PathTable::clean() {
  std::lock_guard lock(m_);
  time_t now = now_seconds();
  while (PathNode* n = oldest_) {
    time_t left = n->forgotten + keep_ - now;
    if (left > 0) return static_cast<int>(left);
    unkeep(*n);
    free_if_unused(n);
  }
  return std::max(keep_, 1);
}

/// And what only it kept there.
void PathTable::free_if_unused(PathNode* n) {
  while (n && n != root_ && NodeTable<PathNode>::lookups(*n) == 0 && n->children == 0 && n->users == 0 &&
         n->wanted == 0 && !n->exclusive && !n->kept && n->opens == 0 && !(keep_ < 0 && n->parent && n->looked_up)) {
    PathNode* dir = n->parent;
    if (dir) {
      names_.erase(n);
      dir->children--;
    }
    nodes_.erase(NodeTable<PathNode>::id_of(*n));
    n = dir;
  }
}

}  // namespace isthmus::libfuse
