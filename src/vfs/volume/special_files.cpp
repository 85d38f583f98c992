#include <fcntl.h>

#include "vfs/volume/ask.h"
#include "vfs/volume/rights.h"
#include "vfs/volume/run_flow.h"
#include "vfs/volume/special.h"

/// Looking up from the cache, creating, releasing, flushing, forgetting.
namespace isthmus::volume {

bool answer_now(Core& core, const PortFacts& port, Pending<op::Lookup>& p) {
  const op::Lookup& a = p.args;
  if (a.name == "." || a.name == "..") return false;
  int64_t now = monotonic_ns();
  if (port.options.check_access && !skips_checks(p.ctx)) {
    auto rules = core.cache.rules(a.dir, now, core.traits.posix_acl && !is_privileged(p.ctx.cred));
    if (!rules || !may_access(p.ctx.cred, rules->guard(), kWantExecute)) return false;
  }
  auto e = core.cache.find(a.dir, a.name, now);
  if (e) p.answered(Result<Entry>(*e));
  return e.has_value();
}

void forget_nodes(Core& core, const Facts& port, Pending<op::Forget>& p) {
  if (port->options.has_kernel) return core.fs.submit(p);
  core.leave(p.args.node, p.args.count);
  Call<op::Forget>(p).reply({});
}

namespace {

/// A Create by a door without a kernel: whether the name exists decides who must allow what.
class Creation final : Pending<op::Create>, Pending<op::Open>, Pending<op::Lookup> {
 public:
  Creation(Core& core, const Facts& port, Pending<op::Create>& outer) : core_(core), port_(port), outer_(outer) {}

  // A name that comes and goes all the time must not hold us for ever.
  void run() {
    if (tries_++ == 8) return finish(err(EAGAIN));
    if (outer_.args.flags & O_EXCL) return make();
    auto& look = static_cast<Pending<op::Lookup>&>(*this);
    look.ctx = outer_.ctx;
    look.args.dir = outer_.args.dir;
    look.args.name = outer_.args.name;
    if (!answer_now(core_, *port_, look)) run_flow<op::Lookup>(core_, port_, look);
  }

 private:
  void answered(Result<Entry>&& r) noexcept override {
    if (r) return found(*r);
    if (r.error() != err(ENOENT)) return finish(r.error());
    found({});
  }
  void found(const Entry& e) {
    entry_ = e;
    if (e.node == NodeId::none) return make();
    auto& open = static_cast<Pending<op::Open>&>(*this);
    const op::Create& a = outer_.args;
    open.ctx = outer_.ctx;
    open.args.node = e.node;
    open.args.flags = a.flags;
    open.args.share = a.share;
    open.args.access = a.access;
    open.args.kill_suidgid = a.kill_suidgid;
    run_flow<op::Open>(core_, port_, open);
  }
  void answered(Result<Opened>&& r) noexcept override {
    if (r) return finish(Created{entry_, *r});
    core_.leave(entry_.node);
    if (r.error() == err(ESTALE) || r.error() == err(ENOENT)) {
      Forgets out;
      NodeId was = core_.cache.invalidate_name(outer_.args.dir, outer_.args.name, out);
      if (was != NodeId::none) core_.cache.leave(was, 1, out);
      core_.give_back(std::move(out));
      return run();
    }
    finish(r.error());
  }
  void make() {
    auto& create = static_cast<Pending<op::Create>&>(*this);
    create.ctx = outer_.ctx;
    create.args = outer_.args;
    create.args.flags = (create.args.flags | O_CREAT | O_EXCL) & ~uint32_t{O_TRUNC};
    run_flow<op::Create>(core_, port_, create);
  }
  void answered(Result<Created>&& r) noexcept override {
    if (!r && r.error() == err(EEXIST) && !(outer_.args.flags & O_EXCL)) return run();
    finish(std::move(r));
  }
  void finish(Result<Created> r) {
    Pending<op::Create>& to = outer_;
    delete this;
    to.answered(std::move(r));
  }

  Core& core_;
  const Facts port_;
  Pending<op::Create>& outer_;
  Entry entry_;
  int tries_ = 0;
};

template <class T>
void release_handle(Core& core, const Facts& port, Pending<T>& p) {
  Call<T> call(p);
  auto f = core.find(call->handle);
  if (!f || f->port != port->id) return call.fail(EBADF);
  f = nullptr;
  f = core.end_handle(call->handle);
  if (!f) return call.fail(EBADF);
  if (f->released) return call.reply({});
  T a = *call;
  if constexpr (T::id == Op::Release) {
    Actor who{port->id, call.context().client, 0};
    if (a.lock_owner) a.lock_owner = core.owner_of(who, a.lock_owner);
    if (!core.provider_locks() && a.lock_owner) {
      if (a.unlock_flock) core.locks.release_flock(a.node, a.lock_owner);
      core.locks.release_owner(a.node, a.lock_owner);
    }
    f->last = a;
  }
  // Something that timed out is under way on it: the provider hears of the release after that.
  if (f.use_count() > 1) return call.reply({});
  f->released = true;
  a.node = f->node;
  a.handle = f->inner;
  Context ctx = call.context();
  Extra extra;
  extra.keep = f;
  ask(core, port, ctx, a, extra,
      [call = std::move(call)](Status&& s, const Marks&) mutable { call.finish(std::move(s)); });
}

}  // namespace

void create_or_open(Core& core, const Facts& port, Pending<op::Create>& p) {
  if (port->options.has_kernel) return run_flow<op::Create>(core, port, p);
  (new Creation(core, port, p))->run();
}

void release(Core& core, const Facts& port, Pending<op::Release>& p) { release_handle(core, port, p); }
void release(Core& core, const Facts& port, Pending<op::ReleaseDir>& p) { release_handle(core, port, p); }

void flush(Core& core, const Facts& port, Pending<op::Flush>& p) {
  if (p.args.lock_owner && !core.provider_locks()) {
    Actor who{port->id, p.ctx.client, 0};
    core.locks.release_owner(p.args.node, core.owner_of(who, p.args.lock_owner));
  }
  run_flow<op::Flush>(core, port, p);
}

}  // namespace isthmus::volume
