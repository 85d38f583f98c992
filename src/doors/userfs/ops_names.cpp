/// Names, nodes and their attributes.
#include <sys/stat.h>

#include "doors/userfs/session.h"

namespace isthmus::userfs {

template <>
void Session::serve<Opcode::lookup>(const RequestPtr& r, const packets::NameRequest& in) {
  const auto dir = node(in.dir);
  if (!dir) return fail(*r, dir.error());
  ask_entry(r, op::Lookup{{}, *dir, in.name.text});
}

template <>
void Session::serve<Opcode::iput>(const RequestPtr& r, const packets::IputRequest& in) {
  for (auto& g : in.given) {
    const auto taken = nodes_.take(g.handle, g.count);
    forget_node(taken.node, taken.lookups);
  }
  answer(*r, packets::Empty{});
}

template <>
void Session::serve<Opcode::iread>(const RequestPtr& r, const packets::IreadRequest& in) {
  const auto o = opened(in.handle, in.fh);
  if (!o) return fail(*r, o.error());
  op::Getattr a;
  a.node = o->node;
  a.handle = o->handle;
  a.by_handle = in.fh != 0;
  a.statx_mask = in.statx_mask;
  a.statx_flags = in.statx_flags;
  ask(r, a, [this, r](Attributes&& out) { answer(*r, to_wire(out)); });
}

template <>
void Session::serve<Opcode::notify_change>(const RequestPtr& r, const packets::NotifyChangeRequest& in) {
  const auto o = opened(in.handle, in.fh);
  if (!o) return fail(*r, o.error());
  op::Setattr a;
  a.node = o->node;
  a.handle = o->handle;
  a.by_handle = in.fh != 0;
  a.set = from_wire(in);
  a.lock_owner = in.lock_owner;
  ask(r, a, [this, r](Attributes&& out) { answer(*r, to_wire(out)); });
}

template <>
void Session::serve<Opcode::readlink>(const RequestPtr& r, const packets::HandleRequest& in) {
  const auto of = node(in.handle);
  if (!of) return fail(*r, of.error());
  ask(r, op::Readlink{{}, *of}, [this, r](std::string&& target) { answer(*r, packets::TextReply{target}); });
}

template <>
void Session::serve<Opcode::mkdir>(const RequestPtr& r, const packets::MkdirRequest& in) {
  const auto dir = node(in.dir);
  if (!dir) return fail(*r, dir.error());
  ask_entry(r, op::Mkdir{{}, *dir, in.name.text, in.mode, labels_of(*r, in.labels)});
}

template <>
void Session::serve<Opcode::mknod>(const RequestPtr& r, const packets::MknodRequest& in) {
  const auto dir = node(in.dir);
  if (!dir) return fail(*r, dir.error());
  ask_entry(r, op::Mknod{{}, *dir, in.name.text, in.mode, in.rdev, labels_of(*r, in.labels)});
}

template <>
void Session::serve<Opcode::symlink>(const RequestPtr& r, const packets::SymlinkRequest& in) {
  const auto dir = node(in.dir);
  if (!dir) return fail(*r, dir.error());
  ask_entry(r, op::Symlink{{}, *dir, in.name.text, in.target, labels_of(*r, in.labels)});
}

template <>
void Session::serve<Opcode::link>(const RequestPtr& r, const packets::LinkRequest& in) {
  const auto of = node(in.handle), dir = node(in.dir);
  if (!of || !dir) return fail(*r, err(ESTALE));
  ask_entry(r, op::Link{{}, *of, *dir, in.name.text});
}

template <>
void Session::serve<Opcode::unlink>(const RequestPtr& r, const packets::NameRequest& in) {
  const auto dir = node(in.dir);
  if (!dir) return fail(*r, dir.error());
  op::Unlink a;
  a.dir = *dir;
  a.name = in.name.text;
  ask_unit(r, a);
}

template <>
void Session::serve<Opcode::rmdir>(const RequestPtr& r, const packets::NameRequest& in) {
  const auto dir = node(in.dir);
  if (!dir) return fail(*r, dir.error());
  op::Rmdir a;
  a.dir = *dir;
  a.name = in.name.text;
  ask_unit(r, a);
}

template <>
void Session::serve<Opcode::rename>(const RequestPtr& r, const packets::RenameRequest& in) {
  const auto dir = node(in.dir), to = node(in.to_dir);
  if (!dir || !to) return fail(*r, err(ESTALE));
  op::Rename a;
  a.dir = *dir;
  a.name = in.name.text;
  a.to_dir = *to;
  a.to_name = in.to_name.text;
  a.flags = in.flags;
  ask_unit(r, a);
}

template <>
void Session::serve<Opcode::permission>(const RequestPtr& r, const packets::PermissionRequest& in) {
  const auto of = node(in.handle);
  if (!of) return fail(*r, of.error());
  ask_unit(r, op::Access{{}, *of, static_cast<int>(in.mask & 7)});
}

template <>
void Session::serve<Opcode::getxattr>(const RequestPtr& r, const packets::XattrRequest& in) {
  const auto of = node(in.handle);
  if (!of) return fail(*r, of.error());
  ask(r, op::GetXattr{{}, *of, in.name}, [this, r](std::string&& value) {
    if (value.size() > wire::userfs::kMostXattr) return fail(*r, err(E2BIG));
    answer(*r, packets::DataReply{as_bytes(value)});
  });
}

template <>
void Session::serve<Opcode::setxattr>(const RequestPtr& r, const packets::SetxattrRequest& in) {
  const auto of = node(in.handle);
  if (!of) return fail(*r, of.error());
  ask_unit(r, op::SetXattr{{}, *of, in.name, in.value, static_cast<int>(in.flags), (in.how & 1) != 0});
}

template <>
void Session::serve<Opcode::listxattr>(const RequestPtr& r, const packets::HandleRequest& in) {
  const auto of = node(in.handle);
  if (!of) return fail(*r, of.error());
  ask(r, op::ListXattr{{}, *of}, [this, r](std::vector<std::string>&& names) {
    packets::NamesReply reply;
    size_t bytes = 0;
    for (auto& n : names) {
      reply.names.emplace_back(n);
      bytes += n.size() + 4;
    }
    if (bytes > wire::userfs::kMostData) return fail(*r, err(E2BIG));
    answer(*r, reply);
  });
}

template <>
void Session::serve<Opcode::removexattr>(const RequestPtr& r, const packets::XattrRequest& in) {
  const auto of = node(in.handle);
  if (!of) return fail(*r, of.error());
  ask_unit(r, op::RemoveXattr{{}, *of, in.name});
}

}  // namespace isthmus::userfs
