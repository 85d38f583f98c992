#include "fs/pass/mounts.h"

#include "fs/pass/watch.h"

namespace isthmus::fs::pass {

/// Handles are of use when one that was just given opens the same file.
std::shared_ptr<Mount> Mounts::probe(SharedFd dir) const {
  auto look = look_at(dir->get(), "", true);
  if (!look) return nullptr;
  auto m = std::make_shared<Mount>();
  m->id = look->mount;
  m->dev = dev_of(look->st);
  if (look->handle.empty()) return m;
  auto again = open_handle(dir->get(), look->handle, O_PATH);
  if (!again) return m;
  Fd owned(*again);
  auto st = stat_at(owned.get(), "");
  if (st && dev_of(*st) == m->dev && st->stx_ino == look->st.stx_ino) m->fd = std::move(dir);
  m->late = reports_at_close(m->fd ? m->fd->get() : -1);
  m->watched = watch_ && m->fd && watch_->add(*m);
  return m;
}

void Mounts::start(int root, bool handles, Watch* watch) {
  watch_ = watch;
  root_ = std::make_shared<Mount>();
  if (!handles) return;
  int fd = ::openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  if (auto m = probe(share(fd))) root_ = std::move(m);
}

std::shared_ptr<const Mount> Mounts::of(FdCache& fds, int dir, const char* name, const Look& look) {
  if (look.handle.empty() || !handles()) return nullptr;
  if (look.mount == root_->id) return root_;
  {
    std::lock_guard lock(m_);
    if (auto it = others_.find(look.mount); it != others_.end())
      if (auto m = it->second.lock()) return m->fd ? m : nullptr;
  }
  if (look.type() != S_IFDIR) return nullptr;  // a file bound over a file: by name
  auto fd = *name ? fds.make([&] { return ::openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); })
                  : fds.make([&] { return ::openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (!fd) return nullptr;
  std::shared_ptr<const Mount> m = probe(std::move(*fd));
  if (!m || m->id != look.mount || !m->fd) return nullptr;  // another one by now
  std::lock_guard lock(m_);
  std::erase_if(others_, [](auto& x) { return x.second.expired(); });
  auto& slot = others_[look.mount];
  if (auto have = slot.lock()) return have;
  slot = m;
  return m;
}

std::shared_ptr<const Mount> Mounts::by_dev(uint64_t dev) const {
  if (dev == 0 || dev == root_->dev) return root_;
  std::lock_guard lock(m_);
  for (auto& [id, weak] : others_)
    if (auto m = weak.lock(); m && m->dev == dev) return m;
  return nullptr;
}

std::vector<std::shared_ptr<const Mount>> Mounts::all() const {
  std::vector<std::shared_ptr<const Mount>> v{root_};
  std::lock_guard lock(m_);
  for (auto& [id, weak] : others_)
    if (auto m = weak.lock()) v.push_back(std::move(m));
  return v;
}

}  // namespace isthmus::fs::pass
