#pragma once
#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cstdint>

#include "vfs/ops.h"
#include "vfs/permissions.h"

/// What each operation needs, in one table, and the judgement over it. Pure functions.
namespace isthmus::volume {

enum class On : uint8_t {
  nobody,  ///< no node's permissions matter
  node,    ///< those of args.node
  dir,     ///< of args.dir
  to_dir,  ///< of args.to_dir
  both,    ///< of args.dir and args.to_dir
  source,  ///< of args.from, and for writing of args.to
};
enum class By : uint8_t {
  bits,        ///< may_access(want)
  file,        ///< an open file of the right kind, else may_access(want)
  flags,       ///< of open(2)
  removal,     ///< may_remove(): the sticky bit looks at the victim's owner
  renaming,    ///< may_remove() twice; a directory that changes its parent must be writable
  attributes,  ///< Setattr: chmod, chown, truncate, utimensat
  read_xattr,
  write_xattr,
  ownership,  ///< the file's owner
  mask,       ///< Access
  device,     ///< bits, and block and character devices by uid 0 only
  privilege,  ///< uid 0
};
struct Need {
  Op op;
  On on = On::nobody;
  By by = By::bits;
  uint32_t want = 0;
};

/// By operation, in the order of ops.def; those not named need nothing.
constexpr std::array<Need, kOpCount> kNeeds = [] {
  std::array<Need, kOpCount> all{};
  for (size_t i = 0; i < kOpCount; i++) all[i].op = static_cast<Op>(i);
  constexpr uint32_t kAdd = kWantWrite | kWantExecute;
  for (Need n : {
           Need{Op::Lookup, On::dir, By::bits, kWantExecute},
           Need{Op::Setattr, On::node, By::attributes},
           Need{Op::Mknod, On::dir, By::device, kAdd},
           Need{Op::Mkdir, On::dir, By::bits, kAdd},
           Need{Op::Unlink, On::dir, By::removal},
           Need{Op::Rmdir, On::dir, By::removal},
           Need{Op::Symlink, On::dir, By::bits, kAdd},
           Need{Op::Rename, On::both, By::renaming},
           Need{Op::Link, On::to_dir, By::bits, kAdd},
           Need{Op::Tmpfile, On::dir, By::bits, kAdd},
           Need{Op::Open, On::node, By::flags},
           Need{Op::Create, On::dir, By::bits, kAdd},  // the name is missing; else it is an Open
           Need{Op::Read, On::node, By::file, kWantRead},
           Need{Op::Write, On::node, By::file, kWantWrite},
           Need{Op::CopyRange, On::source, By::file, kWantRead},
           Need{Op::Fallocate, On::node, By::file, kWantWrite},
           Need{Op::SeekHole, On::node, By::file, kWantRead},
           Need{Op::OpenDir, On::node, By::bits, kWantRead},
           Need{Op::ReadDir, On::node, By::file, kWantRead},
           Need{Op::GetXattr, On::node, By::read_xattr},
           Need{Op::SetXattr, On::node, By::write_xattr},
           Need{Op::RemoveXattr, On::node, By::write_xattr},
           Need{Op::Access, On::node, By::mask},
           Need{Op::Bmap, On::node, By::privilege},
           Need{Op::Watch, On::node, By::bits, kWantRead},
           Need{Op::SetReparse, On::node, By::bits, kWantWrite},
           Need{Op::ListStreams, On::node, By::bits, kWantRead},
           Need{Op::SetAcl, On::node, By::ownership},
       })
    all[index_of(n.op)] = n;
  return all;
}();

/// An open file that an operation names. access: the open's, as Want bits; nothing: no handle was given.
struct HandleFacts {
  bool given = false;
  uint32_t access = 0;
};
inline uint32_t access_of(uint32_t open_flags) {
  if (open_flags & O_PATH) return 0;
  switch (open_flags & O_ACCMODE) {
    case O_RDONLY:
      return kWantRead;
    case O_WRONLY:
      return kWantWrite;
    default:
      return kWantRead | kWantWrite;
  }
}

/// What the judgement is made from: node is that of Need::on, other the second of `both` and `source`.
struct RightsFacts {
  Guard node{}, other{};
  HandleFacts handle{}, other_handle{};
  bool has_victim = false, has_target = false, moves = false;
  Guard victim{}, target{};
};

/// Before facts are gathered: nothing of them matters for this request.
template <class T>
bool needs_nothing(const T& a, const HandleFacts& h, const HandleFacts& other) {
  const Need& n = kNeeds[index_of(T::id)];
  if (n.on == On::nobody) return true;
  if (T::id == Op::SeekHole) return h.given;  // lseek(2) works on a file opened for writing, too
  if (n.by == By::file)
    return h.given && (h.access & n.want) == n.want &&
           (n.on != On::source || (other.given && (other.access & kWantWrite)));
  if constexpr (T::id == Op::Access) return a.mask == F_OK;
  return false;
}

/// Times, owner, mode and size of one Setattr; may have to add to it what goes with them (setuid and setgid).
Status judge_setattr(const Credentials& c, const Guard& g, const HandleFacts& h, SetAttr& set);
Status judge_rename(const Credentials& c, const RightsFacts& f, bool exchange);

/// May `c` do this? `a` may be changed: modes lose what the caller cannot give. EBADF for a handle opened otherwise.
template <class T>
Status judge(const Credentials& c, T& a, const RightsFacts& f) {
  constexpr Need n = kNeeds[index_of(T::id)];
  [[maybe_unused]] auto by_handle = [&](const HandleFacts& h, const Guard& g, uint32_t want) {
    if (!h.given) return may_access(c, g, want);
    return (h.access & want) == want ? Status(Unit{}) : Status(err(EBADF));
  };
  if constexpr (n.on == On::nobody) {
    return Unit{};
  } else if constexpr (n.on == On::source) {
    if (auto s = by_handle(f.handle, f.node, kWantRead); !s) return s;
    return by_handle(f.other_handle, f.other, kWantWrite);
  } else if constexpr (n.by == By::bits) {
    return may_access(c, f.node, n.want);
  } else if constexpr (n.by == By::file) {
    return by_handle(f.handle, f.node, n.want);
  } else if constexpr (n.by == By::flags) {
    if ((a.flags & O_PATH) || S_ISLNK(f.node.mode)) return Unit{};
    return may_access(c, f.node, access_of(a.flags) | (a.flags & O_TRUNC ? uint32_t{kWantWrite} : 0));
  } else if constexpr (n.by == By::removal) {
    return f.has_victim ? may_remove(c, f.node, f.victim.uid) : may_access(c, f.node, kWantWrite | kWantExecute);
  } else if constexpr (n.by == By::renaming) {
    return judge_rename(c, f, a.flags & RENAME_EXCHANGE);
  } else if constexpr (n.by == By::attributes) {
    return judge_setattr(c, f.node, f.handle, a.set);
  } else if constexpr (n.by == By::read_xattr) {
    return may_read_xattr(c, f.node, a.name);
  } else if constexpr (n.by == By::write_xattr) {
    return may_write_xattr(c, f.node, a.name);
  } else if constexpr (n.by == By::ownership) {
    return may_chmod(c, f.node);
  } else if constexpr (n.by == By::mask) {
    return may_access(c, f.node, static_cast<uint32_t>(a.mask));
  } else if constexpr (n.by == By::device) {
    if ((S_ISBLK(a.mode) || S_ISCHR(a.mode)) && !is_privileged(c)) return err(EPERM);
    return may_access(c, f.node, n.want);
  } else {
    return is_privileged(c) ? Status(Unit{}) : Status(err(EPERM));
  }
}

}  // namespace isthmus::volume
