#include "vfs/volume/ask.h"
#include "vfs/volume/special.h"

/// Byte-range locks, flock locks, leases.
namespace isthmus::volume {

namespace {

/// A door's lock in the volume's own table, which all doors share: the owner is ours, the answer is theirs.
struct SharedLock final : Pending<op::SetLock> {
  SharedLock(Pending<op::SetLock>& o) : outer(o) {}
  void answered(Status&& s) noexcept override {
    Pending<op::SetLock>& to = outer;
    delete this;
    to.answered(std::move(s));
  }
  Pending<op::SetLock>& outer;
};

std::shared_ptr<OpenFile> file_of(Core& core, const Facts& port, NodeId node, HandleId h) {
  auto f = core.find(h);
  return f && f->port == port->id && f->node == node ? f : nullptr;
}

}  // namespace

void set_lock(Core& core, const Facts& port, Pending<op::SetLock>& p) {
  Call<op::SetLock> call(p);
  auto file = file_of(core, port, call->node, call->handle);
  if (!file && call->handle != HandleId::none) return call.fail(EBADF);
  Actor who = actor_of(*port, call.context());
  if (who.lease_key == 0 && file) who.lease_key = file->lease_key;
  op::SetLock a = *call;
  a.lock.owner = core.owner_of(who, a.lock.owner);
  Opens::Wish wish{a.node, Use::lock, a.handle, who, 0, kShareAll};
  Cancel* cancel = call.context().cancel;
  auto go = [&core, port, file, a, call = std::make_shared<Call<op::SetLock>>(std::move(call))](Errno e) mutable {
    if (e != Errno{}) return call->fail(e);
    Context ctx = call->context();
    if (!core.provider_locks()) {
      auto* shared = new SharedLock(std::move(*call).take());
      shared->ctx = ctx;
      shared->args = a;
      return core.locks.set(Call<op::SetLock>(*shared));
    }
    if (file) {
      std::lock_guard lock(file->m);
      std::pair<uint64_t, bool> mine{a.lock.owner, a.whole_file};
      if (std::find(file->owners.begin(), file->owners.end(), mine) == file->owners.end()) file->owners.push_back(mine);
      a.handle = file->inner;
    }
    Extra extra;
    extra.keep = file;
    ask(core, port, ctx, a, extra, [call](Status&& s, const Marks&) { call->finish(std::move(s)); });
  };
  // Others' cached reads do not know of locks.
  if (a.lock.type == LockType::unlock) return go(Errno{});
  core.opens.use(wish, cancel, std::move(go));
}

void get_lock(Core& core, const Facts& port, Pending<op::GetLock>& p) {
  Call<op::GetLock> call(p);
  auto file = file_of(core, port, call->node, call->handle);
  if (!file && call->handle != HandleId::none) return call.fail(EBADF);
  op::GetLock a = *call;
  a.lock.owner = core.owner_of({port->id, call.context().client, 0}, a.lock.owner);
  if (!core.provider_locks()) return call.finish(core.locks.get(a.node, a.lock));
  if (file) a.handle = file->inner;
  Context ctx = call.context();
  Extra extra;
  extra.keep = file;
  ask(core, port, ctx, a, extra,
      [call = std::move(call)](Result<Lock>&& r, const Marks&) mutable { call.finish(std::move(r)); });
}

void set_lease(Core& core, const Facts& port, Pending<op::SetLease>& p) {
  Call<op::SetLease> call(p);
  auto file = file_of(core, port, call->node, call->handle);
  if (!file) return call.fail(EBADF);
  bool provider = core.fs.capabilities().has(Op::SetLease);
  uint8_t want = call->bits;
  // Nobody would tell of others' changes.
  if (core.traits.changes_outside && !core.traits.tells_changes && !provider) want = kLeaseNone;
  if (file->is_dir) want |= kLeaseDirectory;
  auto granted = core.opens.lease(call->node, call->handle, want);
  if (!granted || !provider) return call.finish(std::move(granted));
  op::SetLease a = *call;
  a.handle = file->inner;
  a.bits = *granted;
  Context ctx = call.context();
  Extra extra;
  extra.keep = file;
  ask(core, port, ctx, a, extra,
      [&core, g = *granted, call = std::move(call)](Result<uint8_t>&& r, const Marks&) mutable {
        uint8_t both = r ? *r & g : kLeaseNone;
        if (both != g) return call.finish(core.opens.lease(call->node, call->handle, both));
        call.reply(g);
      });
}

}  // namespace isthmus::volume
