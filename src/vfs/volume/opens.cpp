#include "vfs/volume/opens.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "vfs/context.h"

namespace isthmus::volume {

// The time a holder has to give a lease back.
class Opens::Break final : public TimerItem {
 public:
  Break(Opens& o, NodeId n) : opens_(o), node_(n) {}
  void fire() noexcept override { opens_.timed_out(node_, *this); }

 private:
  Opens& opens_;
  const NodeId node_;
};

// `over` is set once, by who goes on: whoever makes room, or the canceller.
struct Opens::Waiter {
  Wish wish;
  Cancel* cancel;
  std::function<void(Errno)> then;
  std::atomic<bool> over{false};
};

namespace {

/// Whether an open is more than a look at attributes, for who holds a lease or an oplock.
bool is_use(uint8_t access, bool oplock) {
  return (access & ~(oplock ? kAccessDetach : kAccessControl | kAccessDetach)) != 0;
}

/// What other holders keep of a lease. Whoever has one of a directory may know what is said of itself by it.
uint8_t kept_by(const Opens::Wish& w, bool oplock, bool directory) {
  switch (w.use) {
    case Use::open:
      if (w.truncates) return kLeaseNone;
      return static_cast<uint8_t>(kLeaseAll & ~(is_use(w.access, oplock) ? kLeaseWrite : 0) &
                                  ~(w.access & kAccessDetach ? kLeaseHandle : 0));
    case Use::attribute:
      if (directory) return kLeaseNone;
      return kLeaseRead | kLeaseHandle;
    case Use::read:
      return kLeaseRead | kLeaseHandle;
    case Use::detach:
      return kLeaseRead | kLeaseWrite;
    case Use::change:
    case Use::entries:
    case Use::lock:
      return kLeaseNone;
  }
  return kLeaseNone;
}

}  // namespace

Opens::Opens(std::chrono::milliseconds break_time, Tell tell)
    : tell_(std::move(tell)), timers_("vol/lease", break_time) {}

Opens::~Opens() = default;

// One lease key of one door is one holder, whatever handles it has; without a key every handle is.
bool Opens::same(const Actor& a, HandleId ah, const Actor& b, HandleId bh) {
  if (a.port != b.port) return false;
  if (a.lease_key || b.lease_key) return a.lease_key == b.lease_key;
  return ah != HandleId::none && ah == bh;
}

// The client that says which lease it has of the directory knows what it does there.
bool Opens::spares(const Wish& w, const Lease& l) {
  if (same(l.who, l.handle, w.who, w.handle)) return true;
  return w.use == Use::entries && w.who.parent_lease_key != 0 && l.who.port == w.who.port &&
         l.who.lease_key == w.who.parent_lease_key;
}

// Has the lease shrink to at most `keep`. True: the holder must say so first, for what it may not have written back or
// closed. One step at a time: until the holder has answered it hears of nothing else.
bool Opens::take_back(Lease& l, NodeId node, Use use, uint8_t keep, After& after) {
  const bool matters = (l.bits & ~keep & (use == Use::detach ? kLeaseWrite | kLeaseHandle : kLeaseWrite)) != 0;
  if (l.breaking) {
    l.keep &= keep;
    l.waits |= matters;
    return l.waits && keep != kLeaseAll;
  }
  l.waits = matters;
  shrink_to(l, node, keep, after);
  return l.breaking && l.waits;
}

void Opens::shrink_to(Lease& l, NodeId node, uint8_t keep, After& after) {
  uint8_t to = l.bits & keep;
  if (!(to & kLeaseRead)) to = kLeaseNone;  // nothing is worth anything without it
  if (to == l.bits) return;
  if (l.oplock) to &= kLeaseRead;  // it has no states between
  l.to = to;
  after.news.push_back({l.who.port, node, l.handle, to});
  if (l.bits == kLeaseRead) {  // nothing to write back, no files to close
    l.bits = to;
    return;
  }
  l.breaking = std::make_shared<Break>(*this, node);
  timers_.add(*l.breaking);
}

// The holder has answered, or not in time. What was taken back meanwhile follows: of handles first, of reads then.
void Opens::settle(File& f, Lease& l, NodeId node, uint8_t bits, After& after) {
  l.bits = bits;
  timers_.remove(*l.breaking);
  l.breaking.reset();
  const uint8_t keep = std::exchange(l.keep, kLeaseAll);
  shrink_to(l, node, l.bits & kLeaseHandle ? keep | kLeaseRead : keep, after);
  if (l.breaking) l.keep = keep;
  wake(f, after);
}

std::optional<Errno> Opens::attempt(File& f, const Wish& w, After& after) {
  bool wait = false;
  // Share modes first: a holder of a handle lease may have closed already, but for the caching client.
  bool refused = false;
  uint8_t access = w.access;
  if (w.use == Use::detach) access = kAccessDelete;
  bool judged = w.use == Use::open || w.use == Use::detach || w.handle == HandleId::none;
  for (const Open& o : f.opens) {
    if (!judged || (w.use != Use::open && o.handle == w.handle)) continue;
    bool theirs = access & kShareAll & ~o.share, mine = w.use == Use::open && (o.access & kShareAll & ~w.share);
    if (!theirs && !mine) continue;
    bool may_close = false;
    for (Lease& l : f.leases)
      if (same(l.who, l.handle, o.who, o.handle) && (l.bits & kLeaseHandle) && !same(l.who, l.handle, w.who, w.handle))
        may_close |= take_back(l, w.node, Use::detach, kLeaseRead | kLeaseWrite, after);
    wait |= may_close;
    refused |= !may_close;
  }
  if (refused) return err(EBUSY);
  if (wait) return {};  // the rest is asked of who has not closed
  for (Lease& l : f.leases)
    if (!spares(w, l))
      wait |= take_back(l, w.node, w.access & kAccessDetach ? Use::detach : w.use, kept_by(w, l.oplock, l.directory),
                        after);
  sweep(f);
  if (wait) return {};
  if (w.use == Use::open) {
    f.opens.push_back({w.handle, w.who, w.access, w.share});
    if (w.share != kShareAll) held_.fetch_add(1, std::memory_order_relaxed);
  }
  return Errno{};
}

void Opens::wake(File& f, After& after) {
  for (auto& w : f.waiters) after.woken.push_back(std::move(w));
  f.waiters.clear();
}

void Opens::add(File& f, Lease l) {
  leases_.fetch_add(1, std::memory_order_relaxed);
  held_.fetch_add(1, std::memory_order_relaxed);
  if (l.directory) directories_.fetch_add(1, std::memory_order_relaxed);
  f.leases.push_back(std::move(l));
}

void Opens::uncount(const Lease& l) {
  leases_.fetch_sub(1, std::memory_order_relaxed);
  held_.fetch_sub(1, std::memory_order_relaxed);
  if (l.directory) directories_.fetch_sub(1, std::memory_order_relaxed);
}

void Opens::sweep(File& f) {
  std::erase_if(f.leases, [&](const Lease& l) {
    if (l.bits != kLeaseNone || l.breaking) return false;
    uncount(l);
    return true;
  });
}

void Opens::drop(File& f, std::vector<Lease>::iterator l) {
  uncount(*l);
  f.leases.erase(l);
}

void Opens::leave(Shard& s, NodeId n) {
  if (auto it = s.files.find(n); it != s.files.end() && it->second.idle()) s.files.erase(it);
}

void Opens::run(After&& after) {
  for (auto& n : after.news) tell_(n.port, n.node, n.handle, n.bits);
  for (auto& w : after.woken) {
    // Again from the start: others may have come first.
    if (w->over.exchange(true)) continue;
    if (w->cancel) w->cancel->clear();
    use(w->wish, w->cancel, std::move(w->then));
  }
}

void Opens::use(const Wish& wish, Cancel* cancel, std::function<void(Errno)> then) {
  Shard& s = shard_of(wish.node);
  if (wish.use != Use::open && idle()) return then(Errno{});
  After after;
  std::optional<Errno> r;
  {
    std::lock_guard lock(s.m);
    r = attempt(s.files[wish.node], wish, after);
    leave(s, wish.node);
  }
  run(std::move(after));
  if (r) return then(*r);

  // The cancel function must be known before anybody can go on, and is never given with a lock held.
  auto w = std::make_shared<Waiter>();
  w->wish = wish;
  w->cancel = cancel;
  w->then = std::move(then);
  if (cancel)
    cancel->on_request([w] {
      if (!w->over.exchange(true)) w->then(err(EINTR));
    });
  After later;
  bool mine = false, cancelled = false;
  {
    std::lock_guard lock(s.m);
    File& f = s.files[wish.node];
    if (!w->over.load()) {
      r = attempt(f, wish, later);
      if (!r)
        f.waiters.push_back(w);
      else if (!(mine = !w->over.exchange(true)) && *r == Errno{} && wish.use == Use::open)
        cancelled = true;
    }
    leave(s, wish.node);
  }
  run(std::move(later));
  if (cancelled) close(wish.node, wish.handle);
  if (!mine) return;
  if (cancel) cancel->clear();
  w->then(*r);
}

void Opens::close(NodeId node, HandleId handle) {
  Shard& s = shard_of(node);
  After after;
  {
    std::lock_guard lock(s.m);
    auto it = s.files.find(node);
    if (it == s.files.end()) return;
    File& f = it->second;
    auto open = std::find_if(f.opens.begin(), f.opens.end(), [&](Open& o) { return o.handle == handle; });
    if (open == f.opens.end()) return;
    Open gone = *open;
    f.opens.erase(open);
    if (gone.limits()) held_.fetch_sub(1, std::memory_order_relaxed);
    auto other = std::find_if(f.opens.begin(), f.opens.end(),
                              [&](Open& o) { return same(o.who, o.handle, gone.who, gone.handle); });
    for (auto l = f.leases.begin(); l != f.leases.end(); ++l) {
      if (!same(l->who, l->handle, gone.who, gone.handle)) continue;
      if (other != f.opens.end()) {  // the client has it open still
        l->handle = other->handle;
        break;
      }
      if (l->breaking) timers_.remove(*l->breaking);
      drop(f, l);
      break;
    }
    wake(f, after);
    leave(s, node);
  }
  run(std::move(after));
}

Result<uint8_t> Opens::lease(NodeId node, HandleId handle, uint8_t bits) {
  Shard& s = shard_of(node);
  After after;
  uint8_t now = kLeaseNone;
  {
    std::lock_guard lock(s.m);
    auto it = s.files.find(node);
    if (it == s.files.end()) return err(EBADF);
    File& f = it->second;
    auto open = std::find_if(f.opens.begin(), f.opens.end(), [&](Open& o) { return o.handle == handle; });
    if (open == f.opens.end()) return err(EBADF);
    auto l = std::find_if(f.leases.begin(), f.leases.end(),
                          [&](Lease& x) { return same(x.who, x.handle, open->who, open->handle); });
    const bool oplock = bits & kLeaseOplock, directory = bits & kLeaseDirectory;
    bits = bits & kLeaseRead ? bits & kLeaseAll : uint8_t{kLeaseNone};
    if (l != f.leases.end() && l->breaking && (bits & ~l->to)) {
      return l->bits;  // the holder has not heard yet, or asks for more meanwhile
    } else if (l != f.leases.end() && l->breaking) {
      settle(f, *l, node, bits, after);
      now = l->bits;
    } else {
      bool contended = directory || !f.waiters.empty();
      for (Open& o : f.opens) contended |= is_use(o.access, oplock) && !same(o.who, o.handle, open->who, open->handle);
      now = bits;
      for (const Lease& o : f.leases) {
        if (same(o.who, o.handle, open->who, open->handle) || o.bits == kLeaseNone) continue;
        contended = true;
        if (oplock && (o.bits & kLeaseHandle)) now = kLeaseNone;
        if (!oplock && o.oplock) now &= ~kLeaseHandle;
      }
      if (contended) now &= ~kLeaseWrite;
      if (now && l == f.leases.end()) {
        add(f, {.handle = handle, .who = open->who, .directory = directory});
        l = std::prev(f.leases.end());
      }
      if (l != f.leases.end()) {
        l->bits = now;
        l->handle = handle;
        l->oplock = oplock;
      }
    }
    if (l != f.leases.end() && now == kLeaseNone) {
      drop(f, l);
    }
    leave(s, node);
  }
  run(std::move(after));
  return now;
}

template <class F>
void Opens::each_lease(NodeId node, F&& take) {
  Shard& s = shard_of(node);
  After after;
  {
    std::lock_guard lock(s.m);
    auto it = s.files.find(node);
    if (it == s.files.end()) return;
    for (Lease& l : it->second.leases) take(l, after);
    sweep(it->second);
  }
  run(std::move(after));
}

void Opens::announce(const Wish& wish) {
  if (idle()) return;
  each_lease(wish.node, [&](Lease& l, After& after) {
    if (!spares(wish, l)) take_back(l, wish.node, wish.use, kept_by(wish, l.oplock, l.directory), after);
  });
}

void Opens::outside(NodeId node, Use use) { announce({.node = node, .use = use, .who = {}}); }

void Opens::announce_anywhere(const Actor& who) {
  if (!any_of_directories()) return;
  std::vector<NodeId> all;
  for (const Shard& s : shards_) {
    std::lock_guard lock(s.m);
    for (const auto& [node, f] : s.files)
      if (std::any_of(f.leases.begin(), f.leases.end(), [](const Lease& l) { return l.directory; }))
        all.push_back(node);
  }
  for (NodeId node : all) announce({.node = node, .use = Use::entries, .who = who});
}

void Opens::shrink(NodeId node, HandleId handle, uint8_t bits) {
  each_lease(node, [&](Lease& l, After& after) {
    if (l.handle == handle) take_back(l, node, Use::change, bits, after);
  });
}

void Opens::timed_out(NodeId node, const Break& b) {
  Shard& s = shard_of(node);
  After after;
  {
    std::lock_guard lock(s.m);
    auto it = s.files.find(node);
    if (it == s.files.end()) return;
    File& f = it->second;
    auto l = std::find_if(f.leases.begin(), f.leases.end(), [&](Lease& x) { return x.breaking.get() == &b; });
    if (l == f.leases.end()) return;
    log(LogLevel::warning, "volume: door {} has not given a lease of node {:#x} back in time: it is taken", l->who.port,
        raw(node));
    after.news.push_back({l->who.port, node, l->handle, kLeaseNone});
    settle(f, *l, node, kLeaseNone, after);
    drop(f, l);
    leave(s, node);
  }
  run(std::move(after));
}

bool Opens::is_open(NodeId node) const {
  const Shard& s = shards_[shard_number(node)];
  std::lock_guard lock(s.m);
  const auto it = s.files.find(node);
  return it != s.files.end() && !it->second.opens.empty();
}

size_t Opens::opens() const {
  size_t n = 0;
  for (const Shard& s : shards_) {
    std::lock_guard lock(s.m);
    for (auto& [id, f] : s.files) n += f.opens.size();
  }
  return n;
}

size_t Opens::waiting() const {
  size_t n = 0;
  for (const Shard& s : shards_) {
    std::lock_guard lock(s.m);
    for (auto& [id, f] : s.files) n += f.waiters.size();
  }
  return n;
}

}  // namespace isthmus::volume
