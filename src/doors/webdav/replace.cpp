#include "doors/webdav/replace.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

namespace isthmus::webdav {
namespace {

constexpr uint32_t kNewMode = 0666;
constexpr uint64_t kCopyAtOnce = uint64_t{8} << 20;  // slow file systems, too, do it within the port's deadline

/// The file system cannot now what it can at other times, so that nothing may be left out.
bool is_grave(Errno e) {
  return e == err(ENOSPC) || e == err(EDQUOT) || e == err(EIO) || e == err(ETIMEDOUT) || e == err(ENOMEM);
}

}  // namespace

Replacement::~Replacement() {
  (void)file_.close();
  if (!temporary_.empty()) (void)x_.files.call(op::Unlink{{}, beside_.parent(), temporary_});
  if (node_ != NodeId::none) x_.files.forget(node_);
}

/// Whoever may write the directory could replace any file; one that is read-only is meant to stay.
Status Replacement::may_replace() {
  return beside_.exists() ? x_.files.call(op::Access{{}, beside_.node(), W_OK}) : Status(Unit{});
}

/// A file system with the files that it has, which are for writing into: what they take as a command, for instance.
Status Replacement::open_in_place() {
  auto file = x_.files.open(beside_.node(), O_WRONLY);
  if (!file) return file.error();
  SetAttr cut;
  cut.mask = kSetSize;
  if (auto set = x_.files.call(op::Setattr{{}, beside_.node(), file->handle(), cut}); !set) return set.error();
  file_ = std::move(*file);
  in_place_ = true;
  return Unit{};
}

Status Replacement::create(bool whole) {
  if (Status may = may_replace(); !may) return may;
  // Whom an ACL lets read is told at the end; until then it is the owner's alone.
  const uint32_t mode = beside_.exists() ? 0600 : kNewMode;
  std::string name = temporary_name();
  auto made = x_.files.call(op::Create{{}, beside_.parent(), name, S_IFREG | mode, O_WRONLY | O_CREAT | O_EXCL});
  if (!made && whole && beside_.exists() && is_unsupported(made.error())) return open_in_place();
  if (!made) return made.error();
  temporary_ = std::move(name);
  node_ = made->entry.node;
  file_ = OpenFile(x_.files, node_, made->opened, false);
  return Unit{};
}

Status Replacement::resume(const std::string& temporary) {
  if (Status may = may_replace(); !may) return may;
  auto entry = x_.files.call(op::Lookup{{}, beside_.parent(), temporary});
  if (!entry) return entry.error();
  if (entry->node == NodeId::none) return err(ENOENT);
  node_ = entry->node;
  auto file = x_.files.open(node_, O_WRONLY);
  if (!file) return file.error();
  file_ = std::move(*file);
  temporary_ = temporary;
  return Unit{};
}

std::string Replacement::leave() {
  (void)file_.close();
  return std::exchange(temporary_, {});
}

Status copy_xattrs(Exchange& x, NodeId from, NodeId to) {
  if (auto names = x.files.call(op::ListXattr{{}, from})) {
    for (const std::string& name : *names) {
      if (name.starts_with("security.") || name == DeadProps::kXattr) continue;
      auto value = x.files.call(op::GetXattr{{}, from, name});
      Status set = value ? x.files.call(op::SetXattr{{}, to, name, as_bytes(*value)}) : Status(value.error());
      if (!set && is_grave(set.error())) return set;
    }
  } else if (is_grave(names.error())) {
    return names.error();
  }
  Status copied = x.site.props.copy(x.files, from, to);
  return !copied && is_grave(copied.error()) ? copied : Status(Unit{});
}

Status Replacement::keep_what_was(const Found& at) {
  const Attr& was = at.attr();
  // Where we may not give it back, it is the one who wrote it that owns it, as with any program that saves so.
  if (auto given = give_owner(x_.files, node_, file_.handle(), was); !given) return given.error();
  // ACLs first: with the mode alone the owner's group would have what the ACL's mask allows.
  if (Status copied = copy_xattrs(x_, at.node(), node_); !copied) return copied;
  SetAttr mode;
  mode.to.mode = was.mode & 01777;  // content that somebody else wrote runs with nobody's rights
  mode.mask = kSetMode;
  (void)x_.files.call(op::Setattr{{}, node_, file_.handle(), mode});
  return Unit{};
}

Status rename_to(Files& files, NodeId dir, std::string_view name, NodeId to_dir, std::string_view to_name,
                 bool if_free) {
  if (if_free) {
    Status done = files.call(op::Rename{{}, dir, name, to_dir, to_name, RENAME_NOREPLACE});
    // Others cannot; their callers have looked.
    if (done || (done.error() != err(EINVAL) && !is_unsupported(done.error()))) return done;
  }
  return files.call(op::Rename{{}, dir, name, to_dir, to_name});
}

Result<bool> give_owner(Files& files, NodeId node, HandleId handle, const Attr& was) {
  auto now_is = files.call(op::Getattr{{}, node});
  if (!now_is) return now_is.error();
  if (now_is->attr.uid == was.uid && now_is->attr.gid == was.gid) return true;
  SetAttr owner;
  owner.to = was;
  owner.mask = kSetUid | kSetGid;
  return files.call(op::Setattr{{}, node, handle, owner}).ok();
}

Status synced(Status s) {
  const bool cannot = !s && (is_unsupported(s.error()) || s.error() == err(EINVAL));
  return cannot ? Status(Unit{}) : s;
}

Status copy_content(Files& files, const OpenFile& from, const OpenFile& to) {
  for (uint64_t offset = 0;;) {
    auto n =
        files.call(op::CopyRange{{}, from.node(), from.handle(), offset, to.node(), to.handle(), offset, kCopyAtOnce});
    if (!n) return n.error();
    if (*n == 0) return Unit{};
    offset += *n;
  }
}

Status Replacement::rewrite(const Found& at) {
  auto from = x_.files.open(node_, O_RDONLY);
  if (!from) return from.error();
  auto size = x_.files.call(op::Getattr{{}, node_});
  if (!size) return size.error();
  auto to = x_.files.open(at.node(), O_WRONLY);
  if (!to) return to.error();
  // A full disk shows here, before anything is overwritten.
  if (size->attr.size > 0) {
    Status room = x_.files.call(op::Fallocate{{}, to->node(), to->handle(), FALLOC_FL_KEEP_SIZE, 0, size->attr.size});
    if (!room && !is_unsupported(room.error())) return room;
  }
  Status done = copy_content(x_.files, *from, *to);
  if (done) {
    SetAttr cut;
    cut.to.size = size->attr.size;
    cut.mask = kSetSize;
    auto set = x_.files.call(op::Setattr{{}, to->node(), to->handle(), cut});
    done = set ? to->close() : Status(set.error());
  }
  if (!done) save_aside(at, done.error());
  return done;
}

/// The old content is gone in part and the new one is complete: it must not go, too.
void Replacement::save_aside(const Found& at, Errno why) {
  const std::string name = at.name() + ".saved" + temporary_.substr(temporary_.rfind('-'));
  Status kept = x_.files.call(op::Rename{{}, beside_.parent(), temporary_, at.parent(), name});
  log(LogLevel::error, "writing '{}' broke off ({}); its new content is whole in '{}' beside it", at.name(),
      text_of(why), kept ? name : temporary_);
  temporary_.clear();
}

Status Replacement::take_name(const Found& at, bool if_free) {
  Status done = rename_to(x_.files, beside_.parent(), temporary_, at.parent(), at.name(), if_free);
  if (done) temporary_.clear();
  return done;
}

Result<std::optional<Attr>> Replacement::commit(const Found& at, bool if_free) {
  if (in_place_) {
    if (Status closed = file_.close(); !closed) return closed.error();
    auto is = x_.files.call(op::Getattr{{}, beside_.node()});
    return is ? std::optional(is->attr) : std::nullopt;
  }
  const bool several_names = at.exists() && at.attr().nlink > 1;
  if (at.exists() && !several_names)
    if (Status kept = keep_what_was(at); !kept) return kept.error();
  const NodeId node = several_names ? at.node() : node_;
  SetAttr time;
  if (mtime_) {
    time.to.mtime = *mtime_;
    time.mask = kSetMtime;
  }
  if (mtime_ && !several_names) (void)x_.files.call(op::Setattr{{}, node_, file_.handle(), time});
  // Before what was there goes, the new content is on the disk: after a power failure there is one of the two.
  if (at.exists() && at.attr().size > 0) {
    if (Status kept = synced(x_.files.call(op::Fsync{{}, node_, file_.handle(), false})); !kept) return kept.error();
  }
  if (Status closed = file_.close(); !closed) return closed.error();
  if (Status done = several_names ? rewrite(at) : take_name(at, if_free); !done) return done.error();
  if (mtime_ && several_names) (void)x_.files.call(op::Setattr{{}, node, HandleId::none, time});
  auto attr = x_.files.call(op::Getattr{{}, node});
  return attr ? std::optional(attr->attr) : std::nullopt;
}

}  // namespace isthmus::webdav
