// Renaming, where what stands for a name depends on what it names.
#include <sys/stat.h>

#include <algorithm>

#include "fs/compress/compress_fs.h"

namespace isthmus::fs::compress {
namespace {

constexpr uint32_t kNoReplace = 1, kExchange = 2;  // RENAME_*

/// Where something of this kind lies below when it is shown as `name`. EXDEV: it would be shown with another content,
/// so it has to be copied.
Result<std::string> stored_as(Kind kind, std::string_view stored, std::string_view name) {
  if (kind == Kind::plain && (has_suffix(stored) || has_suffix(name))) return err(EXDEV);
  auto s = kind == Kind::packed ? packed_name(name) : other_name(name);
  if (!s) return err(ENAMETOOLONG);
  return std::move(*s);
}

}  // namespace

Status CompressFs::rename(const Context& ctx, const op::Rename& a) {
  auto dir = nodes_->get(a.dir, Op::Rename);
  if (!dir) return dir.error();
  auto to = nodes_->get(a.to_dir, Op::Rename);
  if (!to) return to.error();
  if (a.flags & ~(kNoReplace | kExchange) || a.flags == (kNoReplace | kExchange)) return err(EINVAL);
  if (is_temporary(a.name)) return err(ENOENT);
  if (is_temporary(a.to_name)) return err(EPERM);
  Node *first = dir->get(), *second = to->get();
  if (std::less<Node*>()(second, first)) std::swap(first, second);
  std::unique_lock one(first->names);
  std::unique_lock two(second->names, std::defer_lock);
  if (first != second) two.lock();
  return rename_locked(ctx, *dir, *to, a);
}

Status CompressFs::rename_locked(const Context& ctx, const NodeRef& dir, const NodeRef& to, const op::Rename& a) {
  const InnerRef from_in = dir->inner(), to_in = to->inner();
  Ttl absent = 0;
  auto from = find(ctx, from_in->node, a.name, absent);
  if (!from) return from.error();
  if (from->entry.node == NodeId::none) return err(ENOENT);
  const Inner from_held(*tree_, from->entry.node, 1);
  auto target = find(ctx, to_in->node, a.to_name, absent);
  if (!target) return target.error();
  const bool exists = target->entry.node != NodeId::none;
  const Inner target_held(*tree_, target->entry.node, exists ? 1 : 0);
  if ((a.flags & kNoReplace) && exists) return err(EEXIST);
  if ((a.flags & kExchange) && !exists) return err(ENOENT);

  auto stored = stored_as(from->kind, from->stored, a.to_name);
  if (!stored) return stored.error();
  op::Rename r;
  r.dir = from_in->node;
  r.name = from->stored;
  r.to_dir = to_in->node;
  r.to_name = *stored;
  r.flags = a.flags;
  if (a.flags & kExchange) {
    auto back = stored_as(target->kind, target->stored, a.name);
    if (!back) return back.error();
    auto s = *stored == target->stored && *back == from->stored
                 ? below(ctx, r)
                 : exchange_in_two(ctx, r, {*stored, to_in->node, target->stored, from_in->node, *back});
    if (!s) return s;
    renamed(*from, dir, to, *stored);
    renamed(*target, to, dir, *back);
    return Unit{};
  }

  const bool aside = exists && target->stored != *stored;  // the target has the name by another one below
  const bool onto_dir = aside && S_ISDIR(target->entry.attr.mode);
  if (aside) {
    if (onto_dir && !S_ISDIR(from->entry.attr.mode))
      return target->entry.node == from_in->node ? err(ENOTEMPTY) : err(EISDIR);
    if (!onto_dir && S_ISDIR(from->entry.attr.mode)) return err(ENOTDIR);
    auto other = look(ctx, to_in->node, *stored);
    if (!other) return other.error();
    if (other->node != NodeId::none) {
      undo(*other);
      return err(EEXIST);
    }
    if (onto_dir)
      if (auto s = below(ctx, op::Rmdir{{}, to_in->node, target->stored}); !s) return s;
  }
  auto s = below(ctx, r);
  // While both are there the plain one is shown: what replaces it is seen when it is gone.
  if (s && aside && !onto_dir) s = below(ctx, op::Unlink{{}, to_in->node, target->stored});
  if (!s) return s;
  if (from->entry.node == target->entry.node) return Unit{};  // two names of one file, which both stay
  if (exists) unnamed(*target, to);
  renamed(*from, dir, to, *stored);
  return Unit{};
}

/// Exchanges what has names of different kinds below, in two steps: each goes to a name that is free. In between both
/// lie under the second one's name, where the file is shown with its ending.
Status CompressFs::exchange_in_two(const Context& ctx, op::Rename first, const Exchange& e) {
  for (auto& [dir, name] : {std::pair(e.to, e.stored), std::pair(e.back_to, e.back)}) {
    auto taken = look(ctx, dir, name);
    if (!taken) return taken.error();
    if (taken->node == NodeId::none) continue;
    undo(*taken);
    return err(EEXIST);
  }
  first.to_name = e.stored;
  first.flags = 0;
  if (auto s = below(ctx, first); !s) return s;
  op::Rename second;
  second.dir = e.to;
  second.name = e.target;
  second.to_dir = e.back_to;
  second.to_name = e.back;
  auto s = below(ctx, second);
  if (s) return s;
  std::swap(first.dir, first.to_dir);
  std::swap(first.name, first.to_name);
  (void)below(ctx, first);
  return s;
}

void CompressFs::renamed(const Found& f, const NodeRef& dir, const NodeRef& to, const std::string& stored) {
  NodeRef n = f.kind == Kind::packed ? nodes_->find(f.entry.node, f.kind) : nullptr;
  if (!n) return;
  NodeRef home = to;
  std::lock_guard lock(n->m);
  std::erase(n->places, Place{dir, f.stored});
  n->places.push_back({to, stored});
  n->home.swap(home);
}

void CompressFs::unnamed(const Found& f, const NodeRef& dir) {
  NodeRef n = f.kind == Kind::packed ? nodes_->find(f.entry.node, f.kind) : nullptr;
  if (!n) return;
  std::lock_guard lock(n->m);
  std::erase(n->places, Place{dir, f.stored});
}

}  // namespace isthmus::fs::compress
