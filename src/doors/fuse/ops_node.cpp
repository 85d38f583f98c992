/// Names and nodes.
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "doors/fuse/convert.h"
#include "doors/fuse/handlers.h"
#include "doors/fuse/page_memory.h"
#include "doors/fuse/session.h"
#include "vfs/baton.h"
#include "vfs/then.h"
#include "wire/fuse/device_number.h"

namespace isthmus::fuse {

using namespace wire::fuse;

namespace {

/// A new lookup passes to the kernel with the answer; if nobody gets that, it goes back.
template <class T>
void answer_entry(Exchange& x, const T&, Result<Entry>&& r) {
  if (!r) return x.error(r.error());
  const Policy& policy = x.session().policy();
  if (r->node == NodeId::none) {
    // Believed for no time at all: the plain error says the same.
    if (policy.negative_ttl.value_or(r->entry_ttl) == 0) return x.error(err(ENOENT));
    x.reply(to_wire(*r, policy));
    return;
  }
  if (x.reply(to_wire(*r, policy))) return;
  Context own;
  own.door = DoorKind::fuse;
  forget(x.fs(), own, r->node);
}

/// open(2) with O_CREAT makes its file by MKNOD where opens are stateless. If somebody else made it first, that is no
/// error there unless O_EXCL is given, which only the kernel knows: ESTALE has it look the name up again and decide.
void answer_made(Exchange& x, const op::Mknod& a, Result<Entry>&& r) {
  if (r.code() == EEXIST && S_ISREG(a.mode) && x.session().policy().stateless_open) return x.error(err(ESTALE));
  answer_entry(x, a, std::move(r));
}

template <class T>
void answer_attr(Exchange& x, const T& args, Result<Attributes>&& r) {
  if (!r) return x.error(r.error());
  x.reply(to_wire(*r, args.node, x.session().policy()));
}

void answer_statx(Exchange& x, const op::Getattr& args, Result<Attributes>&& r) {
  if (!r) return x.error(r.error());
  x.reply(to_statx(*r, args.node, x.session().policy()));
}

void answer_link_target(Exchange& x, const op::Readlink&, Result<std::string>&& r) {
  if (!r) return x.error(r.error());
  // The kernel has a page for it and ends it with a NUL.
  if (r->empty() || r->size() >= kPage || r->find('\0') != std::string::npos) {
    log(LogLevel::error, "readlink: the target of node {} has {} bytes or a NUL in it", raw(x.node()), r->size());
    return x.error(err(EIO));
  }
  x.reply_bytes(as_bytes(*r));
}

/// Gives a list of lookups back, one after the other.
struct Forgets final : Pending<op::Forget> {
  Forgets(Exchange& x, std::span<const ForgetOne> l) : exchange(x), list(l) {}
  void run() {
    while (!list.empty()) {
      args.node = NodeId{list.front().nodeid};
      args.count = list.front().nlookup;
      list = list.subspan(1);
      if (args.count == 0) continue;
      baton.start();
      exchange.fs().submit<op::Forget>(*this);
      if (!baton.answered_already()) return;
    }
    Exchange& x = exchange;
    delete this;
    x.finish();
  }
  void answered(Status&&) noexcept override {
    if (baton.submitter_left()) run();
  }
  Exchange& exchange;
  std::span<const ForgetOne> list;
  Baton baton;
};

void nothing_to_say(Exchange&, const op::Forget&, Result<Unit>&&) {}

void rename_to(Exchange& x, uint64_t newdir, uint32_t flags) {
  op::Rename a;
  a.dir = x.node();
  a.name = x.in().name;
  a.to_dir = NodeId{newdir};
  a.to_name = x.in().name2;
  a.flags = flags;
  x.submit<op::Rename, answer_unit<op::Rename>>(a);
}

}  // namespace

void do_lookup(Exchange& x) {
  op::Lookup a;
  a.dir = x.node();
  a.name = x.in().name;
  if (auto* advice = x.session().listing_advice()) advice->looked_up(a.dir, a.name);
  x.submit<op::Lookup, answer_entry<op::Lookup>>(a);
}

void do_forget(Exchange& x) {
  op::Forget a;
  a.node = x.node();
  a.count = x.in().in<Opcode::Forget>().nlookup;
  if (a.count == 0 || x.session().options().no_forget) return x.finish();
  x.submit<op::Forget, nothing_to_say>(a);
}

void do_batch_forget(Exchange& x) {
  if (x.session().options().no_forget) return x.finish();
  auto* all = new (std::nothrow) Forgets(x, x.in().forgets);
  if (!all) return x.finish();  // the nodes stay known until the end
  all->ctx = x.context();
  all->run();
}

void do_getattr(Exchange& x) {
  const auto& in = x.in().in<Opcode::Getattr>();
  op::Getattr a;
  a.node = x.node();
  a.by_handle = in.getattr_flags & kGetattrFh;
  if (a.by_handle) a.handle = HandleId{in.fh};
  x.submit<op::Getattr, answer_attr<op::Getattr>>(a);
}

void do_statx(Exchange& x) {
  const auto& in = x.in().in<Opcode::Statx>();
  op::Getattr a;
  a.node = x.node();
  a.by_handle = in.getattr_flags & kGetattrFh;
  if (a.by_handle) a.handle = HandleId{in.fh};
  a.statx_mask = in.sx_mask;
  a.statx_flags = in.sx_flags;
  x.submit<op::Getattr, answer_statx>(a);
}

void do_setattr(Exchange& x) {
  const auto& in = x.in().in<Opcode::Setattr>();
  constexpr uint32_t kNsMax = 999'999'999;
  if (in.atimensec > kNsMax || in.mtimensec > kNsMax || in.ctimensec > kNsMax || in.size > INT64_MAX)
    return x.refuse(err(EINVAL));
  op::Setattr a;
  a.node = x.node();
  a.set = from_wire(in);
  a.by_handle = in.valid & kFattrFh;
  if (a.by_handle) a.handle = HandleId{in.fh};
  if (in.valid & kFattrLockowner) a.lock_owner = in.lock_owner;
  x.submit<op::Setattr, answer_attr<op::Setattr>>(a);
}

void do_readlink(Exchange& x) {
  op::Readlink a;
  a.node = x.node();
  x.submit<op::Readlink, answer_link_target>(a);
}

void do_mknod(Exchange& x) {
  const auto& in = x.in().in<Opcode::Mknod>();
  op::Mknod a;
  a.dir = x.node();
  a.name = x.in().name;
  a.mode = in.mode;
  a.rdev = wire::fuse::from_wire_rdev(in.rdev);
  a.labels = x.labels();
  x.submit<op::Mknod, answer_made>(a);
}

void do_mkdir(Exchange& x) {
  op::Mkdir a;
  a.dir = x.node();
  a.name = x.in().name;
  a.mode = x.in().in<Opcode::Mkdir>().mode;
  a.labels = x.labels();
  x.submit<op::Mkdir, answer_entry<op::Mkdir>>(a);
}

void do_symlink(Exchange& x) {
  op::Symlink a;
  a.dir = x.node();
  a.name = x.in().name;
  a.target = x.in().name2;
  a.labels = x.labels();
  x.submit<op::Symlink, answer_entry<op::Symlink>>(a);
}

void do_link(Exchange& x) {
  op::Link a;
  a.node = NodeId{x.in().in<Opcode::Link>().oldnodeid};
  a.to_dir = x.node();
  a.to_name = x.in().name;
  x.submit<op::Link, answer_entry<op::Link>>(a);
}

void do_unlink(Exchange& x) {
  op::Unlink a;
  a.dir = x.node();
  a.name = x.in().name;
  x.submit<op::Unlink, answer_unit<op::Unlink>>(a);
}

void do_rmdir(Exchange& x) {
  op::Rmdir a;
  a.dir = x.node();
  a.name = x.in().name;
  x.submit<op::Rmdir, answer_unit<op::Rmdir>>(a);
}

void do_rename(Exchange& x) { rename_to(x, x.in().in<Opcode::Rename>().newdir, 0); }

void do_rename2(Exchange& x) {
  const auto& in = x.in().in<Opcode::Rename2>();
  rename_to(x, in.newdir, in.flags);
}

void do_access(Exchange& x) {
  op::Access a;
  a.node = x.node();
  a.mask = static_cast<int>(x.in().in<Opcode::Access>().mask & (R_OK | W_OK | X_OK));
  x.submit<op::Access, answer_unit<op::Access>>(a);
}

}  // namespace isthmus::fuse
