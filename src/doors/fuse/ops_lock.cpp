/// Byte-range and whole-file locks kept by the provider.
#include "doors/fuse/convert.h"
#include "doors/fuse/handlers.h"
#include "doors/fuse/session.h"

namespace isthmus::fuse {

using namespace wire::fuse;

namespace {

void answer_lock(Exchange& x, const op::GetLock&, Result<Lock>&& r) {
  if (!r) return x.error(r.error());
  x.reply(LkOut{to_wire(*r)});
}

/// A waiting lock is an operation under way like any other: it ends by an unlock, or by FUSE_INTERRUPT, which reaches
/// the provider as Cancel. Unless the provider blocks in it, no thread waits.
void set_lock(Exchange& x, bool wait) {
  const auto& in = x.in().as<LkIn>();
  auto lock = from_wire(in);
  if (!lock) return x.refuse(lock.error());
  op::SetLock a;
  a.node = x.node();
  a.handle = HandleId{in.fh};
  a.lock = *lock;
  a.wait = wait && lock->type != LockType::unlock;
  a.whole_file = in.lk_flags & kLkFlock;
  x.submit<op::SetLock, answer_unit<op::SetLock>>(a);
}

}  // namespace

void do_getlk(Exchange& x) {
  const auto& in = x.in().in<Opcode::Getlk>();
  auto lock = from_wire(in);
  if (!lock) return x.refuse(lock.error());
  op::GetLock a;
  a.node = x.node();
  a.handle = HandleId{in.fh};
  a.lock = *lock;
  x.submit<op::GetLock, answer_lock>(a);
}

void do_setlk(Exchange& x) { set_lock(x, false); }
void do_setlkw(Exchange& x) { set_lock(x, true); }

}  // namespace isthmus::fuse
