/// Directories, extended attributes, the whole.
#include <dirent.h>
#include <isthmus/fuse3/fuse_haiku.h>
#include <linux/limits.h>

#include <array>
#include <cstring>
#include <memory>

#include "base/file_time.h"
#include "providers/libfuse/v3/convert.h"
#include "providers/libfuse/v3/dir_handle.h"
#include "providers/libfuse/v3/dirents.h"
#include "providers/libfuse/v3/high_level_fs.h"
#include "providers/libfuse/v3/name.h"
#include "providers/libfuse/v3/status.h"

namespace isthmus::libfuse {

// ---- listings ----

Result<Opened> HighLevelFs::open_dir(const Context& ctx, const op::OpenDir& a) {
  Callback callback(*this, ctx);
  auto held = paths_.hold({a.node});
  if (!held) return held.error();
  fuse_file_info fi = info_of(HandleId::none, a.flags);
  if (int rc = top_->call_or_succeed(&fuse_operations::opendir, held->path(), &fi)) return error_of(rc);
  Opened o = to_opened(fi);
  o.flags &= kOpenedCacheDir | kOpenedKeepCache;
  o.handle = DirHandle::id(new DirHandle(fi.fh));
  return o;
}

/// One answer to a ReadDir.
class HighLevelFs::Listing {
 public:
  Listing(HighLevelFs& fs, const op::ReadDir& a, DirHandle& dir) : fs_(fs), a_(a), dir_(dir) {}

  /// fuse_fill_dir_t.
  static int fill(void* self, const char* name, const struct stat* st, off_t off, fuse_fill_dir_flags flags) {
    return static_cast<Listing*>(self)->take(name, st, off, flags & FUSE_FILL_DIR_PLUS) ? 0 : 1;
  }
  Errno error() const { return error_; }
  /// Whether the program gave offsets of its own: what fits has been passed on.
  bool passed_on() const { return offsets_; }

  /// False: no room.
  bool pass_on(const DirHandle::Name& n, uint64_t cookie) {
    return pass_on(n.name, n.has_stat ? &n.st : nullptr, cookie, n.complete);
  }

 private:
  bool take(const char* name, const struct stat* given, off_t off, bool complete) {
    fuse_stat_ex whole{};
    const fuse_stat_ex* st = given ? &whole : nullptr;
    if (given && fs_.stat_ex_)
      whole = *reinterpret_cast<const fuse_stat_ex*>(given);
    else if (given)
      whole.st = *given;
    if (error_ != Errno{}) return false;
    if (off != 0 ? !dir_.names.empty() : offsets_) {
      error_ = err(EIO);
      return false;
    }
    if (off != 0) {
      offsets_ = true;
      return pass_on(name, st, static_cast<uint64_t>(off), complete);
    }
    DirHandle::Name n{name, {}, st != nullptr, st && complete};
    if (st) n.st = *st;
    dir_.names.push_back(std::move(n));
    return true;
  }

  bool pass_on(std::string_view name, const fuse_stat_ex* st, uint64_t cookie, bool complete) {
    constexpr uint64_t kUnknown = UINT32_MAX;
    DirEntry e{kUnknown, cookie, 0, name, nullptr};
    if (st) e.type = IFTODT(st->st.st_mode);
    if (st && fs_.config_.use_ino) e.ino = st->st.st_ino;
    if (!fs_.config_.use_ino && fs_.config_.readdir_ino)
      if (NodeId known = fs_.paths_.find(a_.node, name); known != NodeId::none) e.ino = ino_of(known);
    if (!a_.with_attr || !st || !complete || name == "." || name == "..") return a_.sink->add(e);
    auto entry = fs_.entry(a_.node, name, *st);
    if (!entry) {
      error_ = entry.error();
      return false;
    }
    e.ino = entry->attr.ino;
    e.with = &*entry;
    if (a_.sink->add(e)) return true;
    fs_.paths_.forget(entry->node, 1);
    return false;
  }

  HighLevelFs& fs_;
  const op::ReadDir& a_;
  DirHandle& dir_;
  bool offsets_ = false;
  Errno error_{};
};

Result<Unit> HighLevelFs::read_dir(const Context& ctx, const op::ReadDir& a) {
  if (a.handle == HandleId::none) return err(EBADF);
  Callback callback(*this, ctx);
  DirHandle& dir = DirHandle::of(a.handle);
  std::lock_guard lock(dir.m);
  Listing listing(*this, a, dir);
  if (a.cookie == 0 || !dir.listed) {
    dir.listed = false;
    dir.names.clear();
    auto held = hold_open(a.node);
    if (!held) return held.error();
    fuse_file_info fi = info_of(DirHandle::programs(a.handle));
    int rc = top_->call(&fuse_operations::readdir, held->path(), static_cast<void*>(&listing), &Listing::fill,
                        static_cast<off_t>(a.cookie), &fi, a.with_attr ? FUSE_READDIR_PLUS : fuse_readdir_flags{});
    if (rc != 0) return error_of(rc);
    if (listing.error() != Errno{}) return listing.error();
    if (listing.passed_on()) return Unit{};
    dir.listed = !dir.names.empty();  // none: perhaps the end, for a program with offsets
  }
  for (uint64_t i = a.cookie; i < dir.names.size(); i++)
    if (!listing.pass_on(dir.names[i], i + 1)) break;
  return listing.error() == Errno{} ? Status(Unit{}) : Status(listing.error());
}

Result<Unit> HighLevelFs::release_dir(const Context& ctx, const op::ReleaseDir& a) {
  if (a.handle == HandleId::none) return Unit{};
  Callback callback(*this, ctx);
  std::unique_ptr<DirHandle> dir(&DirHandle::of(a.handle));
  PathTable::Held held = hold_if_possible(a.node);
  fuse_file_info fi = info_of(DirHandle::programs(a.handle));
  top_->call_or_succeed(&fuse_operations::releasedir, held.path(), &fi);
  return Unit{};
}

Result<Unit> HighLevelFs::fsync_dir(const Context& ctx, const op::FsyncDir& a) {
  Callback callback(*this, ctx);
  auto held = hold_open(a.node);
  if (!held) return held.error();
  fuse_file_info fi = info_of(DirHandle::programs(a.handle));
  return status_of(top_->call(&fuse_operations::fsyncdir, held->path(), int{a.data_only}, &fi));
}

Result<StatFs> HighLevelFs::statfs(const Context& ctx, const op::Statfs& a) {
  Callback callback(*this, ctx);
  if (tells_volume_) {
    auto told = volume();
    // Programs that want whatever is offered need not know this one.
    if (told || (told.code() != ENOSYS && told.code() != ENOTTY && told.code() != EINVAL)) return told;
  }
  auto held = paths_.hold({a.node});
  if (!held) return held.error();
  struct statvfs s {};
  if (int rc = top_->statfs(held->path(), &s)) return error_of(rc);
  return to_statfs(s);
}

Result<StatFs> HighLevelFs::volume() const {
  fs_info info{};
  int rc = top_->call(&fuse_operations::ioctl, "/", unsigned{FUSE_HAIKU_GET_DRIVE_INFO}, static_cast<void*>(&info),
                      nullptr, unsigned{sizeof info}, nullptr);
  if (rc < 0) return error_of(rc);
  if (info.block_size <= 0 || info.block_size > UINT32_MAX) return err(EIO);
  auto count = [](int64_t n) { return n > 0 ? static_cast<uint64_t>(n) : 0; };
  StatFs s;
  s.block_size = s.fragment_size = static_cast<uint32_t>(info.block_size);
  s.blocks = count(info.total_blocks);
  s.blocks_free = s.blocks_available = count(info.free_blocks);
  s.files = count(info.total_nodes);
  s.files_free = count(info.free_nodes);
  static_assert(B_FS_IS_READONLY == kVolumeReadOnly && B_FS_IS_REMOVABLE == kVolumeRemovable &&
                B_FS_IS_PERSISTENT == kVolumePersistent && B_FS_IS_SHARED == kVolumeShared);
  s.volume_flags = info.flags & (kVolumeReadOnly | kVolumeRemovable | kVolumePersistent | kVolumeShared);
  s.volume_name.assign(info.volume_name, strnlen(info.volume_name, sizeof info.volume_name));
  return s;
}

// ---- extended attributes ----

namespace {

/// Values are cut by the door, so the whole is asked for: with some room first, which is mostly enough.
template <class F>
Result<std::string> whole_value(F ask, size_t most) {
  std::array<char, 1024> room;
  int n = ask(room.data(), room.size());
  if (n >= 0) return std::string(room.data(), std::min(static_cast<size_t>(n), room.size()));
  if (n != -ERANGE) return error_of(n);
  std::string value(most, '\0');
  n = ask(value.data(), value.size());
  if (n < 0) return n == -ERANGE ? err(E2BIG) : error_of(n);
  value.resize(std::min(static_cast<size_t>(n), most));
  return value;
}

}  // namespace

Result<std::string> HighLevelFs::dos_facts(const char* path) const {
  fuse_stat_ex st;
  if (int rc = ask_stat(path, st)) return error_of(rc);
  DosFacts facts{to_dos_attributes(st.st_flags), {}};
  if (const Attr attr = to_attr(st); attr.has_btime) facts.creation = file_time(attr.btime);
  return write_dos_facts(facts);
}

Status HighLevelFs::set_dos_facts([[maybe_unused]] const char* path, [[maybe_unused]] const DosFacts& facts) const {
#ifdef FUSE_WINFSP_OPERATIONS
  fuse_stat_ex st;
  if (int rc = ask_stat(path, st)) return error_of(rc);
  // What stays as it is needs no callback.
  if (facts.attributes && *facts.attributes != to_dos_attributes(st.st_flags)) {
    const uint32_t flags = to_flags(*facts.attributes, st.st_flags);
    if (flags != st.st_flags)
      if (int rc = top_->call(&fuse_operations::chflags, path, flags)) return error_of(rc);
  }
  if (facts.creation && *facts.creation != file_time(to_time(st.st_birthtim))) {
    const timespec time = to_timespec(from_file_time(*facts.creation));
    if (int rc = top_->call(&fuse_operations::setcrtime, path, &time)) return error_of(rc);
  }
  return Unit{};
#else
  return err(EOPNOTSUPP);
#endif
}

Result<std::string> HighLevelFs::get_xattr(const Context& ctx, const op::GetXattr& a) {
  Callback callback(*this, ctx);
  auto held = paths_.hold({a.node});
  if (!held) return held.error();
  if (a.name == kDosXattr && stat_ex_) return dos_facts(held->path());
  Name name(ctx, a.name);
  return whole_value(
      [&](char* to, size_t size) {
        return top_->call(&fuse_operations::getxattr, held->path(), static_cast<const char*>(name), to, size);
      },
      XATTR_SIZE_MAX);
}

Result<std::vector<std::string>> HighLevelFs::list_xattr(const Context& ctx, const op::ListXattr& a) {
  Callback callback(*this, ctx);
  auto held = paths_.hold({a.node});
  if (!held) return held.error();
  auto text = whole_value(
      [&](char* to, size_t size) { return top_->call(&fuse_operations::listxattr, held->path(), to, size); },
      XATTR_LIST_MAX);
  if (!text && !(stat_ex_ && text.code() == ENOSYS)) return text.error();
  std::vector<std::string> names = split_names(text ? *text : std::string());
  if (stat_ex_) names.emplace_back(kDosXattr);
  return names;
}

Result<Unit> HighLevelFs::set_xattr(const Context& ctx, const op::SetXattr& a) {
  Callback callback(*this, ctx);
  auto held = paths_.hold({a.node});
  if (!held) return held.error();
  if (a.name == kDosXattr && stat_ex_)
    return set_dos_facts(held->path(), read_dos_facts({reinterpret_cast<const char*>(a.value.data()), a.value.size()}));
  Name name(ctx, a.name);
  return status_of(top_->call(&fuse_operations::setxattr, held->path(), static_cast<const char*>(name),
                              reinterpret_cast<const char*>(a.value.data()), a.value.size(), a.flags));
}

Result<Unit> HighLevelFs::remove_xattr(const Context& ctx, const op::RemoveXattr& a) {
  Callback callback(*this, ctx);
  auto held = paths_.hold({a.node});
  if (!held) return held.error();
  if (a.name == kDosXattr && stat_ex_) return set_dos_facts(held->path(), {0, {}});
  Name name(ctx, a.name);
  return status_of(top_->call(&fuse_operations::removexattr, held->path(), static_cast<const char*>(name)));
}

}  // namespace isthmus::libfuse
