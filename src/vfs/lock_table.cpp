#include "vfs/lock_table.h"

#include <algorithm>
#include <list>
#include <optional>
#include <unordered_map>
#include <vector>

#include "vfs/lock_ranges.h"
#include "vfs/wait_graph.h"

namespace isthmus {

// A lock that could not be had at once. Guarded by the shard's mutex of its node.
struct LockTable::Waiter : std::enable_shared_from_this<Waiter> {
  enum class State : uint8_t { fresh, queued, over };

  Waiter(std::weak_ptr<Core> c, NodeId n, const op::SetLock& a)
      : core(std::move(c)), node(n), want(a.lock), handle(a.handle), whole_file(a.whole_file) {}
  void cancel();

  std::weak_ptr<Core> core;
  NodeId node;
  Lock want;
  HandleId handle;
  bool whole_file;
  bool cancelled = false;
  State state = State::fresh;
  std::optional<Call<op::SetLock>> call;  // while queued, for whoever takes it from the queue
};

struct LockTable::Core {
  using Ready = std::vector<std::pair<Call<op::SetLock>, Errno>>;  // Errno{}: granted

  struct File {
    LockRanges ranges;
    std::vector<LockRanges::Held> flocks;
    std::list<std::shared_ptr<Waiter>> waiters;  // in the order of asking
    bool idle() const { return ranges.empty() && flocks.empty() && waiters.empty(); }
  };
  struct Shard {
    mutable std::mutex m;
    std::unordered_map<NodeId, File> files;
    std::atomic<size_t> count{0};  // files.size(): the close of an unlocked file takes no lock
  };
  static constexpr size_t kShards = 16;

  Shard& shard(NodeId n) { return shards[(raw(n) * 0x9e3779b97f4a7c15u) >> 60]; }

  // All below: with the shard's mutex held.
  std::optional<Errno> try_set(File& f, const Lock& want, HandleId handle, bool whole_file);
  std::optional<Errno> try_flock(File& f, const Lock& want, HandleId handle);
  bool wait(File& f, Waiter& w, bool force);
  void wake(File& f, Ready& ready);
  void leave(Shard& s, NodeId n) {
    if (auto it = s.files.find(n); it != s.files.end() && it->second.idle()) s.files.erase(it);
    s.count.store(s.files.size(), std::memory_order_release);
  }

  // Changes a file's locks by `change(File&)`, if the file has any, and serves who can go on.
  template <class F>
  void edit(NodeId n, F change) {
    Shard& s = shard(n);
    if (s.count.load(std::memory_order_acquire) == 0) return;
    Ready ready;
    {
      std::lock_guard lock(s.m);
      auto it = s.files.find(n);
      if (it == s.files.end()) return;
      change(it->second, ready);
      wake(it->second, ready);
      leave(s, n);
    }
    answer(std::move(ready));
  }
  static void answer(Ready&& ready) {
    for (auto& [call, e] : ready) finish(std::move(call), e);
  }
  // The cancel function goes first: once answered, the Call's context may be used again for something else.
  static void finish(Call<op::SetLock> call, Errno e) {
    if (Cancel* c = call.context().cancel) c->clear();
    if (e == Errno{})
      call.reply({});
    else
      call.fail(e);
  }

  std::array<Shard, kShards> shards;
  WaitGraph graph;
  std::atomic<size_t> held{0}, waiting{0};
};

// Nothing: there is a conflict.
std::optional<Errno> LockTable::Core::try_set(File& f, const Lock& want, HandleId handle, bool whole_file) {
  if (whole_file) return try_flock(f, want, handle);
  if (want.type != LockType::unlock) {
    if (f.ranges.conflict(want)) return {};
    if (held.load(std::memory_order_relaxed) >= kMaxHeld) return err(ENOLCK);
  }
  held.fetch_add(static_cast<size_t>(f.ranges.set(want, handle)), std::memory_order_relaxed);
  return Errno{};
}

std::optional<Errno> LockTable::Core::try_flock(File& f, const Lock& want, HandleId handle) {
  auto mine = std::find_if(f.flocks.begin(), f.flocks.end(), [&](auto& h) { return h.lock.owner == want.owner; });
  if (mine != f.flocks.end()) {
    if (mine->lock.type == want.type) return Errno{};
    f.flocks.erase(mine);
    held.fetch_sub(1, std::memory_order_relaxed);
  }
  if (want.type == LockType::unlock) return Errno{};
  for (auto& h : f.flocks)
    if (h.lock.type == LockType::exclusive || want.type == LockType::exclusive) return {};
  if (held.load(std::memory_order_relaxed) >= kMaxHeld) return err(ENOLCK);
  f.flocks.push_back({want, handle});
  held.fetch_add(1, std::memory_order_relaxed);
  return Errno{};
}

// False: it would wait for itself.
bool LockTable::Core::wait(File& f, Waiter& w, bool force) {
  if (w.whole_file) return true;
  std::vector<uint64_t> blockers;
  f.ranges.blockers(w.want, blockers);
  return graph.wait(&w, w.want.owner, std::move(blockers), force);
}

// Grants every waiter that nobody is in the way of any more, first come first served. A grant may also give something
// up (an exclusive lock that becomes shared), hence until nothing changes.
void LockTable::Core::wake(File& f, Ready& ready) {
  for (bool again = !f.waiters.empty(); again;) {
    again = false;
    for (auto it = f.waiters.begin(); it != f.waiters.end();) {
      Waiter& w = **it;
      size_t flocks = f.flocks.size();
      auto r = try_set(f, w.want, w.handle, w.whole_file);
      if (!r) {
        again |= f.flocks.size() < flocks;
        wait(f, w, true);
        ++it;
        continue;
      }
      again = true;
      graph.done(&w);
      w.state = Waiter::State::over;
      ready.emplace_back(std::move(*w.call), *r);
      w.call.reset();
      waiting.fetch_sub(1, std::memory_order_relaxed);
      it = f.waiters.erase(it);
    }
  }
}

void LockTable::Waiter::cancel() {
  auto c = core.lock();
  if (!c) return;
  Core::Shard& s = c->shard(node);
  std::optional<Call<op::SetLock>> mine;
  {
    std::lock_guard lock(s.m);
    cancelled = true;
    if (state != State::queued) return;
    state = State::over;
    mine = std::move(call);
    call.reset();
    auto keep = shared_from_this();
    c->graph.done(this);
    s.files[node].waiters.remove(keep);
    c->waiting.fetch_sub(1, std::memory_order_relaxed);
    c->leave(s, node);
  }
  mine->fail(EINTR);
}

LockTable::LockTable() : core_(std::make_shared<Core>()) {}
LockTable::~LockTable() = default;

Result<Lock> LockTable::get(NodeId node, const Lock& want, bool whole_file) const {
  if (want.start > want.end || want.end > kLockEof) return err(EINVAL);
  Lock free = want;
  free.type = LockType::unlock;
  Core::Shard& s = core_->shard(node);
  if (s.count.load(std::memory_order_acquire) == 0) return free;
  std::lock_guard lock(s.m);
  auto it = s.files.find(node);
  if (it == s.files.end()) return free;
  if (!whole_file) {
    const auto* h = it->second.ranges.conflict(want);
    return h ? h->lock : free;
  }
  for (auto& h : it->second.flocks)
    if (h.lock.owner != want.owner && (h.lock.type == LockType::exclusive || want.type == LockType::exclusive))
      return h.lock;
  return free;
}

void LockTable::set(Call<op::SetLock> call) {
  const op::SetLock args = *call;
  const Lock& want = args.lock;
  if (!args.whole_file && (want.start > want.end || want.end > kLockEof)) return call.fail(EINVAL);
  Core::Shard& s = core_->shard(args.node);
  Core::Ready ready;
  auto attempt = [&]() -> std::optional<Errno> {  // shard locked
    auto r = core_->try_set(s.files[args.node], want, args.handle, args.whole_file);
    // A flock that was given up, a range that shrank: others may go on.
    core_->wake(s.files[args.node], ready);
    return r;
  };
  std::optional<Errno> r;
  {
    std::lock_guard lock(s.m);
    r = attempt();
    core_->leave(s, args.node);
  }
  Core::answer(std::exchange(ready, {}));
  if (r) return *r == Errno{} ? call.reply({}) : call.fail(*r);
  if (!args.wait) return call.fail(EAGAIN);

  // The cancel function must be known before anybody can answer the Call, and is never called with a lock held.
  auto w = std::make_shared<Waiter>(core_, args.node, args);
  Cancel* cancel = call.context().cancel;
  if (cancel) cancel->on_request([w] { w->cancel(); });
  w->call.emplace(std::move(call));
  {
    std::lock_guard lock(s.m);
    if (w->cancelled) {
      r = err(EINTR);
    } else if (r = attempt(); !r) {
      Core::File& f = s.files[args.node];
      if (!core_->wait(f, *w, false)) {
        r = err(EDEADLK);
      } else {
        w->state = Waiter::State::queued;
        f.waiters.push_back(w);
        core_->waiting.fetch_add(1, std::memory_order_relaxed);
      }
    }
    core_->leave(s, args.node);
  }
  Core::answer(std::move(ready));
  if (r) Core::finish(std::move(*w->call), *r);
}

void LockTable::release_owner(NodeId node, uint64_t owner) {
  core_->edit(node, [&](Core::File& f, Core::Ready&) {
    core_->held.fetch_sub(f.ranges.remove_owner(owner), std::memory_order_relaxed);
  });
}

void LockTable::release_flock(NodeId node, uint64_t owner) {
  core_->edit(node, [&](Core::File& f, Core::Ready&) {
    core_->held.fetch_sub(std::erase_if(f.flocks, [&](auto& h) { return h.lock.owner == owner; }),
                          std::memory_order_relaxed);
  });
}

void LockTable::release_handle(NodeId node, HandleId handle) {
  if (handle == HandleId::none) return;
  core_->edit(node, [&](Core::File& f, Core::Ready&) {
    size_t gone = f.ranges.remove_handle(handle) + std::erase_if(f.flocks, [&](auto& h) { return h.handle == handle; });
    core_->held.fetch_sub(gone, std::memory_order_relaxed);
  });
}

void LockTable::forget(NodeId node) {
  core_->edit(node, [&](Core::File& f, Core::Ready& ready) {
    core_->held.fetch_sub(f.ranges.size() + f.flocks.size(), std::memory_order_relaxed);
    f.ranges = {};
    f.flocks.clear();
    for (auto& w : f.waiters) {
      core_->graph.done(w.get());
      w->state = Waiter::State::over;
      ready.emplace_back(std::move(*w->call), err(EIO));
      w->call.reset();
      core_->waiting.fetch_sub(1, std::memory_order_relaxed);
    }
    f.waiters.clear();
  });
}

size_t LockTable::held() const { return core_->held.load(std::memory_order_relaxed); }
size_t LockTable::waiting() const { return core_->waiting.load(std::memory_order_relaxed); }

}  // namespace isthmus
