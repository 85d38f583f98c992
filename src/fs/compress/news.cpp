#include "fs/compress/news.h"

namespace isthmus::fs::compress {

/// A node below can stand for two here: one file with a name of either kind.
template <class F>
void CompressFs::News::each(NodeId inner, F f) {
  for (Kind kind : {Kind::packed, Kind::plain})
    if (NodeRef n = find(inner, kind)) f(*n, n->id.load());
}

/// Null when no door knows it.
NodeRef CompressFs::News::find(NodeId inner, Kind kind) {
  std::shared_lock lock(m_);
  NodeRef n = closed_ ? nullptr : fs_.nodes_->find(inner, kind);
  return n && n->id.load() != NodeId::none ? n : nullptr;
}

void CompressFs::News::close() {
  std::unique_lock lock(m_);
  closed_ = true;
}

void CompressFs::News::invalidate_node(NodeId inner, uint64_t offset, uint64_t length) {
  each(inner, [&](Node& n, NodeId id) {
    if (n.kind != Kind::packed) return up_.invalidate_node(id, offset, length);
    // Any stored byte may be about any plain one.
    n.stale = true;
    up_.invalidate_node(id, 0, 0);
  });
}

void CompressFs::News::invalidate_attr(NodeId inner) {
  each(inner, [&](Node&, NodeId id) { up_.invalidate_attr(id); });
}

void CompressFs::News::invalidate_entry(NodeId dir, std::string_view name) {
  if (is_temporary(name)) return;
  each(dir, [&](Node&, NodeId id) {
    // Which of both is shown may be what has changed; and a plain file gives NAME.zst its own name.
    up_.invalidate_entry(id, name);
    if (has_suffix(name)) up_.invalidate_entry(id, without_suffix(name));
    up_.invalidate_entry(id, with_suffix(name));
  });
}

void CompressFs::News::deleted(NodeId dir, NodeId child, std::string_view name) {
  if (is_temporary(name)) return;
  NodeRef packed = find(child, Kind::packed);
  if (packed && has_suffix(name))
    each(dir, [&](Node&, NodeId id) { up_.deleted(id, packed->id.load(), without_suffix(name)); });
  invalidate_entry(dir, name);
}

void CompressFs::News::store(NodeId inner, uint64_t offset, const Buffer& data) {
  each(inner, [&](Node& n, NodeId id) {
    if (n.kind != Kind::packed) up_.store(id, offset, data);
  });
}

void CompressFs::News::changed(NodeId dir, std::string_view name, uint32_t what) {
  if (is_temporary(name)) return;
  each(dir, [&](Node&, NodeId id) { up_.changed(id, has_suffix(name) ? without_suffix(name) : name, what); });
}

}  // namespace isthmus::fs::compress
