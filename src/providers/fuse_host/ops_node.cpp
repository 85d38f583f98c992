/// Names, nodes and their attributes.
#include <fcntl.h>
#include <sys/stat.h>

#include <climits>

#include "providers/fuse_host/convert.h"
#include "providers/fuse_host/extension.h"
#include "vfs/defaults.h"
#include "wire/fuse/device_number.h"

namespace isthmus::fuse_host {

using namespace wire::fuse;

namespace {

constexpr uint32_t kUmaskMinor = 12;  // MknodIn and CreateIn have it since

std::string_view created_name(const op::Create& a) { return a.name; }
std::string_view created_name(const op::Tmpfile&) { return {}; }

bool is_dots(std::string_view name) { return name == "." || name == ".."; }

/// The longest that every kernel sends; a daemon may have room for no more.
template <class T>
bool too_long(Call<T>& c, std::string_view name) {
  if (name.size() <= kNameMaxOld) return false;
  c.fail(ENAMETOOLONG);
  return true;
}

}  // namespace

template <class T>
void FuseHost::ask_entry(Opcode opcode, NodeId dir, Call<T> call, Parts parts, uint32_t type,
                         const Extension* extension) {
  auto d = nodes_.get(dir, T::id);
  if (!d) return call.fail(d.error());
  const uint64_t parent = (*d)->id;
  ask_of(
      opcode, parent, std::move(call), parts, entry_size(),
      [this, parent, type](Call<T> c, Result<Bytes> r) {
        if constexpr (T::id == Op::Mknod)
          if (!r && r.error() == err(ENOSYS) && S_ISREG(c->mode) && !lacks(Opcode::Create))
            return isthmus::detail::run_default(*this, std::move(c));  // it makes files by CREATE alone
        if (!r) return c.fail(r.error());
        const auto out = take_as<EntryOut>(*r);
        if constexpr (T::id == Op::Lookup)
          if (out.nodeid == 0) {
            Entry none;
            none.entry_ttl = to_ttl(out.entry_valid, out.entry_valid_nsec);
            return c.reply(none);
          }
        const std::string_view name = c->name;
        c.finish(take_entry(out, parent, type, name));
      },
      extension ? extension->bytes().size() : 0);
}

template <class T>
void FuseHost::ask_created(Opcode opcode, Call<T> call, Parts parts, const Extension& extension, uint32_t flags) {
  auto d = nodes_.get(call->dir, T::id);
  if (!d) return call.fail(d.error());
  const uint64_t parent = (*d)->id;
  const size_t length = entry_size().least + sizeof(OpenOut);
  ask_of(
      opcode, parent, std::move(call), parts, {length, length},
      [this, parent, flags](Call<T> c, Result<Bytes> r) {
        if (!r && r.error() == err(ENOSYS)) return drop_to_default(std::move(c));
        if (!r) return c.fail(r.error());
        const auto out = take_as<EntryOut>(r->first(entry_size().least));
        const auto opened = take_as<OpenOut>(r->subspan(entry_size().least));
        auto entry = take_entry(out, parent, S_IFREG, created_name(*c));
        if (!entry) {
          release_unused(out.nodeid, opened, flags);
          return c.fail(entry.error());
        }
        if (flags & O_TRUNC) data_changes(entry->node);
        Opened o = from_wire(opened, false);
        o.handle = add_handle(opened, flags);
        c.reply({*entry, o});
      },
      extension.bytes().size());
}

void FuseHost::lookup(Call<op::Lookup> c) {
  const auto a = *c;
  if (too_long(c, a.name)) return;
  if (!is_dots(a.name)) return ask_entry(Opcode::Lookup, a.dir, std::move(c), {text(a.name), kNul}, 0, nullptr);
  // Only file handles need these; what they lead to may be the root.
  if (!has(kInitExportSupport)) return c.fail(ESTALE);
  if (!nodes_.find(a.dir)) return c.fail(ESTALE);
  ask(Opcode::Lookup, a.dir, std::move(c), {text(a.name), kNul}, entry_size(),
      [this](Call<op::Lookup> call, Result<Bytes> r) {
        if (!r) return call.fail(r.error());
        const auto out = take_as<EntryOut>(*r);
        if (out.nodeid != kRootId) return call.finish(take_entry(out, 0, 0, {}));
        connection_.forget(kRootId, 1);
        auto root = from_wire(out);
        if (root && !S_ISDIR(root->attr.mode)) root = Result<Entry>(err(EIO));
        if (root) root->node = NodeId::root;
        call.finish(std::move(root));
      });
}

void FuseHost::forget(Call<op::Forget> c) {
  if (auto id = nodes_.forget(c->node, c->count)) connection_.forget(*id, c->count);
  c.reply({});
}

void FuseHost::getattr(Call<op::Getattr> c) {
  const bool birth =
      (c->statx_mask & STATX_BTIME) && !lacks(Opcode::Statx) && find_opcode(uint32_t(Opcode::Statx))->since <= minor_;
  birth ? ask_statx(std::move(c)) : ask_getattr(std::move(c));
}

void FuseHost::ask_getattr(Call<op::Getattr> c) {
  const auto a = *c;
  auto handle = find_handle(a.handle);
  if (!handle) return c.fail(handle.error());
  const Node* n = nodes_.find(a.node);
  GetattrIn in{};
  if ((a.by_handle || a.handle != HandleId::none) && n && S_ISREG(n->type)) in = {kGetattrFh, 0, handle->fh};
  ask(Opcode::Getattr, a.node, std::move(c), {bytes_of(in)}, attr_size(),
      [this](Call<op::Getattr> call, Result<Bytes> r) {
        if (!r) return call.fail(r.error());
        call.finish(take_attributes(call->node, take_as<AttrOut>(*r)));
      });
}

void FuseHost::ask_statx(Call<op::Getattr> c) {
  const auto a = *c;
  auto handle = find_handle(a.handle);
  if (!handle) return c.fail(handle.error());
  StatxIn in{};
  in.sx_flags = a.statx_flags;
  in.sx_mask = STATX_BASIC_STATS | STATX_BTIME;
  const Node* n = nodes_.find(a.node);
  if (a.handle != HandleId::none && n && S_ISREG(n->type)) {
    in.getattr_flags = kGetattrFh;
    in.fh = handle->fh;
  }
  ask(Opcode::Statx, a.node, std::move(c), {bytes_of(in)}, exactly<StatxOut>(),
      [this](Call<op::Getattr> call, Result<Bytes> r) {
        if (!r && r.error() == err(ENOSYS)) return ask_getattr(std::move(call));
        if (!r) return call.fail(r.error());
        const auto out = take_as<StatxOut>(*r);
        // Less than stat(2) shows is of no use here.
        if ((out.stat.mask & STATX_BASIC_STATS) != STATX_BASIC_STATS) return ask_getattr(std::move(call));
        call.finish(take_statx(call->node, out));
      });
}

void FuseHost::setattr(Call<op::Setattr> c) {
  const auto a = *c;
  SetattrIn in = to_wire(a.set);
  if (in.valid == 0 && a.set.mask != 0) return c.fail(EOPNOTSUPP);  // birth times and flags
  if ((in.valid & kFattrSize) && in.size > INT64_MAX) return c.fail(EFBIG);
  auto handle = find_handle(a.handle);
  if (!handle) return c.fail(handle.error());
  const bool resizes = in.valid & kFattrSize;
  if (resizes) data_changes(a.node);
  auto answer = [this, resizes](Call<op::Setattr> call, Result<Bytes> r) {
    if (resizes) data_changes(call->node);
    if (!r) return call.fail(r.error());
    call.finish(take_attributes(call->node, take_as<AttrOut>(*r)));
  };
  // Nothing is to change: the attributes are wanted.
  if (in.valid == 0) {
    const GetattrIn get{};
    return ask(Opcode::Getattr, a.node, std::move(c), {bytes_of(get)}, attr_size(), answer);
  }
  if (a.by_handle || a.handle != HandleId::none) {
    in.valid |= kFattrFh;
    in.fh = handle->fh;
  }
  if (a.lock_owner != 0) {
    in.valid |= kFattrLockowner;
    in.lock_owner = a.lock_owner;
  }
  if (a.set.kill_suidgid && has(kInitHandleKillprivV2)) in.valid |= kFattrKillSuidgid;
  ask(Opcode::Setattr, a.node, std::move(c), {bytes_of(in)}, attr_size(), answer);
}

void FuseHost::readlink(Call<op::Readlink> c) {
  const NodeId node = c->node;
  ask(Opcode::Readlink, node, std::move(c), {}, up_to(PATH_MAX - 1), [](Call<op::Readlink> call, Result<Bytes> r) {
    if (!r) return call.fail(r.error());
    const std::string_view all = as_text(*r);
    const std::string_view target = all.substr(0, all.find('\0'));
    // Some send NULs at the end. Between, nobody can say where it leads.
    if (target.empty() || all.find_first_not_of('\0', target.size()) != std::string_view::npos) return call.fail(EIO);
    call.reply(std::string(target));
  });
}

void FuseHost::mknod(Call<op::Mknod> c) {
  const auto a = *c;
  if (too_long(c, a.name)) return;
  const Context& ctx = c.context();
  const Extension extension(*this, a.dir, ctx, a.labels);
  const MknodIn in{mode_for_daemon(ctx, a.mode), to_wire_rdev(a.rdev), umask_for_daemon(ctx), 0};
  const size_t length = minor_ < kUmaskMinor ? offsetof(MknodIn, umask) : sizeof in;
  ask_entry(Opcode::Mknod, a.dir, std::move(c), {bytes_of(in, length), text(a.name), kNul, extension.bytes()},
            a.mode & S_IFMT, &extension);
}

void FuseHost::mkdir(Call<op::Mkdir> c) {
  const auto a = *c;
  if (too_long(c, a.name)) return;
  const Context& ctx = c.context();
  const Extension extension(*this, a.dir, ctx, a.labels);
  const MkdirIn in{mode_for_daemon(ctx, a.mode & 07777), umask_for_daemon(ctx)};
  ask_entry(Opcode::Mkdir, a.dir, std::move(c), {bytes_of(in), text(a.name), kNul, extension.bytes()}, S_IFDIR,
            &extension);
}

void FuseHost::symlink(Call<op::Symlink> c) {
  const auto a = *c;
  if (too_long(c, a.name)) return;
  if (a.target.size() >= PATH_MAX) return c.fail(ENAMETOOLONG);
  const Extension extension(*this, a.dir, c.context(), a.labels);
  ask_entry(Opcode::Symlink, a.dir, std::move(c), {text(a.name), kNul, text(a.target), kNul, extension.bytes()},
            S_IFLNK, &extension);
}

void FuseHost::unlink(Call<op::Unlink> c) {
  const auto a = *c;
  if (too_long(c, a.name)) return;
  ask_unit(Opcode::Unlink, a.dir, std::move(c), {text(a.name), kNul});
}

void FuseHost::rmdir(Call<op::Rmdir> c) {
  const auto a = *c;
  if (too_long(c, a.name)) return;
  ask_unit(Opcode::Rmdir, a.dir, std::move(c), {text(a.name), kNul});
}

void FuseHost::rename(Call<op::Rename> c) {
  const auto a = *c;
  if (too_long(c, a.name) || too_long(c, a.to_name)) return;
  auto to = nodes_.get(a.to_dir, Op::Rename);
  if (!to) return c.fail(to.error());
  // Old daemons know the one without flags only.
  if (a.flags == 0) {
    const RenameIn in{(*to)->id};
    return ask_unit(Opcode::Rename, a.dir, std::move(c), {bytes_of(in), text(a.name), kNul, text(a.to_name), kNul});
  }
  const Rename2In in{(*to)->id, a.flags, 0};
  ask(Opcode::Rename2, a.dir, std::move(c), {bytes_of(in), text(a.name), kNul, text(a.to_name), kNul}, {},
      [](Call<op::Rename> call, Result<Bytes> r) {
        if (r) return call.reply({});
        call.fail(r.error() == err(ENOSYS) ? err(EINVAL) : r.error());
      });
}

void FuseHost::link(Call<op::Link> c) {
  const auto a = *c;
  if (too_long(c, a.to_name)) return;
  auto from = nodes_.get(a.node, Op::Link);
  auto to = nodes_.get(a.to_dir, Op::Link);
  if (!from || !to) return c.fail(from ? to.error() : from.error());
  const LinkIn in{(*from)->id};
  ask_of(Opcode::Link, (*to)->id, std::move(c), {bytes_of(in), text(a.to_name), kNul}, entry_size(),
         [this, parent = (*to)->id, type = (*from)->type](Call<op::Link> call, Result<Bytes> r) {
           if (!r) return call.fail(r.error() == err(ENOSYS) ? err(EPERM) : r.error());
           const std::string_view name = call->to_name;
           call.finish(take_entry(take_as<EntryOut>(*r), parent, type, name));
         });
}

void FuseHost::create(Call<op::Create> c) {
  const auto a = *c;
  if (too_long(c, a.name)) return;
  const Context& ctx = c.context();
  const Extension extension(*this, a.dir, ctx, a.labels);
  CreateIn in{(a.flags | O_CREAT) & ~uint32_t{O_NOCTTY}, mode_for_daemon(ctx, (a.mode & 07777) | S_IFREG),
              umask_for_daemon(ctx), 0};
  if (a.kill_suidgid && (a.flags & O_TRUNC) && has(kInitHandleKillprivV2)) in.open_flags = kOpenKillSuidgid;
  const size_t length = minor_ < kUmaskMinor ? offsetof(CreateIn, umask) : sizeof in;
  ask_created(Opcode::Create, std::move(c), {bytes_of(in, length), text(a.name), kNul, extension.bytes()}, extension,
              a.flags);
}

void FuseHost::tmpfile(Call<op::Tmpfile> c) {
  const auto a = *c;
  const Context& ctx = c.context();
  const Extension extension(*this, a.dir, ctx, a.labels);
  const CreateIn in{a.flags | O_TMPFILE, mode_for_daemon(ctx, (a.mode & 07777) | S_IFREG), umask_for_daemon(ctx), 0};
  // A name is sent, as a create has one, and means nothing.
  ask_created(Opcode::Tmpfile, std::move(c), {bytes_of(in), text("/"), kNul, extension.bytes()}, extension, a.flags);
}

void FuseHost::node_to_export(Call<op::NodeToExport> c) {
  auto n = nodes_.get(c->node, Op::NodeToExport);
  if (!n) return c.fail(n.error());
  const uint64_t name[] = {(*n)->id, (*n)->generation};
  ExportHandle h;
  h.size = sizeof name;
  memcpy(h.bytes.data(), name, sizeof name);
  c.reply(h);
}

void FuseHost::export_to_node(Call<op::ExportToNode> c) {
  uint64_t name[2];
  if (c->handle.size != sizeof name) return c.fail(ESTALE);
  memcpy(name, c->handle.bytes.data(), sizeof name);
  ask_of(Opcode::Lookup, name[0], std::move(c), {text("."), kNul}, entry_size(),
         [this, id = name[0], generation = name[1]](Call<op::ExportToNode> call, Result<Bytes> r) {
           if (!r) return call.fail(r.error() == err(ENOENT) ? err(ESTALE) : r.error());
           const auto out = take_as<EntryOut>(*r);
           if (out.nodeid != id || (id != kRootId && out.generation != generation)) {
             if (out.nodeid != 0) connection_.forget(out.nodeid, 1);
             return call.fail(ESTALE);
           }
           if (id != kRootId) return call.finish(take_entry(out, 0, 0, {}));
           connection_.forget(kRootId, 1);
           auto root = from_wire(out);
           if (root) root->node = NodeId::root;
           call.finish(std::move(root));
         });
}

}  // namespace isthmus::fuse_host
