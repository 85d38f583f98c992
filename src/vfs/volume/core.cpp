#include "vfs/volume/core.h"

#include <sys/random.h>

#include <chrono>

#include "base/log.h"

namespace isthmus::volume {

OpenFile::~OpenFile() {
  if (!released) {
    core.under_way.fetch_add(1, std::memory_order_relaxed);
    Context ctx;
    auto end = [&c = core](Status) { c.ended(); };
    if (is_dir) {
      op::ReleaseDir r{{}, node, inner};
      call_then(core.fs, ctx, r, end);
    } else {
      op::Release r = last;
      r.node = node;
      r.handle = inner;
      call_then(core.fs, ctx, r, end);
    }
  }
  if (holds_node) core.leave(node);
}

namespace {
SipKey random_key() {
  SipKey key{};
  if (getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size()))
    log(LogLevel::warning, "volume: no random numbers; lock owners may be guessed");
  return key;
}
}  // namespace

Core::Core(FileSystem& f, const VolumeOptions& o)
    : fs(f),
      options(o),
      cache(o.cached_names),
      places(o.cached_names),
      watches(places),
      opens(o.break_time, [this](uint32_t port, NodeId node, HandleId h,
                                 uint8_t bits) { hub.one(port, [&](Upcalls& up) { up.break_lease(node, h, bits); }); }),
      exports(o.export_key),
      owner_key_(random_key()) {}

Core::~Core() = default;

void Core::wait_idle() {
  for (int64_t n = under_way.load(std::memory_order_acquire); n != 0; n = under_way.load(std::memory_order_acquire)) {
    if (unsigned h = hung.load(std::memory_order_relaxed))
      log(LogLevel::warning, "volume: {} operations of the file system have not ended; waiting for them", h);
    under_way.wait(n);
  }
}

Timers& Core::timers(std::chrono::milliseconds deadline) {
  std::lock_guard lock(timers_m_);
  auto& t = timers_[deadline];
  if (!t) t = std::make_unique<Timers>("vol/time", deadline);
  return *t;
}

void Core::give_back(Forgets&& forgets) {
  for (auto& [node, count] : forgets) {
    under_way.fetch_add(1, std::memory_order_relaxed);
    call_then(fs, {}, op::Forget{{}, node, count}, [this](Status) { ended(); });
  }
}

// ---- open files ----

void Core::put(HandleId h, std::shared_ptr<OpenFile> f) {
  Shard& s = shard_of(h);
  std::lock_guard lock(s.m);
  s.files.emplace(h, std::move(f));
}

std::shared_ptr<OpenFile> Core::find(HandleId h) const {
  const Shard& s = shard_of(h);
  std::lock_guard lock(s.m);
  auto it = s.files.find(h);
  return it == s.files.end() ? nullptr : it->second;
}

std::shared_ptr<OpenFile> Core::take(HandleId h) {
  Shard& s = shard_of(h);
  std::lock_guard lock(s.m);
  auto it = s.files.find(h);
  if (it == s.files.end()) return nullptr;
  auto f = std::move(it->second);
  s.files.erase(it);
  return f;
}

std::vector<HandleId> Core::handles_of(uint32_t port, const uint64_t* client) const {
  std::vector<HandleId> out;
  for (const Shard& s : files_) {
    std::lock_guard lock(s.m);
    for (auto& [h, f] : s.files)
      if (f->port == port && (!client || f->client == *client)) out.push_back(h);
  }
  return out;
}

std::shared_ptr<OpenFile> Core::end_handle(HandleId h) {
  auto f = take(h);
  if (!f) return nullptr;
  if (provider_locks()) {
    std::vector<std::pair<uint64_t, bool>> owners;
    {
      std::lock_guard lock(f->m);
      owners.swap(f->owners);
    }
    for (auto& [owner, whole] : owners) {
      op::SetLock unlock{{}, f->node, f->inner, {owner, 0, kLockEof, LockType::unlock, 0}, false, whole};
      under_way.fetch_add(1, std::memory_order_relaxed);
      call_then(fs, {}, unlock, [this, f](Status) { ended(); });
    }
  } else {
    locks.release_handle(f->node, h);
  }
  opens.close(f->node, h);
  if (f->written.exchange(false)) tell_directory(f->node, {f->port, f->client, f->lease_key, f->parent_lease_key});
  return f;
}

size_t Core::handles() const {
  size_t n = 0;
  for (const Shard& s : files_) {
    std::lock_guard lock(s.m);
    n += s.files.size();
  }
  return n;
}

std::vector<std::pair<HandleId, uint32_t>> Core::doors_handles(NodeId node, HandleId inner) const {
  std::vector<std::pair<HandleId, uint32_t>> out;
  for (const Shard& s : files_) {
    std::lock_guard lock(s.m);
    for (auto& [h, f] : s.files)
      if (f->node == node && f->inner == inner) out.emplace_back(h, f->port);
  }
  return out;
}

uint64_t Core::owner_of(const Actor& who, uint64_t owner) const {
  const uint64_t words[] = {who.port, who.client, owner};
  return sip_hash(owner_key_, std::as_bytes(std::span(words)));
}

void Core::tell_directory(NodeId node, const Actor& who) {
  if (!opens.any_of_directories() || node == NodeId::root) return;
  const auto dir = places.dir_of(node);
  if (!dir)
    opens.announce_anywhere(who);
  else if (*dir != NodeId::none)
    opens.announce({.node = *dir, .use = Use::entries, .who = who});
}

// ---- what the provider tells ----

// News of what has happened already, by nobody of ours: caches first, then leases, doors and watchers.

void Core::invalidate_node(NodeId node, uint64_t offset, uint64_t length) {
  cache.invalidate_attributes(node);
  cache.listings().drop(node);  // the data of a directory
  opens.outside(node, Use::change);
  tell_directory(node, {});
  hub.others(0, [&](Upcalls& up) { up.invalidate_node(node, offset, length); });
  watches.node_event(node, kWatchModified, {});
}

void Core::invalidate_attr(NodeId node) {
  cache.invalidate_attributes(node);
  opens.outside(node, Use::attribute);
  tell_directory(node, {});
  hub.others(0, [&](Upcalls& up) { up.invalidate_attr(node); });
  watches.node_event(node, kWatchAttributes, {});
}

void Core::invalidate_entry(NodeId dir, std::string_view name) {
  Forgets out;
  NodeId was = cache.invalidate_name(dir, name, out);
  if (was != NodeId::none) cache.leave(was, 1, out);
  give_back(std::move(out));
  opens.outside(dir, Use::entries);
  hub.others(0, [&](Upcalls& up) { up.invalidate_entry(dir, name); });
  watches.name_event(dir, name, kWatchCreated | kWatchRemoved, {});
}

void Core::invalidate_all_names() {
  Forgets out;
  cache.invalidate_names(out);
  give_back(std::move(out));
  opens.announce_anywhere({});
  hub.others(0, [&](Upcalls& up) { up.invalidate_all_names(); });
  watches.overflow();
}

void Core::deleted(NodeId dir, NodeId child, std::string_view name) {
  Forgets out;
  NodeId was = cache.invalidate_name(dir, name, out);
  if (was != NodeId::none) cache.leave(was, 1, out);
  give_back(std::move(out));
  cache.invalidate_attributes(child);
  opens.outside(dir, Use::entries);
  opens.outside(child, Use::detach);
  hub.others(0, [&](Upcalls& up) { up.deleted(dir, child, name); });
  watches.name_event(dir, name, kWatchRemoved, {});
  places.remove(child, dir, name, false);
}

void Core::store(NodeId node, uint64_t offset, const Buffer& data) {
  hub.others(0, [&](Upcalls& up) { up.store(node, offset, data); });
}

// The first door that keeps a cache answers; the taker hears once.
Status Core::retrieve(NodeId node, uint64_t offset, size_t length, Taker taker, void* self) {
  Status s = err(ENOSYS);
  hub.others(0, [&](Upcalls& up) {
    if (!s) s = up.retrieve(node, offset, length, taker, self);
  });
  return s;
}

void Core::poll_ready(NodeId node, HandleId handle, uint32_t events) {
  for (auto& [h, port] : doors_handles(node, handle))
    hub.one(port, [&, mine = h](Upcalls& up) { up.poll_ready(node, mine, events); });
}

void Core::changed(NodeId dir, std::string_view name, uint32_t what) {
  if (name.empty()) return watches.node_event(dir, what, {});
  opens.outside(dir, Use::entries);
  watches.name_event(dir, name, what, {});
}

void Core::break_lease(NodeId node, HandleId handle, uint8_t bits) {
  for (auto& [h, port] : doors_handles(node, handle)) opens.shrink(node, h, bits);
}

}  // namespace isthmus::volume
