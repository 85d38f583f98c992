#include "doors/fuse/interrupts.h"

#include <algorithm>

#include "doors/fuse/exchange.h"

namespace isthmus::fuse {

void Interrupts::add(Exchange& x) {
  uint64_t unique = x.in().header->unique;
  Shard& s = shard(unique);
  bool early = false;
  {
    std::lock_guard lock(s.m);
    Exchange*& head = bucket(s, unique);
    x.next_ = head;
    head = &x;
    x.listed_ = true;
    if (auto* e = std::find(s.early.begin(), s.early.end(), unique); unique != 0 && e != s.early.end()) {
      *e = 0;
      early = true;
    }
  }
  if (early) x.cancel_.request();
}

void Interrupts::remove(Exchange& x) {
  if (!x.listed_) return;
  uint64_t unique = x.in().header->unique;
  Shard& s = shard(unique);
  std::lock_guard lock(s.m);
  for (Exchange** at = &bucket(s, unique); *at; at = &(*at)->next_) {
    if (*at != &x) continue;
    *at = x.next_;
    break;
  }
  x.next_ = nullptr;
  x.listed_ = false;
}

Exchange* Interrupts::find(uint64_t unique) {
  Shard& s = shard(unique);
  std::lock_guard lock(s.m);
  for (Exchange* x = bucket(s, unique); x; x = x->next_) {
    if (x->in().header->unique != unique) continue;
    x->refs_.fetch_add(1, std::memory_order_relaxed);
    return x;
  }
  s.early[s.next_early++ % kEarly] = unique;
  return nullptr;
}

std::vector<Exchange*> Interrupts::all() {
  std::vector<Exchange*> out;
  for (Shard& s : shards_) {
    std::lock_guard lock(s.m);
    for (Exchange* head : s.buckets)
      for (Exchange* x = head; x; x = x->next_) {
        x->refs_.fetch_add(1, std::memory_order_relaxed);
        out.push_back(x);
      }
  }
  return out;
}

}  // namespace isthmus::fuse
