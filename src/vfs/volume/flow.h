#pragma once
#include <unistd.h>

#include <array>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "vfs/volume/ask.h"
#include "vfs/volume/heard.h"
#include "vfs/volume/listing_flow.h"
#include "vfs/volume/rights.h"
#include "vfs/volume/run_flow.h"

namespace isthmus::volume {

/// What every operation of a port goes through, in this order: handles and lock owners are translated, the nodes behind
/// names are found, rights are judged, leases and share modes in the way are waited for, the provider is asked, the
/// answer is entered into the cache. A heap object that ends with the answer; each step goes on where the step before
/// got its answer, at once when nothing has to be asked. Each operation's is compiled in one of flow_*.cpp; those
/// that go another way are in special_*.cpp.
template <class T>
class Flow {
 public:
  using Reply = typename T::Reply;

  static void run(Core& core, std::shared_ptr<const PortFacts> port, Pending<T>& outer) {
    (new Flow(core, std::move(port), outer))->begin();
  }

 private:
  Flow(Core& core, std::shared_ptr<const PortFacts> port, Pending<T>& outer)
      : core_(core), port_(std::move(port)), outer_(outer), ctx_(outer.ctx), a_(outer.args) {
    who_ = actor_of(*port_, ctx_);
    since_ = core_.cache.begin();
    // Clients of SMB set attributes beside what others have cached, and their own leases (MS-FSA section 2.1.4.12).
    extra_.apart = ctx_.of_stream || port_->options.door == DoorKind::smb;
  }
  ~Flow() {
    for (NodeId n : {extra_.victim, extra_.target})
      if (n != NodeId::none) core_.cache.leave(n, 1, forgets_);
    core_.give_back(std::move(forgets_));
  }

  bool kernel() const { return port_->options.has_kernel; }
  bool checks() const { return !kernel() && port_->options.check_access && !skips_checks(outer_.ctx); }

  // ---- flow.h: the steps ----
  void begin() {
    if (auto s = translate(); !s) return finish(s.error());
    if constexpr (T::id == Op::Unlink || T::id == Op::Rmdir || T::id == Op::Rename)
      find_victims();
    else
      gather();
  }

  /// The open file of a door's handle. `given` stays false for none.
  Status take_handle(NodeId node, HandleId& h, std::shared_ptr<OpenFile>& file, HandleFacts& facts, HandleId* mine) {
    if (h == HandleId::none) return Unit{};
    file = core_.find(h);
    if (!file || file->port != port_->id || (file->node != NodeId::none && file->node != node)) return err(EBADF);
    if (mine) *mine = h;
    h = file->inner;
    facts = {true, access_of(file->flags)};
    if (ctx_.lease_key == 0) who_.lease_key = file->lease_key;
    return Unit{};
  }
  Status translate() {
    if constexpr (T::id == Op::CopyRange) {
      if (auto s = take_handle(a_.from, a_.from_handle, file_, facts_.handle, nullptr); !s) return s;
      return take_handle(a_.to, a_.to_handle, other_file_, facts_.other_handle, &handle_);
    } else if constexpr (requires {
                           a_.handle;
                           a_.node;
                         }) {
      if (auto s = take_handle(a_.node, a_.handle, file_, facts_.handle, &handle_); !s) return s;
    } else if constexpr (T::id == Op::ReadQuery) {
      if (auto s = take_handle(NodeId::none, a_.handle, file_, facts_.handle, &handle_); !s) return s;
    }
    if constexpr (requires { a_.holder; }) handle_ = std::exchange(a_.holder, HandleId::none);
    // Owner 0 means "not known" in these.
    if constexpr (requires { a_.lock_owner; })
      if (a_.lock_owner) a_.lock_owner = core_.owner_of(who_, a_.lock_owner);
    extra_.keep = file_;
    return Unit{};
  }

  /// A name's node, one user of it for *this, or none; then next(). From the cache or the provider.
  template <class Next>
  void find_child(NodeId dir, std::string_view name, NodeId& node, Attr& attr, Next next) {
    if (auto e = core_.cache.find_node(dir, name, monotonic_ns())) {
      node = e->node;
      attr = e->attr;
      return next();
    }
    Context ctx = ctx_;
    ctx.access_checked = true;
    op::Lookup look{{}, dir, name};
    ask(core_, port_, ctx, look, Extra{}, [this, dir, name, &node, &attr, next](Result<Entry>&& e, const Marks&) {
      if (e && e->node != NodeId::none) {
        enter(dir, name, *e, {since_, since_});
        node = e->node;
        attr = e->attr;
      }
      next();
    });
  }
  void find_victims() {
    find_child(a_.dir, a_.name, extra_.victim, victim_, [this] {
      if constexpr (T::id == Op::Rename)
        find_child(a_.to_dir, a_.to_name, extra_.target, target_, [this] { found_victims(target_); });
      else
        found_victims(victim_);
    });
  }
  void found_victims(const Attr& goes) {
    extra_.last_name = S_ISDIR(goes.mode) || goes.nlink <= 1;
    gather();
  }

  /// An entry that the provider has counted becomes a user of the node. Submits nothing: a provider that lists may hold
  /// locks; what others' nodes lose by it is given back at the end.
  void enter(NodeId dir, std::string_view name, const Entry& e, const Marks& marks) {
    if (kernel() || name.empty() || name == "." || name == "..") {
      if (e.node != NodeId::none) core_.cache.enter(e, monotonic_ns(), marks.node);
      return;
    }
    core_.cache.enter_name(dir, name, e, monotonic_ns(), marks.name, marks.node, forgets_);
  }

  // ---- rights ----
  bool strips() const {
    if constexpr (T::id == Op::Write || T::id == Op::CopyRange || T::id == Op::Fallocate)
      return checks() && !is_privileged(ctx_.cred) && !core_.traits.kills_suidgid;
    return false;
  }
  bool wants_attributes_in_list() const {
    if constexpr (T::id == Op::ReadDir) return a_.with_attr;
    return false;
  }
  void gather() {
    if (!checks()) return conflicts();
    if (needs_nothing(a_, facts_.handle, facts_.other_handle) && !strips() && !wants_attributes_in_list())
      return conflicts();
    constexpr On on = kNeeds[index_of(T::id)].on;
    if constexpr (on == On::node) {
      fetch(a_.node, 0, [this] { verdict(); });
    } else if constexpr (on == On::dir) {
      fetch(a_.dir, 0, [this] { verdict(); });
    } else if constexpr (on == On::to_dir) {
      fetch(a_.to_dir, 0, [this] { verdict(); });
    } else if constexpr (on == On::both) {
      fetch(a_.dir, 0, [this] { fetch(a_.to_dir, 1, [this] { verdict(); }); });
    } else if constexpr (on == On::source) {
      fetch(a_.from, 0, [this] { fetch(a_.to, 1, [this] { verdict(); }); });
    } else {
      conflicts();
    }
  }
  /// rules_[slot] of a node, then next(); or the end.
  template <class Next>
  void fetch(NodeId node, size_t slot, Next next) {
    bool need_acl = core_.traits.posix_acl && !is_privileged(ctx_.cred);
    if (auto r = core_.cache.rules(node, monotonic_ns(), need_acl)) {
      rules_[slot] = *r;
      return next();
    }
    op::Getattr get{};
    get.node = node;
    auto since = core_.cache.begin();
    ask(core_, port_, server(), get, Extra{}, [=, this](Result<Attributes>&& r, const Marks&) {
      if (!r) return finish(r.error());
      core_.cache.learn(node, *r, monotonic_ns(), since);
      rules_[slot] = {r->attr.mode, r->attr.uid, r->attr.gid, nullptr};
      if (!need_acl || S_ISLNK(r->attr.mode)) return next();
      op::GetAcl acl{};
      acl.node = node;
      ask(core_, port_, server(), acl, Extra{}, [=, this](Result<std::string>&& bytes, const Marks&) {
        // No list is the rule: ENODATA, or a store that keeps none.
        if (bytes) {
          auto list = PosixAcl::parse(as_bytes(*bytes));
          if (!list) return finish(list.error());
          if (!list->empty() && !list->is_minimal())
            rules_[slot].acl = std::make_shared<const PosixAcl>(std::move(*list));
        } else if (bytes.code() != ENODATA && !is_unsupported(bytes.error())) {
          return finish(bytes.error());
        }
        core_.cache.learn_acl(node, rules_[slot].acl, since);
        next();
      });
    });
  }
  void verdict() {
    facts_.node = rules_[0].guard();
    facts_.other = rules_[1].guard();
    facts_.has_victim = extra_.victim != NodeId::none;
    facts_.has_target = extra_.target != NodeId::none;
    facts_.victim = {victim_.mode, victim_.uid, victim_.gid, nullptr};
    facts_.target = {target_.mode, target_.uid, target_.gid, nullptr};
    if constexpr (requires {
                    a_.to_dir;
                    a_.dir;
                  })
      facts_.moves = a_.dir != a_.to_dir;
    if (!needs_nothing(a_, facts_.handle, facts_.other_handle))
      if (auto s = judge(ctx_.cred, a_, facts_); !s) return finish(s.error());
    if constexpr (T::id == Op::ReadDir)
      if (!may_access(ctx_.cred, facts_.node, kWantExecute)) a_.with_attr = false;
    if constexpr (T::id == Op::Access)
      return finish((a_.mask & W_OK) && is_read_only(core_.fs) ? Result<Reply>(err(EROFS)) : Result<Reply>(Unit{}));
    if (strips()) return strip();
    conflicts();
  }
  /// write(2) by one who may not keep setuid and setgid, over a provider that does not care itself.
  void strip() {
    if constexpr (T::id == Op::Write || T::id == Op::CopyRange || T::id == Op::Fallocate) {
      const Rules& r = rules_[T::id == Op::CopyRange ? 1 : 0];
      uint32_t mode = S_ISREG(r.mode) ? without_suidgid(ctx_.cred, r.mode, r.gid) : r.mode;
      if (mode == r.mode) return conflicts();
      op::Setattr set{};
      if constexpr (T::id == Op::CopyRange)
        set.node = a_.to;
      else
        set.node = a_.node;
      set.set.mask = kSetMode;
      set.set.to.mode = mode;
      ask(core_, port_, server(), set, Extra{}, [this](Result<Attributes>&& s, const Marks&) {
        if (!s) return finish(s.error());
        conflicts();
      });
    }
  }
  /// What the volume asks on its own account.
  Context server() const {
    Context ctx = ctx_;
    ctx.access_checked = true;
    return ctx;
  }

  // ---- leases and share modes ----
  void conflicts() {
    if (core_.opens.idle() && T::id != Op::Open) return submit();
    constexpr uint8_t w = kAccessWrite, r = kAccessRead;
    auto add = [this](NodeId n, Use u, uint8_t access = 0) {
      if (n != NodeId::none && uses_n_ < uses_.size()) uses_[uses_n_++] = {n, u, access};
    };
    if constexpr (T::id == Op::Unlink || T::id == Op::Rmdir || T::id == Op::Rename) {
      add(extra_.victim, Use::detach);
      add(extra_.target, Use::detach);
    }
    if constexpr (T::id == Op::Link || T::id == Op::SetReparse) add(a_.node, Use::attribute);
    if constexpr (T::id == Op::SetXattr || T::id == Op::RemoveXattr || T::id == Op::SetAcl)
      if (!extra_.apart) add(a_.node, Use::attribute);
    if constexpr (T::id == Op::Setattr) {
      if (a_.set.mask & kSetSize)
        add(a_.node, Use::change, w);
      else if (!extra_.apart)
        add(a_.node, Use::attribute);
    }
    if constexpr (T::id == Op::Write || T::id == Op::Fallocate) add(a_.node, Use::change, w);
    if constexpr (T::id == Op::CopyRange) add(a_.to, Use::change, w);
    if constexpr (T::id == Op::Read)
      if (!facts_.handle.given) add(a_.node, Use::read, r);
    if constexpr (T::id == Op::Open) {
      handle_ = core_.new_handle();
      add(a_.node, Use::open, static_cast<uint8_t>(share_access(a_.flags) | (a_.access & kAccessAll)));
    }
    conflict(0);
  }
  static uint8_t share_access(uint32_t flags) {
    uint32_t want = access_of(flags);
    return static_cast<uint8_t>((want & kWantRead ? kAccessRead : 0) | (want & kWantWrite ? kAccessWrite : 0) |
                                (flags & O_TRUNC ? kAccessWrite : 0));
  }
  void conflict(size_t i) {
    if (i == uses_n_) return submit();
    Opens::Wish w;
    w.node = uses_[i].node;
    w.use = uses_[i].use;
    w.handle = handle_;
    w.who = who_;
    w.access = uses_[i].access;
    if constexpr (T::id == Op::Open) w.truncates = a_.flags & O_TRUNC;
    if constexpr (requires { a_.share; }) w.share = static_cast<uint8_t>(a_.share & kShareAll);
    core_.opens.use(w, ctx_.cancel, [this, i](Errno e) {
      if (e != Errno{}) return finish(e);
      if (uses_[i].use == Use::open) recorded_ = true;
      conflict(i + 1);
    });
  }

  // ---- the provider ----
  void submit() {
    Context ctx = ctx_;
    if (!kernel()) ctx.access_checked = true;
    if constexpr (T::id == Op::ReadDir) {
      if (a_.sink && file_ && list_from_cache(core_, *file_, a_)) return finish(Result<Reply>(Unit{}));
      if (a_.sink && !kernel()) {
        sink_.emplace(*this, *a_.sink);
        sink_->behind = a_.cookie;
        a_.sink = &*sink_;
      }
    }
    // As Windows' directories, which learn of sizes and times when a file is closed.
    if constexpr (T::id == Op::Write)
      if (file_ && ctx_.door == DoorKind::smb) file_->written = extra_.told_at_close = true;
    if constexpr (requires { a_.kill_suidgid; })
      if (checks() && !is_privileged(ctx_.cred)) a_.kill_suidgid = true;
    if constexpr (T::id == Op::Open) {
      if (!kernel() && (a_.flags & O_PATH)) return opened({});
      if (!kernel()) a_.flags &= ~uint32_t{O_TRUNC | O_CREAT | O_EXCL};
    }
    ask(core_, port_, ctx, a_, extra_,
        [this](Result<Reply>&& r, const Marks& marks) { answered(std::move(r), marks); });
  }

  void answered(Result<Reply>&& r, const Marks& marks) {
    if (!r) return finish(std::move(r));
    if constexpr (T::id == Op::Open) {
      return opened(*r);
    } else if constexpr (T::id == Op::OpenDir || T::id == Op::OpenQuery) {
      NodeId node = NodeId::none;
      if constexpr (requires { a_.node; }) node = a_.node;
      handle_ = core_.new_handle();
      record(node, *r, O_RDONLY, true);
      if (node == NodeId::none) return finish(std::move(r));
      // A client may hold a lease of a directory.
      Opens::Wish w{node, Use::open, handle_, who_, 0, kShareAll};
      return core_.opens.use(w, nullptr, [this, o = *r](Errno) { finish(Result<Reply>(o)); });
    } else if constexpr (std::is_same_v<Reply, Created>) {
      return created(*r, marks);
    } else if constexpr (std::is_same_v<Reply, Entry>) {
      if (kernel()) return finish(std::move(r));
      if constexpr (requires {
                      a_.dir;
                      a_.name;
                    })
        enter(a_.dir, a_.name, *r, marks);
      else if constexpr (requires { a_.to_dir; })
        enter(a_.to_dir, a_.to_name, *r, marks);
      else
        enter(NodeId::none, {}, *r, marks);
    } else if constexpr (std::is_same_v<Reply, Attributes>) {
      core_.cache.learn(a_.node, *r, monotonic_ns(), marks.node);
    } else if constexpr (T::id == Op::ReadDir) {
      if (file_ && sink_ && sink_->is_untouched()) note_end(core_, *file_, a_.cookie);
    }
    finish(std::move(r));
  }

  /// Makes the provider's handle one of the door's.
  void record(NodeId node, Opened& o, uint32_t flags, bool dir) {
    bool user = !kernel() && node != NodeId::none && node != NodeId::root;
    if (user) core_.cache.hold(node);
    auto f = std::make_shared<OpenFile>(core_, node, o.handle, flags, dir, user);
    f->port = port_->id;
    f->client = ctx_.client;
    f->lease_key = ctx_.lease_key;
    f->parent_lease_key = ctx_.parent_lease_key;
    f->released = !kernel() && (flags & O_PATH);  // the provider has never heard of it
    constexpr uint32_t kTold = kOpenedCacheDir | kOpenedKeepCache;
    f->lists = dir && !kernel() && (o.flags & kTold) == kTold;
    core_.put(handle_, f);
    o.handle = handle_;
    // What a kernel does with a file by itself, nobody else would hear of.
    if (kernel()) o.backing_fd = -1;
    file_ = std::move(f);
  }
  void opened(Opened o) {
    if constexpr (T::id == Op::Open) {
      record(a_.node, o, a_.flags, false);
      recorded_ = false;  // it lives as the handle does from now on
      if (kernel() || !(outer_.args.flags & O_TRUNC)) return finish(Result<Reply>(o));
      op::Setattr cut{};
      cut.node = a_.node;
      cut.handle = file_->inner;
      cut.set.mask = kSetSize;
      if (checks()) static_cast<void>(judge_setattr(ctx_.cred, facts_.node, {true, kWantWrite}, cut.set));
      ask(core_, port_, server(), cut, extra_, [this, o](Result<Attributes>&& r, const Marks&) {
        if (r) return finish(Result<Reply>(o));
        file_ = nullptr;
        core_.end_handle(handle_);
        finish(r.error());
      });
    }
  }
  void created(Created c, const Marks& marks) {
    if constexpr (std::is_same_v<Reply, Created>) {
      if (!kernel()) {
        if constexpr (requires { a_.name; })
          enter(a_.dir, a_.name, c.entry, marks);
        else
          enter(NodeId::none, {}, c.entry, marks);
      }
      handle_ = core_.new_handle();
      record(c.entry.node, c.opened, a_.flags, false);
      Opens::Wish w{c.entry.node, Use::open, handle_, who_, share_access(a_.flags), kShareAll};
      if constexpr (requires { a_.share; }) {
        w.access |= static_cast<uint8_t>(a_.access & kAccessAll);
        w.share = static_cast<uint8_t>(a_.share & kShareAll);
      }
      core_.opens.use(w, nullptr, [this, c](Errno e) {
        if (e == Errno{}) return finish(Result<Reply>(c));
        // Somebody opened the new file first, and shares it with nobody.
        file_ = nullptr;
        core_.end_handle(handle_);
        if (!kernel())
          core_.leave(c.entry.node);
        else
          forget(core_.fs, {}, c.entry.node);
        finish(e);
      });
    }
  }

  void finish(Errno e) { finish(Result<Reply>(e)); }
  void finish(Result<Reply> r) {
    if constexpr (T::id == Op::Open)
      if (recorded_) core_.opens.close(a_.node, handle_);
    Pending<T>& to = outer_;
    file_ = other_file_ = nullptr;
    if constexpr (kChanges.has(T::id)) {
      if (r && !kernel()) {
        Core& core = core_;
        const uint32_t port = port_->id;
        delete this;
        return Heard::wait(
            core, port, [&to, kept = std::make_shared<Result<Reply>>(std::move(r))] { to.answered(std::move(*kept)); });
      }
    }
    delete this;
    to.answered(std::move(r));
  }

  /// Entries with attributes are counted and remembered as lookups are.
  struct Sink final : DirSink {
    Sink(Flow& f, DirSink& t) : flow(f), to(t) {}
    bool is_untouched() const { return untouched; }
    bool add(const DirEntry& e) override {
      untouched = false;
      if (!to.add(e)) return false;
      if constexpr (T::id == Op::ReadDir) {
        if (flow.file_) note_listed(flow.core_, *flow.file_, std::exchange(behind, e.cookie), e);
        if (e.with && e.with->node != NodeId::none) {
          flow.core_.places.set(e.with->node, flow.a_.node, e.name);
          flow.enter(flow.a_.node, e.name, *e.with, {flow.since_, flow.since_});
        }
      }
      return true;
    }
    size_t room() const override { return to.room(); }
    Flow& flow;
    DirSink& to;
    uint64_t behind = 0;  // the cookie
    bool untouched = true;
  };

  struct Using {
    NodeId node = NodeId::none;
    Use use = Use::read;
    uint8_t access = 0;
  };

  Core& core_;
  const std::shared_ptr<const PortFacts> port_;
  Pending<T>& outer_;
  Context ctx_;
  T a_;
  Actor who_;
  ChangeClock::Stamp since_ = 0;
  Extra extra_;
  Attr victim_, target_;
  HandleId handle_ = HandleId::none;  // of the door
  std::shared_ptr<OpenFile> file_, other_file_;
  RightsFacts facts_;
  std::array<Rules, 2> rules_;
  std::array<Using, 2> uses_;
  size_t uses_n_ = 0;
  bool recorded_ = false;  // an open that the provider has not granted yet
  std::optional<Sink> sink_;
  Forgets forgets_;
};

template <class T>
void run_flow(Core& core, std::shared_ptr<const PortFacts> port, Pending<T>& outer) {
  Flow<T>::run(core, std::move(port), outer);
}

}  // namespace isthmus::volume
