#include "vfs/volume/listing_flow.h"

#include <algorithm>

#include "base/clock.h"

namespace isthmus::volume {
namespace {

bool is_dots(std::string_view name) { return name == "." || name == ".."; }

/// Whether the provider would tell no more than is known. Attributes are learned together and grow old together.
bool knows_most(Cache& cache, NodeId dir, const Listed& listed) {
  constexpr size_t kTried = 32;
  const size_t n = std::min(listed.size(), kTried);
  const int64_t now = monotonic_ns();
  size_t known = 0;
  for (size_t i = 0; i < n; i++) {
    const std::string_view name = listed.name(listed[listed.size() * i / n]);
    known += is_dots(name) || cache.knows(dir, name, now);
  }
  return known * 2 >= n;
}

}  // namespace

bool list_from_cache(Core& core, OpenFile& dir, const op::ReadDir& a) {
  if (!dir.lists) return false;
  std::shared_ptr<const Listed> from;
  size_t at = 0;
  {
    std::lock_guard lock(dir.m);
    Reading& r = dir.reading;
    if (a.cookie == 0) {
      r = {};
      r.from = core.cache.listings().find(dir.node);
      if (r.from && a.with_attr && !knows_most(core.cache, dir.node, *r.from)) r.from = nullptr;
      if (!r.from) {
        r.made = std::make_shared<Listed>();
        r.since = core.cache.begin();
      }
    }
    // A provider may leave out what a pattern does not want.
    if (!a.pattern.empty()) r.made = nullptr;
    if (!r.from) return false;
    const auto found = r.from->behind(a.cookie, r.next);
    if (!found) {  // the provider may know the place
      r = {};
      return false;
    }
    from = r.from;
    at = *found;
  }
  const int64_t now = monotonic_ns();
  for (; at < from->size(); at++) {
    const Listed::Item& item = (*from)[at];
    const std::string_view name = from->name(item);
    DirEntry e{item.ino, item.cookie, item.type, name, nullptr};
    std::optional<Entry> known;
    if (a.with_attr && !is_dots(name)) known = core.cache.find(dir.node, name, now);
    if (known && known->node != NodeId::none) e.with = &*known;
    if (a.sink->add(e)) continue;
    if (e.with) core.leave(known->node);
    break;
  }
  std::lock_guard lock(dir.m);
  dir.reading.next = at;
  return true;
}

void note_listed(Core& core, OpenFile& dir, uint64_t behind, const DirEntry& e) {
  if (!dir.lists) return;
  std::lock_guard lock(dir.m);
  Reading& r = dir.reading;
  if (!r.made) return;
  if (r.made_to != behind || r.made->size() >= core.cache.listings().most()) {
    r.made = nullptr;
    return;
  }
  r.made->add(e);
  r.made_to = e.cookie;
}

void note_end(Core& core, OpenFile& dir, uint64_t behind) {
  if (!dir.lists) return;
  std::lock_guard lock(dir.m);
  Reading& r = dir.reading;
  if (r.made && r.made_to == behind) core.cache.listings().keep(dir.node, std::move(r.made), r.since);
  r.made = nullptr;
}

}  // namespace isthmus::volume
