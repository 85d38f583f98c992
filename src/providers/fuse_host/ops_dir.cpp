/// Directories.
#include <fcntl.h>

#include <algorithm>

#include "providers/fuse_host/ask.h"
#include "providers/fuse_host/convert.h"
#include "wire/fuse/reply.h"

namespace isthmus::fuse_host {

using namespace wire::fuse;

void FuseHost::open_dir(Call<op::OpenDir> c) {
  const auto a = *c;
  const OpenIn in{(a.flags | O_DIRECTORY) & ~uint32_t{O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC}, 0};
  ask(Opcode::Opendir, a.node, std::move(c), {bytes_of(in)}, sizeof(OpenOut),
      [this](Call<op::OpenDir> call, Result<Bytes> r) {
        if (!r && r.error() == err(ENOSYS) && (flags_ & kInitNoOpendirSupport)) return drop_to_default(std::move(call));
        if (!r) return call.fail(r.error());
        call.reply(from_wire(take_as<OpenOut>(*r), true));
      });
}

/// Asks for one block of entries after the other, until the sink is full or there are no more.
class FuseHost::Listing {
 public:
  static void go_on(FuseHost& host, Call<op::ReadDir> c, uint64_t cookie) {
    const auto a = *c;
    const bool plus = a.with_attr && (host.flags_ & kInitDoReaddirplus) != 0;
    ReadIn in{};
    in.fh = raw(a.handle);
    in.offset = cookie;
    in.size = static_cast<uint32_t>(std::clamp<size_t>(plus ? a.sink->room() * 4 : a.sink->room(), 4096, kMostData));
    host.ask(plus ? Opcode::Readdirplus : Opcode::Readdir, a.node, std::move(c), {bytes_of(in)}, 0,
             [&host, cookie, plus](Call<op::ReadDir> call, Result<Bytes> r) {
               if (!r && plus && r.error() == err(ENOSYS)) {
                 host.flags_ &= ~kInitDoReaddirplus;
                 return go_on(host, std::move(call), cookie);
               }
               if (!r) return call.fail(r.error());
               uint64_t last = cookie;
               const bool full = !pass(host, *call, *r, plus, last);
               if (full || last == cookie) return call.reply({});
               go_on(host, std::move(call), last);
             });
  }

 private:
  /// False: the sink is full. `last`: the cookie of the last entry it took.
  static bool pass(FuseHost& host, const op::ReadDir& a, Bytes block, bool plus, uint64_t& last) {
    bool full = false;
    const size_t before = plus ? sizeof(EntryOut) : 0;
    while (block.size() >= before + sizeof(Dirent)) {
      const auto d = take_as<Dirent>(block.subspan(before));
      const size_t length = before + sizeof(Dirent) + d.namelen;
      if (d.namelen > kNameMax || block.size() < length) break;
      const std::string_view name = as_text(block.subspan(before + sizeof(Dirent), d.namelen));
      const EntryOut out = plus ? take_as<EntryOut>(block) : EntryOut{};
      full = full || !add(a, d, name, out, plus);
      if (full && out.nodeid != 0 && counted(name)) host.forget_node(out.nodeid, 1);
      if (!full) last = d.off;
      block = block.subspan(std::min(round_up(length, 8), block.size()));
    }
    return !full;
  }
  static bool counted(std::string_view name) { return name != "." && name != ".."; }

  static bool add(const op::ReadDir& a, const Dirent& d, std::string_view name, const EntryOut& out, bool plus) {
    if (!valid_out_name(name)) return true;  // nobody could ask for it
    DirEntry e{.ino = d.ino, .cookie = d.off, .type = d.type, .name = name};
    if (!plus || out.nodeid == 0 || !counted(name)) return a.sink->add(e);
    auto entry = from_wire(out);
    if (!entry) return a.sink->add(e);
    e.with = &*entry;
    return a.sink->add(e);
  }
};

void FuseHost::read_dir(Call<op::ReadDir> c) {
  const uint64_t cookie = c->cookie;
  Listing::go_on(*this, std::move(c), cookie);
}

void FuseHost::release_dir(Call<op::ReleaseDir> c) {
  const auto a = *c;
  if (!capabilities().has(Op::OpenDir) && a.handle == HandleId::none) return c.reply({});
  ReleaseIn in{};
  in.fh = raw(a.handle);
  ask(Opcode::Releasedir, a.node, std::move(c), {bytes_of(in)}, 0,
      [](Call<op::ReleaseDir> call, Result<Bytes> r) { call.finish(r ? Status(Unit{}) : Status(r.error())); });
}

void FuseHost::fsync_dir(Call<op::FsyncDir> c) {
  const auto a = *c;
  const FsyncIn in{raw(a.handle), a.data_only ? kFsyncFdatasync : 0, 0};
  ask_unit(Opcode::Fsyncdir, a.node, std::move(c), {bytes_of(in)});
}

}  // namespace isthmus::fuse_host
