#include <utility>

#include "fs/mem/mem_fs.h"

/// Telling watchers what changed.
namespace isthmus::fs::mem {

Result<HandleId> MemFs::watch(const Context&, const op::Watch& a) {
  auto n = find(a.node, Op::Watch);
  if (!n) return n.error();
  hold(**n);
  std::unique_lock lock(watch_m_);
  uint64_t id = next_watch_++;
  watches_.emplace(id, Watch{*n, a.what, a.subtree});
  watch_count_.fetch_add(1, std::memory_order_relaxed);
  return HandleId{id};
}

Result<Unit> MemFs::unwatch(const Context&, const op::Unwatch& a) {
  Inode* n = nullptr;
  {
    std::unique_lock lock(watch_m_);
    auto it = watches_.find(raw(a.watch));
    if (it == watches_.end()) return err(EBADF);
    n = it->second.node;
    watches_.erase(it);
    watch_count_.fetch_sub(1, std::memory_order_relaxed);
  }
  drop(*n);
  return Unit{};
}

// Which of `what` anybody wants to hear of `dir`: its own watchers, and those of a directory above it.
uint32_t MemFs::wanted(Inode& dir, uint32_t what) {
  uint32_t bits = 0;
  Inode* at = &dir;
  hold(*at);
  for (;;) {
    bool subtrees = false;
    {
      std::shared_lock lock(watch_m_);
      for (auto& [id, w] : watches_) {
        subtrees |= w.subtree;
        if (w.node == at && (w.subtree || at == &dir)) bits |= w.what & what;
      }
    }
    Inode* above = at;
    if (subtrees && bits != what) {
      Shared lock(at->m);
      above = at->parent;
      if (above != at) hold(*above);
    }
    if (above == at) break;
    drop(*std::exchange(at, above));
  }
  drop(*at);
  return bits;
}

void MemFs::notify(Inode& dir, std::string_view name, uint32_t what) {
  if (!watching() || !up()) return;
  if (uint32_t bits = wanted(dir, what)) up()->changed(id_of(dir), name, bits);
}

// A change of the node itself: to those who watch it, and to those who watch the directory where its newest name is.
void MemFs::notify_node(Inode& n, uint32_t what) {
  if (!watching() || !up()) return;
  uint32_t own = 0;
  {
    std::shared_lock lock(watch_m_);
    for (auto& [id, w] : watches_)
      if (w.node == &n) own |= w.what & what;
  }
  if (own) up()->changed(id_of(n), {}, own);
  Inode* dir = nullptr;
  uint64_t cookie = 0;
  {
    Shared lock(n.m);
    if (n.nlink == 0 || !n.parent || n.parent == &n) return;
    dir = n.parent;
    cookie = n.cookie;
    hold(*dir);  // alive: it has this name
  }
  std::string name;
  {
    Shared lock(dir->m);
    if (const Dirent* e = dir->dir().at(cookie); e && e->node == &n) name = e->name();
  }
  if (!name.empty()) notify(*dir, name, what);
  drop(*dir);
}

}  // namespace isthmus::fs::mem
