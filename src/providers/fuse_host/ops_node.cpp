/// Names, nodes and their attributes.
#include <sys/stat.h>

#include <algorithm>
#include <climits>

#include "providers/fuse_host/ask.h"
#include "providers/fuse_host/convert.h"
#include "wire/fuse/device_number.h"

namespace isthmus::fuse_host {

using namespace wire::fuse;

namespace {

Result<Attributes> attributes(Result<Bytes> r) {
  if (!r) return r.error();
  const auto out = take_as<AttrOut>(*r);
  auto attr = from_wire(out.attr);
  if (!attr) return attr.error();
  return Attributes{*attr, to_ttl(out.attr_valid, out.attr_valid_nsec)};
}

}  // namespace

template <class T>
void FuseHost::ask_entry(Opcode opcode, NodeId node, Call<T> call, std::initializer_list<Bytes> parts) {
  ask(opcode, node, std::move(call), parts, sizeof(EntryOut), [this](Call<T> c, Result<Bytes> r) {
    if (!r && r.error() == err(ENOSYS)) return drop_to_default(std::move(c));
    if (!r) return c.fail(r.error());
    const auto out = take_as<EntryOut>(*r);
    if constexpr (T::id == Op::Lookup)
      if (out.nodeid == 0) {
        Entry none;
        none.entry_ttl = to_ttl(out.entry_valid, out.entry_valid_nsec);
        return c.reply(none);
      }
    auto entry = from_wire(out);
    if (!entry && out.nodeid != 0) forget_node(out.nodeid, 1);
    c.finish(std::move(entry));
  });
}

void FuseHost::lookup(Call<op::Lookup> c) {
  const auto a = *c;
  ask_entry(Opcode::Lookup, a.dir, std::move(c), {text(a.name), kNul});
}

void FuseHost::forget(Call<op::Forget> c) {
  forget_node(raw(c->node), c->count);
  c.reply({});
}

void FuseHost::getattr(Call<op::Getattr> c) {
  const auto a = *c;
  GetattrIn in{};
  if (a.by_handle || a.handle != HandleId::none) in = {kGetattrFh, 0, raw(a.handle)};
  ask(Opcode::Getattr, a.node, std::move(c), {bytes_of(in)}, sizeof(AttrOut),
      [](Call<op::Getattr> call, Result<Bytes> r) { call.finish(attributes(r)); });
}

void FuseHost::setattr(Call<op::Setattr> c) {
  const auto a = *c;
  SetattrIn in = to_wire(a.set);
  if (in.valid == 0) return c.fail(EOPNOTSUPP);  // birth times and flags
  if (a.by_handle || a.handle != HandleId::none) {
    in.valid |= kFattrFh;
    in.fh = raw(a.handle);
  }
  if (a.lock_owner != 0) {
    in.valid |= kFattrLockowner;
    in.lock_owner = a.lock_owner;
  }
  ask(Opcode::Setattr, a.node, std::move(c), {bytes_of(in)}, sizeof(AttrOut),
      [](Call<op::Setattr> call, Result<Bytes> r) { call.finish(attributes(r)); });
}

void FuseHost::readlink(Call<op::Readlink> c) {
  const NodeId node = c->node;
  ask(Opcode::Readlink, node, std::move(c), {}, 0, [](Call<op::Readlink> call, Result<Bytes> r) {
    if (!r) return call.fail(r.error());
    std::string_view target = as_text(*r);
    target = target.substr(0, target.find('\0'));
    if (target.empty() || target.size() >= PATH_MAX) return call.fail(EIO);
    call.reply(std::string(target));
  });
}

void FuseHost::mknod(Call<op::Mknod> c) {
  const auto a = *c;
  const MknodIn in{a.mode, to_wire_rdev(a.rdev), 0, 0};
  ask_entry(Opcode::Mknod, a.dir, std::move(c), {bytes_of(in), text(a.name), kNul});
}

void FuseHost::mkdir(Call<op::Mkdir> c) {
  const auto a = *c;
  const MkdirIn in{a.mode & 07777, 0};
  ask_entry(Opcode::Mkdir, a.dir, std::move(c), {bytes_of(in), text(a.name), kNul});
}

void FuseHost::unlink(Call<op::Unlink> c) {
  const auto a = *c;
  ask_unit(Opcode::Unlink, a.dir, std::move(c), {text(a.name), kNul});
}

void FuseHost::rmdir(Call<op::Rmdir> c) {
  const auto a = *c;
  ask_unit(Opcode::Rmdir, a.dir, std::move(c), {text(a.name), kNul});
}

void FuseHost::symlink(Call<op::Symlink> c) {
  const auto a = *c;
  ask_entry(Opcode::Symlink, a.dir, std::move(c), {text(a.name), kNul, text(a.target), kNul});
}

void FuseHost::rename(Call<op::Rename> c) {
  const auto a = *c;
  // Old daemons know the one without flags only.
  if (a.flags == 0) {
    const RenameIn in{raw(a.to_dir)};
    return ask_unit(Opcode::Rename, a.dir, std::move(c), {bytes_of(in), text(a.name), kNul, text(a.to_name), kNul});
  }
  const Rename2In in{raw(a.to_dir), a.flags, 0};
  ask(Opcode::Rename2, a.dir, std::move(c), {bytes_of(in), text(a.name), kNul, text(a.to_name), kNul}, 0,
      [](Call<op::Rename> call, Result<Bytes> r) {
        if (r) return call.reply({});
        call.fail(r.error() == err(ENOSYS) ? err(EINVAL) : r.error());
      });
}

void FuseHost::link(Call<op::Link> c) {
  const auto a = *c;
  const LinkIn in{raw(a.node)};
  ask_entry(Opcode::Link, a.to_dir, std::move(c), {bytes_of(in), text(a.to_name), kNul});
}

}  // namespace isthmus::fuse_host
