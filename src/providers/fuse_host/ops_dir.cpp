/// Directories.
#include <fcntl.h>
#include <sys/stat.h>

#include "providers/fuse_host/ask.h"
#include "providers/fuse_host/convert.h"
#include "wire/fuse/reply.h"

namespace isthmus::fuse_host {

using namespace wire::fuse;

void FuseHost::open_dir(Call<op::OpenDir> c) {
  const auto a = *c;
  auto n = nodes_.get(a.node, Op::OpenDir);
  if (!n) return c.fail(n.error());
  if (!S_ISDIR((*n)->type)) return c.fail(ENOTDIR);
  const OpenIn in{(a.flags | O_DIRECTORY) & ~uint32_t{O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC}, 0};
  ask(Opcode::Opendir, a.node, std::move(c), {bytes_of(in)}, exactly<OpenOut>(),
      [this, flags = in.flags](Call<op::OpenDir> call, Result<Bytes> r) {
        if (!r && r.error() == err(ENOSYS)) return drop_to_default(std::move(call));
        if (!r) return call.fail(r.error());
        const auto out = take_as<OpenOut>(*r);
        Opened o = from_wire(out, true);
        o.handle = add_handle(out, flags);
        call.reply(o);
      });
}

/// Asks for one block of entries after the other, until the sink is full or there are no more. What cannot be a name
/// is EIO, as in parse_dirfile() of fs/fuse/readdir.c, but after the entries before it.
class FuseHost::Listing {
 public:
  Listing(FuseHost& h, Handle open, uint64_t node, uint64_t at) : host(h), handle(open), dir(node), cookie(at) {}

  static void go_on(std::shared_ptr<Listing> self, Call<op::ReadDir> c) {
    const auto a = *c;
    Listing& l = *self;
    const bool plus = a.with_attr && l.host.has(kInitDoReaddirplus) && !l.host.lacks(Opcode::Readdirplus);
    const size_t room = a.sink->room();
    ReadIn in{};
    in.fh = l.handle.fh;
    in.offset = l.cookie;
    in.size = static_cast<uint32_t>(std::clamp<size_t>(plus ? room * 4 : room, 4096, kMostBlock));
    in.flags = l.handle.flags;
    l.host.ask(plus ? Opcode::Readdirplus : Opcode::Readdir, a.node, std::move(c), {bytes_of(in)}, up_to(in.size),
               [self = std::move(self), plus](Call<op::ReadDir> call, Result<Bytes> r) mutable {
                 Listing& s = *self;
                 if (!r && plus && r.error() == err(ENOSYS)) return go_on(std::move(self), std::move(call));
                 if (!r) return s.some ? call.reply({}) : call.fail(r.error());
                 const uint64_t before = s.cookie;
                 s.pass(*call, *r, plus);
                 if (s.bad && !s.some) return call.fail(EIO);
                 if (s.bad || s.full || s.cookie == before || r->empty()) return call.reply({});
                 go_on(std::move(self), std::move(call));
               });
  }

 private:
  static constexpr size_t kMostBlock = 60 << 10;  // comes in one message

  void pass(const op::ReadDir& a, Bytes block, bool plus) {
    const size_t before = plus ? sizeof(EntryOut) : 0;
    while (block.size() >= before + sizeof(Dirent)) {
      const auto d = take_as<Dirent>(block.subspan(before));
      const EntryOut out = plus ? take_as<EntryOut>(block) : EntryOut{};
      const size_t length = before + sizeof(Dirent) + d.namelen;
      const bool whole = d.namelen <= kNameMax && block.size() >= length;
      const std::string_view name = whole ? as_text(block.subspan(before + sizeof(Dirent), d.namelen)) : "";
      bad |= !valid_out_name(name);
      if (bad || full) {
        if (out.nodeid != 0 && counted(name)) host.connection_.forget(out.nodeid, 1);
      } else if (add(a, d, name, out)) {
        cookie = d.off;
        some = true;
      } else {
        full = true;
      }
      if (!whole) return;
      block = block.subspan(std::min(round_up(length, 8), block.size()));
    }
  }
  static bool counted(std::string_view name) { return name != "." && name != ".."; }

  bool add(const op::ReadDir& a, const Dirent& d, std::string_view name, const EntryOut& out) {
    DirEntry e{.ino = d.ino, .cookie = d.off, .type = d.type, .name = name};
    if (out.nodeid == 0 || !counted(name)) return a.sink->add(e);
    // One that cannot be is a name without attributes.
    auto entry = host.take_entry(out, dir, 0, name);
    if (entry) e.with = &*entry;
    if (a.sink->add(e)) return true;
    if (entry && host.nodes_.forget(entry->node, 1)) host.connection_.forget(out.nodeid, 1);
    return false;
  }

  FuseHost& host;
  const Handle handle;
  const uint64_t dir;
  uint64_t cookie;  // of the last entry that the sink took
  bool some = false, full = false, bad = false;
};

void FuseHost::read_dir(Call<op::ReadDir> c) {
  auto handle = find_handle(c->handle, Opcode::Opendir);
  if (!handle) return c.fail(handle.error());
  auto n = nodes_.get(c->node, Op::ReadDir);
  if (!n) return c.fail(n.error());
  auto listing = std::make_shared<Listing>(*this, *handle, (*n)->id, c->cookie);
  Listing::go_on(std::move(listing), std::move(c));
}

void FuseHost::release_dir(Call<op::ReleaseDir> c) {
  const auto a = *c;
  auto handle = end_handle(a.handle);
  if (!handle) return c.fail(handle.error());
  const Node* n = nodes_.find(a.node);
  if (!n || a.handle == HandleId::none) return c.reply({});
  const ReleaseIn in{handle->fh, handle->flags, 0, 0};
  ask_of(Opcode::Releasedir, n->id, std::move(c), {bytes_of(in)}, {},
         [](Call<op::ReleaseDir> call, const Result<Bytes>&) { call.reply({}); });  // as for release()
}

void FuseHost::fsync_dir(Call<op::FsyncDir> c) {
  const auto a = *c;
  auto handle = find_handle(a.handle, Opcode::Opendir);
  if (!handle) return c.fail(handle.error());
  const FsyncIn in{handle->fh, a.data_only ? kFsyncFdatasync : 0, 0};
  ask_optional(Opcode::Fsyncdir, a.node, std::move(c), {bytes_of(in)});
}

}  // namespace isthmus::fuse_host
