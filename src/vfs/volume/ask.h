#pragma once
#include <memory>
#include <utility>

#include "vfs/volume/after.h"
#include "vfs/volume/core.h"
#include "vfs/volume/kept.h"

namespace isthmus::volume {

/// Takes up an answer that nobody waits for any more: lookups are given back, files closed, locks let go.
template <class T>
void dispose(Core& core, const Context& ctx, const T& args, Result<typename T::Reply>& r) {
  if (!r) return;
  auto close = [&](NodeId node, const Opened& o) {
    if constexpr (T::id == Op::OpenDir || T::id == Op::OpenQuery) {
      op::ReleaseDir end{{}, node, o.handle};
      call_then(core.fs, ctx, end, [](Status) {});
    } else {
      op::Release end;
      end.node = node;
      end.handle = o.handle;
      call_then(core.fs, ctx, end, [](Status) {});
    }
  };
  if constexpr (std::is_same_v<typename T::Reply, Entry>) {
    if (r->node != NodeId::none) forget(core.fs, ctx, r->node);
  } else if constexpr (std::is_same_v<typename T::Reply, Created>) {
    close(r->entry.node, r->opened);
    forget(core.fs, ctx, r->entry.node);
  } else if constexpr (std::is_same_v<typename T::Reply, Opened>) {
    if constexpr (requires { args.node; })
      close(args.node, *r);
    else
      close(NodeId::none, *r);
  } else if constexpr (T::id == Op::SetLock) {
    if (args.lock.type == LockType::unlock) return;
    op::SetLock end = args;
    end.lock.type = LockType::unlock;
    end.wait = false;
    call_then(core.fs, ctx, end, [](Status) {});
  } else if constexpr (T::id == Op::Watch) {
    op::Unwatch end{{}, *r};
    call_then(core.fs, ctx, end, [](Status) {});
  }
}

/// One operation of the provider on behalf of a port. It ends once for the asker, by the answer or by the deadline
/// (ETIMEDOUT), and once for the volume, by the answer, which is told to the other doors however late it is.
template <class T, class F>
class Asked final : public TimerItem, Pending<T> {
 public:
  using Reply = typename T::Reply;

  Asked(Core& core, std::shared_ptr<const PortFacts> port, const Extra& extra, F then)
      : core_(core), port_(std::move(port)), extra_(extra), then_(std::move(then)) {}

  static void run(Core& core, std::shared_ptr<const PortFacts> port, const Context& ctx, T args, const Extra& extra,
                  F then) {
    bool timed = port->timers != nullptr && T::id != Op::Forget;
    if constexpr (T::id == Op::SetLock) timed &= !args.wait;  // that may take as long as it likes
    if (timed && !core.admits()) return then(Result<Reply>(err(ETIMEDOUT)), Marks{});
    auto self = std::make_shared<Asked>(core, std::move(port), extra, std::move(then));
    Asked& a = *self;
    a.ctx = ctx;
    a.args = std::move(args);
    a.who_ = actor_of(*a.port_, ctx);
    a.since_ = core.cache.begin();
    if (timed) {
      if (auto s = a.kept_.keep(a.args, a.ctx); !s) return a.then_(Result<Reply>(s.error()), Marks{});
      if constexpr (requires { a.args.sink; }) {
        a.sink_ = std::make_unique<ClosableSink>(*a.args.sink);
        a.args.sink = a.sink_.get();
      }
      a.ctx.cancel = &a.cancel_;
      a.outer_cancel_ = ctx.cancel;
      if (ctx.cancel)
        ctx.cancel->on_request([weak = std::weak_ptr<TimerItem>(self)] {
          if (auto s = weak.lock()) static_cast<Asked&>(*s).cancel_.request();
        });
      a.timed_ = true;
    }
    a.self_ = self;
    core.under_way.fetch_add(1, std::memory_order_relaxed);
    if (timed) a.port_->timers->add(a);
    if constexpr (T::id == Op::ReadDir)
      if (!core.traits.dir_attr) return submit_read_dir_with_lookup(core.fs, a);
    core.fs.submit(static_cast<Pending<T>&>(a));
  }

 private:
  void answered(Result<Reply>&& r) noexcept override {
    std::shared_ptr<TimerItem> self = std::move(self_);
    if (timed_) port_->timers->remove(*this);
    // The volume first: when the asker hears, so have the caches.
    Marks marks = after(core_, who_, extra_, this->args, r, since_);
    bool late = over_.exchange(true, std::memory_order_acq_rel);
    if (late) {
      dispose(core_, {}, this->args, r);
      for (NodeId n : held_) core_.leave(n);
      held_.clear();
      extra_.keep = nullptr;
      core_.hung.fetch_sub(1, std::memory_order_relaxed);
    } else {
      if (outer_cancel_) outer_cancel_->clear();
      extra_.keep = nullptr;  // before the asker hears, who may release what it was
      std::move(then_)(std::move(r), marks);
    }
    core_.ended();
  }

  void fire() noexcept override {
    // The nodes must not be forgotten while the provider is at it; the asker still has its own lookups of them.
    std::vector<NodeId> held;
    hold_nodes(held);
    core_.hung.fetch_add(1, std::memory_order_relaxed);
    held_ = held;
    if (over_.exchange(true, std::memory_order_acq_rel)) {
      core_.hung.fetch_sub(1, std::memory_order_relaxed);
      for (NodeId n : held) core_.leave(n);
      return;
    }
    if (outer_cancel_) outer_cancel_->clear();
    if (sink_) sink_->close();
    cancel_.request();
    std::move(then_)(Result<Reply>(err(ETIMEDOUT)), Marks{});
  }

  void hold_nodes(std::vector<NodeId>& held) {
    auto add = [&](NodeId n) {
      if (n == NodeId::none || n == NodeId::root) return;
      core_.cache.hold(n);
      held.push_back(n);
    };
    if constexpr (requires { this->args.node; }) add(this->args.node);
    if constexpr (requires { this->args.dir; }) add(this->args.dir);
    if constexpr (requires { this->args.to_dir; }) add(this->args.to_dir);
    if constexpr (requires { this->args.from; }) add(this->args.from);
    if constexpr (requires { this->args.to; }) add(this->args.to);
  }

  Core& core_;
  const std::shared_ptr<const PortFacts> port_;
  Extra extra_;
  F then_;
  Kept<T> kept_;
  std::unique_ptr<ClosableSink> sink_;
  Cancel cancel_;
  Cancel* outer_cancel_ = nullptr;
  Actor who_;
  ChangeClock::Stamp since_ = 0;
  bool timed_ = false;
  std::atomic<bool> over_{false};    // the asker has heard
  std::vector<NodeId> held_;         // written before over_ is set by fire()
  std::shared_ptr<TimerItem> self_;  // until the provider answers
};

/// Submits to the provider and runs then(Result<Reply>&&, const Marks&) once, on the thread that learns the end. The
/// views in args and ctx must live until then.
template <class T, class F>
void ask(Core& core, const std::shared_ptr<const PortFacts>& port, const Context& ctx, T args, const Extra& extra,
         F then) {
  Asked<T, F>::run(core, port, ctx, std::move(args), extra, std::move(then));
}

}  // namespace isthmus::volume
