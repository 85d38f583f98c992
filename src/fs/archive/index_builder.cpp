#include "fs/archive/index_builder.h"

#include <fmt/format.h>
#include <sys/stat.h>

namespace isthmus::fs::archive {

IndexBuilder::IndexBuilder(Index& index, const Limits& limits, const Node& made_up)
    : index_(index), limits_(limits), made_up_(made_up) {
  made_up_.mode = S_IFDIR | 0755;
  made_up_.nlink = 2;
  index_.nodes.push_back(made_up_);
}

bool IndexBuilder::is_dir(uint32_t node) const { return S_ISDIR(index_.nodes[node].mode); }

void IndexBuilder::note(Oddity what, std::string_view path) {
  Tally& t = tally_[static_cast<size_t>(what)];
  if (t.count++ == 0) t.first = printable(path);
}

bool IndexBuilder::within_limits() {
  if (!over_limit_.empty()) return false;
  if (index_.nodes.size() >= limits_.entries || index_.names.size() >= limits_.entries)
    over_limit_ = fmt::format("more than {} entries (max_entries)", limits_.entries);
  else if (index_.memory() > limits_.memory)
    over_limit_ = fmt::format("its index needs more than {} MiB of memory (max_index_memory)", limits_.memory >> 20);
  return over_limit_.empty();
}

uint32_t IndexBuilder::make_node(const Node& n) {
  index_.nodes.push_back(n);
  index_.nodes.back().nlink = S_ISDIR(n.mode) ? 2 : 0;
  return static_cast<uint32_t>(index_.nodes.size() - 1);
}

void IndexBuilder::set_name(uint32_t dir, std::string_view name, uint32_t node) {
  if (is_dir(node)) {
    index_.nodes[node].parent = dir;
    index_.nodes[dir].nlink++;
  } else {
    index_.nodes[node].nlink++;
  }
  if (uint32_t at = index_.find(dir, name); at != kNone) {
    Node& old = index_.nodes[index_.names[at].node];
    old.nlink--;
    index_.names[at].node = node;
    return;
  }
  index_.names.push_back({index_.arena.put(name), name.size(), dir, node});
  index_.insert(static_cast<uint32_t>(index_.names.size() - 1));
  index_.nodes[dir].name_count++;
}

// kNone, and a note, when the path leads nowhere. Leaves the last component in parts_.back(); parts_ is empty for the
// root.
uint32_t IndexBuilder::parent_of(std::string_view path) {
  switch (split_path(path, parts_)) {
    case PathFault::none:
      break;
    case PathFault::dotdot:
      note(Oddity::dotdot, path);
      return kNone;
    case PathFault::too_long:
      note(Oddity::too_long, path);
      return kNone;
    case PathFault::empty:
      note(Oddity::bad_name, path);
      return kNone;
  }
  if (parts_.size() < 2) return 0;
  std::string_view dir_text(path.data(), static_cast<size_t>(parts_.back().data() - path.data()));
  if (dir_text == last_dir_text_ && is_dir(last_dir_)) return last_dir_;
  uint32_t dir = 0;
  for (size_t i = 0; i + 1 < parts_.size(); i++) {
    uint32_t at = index_.find(dir, parts_[i]);
    uint32_t below = at == kNone ? kNone : index_.names[at].node;
    if (below == kNone) {
      if (!within_limits()) return kNone;
      below = make_node(made_up_);
      set_name(dir, parts_[i], below);
    } else if (!is_dir(below)) {
      note(Oddity::under_file, path);
      return kNone;
    }
    dir = below;
  }
  last_dir_text_ = dir_text;
  last_dir_ = dir;
  return dir;
}

bool IndexBuilder::place(std::string_view path, uint32_t node) {
  // The parent was found by the caller a moment ago: parts_ and last_dir_ still hold it.
  uint32_t dir = parts_.size() < 2 ? 0 : last_dir_;
  uint32_t at = index_.find(dir, parts_.back());
  if (at != kNone) {
    uint32_t old = index_.names[at].node;
    if (is_dir(old)) {
      note(Oddity::over_directory, path);
      return false;
    }
    if (old == node) return true;
    note(Oddity::duplicate, path);
  }
  set_name(dir, parts_.back(), node);
  return true;
}

bool IndexBuilder::add(std::string_view path, const Node& node) {
  if (!within_limits()) return false;
  uint32_t dir = parent_of(path);
  if (dir == kNone) return over_limit_.empty();
  if (S_ISDIR(node.mode)) {
    uint32_t old = 0;
    if (!parts_.empty()) {
      uint32_t at = index_.find(dir, parts_.back());
      old = at == kNone ? kNone : index_.names[at].node;
    }
    if (old != kNone && is_dir(old)) {  // a directory after its content, or a second time: only its attributes count
      Node& o = index_.nodes[old];
      Node n = node;
      n.parent = o.parent;
      n.name_count = o.name_count;
      n.nlink = o.nlink;
      o = n;
      return true;
    }
    if (old != kNone) note(Oddity::duplicate, path);
    set_name(dir, parts_.back(), make_node(node));
    return true;
  }
  if (parts_.empty()) {  // a file that is called "/" or "."
    note(Oddity::over_directory, path);
    return true;
  }
  if (uint32_t at = index_.find(dir, parts_.back()); at != kNone && is_dir(index_.names[at].node)) {
    note(Oddity::over_directory, path);
    return true;
  }
  place(path, make_node(node));
  return true;
}

uint32_t IndexBuilder::find_file(std::string_view path) {
  std::vector<std::string_view> parts;
  if (split_path(path, parts) != PathFault::none || parts.empty()) return kNone;
  uint32_t at = 0;
  for (auto p : parts) {
    uint32_t name = index_.find(at, p);
    if (name == kNone) return kNone;
    at = index_.names[name].node;
  }
  return is_dir(at) ? kNone : at;
}

bool IndexBuilder::add_link(std::string_view path, std::string_view target, const Node& node) {
  if (!within_limits()) return false;
  uint32_t file = find_file(target);
  if (file == kNone) {
    if (links_.size() >= limits_.entries / 4 + 16) {
      note(Oddity::lost_link, path);
      return true;
    }
    links_.push_back({std::string(path), std::string(target), node});
    index_.side_memory_ += sizeof(Link) + path.size() + target.size();
    return true;
  }
  if (parent_of(path) == kNone) return over_limit_.empty();
  if (parts_.empty()) {
    note(Oddity::over_directory, path);
    return true;
  }
  if (!place(path, file)) return true;
  Node& n = index_.nodes[file];
  if (node.plan != Plan::none && S_ISREG(n.mode)) {
    n.size = node.size;
    n.where = node.where;
    n.ordinal = node.ordinal;
    n.plan = node.plan;
    n.encrypted = node.encrypted;
    if (index_.sparse_map(node)) n.extra = node.extra;
  }
  return true;
}

void IndexBuilder::finish() {
  // A link may lead to a link that is itself waiting: as many rounds as still find something.
  for (size_t before = SIZE_MAX; !links_.empty() && links_.size() < before && over_limit_.empty();) {
    before = links_.size();
    std::vector<Link> waiting;
    waiting.swap(links_);
    for (auto& l : waiting) add_link(l.path, l.target, l.node);
    if (before > 4096) break;
  }
  for (auto& l : links_) note(Oddity::lost_link, l.path);
  links_.clear();
  links_.shrink_to_fit();

  std::vector<uint32_t>().swap(index_.table_);
  uint32_t at = 0;
  for (Node& n : index_.nodes) {
    if (!S_ISDIR(n.mode)) continue;
    n.first_name = at;
    at += n.name_count;
  }
  // Into each directory's range, keeping the order of the archive.
  std::deque<Name> grouped(index_.names.size());
  std::vector<uint32_t> next(index_.nodes.size());
  for (const Name& n : index_.names) grouped[index_.nodes[n.parent].first_name + next[n.parent]++] = n;
  index_.names.swap(grouped);
  size_t slots = 64;
  while (slots * 3 < index_.names.size() * 4 + 4) slots *= 2;
  index_.table_used_ = index_.names.size();
  index_.grow_table(slots);
}

}  // namespace isthmus::fs::archive
