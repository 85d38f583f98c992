#include "doors/fuse/keeper.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "run/helper.h"

namespace isthmus::fuse {
namespace {

/// Both ends are the same program, so the layout needs no care.
struct Order {
  enum Kind : uint32_t { arm, unmount, leave } kind = leave;
  int32_t mount_id = -1;
  uint32_t on_death = 0;
  UnmountHow how = UnmountHow::plain;
};

/// The number of the mount at `path` that no later mount gets (Linux 6.8), 0 if unknown. The server is not asked.
uint64_t unique_id(const std::string& path) {
  constexpr unsigned kMountIdUnique = 0x4000;  // STATX_MNT_ID_UNIQUE
  struct statx sx {};
  constexpr int kFlags = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW;
  bool known = statx(AT_FDCWD, path.c_str(), kFlags, kMountIdUnique, &sx) == 0 && (sx.stx_mask & kMountIdUnique);
  return known ? sx.stx_mnt_id : 0;
}

struct Kept {
  int id = -1;
  uint64_t unique = 0;
};

Kept kept(int id) {
  auto m = mount_by_id(id);
  return {id, m ? unique_id(m->path) : 0};
}

/// The mount's path may change (a folder above it is renamed) and another mount may be put over it: it is looked up by
/// its id each time, and a covered one is left alone. An id that has gone to a later mount means that ours is gone.
Status take_away(Kept mount, UnmountHow how) {
  int id = mount.id;
  auto m = mount_by_id(id);
  if (!m) return Unit{};
  auto top = mount_at(m->path);
  if (top && top->id != id) return err(EBUSY);
  if (mount.unique != 0 && unique_id(m->path) != mount.unique) return Unit{};
  return unmount_entry(*m, how);
}

void run(int fd) {
  Kept ours;
  bool on_death = false;
  for (Order o; receive_message(fd, &o, sizeof o) == static_cast<ssize_t>(sizeof o);) {
    if (o.kind == Order::leave) return;
    if (o.kind == Order::arm) {
      if (ours.id != o.mount_id) ours = kept(o.mount_id);
      on_death = o.on_death != 0;
    }
    if (o.kind == Order::unmount) {
      int32_t answer = take_away(ours, o.how).code();
      if (send(fd, &answer, sizeof answer, MSG_NOSIGNAL) < 0) break;
    }
  }
  if (on_death && ours.id >= 0) static_cast<void>(take_away(ours, UnmountHow::lazy));
}

}  // namespace

Expected<Keeper> Keeper::start() {
  // Signals meant for the server's process group or terminal are the server's business.
  auto socket = start_helper("isthmus-keeper", run);
  if (!socket) return socket.problem();
  return Keeper(std::move(*socket));
}

Keeper::~Keeper() {
  if (!socket_) return;
  Order o{.kind = Order::leave};
  static_cast<void>(send(socket_.get(), &o, sizeof o, MSG_NOSIGNAL));
}

Status Keeper::arm(const Mounted& mounted, bool on_death) {
  Order o{.kind = Order::arm, .mount_id = mounted.id, .on_death = on_death};
  return check(static_cast<int>(send(socket_.get(), &o, sizeof o, MSG_NOSIGNAL)));
}

Status Keeper::request(UnmountHow how) {
  Order o{.kind = Order::unmount, .how = how};
  return check(static_cast<int>(send(socket_.get(), &o, sizeof o, MSG_NOSIGNAL)));
}

Status Keeper::take_answer() {
  int32_t answer = 0;
  if (receive_message(socket_.get(), &answer, sizeof answer) != static_cast<ssize_t>(sizeof answer)) return err(ECHILD);
  if (answer != 0) return err(answer);
  return Unit{};
}

}  // namespace isthmus::fuse
