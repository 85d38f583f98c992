/// Directories.
#include <fcntl.h>

#include <algorithm>

#include "doors/fuse/convert.h"
#include "doors/fuse/handlers.h"
#include "doors/fuse/session.h"
#include "vfs/defaults.h"
#include "vfs/then.h"

namespace isthmus::fuse {

using namespace wire::fuse;

namespace {

void answer_opendir(Exchange& x, const op::OpenDir& a, Result<Opened>&& r) {
  if (!r) return x.error(r.error());
  if (x.reply(to_wire(*r, true, x.session().policy()))) return;
  op::ReleaseDir release;
  release.node = a.node;
  release.handle = r->handle;
  call_then(x.fs(), Context{}, release, [](Status) {});
}

void give_back(FileSystem& fs, const std::vector<NodeId>& nodes) {
  Context own;
  own.door = DoorKind::fuse;
  for (NodeId n : nodes) forget(fs, own, n);
}

void answer_names(Exchange& x, const op::ReadDir&, Result<Unit>&& r) {
  DirFill& fill = x.dir_fill;
  // An error after some names: the kernel gets those, asks for the rest and hears the error then.
  if (!r && fill.bytes().empty())
    x.error(r.error());
  else if (!x.reply_bytes(fill.bytes()))
    give_back(x.fs(), fill.counted());
  if (!fill.give_back().empty()) give_back(x.fs(), fill.give_back());
  fill.end();
}

op::ReadDir begin_listing(Exchange& x, bool plus) {
  const auto& in = x.in().as<ReadIn>();
  ListingAdvice* advice = plus ? x.session().listing_advice() : nullptr;
  x.dir_fill.begin(x.data().first(std::min<size_t>(in.size, x.data().size())), plus, x.session().policy(), x.node(),
                   advice);
  op::ReadDir a;
  a.node = x.node();
  a.handle = HandleId{in.fh};
  a.cookie = in.offset;
  a.with_attr = plus && (!advice || advice->attributes(a.cookie));
  a.sink = &x.dir_fill;
  return a;
}

}  // namespace

void do_opendir(Exchange& x) {
  op::OpenDir a;
  a.node = x.node();
  a.flags = x.in().in<Opcode::Opendir>().flags & ~static_cast<uint32_t>(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC);
  x.submit<op::OpenDir, answer_opendir>(a);
}

void do_readdir(Exchange& x) { x.submit<op::ReadDir, answer_names>(begin_listing(x, false)); }

void do_readdirplus(Exchange& x) {
  op::ReadDir a = begin_listing(x, true);
  if (x.session().dir_attr() || !a.with_attr) return x.submit<op::ReadDir, answer_names>(a);
  submit_read_dir_with_lookup(x.fs(), x.prepare<op::ReadDir, answer_names>(a));
}

void do_releasedir(Exchange& x) {
  op::ReleaseDir a;
  a.node = x.node();
  a.handle = HandleId{x.in().in<Opcode::Releasedir>().fh};
  x.submit<op::ReleaseDir, answer_unit<op::ReleaseDir>>(a);
}

void do_fsyncdir(Exchange& x) {
  const auto& in = x.in().in<Opcode::Fsyncdir>();
  op::FsyncDir a;
  a.node = x.node();
  a.handle = HandleId{in.fh};
  a.data_only = in.fsync_flags & kFsyncFdatasync;
  x.submit<op::FsyncDir, answer_unit<op::FsyncDir>>(a);
}

}  // namespace isthmus::fuse
