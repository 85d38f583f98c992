// Storing: a changed file is written anew beside the old one, and takes its name when it is complete.
#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "fs/compress/compress_fs.h"
#include "vfs/posix_acl.h"

namespace isthmus::fs::compress {
namespace {

/// The owner, rights, extended attributes and times of `from` for `to`. An error: not all of them can be kept.
Status copy_attributes(const Inner& from, const Attr& was, Time mtime, OpenBelow& to) {
  FileSystem& fs = from.fs;
  const NodeId node = to.node()->node;
  auto set = [&](SetAttr s) {
    auto r = call_and_wait(fs, op::Setattr{{}, node, HandleId::none, s}, own());
    return r ? Status(Unit{}) : Status(r.error());
  };
  auto is = to.attr();
  if (!is) return is.error();
  SetAttr owner;
  owner.to.uid = was.uid;
  owner.to.gid = was.gid;
  owner.mask = (is->uid != was.uid ? kSetUid : 0u) | (is->gid != was.gid ? kSetGid : 0u);
  if (owner.mask)
    if (auto s = set(owner); !s) return s;

  auto names = call_and_wait(fs, op::ListXattr{{}, from.node}, own());
  if (!names && !is_unsupported(names.error())) return names.error();
  std::vector<std::string> all = names ? std::move(*names) : std::vector<std::string>{};
  // Not every tree lists it. A default one of the directory may have given the new file one, too.
  if (std::find(all.begin(), all.end(), kAccessAclName) == all.end()) all.emplace_back(kAccessAclName);
  for (auto& name : all) {
    if (name == "security.capability") continue;  // writing takes it away
    auto value = call_and_wait(fs, op::GetXattr{{}, from.node, name}, own());
    if (!value) {
      if (name == kAccessAclName) (void)call_and_wait(fs, op::RemoveXattr{{}, node, name}, own());
      continue;
    }
    auto have = call_and_wait(fs, op::GetXattr{{}, node, name}, own());
    if (have && *have == *value) continue;
    if (auto s = call_and_wait(fs, op::SetXattr{{}, node, name, as_bytes(*value)}, own()); !s) return s;
  }

  SetAttr rest;
  rest.to.mode = was.mode & 07777;
  rest.to.atime = was.atime;
  rest.to.mtime = mtime;
  rest.mask = kSetMode | kSetAtime | kSetMtime;
  return set(rest);
}

}  // namespace

std::string CompressFs::label(const Node& n) {
  std::lock_guard lock(n.m);
  return n.places.empty() ? std::string("a file without a name") : n.places.front().stored;
}

Result<std::unique_ptr<Temporary>> CompressFs::make_temporary(Node& n) {
  NodeRef home;
  {
    std::lock_guard lock(n.m);
    home = n.places.empty() ? n.home : n.places.front().directory;
  }
  if (home) {
    auto t = Temporary::make(home->inner());
    if (t || (t.error() != err(ENOENT) && t.error() != err(ESTALE))) return t;
  }
  // The directory is gone; the data is of a file without a name.
  auto root = nodes_->get(NodeId::root, Op::Create);
  return Temporary::make((*root)->inner());
}

Status CompressFs::store(const NodeRef& n, bool durable) {
  bool swapped = false;
  Status s = Unit{};
  {
    std::unique_lock io(n->io);
    s = store_locked(n, durable, swapped);
  }
  if (swapped && n->id.load() != NodeId::none) up()->invalidate_attr(n->id.load());
  return s;
}

Status CompressFs::store_locked(const NodeRef& n, bool durable, bool& swapped) {
  if (!n->image || !n->image->changed()) {
    clean(*n);
    return durable ? make_durable(*n) : Status(Unit{});
  }
  Image& image = *n->image;
  const InnerRef inner = n->inner();
  auto was = attr_below(*inner);
  if (!was) return was.error();
  if (was->nlink == 0) {  // it ends with its last handle
    clean(*n);
    return Unit{};
  }
  Time mtime;
  bool named = false;
  {
    std::lock_guard lock(n->m);
    mtime = n->live->mtime;
    named = !n->places.empty();
    if (!n->live->stored.same_content(Stamp::of(*was))) {
      const auto name = n->places.empty() ? std::string_view("a file without a name") : n->places.front().stored;
      log(LogLevel::error, "compress: '{}' was changed below while it was written to; that is kept, ours is not", name);
      return err(ESTALE);
    }
  }
  auto stored = image.store();
  if (!stored) return stored.error();

  Status s = copy_attributes(*inner, *was, mtime, stored->file->file());
  // Other names of the file must go on to mean it, and an owner that we cannot give away must stay.
  const bool in_place = was->nlink > 1 || !named || !s;
  s = Unit{};
  bool done = false;
  if (!in_place) {
    if (durable || image.replaces_content()) s = stored->file->file().fsync();
    auto put = s ? put_by_name(n, *stored, inner, *was) : Result<bool>(s.error());
    s = put ? Status(Unit{}) : Status(put.error());
    done = put && *put;
  }
  if (s && !done) s = put_in_place(*n, image, *stored, inner, *was, mtime);
  if (!s) {
    image.reject(std::move(*stored));
    return s;
  }
  swapped = true;
  clean(*n);
  if (durable) s = sync_names(*n);
  if (n->handles == 0) drop_image(*n);
  return s;
}

void CompressFs::clean(Node& n) {
  NodeRef last;  // ends without the lock
  std::lock_guard lock(m_);
  auto it = dirty_.find(&n);
  if (it == dirty_.end()) return;
  last = std::move(it->second.first);
  dirty_.erase(it);
}

/// With io alone.
void CompressFs::drop_image(Node& n) {
  {
    std::lock_guard lock(n.m);
    n.live.reset();
  }
  n.image.reset();
}

/// What was stored before, perhaps without waiting for the disk.
Status CompressFs::make_durable(Node& n) {
  auto file = OpenBelow::open(n.inner(), O_RDONLY);
  auto s = file ? (*file)->fsync() : Status(file.error());
  return s ? sync_names(n) : s;
}

/// The names lead to the present file also after a crash of the machine.
Status CompressFs::sync_names(Node& n) {
  std::vector<Place> places;
  {
    std::lock_guard lock(n.m);
    places = n.places;
  }
  for (auto& p : places) {
    const NodeId dir = p.directory->inner()->node;
    auto open = below(own(), op::OpenDir{{}, dir, O_RDONLY | O_DIRECTORY});
    if (!open) continue;  // it is gone
    auto s = below(own(), op::FsyncDir{{}, dir, open->handle, false});
    (void)below(own(), op::ReleaseDir{{}, dir, open->handle});
    if (!s && !is_unsupported(s.error()) && s.error() != err(EINVAL)) return s;
  }
  return Unit{};
}

/// False: no name of it leads to it any more, as somebody changed that below.
Result<bool> CompressFs::put_by_name(const NodeRef& n, Image::Stored& stored, const InnerRef& inner, const Attr& was) {
  const std::shared_ptr<OpenBelow> file = stored.file->shared();
  auto fresh = file->attr();
  if (!fresh) return fresh.error();
  std::vector<Place> places;
  {
    std::lock_guard lock(n->m);
    places = n->places;
  }
  for (auto& p : places) {
    std::unique_lock names(p.directory->names);
    const InnerRef dir = p.directory->inner();
    auto e = below(own(), op::Lookup{{}, dir->node, p.stored});
    const bool it_is = e && e->node == inner->node;
    if (e && e->node != NodeId::none) undo(*e);
    if (it_is) {
      // Renames through us change both together.
      std::lock_guard lock(n->m);
      if (std::find(n->places.begin(), n->places.end(), p) == n->places.end()) continue;
    }
    if (!it_is) continue;
    op::Rename r;
    r.dir = stored.file->directory()->node;
    r.name = stored.file->name();
    r.to_dir = dir->node;
    r.to_name = p.stored;
    if (auto s = below(own(), r); !s) {
      if (s.error() == err(EXDEV)) continue;
      return s.error();
    }
    stored.file->taken();
    uint64_t shown = 0;
    {
      std::lock_guard lock(n->m);
      shown = n->shown_ino ? n->shown_ino : was.ino;
    }
    nodes_->replaced(*n, file->node(), shown, fresh->ino);
    names.unlock();
    if (auto now = file->attr()) fresh = now;  // the rename has changed the ctime
    n->image->adopt(file, stored.frames);
    std::lock_guard lock(n->m);
    n->live->changed = false;
    n->live->stored = Stamp::of(*fresh);
    n->known = {Stamp::of(*fresh), n->live->size};
    if (n->cached) n->cached = Stamp::of(*fresh);
    return true;
  }
  return false;
}

Status CompressFs::put_in_place(Node& n, Image& image, Image::Stored& stored, const InnerRef& inner, const Attr& was,
                                Time mtime) {
  auto target = OpenBelow::open(inner, O_RDWR);
  if (!target) return target.error();
  std::lock_guard redoing(redo_m_);
  // From here to the end a crash leaves a damaged file, and the whole new one beside it, from which redo() mends it.
  Status s = stored.file->file().fsync();
  if (s) s = stored.file->rename(redo_name(was.ino));
  if (s) s = (*target)->copy_from(stored.file->file(), 0, 0, stored.size);
  if (s && stored.size < was.size) s = (*target)->truncate(stored.size);
  if (s) s = (*target)->fsync();
  if (!s) return s;
  op::Setattr times{{}, inner->node, HandleId::none};
  times.set.to.atime = was.atime;
  times.set.to.mtime = mtime;
  times.set.mask = kSetAtime | kSetMtime;
  (void)below(own(), times);
  auto now = (*target)->attr();
  image.adopt(std::move(*target), stored.frames);
  std::lock_guard lock(n.m);
  n.live->changed = false;
  if (now) n.live->stored = Stamp::of(*now);
  if (now && n.cached) n.cached = Stamp::of(*now);
  return Unit{};
}

/// Where a server died while it stored the file in place, that is done again.
void CompressFs::redo(const Node& n, const InnerRef& inner, const Attr& a) {
  std::vector<NodeRef> directories;
  {
    std::lock_guard lock(n.m);
    for (auto& p : n.places) directories.push_back(p.directory);
    if (n.home) directories.push_back(n.home);
  }
  const std::string name = redo_name(a.ino);
  for (auto& d : directories) {
    const InnerRef dir = d->inner();
    auto there = look(own(), dir->node, name);
    if (!there || there->node == NodeId::none) continue;
    undo(*there);
    std::lock_guard redoing(redo_m_);
    auto e = look(own(), dir->node, name);  // whoever was at it may have finished
    if (!e || e->node == NodeId::none) continue;
    auto whole = OpenBelow::open(std::make_shared<Inner>(*tree_, e->node, 1), O_RDONLY);
    auto s = whole ? redo_from(**whole, inner, a.size, label(n)) : Status(whole.error());
    if (s) s = below(own(), op::Unlink{{}, dir->node, name});
    if (!s)
      log(LogLevel::error, "compress: '{}' could not be mended from '{}': {}", label(n), name, text_of(s.error()));
    return;
  }
}

Status CompressFs::redo_from(OpenBelow& whole, const InnerRef& inner, uint64_t size, std::string_view name) {
  const auto sound = [](Source& file, uint64_t of) {
    std::string why;
    if (!read_layout(file, of, false, why)) return false;
    Stream all(file, 0, of);
    std::vector<std::byte> piece(size_t{1} << 20);
    for (;;) {
      auto n = all.read(piece);
      if (!n || *n < piece.size()) return n.ok();
    }
  };
  auto target = OpenBelow::open(inner, O_RDWR);
  if (!target) return target.error();
  if (sound(**target, size)) return Unit{};  // it had not begun, or was at its end
  auto a = whole.attr();
  if (!a) return a.error();
  if (!sound(whole, a->size)) return err(EIO);
  Status s = (*target)->copy_from(whole, 0, 0, a->size);
  if (s) s = (*target)->truncate(a->size);
  if (s) s = (*target)->fsync();
  if (s) log(LogLevel::warning, "compress: '{}' was being stored when a server died; that was done again", name);
  return s;
}

Status CompressFs::store_all(bool durable) {
  std::vector<NodeRef> all;
  {
    std::lock_guard lock(m_);
    for (auto& [key, value] : dirty_) all.push_back(value.first);
  }
  Status result = Unit{};
  for (auto& n : all)
    if (auto s = store(n, durable); !s) result = s;
  return result;
}

/// What nobody closes is stored all the same, and what could not be is tried again.
void CompressFs::run_writer() {
  const int64_t wait_ns = int64_t{shared_.options.write_after_ms} * 1'000'000;
  std::unique_lock lock(m_);
  while (!stopping_) {
    if (dirty_.empty()) {
      wake_.wait(lock);
      continue;
    }
    const int64_t now = monotonic_ns();
    NodeRef due;
    int64_t first = now + wait_ns;
    for (auto& [key, value] : dirty_) {
      if (value.second + wait_ns <= now) {
        due = value.first;
        value.second = now;  // the next try
        break;
      }
      first = std::min(first, value.second + wait_ns);
    }
    if (!due) {
      wake_.wait_for(lock, std::chrono::nanoseconds(first - now));
      continue;
    }
    lock.unlock();
    if (auto s = store(due, false); !s)
      log(LogLevel::error, "compress: '{}' could not be stored: {}", label(*due), text_of(s.error()));
    due.reset();
    lock.lock();
  }
}

}  // namespace isthmus::fs::compress
