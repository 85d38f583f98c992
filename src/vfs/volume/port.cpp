#include "vfs/volume/port.h"

#include "vfs/volume/ask.h"
#include "vfs/volume/rights.h"
#include "vfs/volume/run_flow.h"
#include "vfs/volume/special.h"

namespace isthmus {

using namespace volume;

namespace {

/// From the cache, without a flow. False: nothing was answered.
bool answer_now(Core& core, const PortFacts&, Pending<op::Getattr>& p) {
  auto a = core.cache.attributes(p.args.node, monotonic_ns());
  if (a) p.answered(Result<Attributes>(*a));
  return a.has_value();
}

}  // namespace

template <class T>
void VolumePort::around(Pending<T>& p) {
  if constexpr (T::id == Op::Forget) {
    forget_nodes(core_, facts_, p);
  } else if constexpr (T::id == Op::Create) {
    create_or_open(core_, facts_, p);
  } else if constexpr (T::id == Op::Release || T::id == Op::ReleaseDir) {
    release(core_, facts_, p);
  } else if constexpr (T::id == Op::Flush) {
    flush(core_, facts_, p);
  } else if constexpr (T::id == Op::SetLock) {
    set_lock(core_, facts_, p);
  } else if constexpr (T::id == Op::GetLock) {
    get_lock(core_, facts_, p);
  } else if constexpr (T::id == Op::SetLease) {
    set_lease(core_, facts_, p);
  } else if constexpr (T::id == Op::NodeToExport) {
    node_to_export(core_, facts_, p);
  } else if constexpr (T::id == Op::ExportToNode) {
    export_to_node(core_, facts_, p);
  } else if constexpr (T::id == Op::Watch || T::id == Op::Unwatch) {
    Call<T>(p).fail(ENOSYS);  // watch() instead
  } else {
    if constexpr (T::id == Op::Lookup || T::id == Op::Getattr)
      if (!facts_->options.has_kernel && answer_now(core_, *facts_, p)) return;
    run_flow<T>(core_, facts_, p);
  }
}

VolumePort::VolumePort(Core& core, std::shared_ptr<const PortFacts> facts)
    : Decorator(core.fs), core_(core), facts_(std::move(facts)) {}

VolumePort::~VolumePort() { stop(); }

uint32_t VolumePort::id() const { return facts_->id; }

Status VolumePort::start(Upcalls& up) {
  if (auto s = FileSystem::start(up); !s) return s;  // NOLINT(bugprone-parent-virtual-call): the volume starts the rest
  core_.hub.join(facts_->id, up);
  joined_ = true;
  return Unit{};
}

void VolumePort::stop() {
  if (!std::exchange(joined_, false)) return;
  release_all(nullptr);
  core_.hub.leave(facts_->id);
}

void VolumePort::going(const Context& ctx, NodeId node, HandleId handle) {
  core_.opens.announce({.node = node, .use = volume::Use::detach, .handle = handle, .who = actor_of(*facts_, ctx)});
}

void VolumePort::client_gone(uint64_t client) { release_all(&client); }

void VolumePort::release_all(const uint64_t* client) {
  for (HandleId h : core_.handles_of(facts_->id, client)) core_.end_handle(h);
}

void VolumePort::hold(NodeId node) { core_.cache.hold(node); }

Capabilities VolumePort::capabilities() const {
  Capabilities c = core_.fs.capabilities();
  for (Op op : {Op::Open, Op::OpenDir, Op::Release, Op::ReleaseDir, Op::Flush, Op::GetLock, Op::SetLock, Op::SetLease,
                Op::Forget})
    c.set(op);
  if (!facts_->options.has_kernel) {
    c.set(Op::NodeToExport);
    c.set(Op::ExportToNode);
    c.set(Op::Access);
  }
  return c;
}

Traits VolumePort::traits() const {
  Traits t = core_.traits;
  t.write_back = false;   // what a client keeps to itself, others do not see
  t.locks_shared = true;  // by the other doors' clients
  t.flush_for_locks = false;
  if (facts_->options.has_kernel) {
    t.inode_addressed = false;  // opens are what leases and share modes are about
  } else {
    t.dir_attr = true;
    t.kills_suidgid = true;
  }
  return t;
}

void VolumePort::watch(const Context& ctx, const WatchWish& wish, std::function<void()> wake,
                       std::function<void(Result<std::unique_ptr<Watching>>)> done) {
  // The provider's own events are wanted where files change behind the volume's back and it has no other way to tell.
  struct Asking final : Pending<op::Access> {
    void answered(Status&& s) noexcept override {
      auto self = std::unique_ptr<Asking>(this);
      if (!s) return done(s.error());
      core->cache.hold(wish.node);
      auto ended = [c = core, node = wish.node] { c->leave(node); };
      if (!core->traits.changes_outside || !core->fs.capabilities().has(Op::Watch))
        return done(core->watches.add(wish, std::move(wake), std::move(ended)));
      op::Watch w{{}, wish.node, wish.what, wish.subtree};
      Core& c = *core;
      ask(c, facts, ctx, w, Extra{}, [self = std::move(self), ended](Result<HandleId>&& h, const Marks&) {
        Core* at = self->core;
        auto end = [at, ended, id = h ? *h : HandleId::none] {
          if (id != HandleId::none) call_then(at->fs, {}, op::Unwatch{{}, id}, [](Status) {});
          ended();
        };
        self->done(at->watches.add(self->wish, std::move(self->wake), std::move(end)));
      });
    }
    Core* core;
    Facts facts;
    WatchWish wish;
    std::function<void()> wake;
    std::function<void(Result<std::unique_ptr<Watching>>)> done;
  };
  auto* a = new Asking;
  a->ctx = ctx;
  a->args.node = wish.node;
  a->args.mask = R_OK;
  a->core = &core_;
  a->facts = facts_;
  a->wish = wish;
  a->wake = std::move(wake);
  a->done = std::move(done);
  if (!facts_->options.check_access || skips_checks(ctx)) return a->answered(Status(Unit{}));
  run_flow<op::Access>(core_, facts_, *a);
}

// ---- Volume ----

Volume::Volume(FileSystem& fs, VolumeOptions options) : core_(std::make_unique<Core>(fs, options)) {}
Volume::~Volume() = default;

Status Volume::start() {
  if (auto s = core_->fs.start(*core_); !s) return s;
  core_->traits = core_->fs.traits();
  return Unit{};
}

void Volume::stop() {
  core_->wait_idle();
  Forgets out;
  core_->cache.clear(out);
  core_->give_back(std::move(out));
  core_->fs.stop();
}

std::unique_ptr<VolumePort> Volume::port(PortOptions options) {
  auto facts = std::make_shared<PortFacts>();
  facts->options = options;
  facts->id = core_->new_port();
  if (options.deadline.count() > 0 && !options.has_kernel) facts->timers = &core_->timers(options.deadline);
  return std::unique_ptr<VolumePort>(new VolumePort(*core_, std::move(facts)));
}

}  // namespace isthmus
