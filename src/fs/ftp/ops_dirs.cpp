/// Attributes that are asked for, and listings.
#include <dirent.h>
#include <fcntl.h>

#include "fs/ftp/ftp_fs.h"

namespace isthmus::fs::ftp {
namespace {

uint32_t type_of(Kind k) {
  switch (k) {
    case Kind::folder:
      return DT_DIR;
    case Kind::link:
      return DT_LNK;
    case Kind::file:
      return DT_REG;
    case Kind::unknown:
      break;
  }
  return DT_UNKNOWN;
}

}  // namespace

void FtpFs::getattr(Call<op::Getattr> c) {
  Lock lock(m_);
  auto found = find(c->node, Op::Getattr);
  lock.unlock();
  if (!found) return c.fail(found.error());
  const NodePtr node = *found;
  Answer<op::Getattr> a(std::move(c));
  with_facts(node, options_.cache_ms, [this, a, node](Errno e) {
    if (e != Errno{}) return a.fail(e);
    Lock again(m_);
    Attributes r{attr_of(*node),
                 node->draft || !node->parent || node->pinned ? options_.cache_ms : ttl_of(node->known_ns)};
    again.unlock();
    a.finish(r);
  });
}

HandleId FtpFs::add_handle(std::shared_ptr<Handle> h) {
  h->node->opens++;
  handles_.emplace(++last_handle_, std::move(h));
  return HandleId{last_handle_};
}

std::shared_ptr<Handle> FtpFs::handle_of(HandleId id) const {
  auto it = handles_.find(raw(id));
  return it == handles_.end() ? nullptr : it->second;
}

void FtpFs::open_dir(Call<op::OpenDir> c) {
  Lock lock(m_);
  auto found = find(c->node, Op::OpenDir);
  if (!found || !(*found)->is_folder()) {
    lock.unlock();
    return c.fail(found ? err(ENOTDIR) : found.error());
  }
  auto h = std::make_shared<Handle>();
  h->node = *found;
  Opened o;
  o.handle = add_handle(std::move(h));
  lock.unlock();
  c.reply(o);
}

void FtpFs::release_dir(Call<op::ReleaseDir> c) {
  {
    Lock lock(m_);
    if (auto h = handle_of(c->handle)) {
      handles_.erase(raw(c->handle));
      h->node->opens--;
      drop_if_unused(h->node);
    }
  }
  c.reply({});
}

void FtpFs::read_dir(Call<op::ReadDir> c) {
  Lock lock(m_);
  auto found = find(c->node, Op::ReadDir);
  auto h = handle_of(c->handle);
  if (!found || !h) {
    lock.unlock();
    return c.fail(found ? err(EBADF) : found.error());
  }
  const NodePtr dir = *found;
  const bool begin = c->cookie == 0 || !h->names;
  const bool hosts = all_ && dir == root_;
  lock.unlock();
  Answer<op::ReadDir> a(std::move(c));
  auto list = [this, a, dir, h](Errno e) {
    if (e != Errno{}) return a.fail(e);
    auto call = a.take();
    if (!call) return;
    const op::ReadDir& args = **call;
    Lock locked(m_);
    auto names = h->names;
    const uint64_t ino = dir->ino, above = dir->parent ? dir->parent->ino : dir->ino;
    locked.unlock();
    // Cookies: 1 behind ".", 2 behind "..", then one a name of the handle's list.
    for (uint64_t at = args.cookie; at < names->size() + 2; at++) {
      DirEntry d;
      d.cookie = at + 1;
      if (at < 2) {
        d.ino = at == 0 ? ino : above;
        d.type = DT_DIR;
        d.name = at == 0 ? "." : "..";
        if (!args.sink->add(d)) break;
        continue;
      }
      const Facts& f = (*names)[static_cast<size_t>(at - 2)];
      d.name = f.name;
      d.type = type_of(f.kind);
      Entry with;
      NodePtr node;
      locked.lock();
      // A name that went meanwhile shows, but brings no node to life again.
      const bool there = all_ && dir == root_
                             ? dir->children.contains(f.name)
                             : dir->children.contains(f.name) || (dir->listing && dir->listing->names.contains(f.name));
      if (there && f.kind != Kind::unknown) {
        node = child(dir, f.name, f, dir->listing ? dir->listing->at_ns : 0);
        d.ino = node->ino;
        if (args.with_attr) {
          with = counted(*node);
          d.with = &with;
        } else {
          drop_if_unused(node);
        }
      } else {
        d.ino = 1;
      }
      locked.unlock();
      const bool taken = args.sink->add(d);
      if (!taken && d.with) {
        locked.lock();
        node->lookups--;
        drop_if_unused(node);
        locked.unlock();
      }
      if (!taken) break;
    }
    call->reply({});
  };
  if (!begin) return list(Errno{});
  auto take_names = [this, dir, h, hosts, list](Errno e) {
    if (e == Errno{}) {
      auto names = std::make_shared<std::vector<Facts>>();
      Lock locked(m_);
      if (hosts) {
        for (auto& [name, node] : dir->children) names->push_back(node->facts);
      } else if (dir->listing) {
        for (auto& [name, facts] : dir->listing->names) names->push_back(facts);
        // Files that are being made.
        for (auto& [name, node] : dir->children)
          if (node->draft && !dir->listing->names.contains(name)) {
            names->push_back(node->facts);
            names->back().name = name;
          }
      }
      h->names = std::move(names);
    }
    list(e);
  };
  if (hosts) return take_names(Errno{});
  with_listing(dir, kListedMs, take_names);
}

}  // namespace isthmus::fs::ftp
