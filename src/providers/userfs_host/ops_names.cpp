/// Names, nodes and their attributes.
#include "providers/userfs_host/ask.h"

namespace isthmus::userfs_host {

using wire::userfs::kMostTarget;
using wire::userfs::kMostXattr;

namespace {

constexpr std::string_view kCapability = "security.capability";

std::vector<packets::Label> labels_of(std::span<const op::Label> labels) {
  std::vector<packets::Label> w;
  for (auto& l : labels) w.push_back({l.name, as_text(l.value)});
  return w;
}

}  // namespace

void UserfsHost::lookup(Call<op::Lookup> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::NameRequest in{now->handle(a.dir), now->name(a.name)};
  ask_entry<Opcode::lookup>(*now, std::move(c), in);
}

void UserfsHost::forget(Call<op::Forget> c) {
  const NodeId node = c->node;
  const uint64_t count = c->count;
  c.reply({});
  Now now{this, nullptr, life_.load(std::memory_order_relaxed)};
  {
    std::lock_guard lock(m_);
    if (state_ == State::up) now.connection = connection_;
    now.life = life_.load(std::memory_order_relaxed);
  }
  const uint32_t handle = now.handle(node);
  if (now.connection && now.error == Errno{} && node != NodeId::root) give_back(now, handle, count);
}

void UserfsHost::getattr(Call<op::Getattr> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::IreadRequest in{now->handle(a.node), now->fh(a.handle), a.statx_mask, a.statx_flags};
  ask<Opcode::iread>(*now, std::move(c), in, [this](Call<op::Getattr> call, Result<packets::AttrReply> r) {
    if (!r) return call.fail(r.error());
    const auto attr = from_wire(*r);
    if (!attr) bad_answer();
    call.finish(attr);
  });
}

void UserfsHost::setattr(Call<op::Setattr> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  packets::NotifyChangeRequest in = to_wire(a.set);
  in.handle = now->handle(a.node);
  in.fh = now->fh(a.handle);
  in.lock_owner = a.lock_owner;
  ask<Opcode::notify_change>(*now, std::move(c), in, [this](Call<op::Setattr> call, Result<packets::AttrReply> r) {
    if (!r) return call.fail(r.error());
    const auto attr = from_wire(*r);
    if (!attr) bad_answer();
    call.finish(attr);
  });
}

void UserfsHost::readlink(Call<op::Readlink> c) {
  const NodeId node = c->node;
  auto now = present(c);
  if (!now) return;
  const packets::HandleRequest in{now->handle(node)};
  ask<Opcode::readlink>(*now, std::move(c), in, [this](Call<op::Readlink> call, Result<packets::TextReply> r) {
    if (!r) return call.fail(r.error());
    if (r->text.empty() || r->text.size() > kMostTarget || r->text.find('\0') != r->text.npos)
      return call.fail(bad_answer());
    call.reply(std::string(r->text));
  });
}

void UserfsHost::mknod(Call<op::Mknod> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::MknodRequest in{now->handle(a.dir), now->name(a.name), a.mode, a.rdev, labels_of(a.labels)};
  ask_entry<Opcode::mknod>(*now, std::move(c), in);
}

void UserfsHost::mkdir(Call<op::Mkdir> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::MkdirRequest in{now->handle(a.dir), now->name(a.name), a.mode, labels_of(a.labels)};
  ask_entry<Opcode::mkdir>(*now, std::move(c), in);
}

void UserfsHost::unlink(Call<op::Unlink> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::NameRequest in{now->handle(a.dir), now->name(a.name)};
  ask_unit<Opcode::unlink>(*now, std::move(c), in);
}

void UserfsHost::rmdir(Call<op::Rmdir> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::NameRequest in{now->handle(a.dir), now->name(a.name)};
  ask_unit<Opcode::rmdir>(*now, std::move(c), in);
}

void UserfsHost::symlink(Call<op::Symlink> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::SymlinkRequest in{now->handle(a.dir), now->name(a.name), a.target, labels_of(a.labels)};
  ask_entry<Opcode::symlink>(*now, std::move(c), in);
}

void UserfsHost::rename(Call<op::Rename> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::RenameRequest in{now->handle(a.dir), now->name(a.name), now->handle(a.to_dir), now->name(a.to_name),
                                  a.flags};
  ask_unit<Opcode::rename>(*now, std::move(c), in);
}

void UserfsHost::link(Call<op::Link> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::LinkRequest in{now->handle(a.node), now->handle(a.to_dir), now->name(a.to_name)};
  ask_entry<Opcode::link>(*now, std::move(c), in);
}

void UserfsHost::access(Call<op::Access> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::PermissionRequest in{now->handle(a.node), static_cast<uint32_t>(a.mask)};
  ask_unit<Opcode::permission>(*now, std::move(c), in);
}

void UserfsHost::get_xattr(Call<op::GetXattr> c) {
  const auto& a = *c;
  if (a.name == kCapability && was_just_made(a.node)) return c.fail(ENODATA);
  auto now = present(c);
  if (!now) return;
  const packets::XattrRequest in{now->handle(a.node), a.name};
  ask<Opcode::getxattr>(*now, std::move(c), in, [this](Call<op::GetXattr> call, Result<packets::DataReply> r) {
    if (!r) return call.fail(r.error());
    if (r->data.size() > kMostXattr) return call.fail(bad_answer());
    call.reply(std::string(as_text(r->data)));
  });
}

void UserfsHost::set_xattr(Call<op::SetXattr> c) {
  const auto& a = *c;
  if (a.name == kCapability) (void)was_just_made(a.node);
  auto now = present(c);
  if (!now) return;
  if (a.value.size() > kMostXattr) return c.fail(E2BIG);
  const packets::SetxattrRequest in{now->handle(a.node), a.name, static_cast<uint32_t>(a.flags), a.kill_sgid ? 1u : 0u,
                                    a.value};
  ask_unit<Opcode::setxattr>(*now, std::move(c), in);
}

void UserfsHost::list_xattr(Call<op::ListXattr> c) {
  const NodeId node = c->node;
  auto now = present(c);
  if (!now) return;
  const packets::HandleRequest in{now->handle(node)};
  ask<Opcode::listxattr>(*now, std::move(c), in, [this](Call<op::ListXattr> call, Result<packets::NamesReply> r) {
    if (!r) return call.fail(r.error());
    std::vector<std::string> names;
    for (auto n : r->names) {
      if (n.empty() || n.size() > wire::userfs::kMostName || n.find('\0') != n.npos)
        bad_names_++;
      else
        names.emplace_back(n);
    }
    call.reply(std::move(names));
  });
}

void UserfsHost::remove_xattr(Call<op::RemoveXattr> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  const packets::XattrRequest in{now->handle(a.node), a.name};
  ask_unit<Opcode::removexattr>(*now, std::move(c), in);
}

void UserfsHost::node_to_export(Call<op::NodeToExport> c) {
  const NodeId node = c->node;
  auto now = present(c);
  if (!now) return;
  const packets::HandleRequest in{now->handle(node)};
  ask<Opcode::getexport>(*now, std::move(c), in, [this](Call<op::NodeToExport> call, Result<packets::ExportName> r) {
    if (!r) return call.fail(r.error());
    if (r->name.empty() || r->name.size() > ExportHandle::kMostOfProvider) return call.fail(bad_answer());
    ExportHandle h;
    h.size = static_cast<uint8_t>(r->name.size());
    std::copy(r->name.begin(), r->name.end(), h.bytes.begin());
    call.reply(h);
  });
}

void UserfsHost::export_to_node(Call<op::ExportToNode> c) {
  const auto& a = *c;
  auto now = present(c);
  if (!now) return;
  ask_entry<Opcode::findexport>(*now, std::move(c), packets::ExportName{a.handle.view()});
}

}  // namespace isthmus::userfs_host
