/// Opening, making, flushing and closing files.
#include <fcntl.h>
#include <sys/stat.h>

#include "fs/ftp/ftp_fs.h"

namespace isthmus::fs::ftp {

/// A handle for a node that is known to be a file. Under m_.
Opened FtpFs::opened(const NodePtr& node, uint32_t flags) {
  auto h = std::make_shared<Handle>();
  h->node = node;
  h->flags = flags;
  h->writes = (flags & O_ACCMODE) != O_RDONLY;
  if (h->writes) node->writers++;
  Opened o;
  // A size that nobody knows must not end the reading.
  if (!node->draft && !node->facts.size) o.flags |= kOpenedDirectIo;
  if (!h->writes) o.flags |= kOpenedNoFlush;
  if (!node->draft && node->facts.size == node->opened_size && node->facts.modified == node->opened_time &&
      node->opened_size)
    o.flags |= kOpenedKeepCache;
  node->opened_size = node->facts.size;
  node->opened_time = node->facts.modified;
  o.handle = add_handle(std::move(h));
  return o;
}

void FtpFs::open(Call<op::Open> c) {
  const uint32_t flags = c->flags;
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  Lock lock(m_);
  auto found = find(c->node, Op::Open);
  lock.unlock();
  if (!found) return c.fail(found.error());
  if (options_.read_only && (writes || (flags & O_TRUNC))) return c.fail(EROFS);
  const NodePtr node = *found;
  Answer<op::Open> a(std::move(c));
  with_facts(node, options_.cache_ms, [this, a, node, flags, writes](Errno e) {
    if (e != Errno{}) return a.fail(e);
    Lock again(m_);
    const Kind kind = node->facts.kind;
    const bool unknown = writes && !(flags & O_TRUNC) && !node->draft && !node->facts.size;
    again.unlock();
    if (kind == Kind::folder) return a.fail(EISDIR);
    if (kind == Kind::link) return a.fail(ELOOP);
    // Nothing can be put behind an end, or into a middle, that nobody knows.
    if (unknown) return a.fail(EOPNOTSUPP);
    auto call = a.take();
    if (!call) return;
    again.lock();
    const Opened o = opened(node, flags);
    again.unlock();
    if (!(flags & O_TRUNC)) return call->reply(o);
    Answer<op::Open> b(std::move(*call));
    truncate(node, 0, [this, b, node, o](Errno e2) {
      auto open_call = b.take();
      if (open_call && e2 == Errno{}) return open_call->reply(o);
      Lock locked(m_);
      if (auto h = handle_of(o.handle)) {
        handles_.erase(raw(o.handle));
        node->opens--;
        if (h->writes) node->writers--;
        settle(node, locked);
        drop_if_unused(node);
      }
      locked.unlock();
      if (open_call) open_call->fail(e2);
    });
  });
}

void FtpFs::create(Call<op::Create> c) {
  const std::string name(c->name);
  const uint32_t flags = c->flags;
  const uint32_t mode = c->mode & 07777 & ~(c.context().umask_pending ? c.context().cred.umask : 0u);
  const auto found = to_change(c->dir, Op::Create, name);
  if (!found) return c.fail(found.error());
  for (char ch : name)
    if (static_cast<unsigned char>(ch) < 0x20) return c.fail(EINVAL);  // libcurl asks for no such file
  const NodePtr dir = *found;
  Answer<op::Create> a(std::move(c));
  with_listing(dir, kListedMs, [this, a, dir, name, flags, mode](Errno e) {
    // What cannot be listed may still be written to: a drop box.
    if (e != Errno{} && e != err(EACCES)) return a.fail(e);
    Lock locked(m_);
    NodePtr node;
    if (auto it = dir->children.find(name); it != dir->children.end()) node = nodes_.at(raw(it->second->id));
    if (!node && dir->listing)
      if (auto it = dir->listing->names.find(name); it != dir->listing->names.end())
        node = child(dir, name, it->second, dir->listing->at_ns);
    const bool exists = node != nullptr;
    const bool refused = exists && ((flags & O_EXCL) || node->facts.kind != Kind::file);
    const Errno why = !refused ? Errno{} : flags & O_EXCL ? err(EEXIST) : node->is_folder() ? err(EISDIR) : err(ELOOP);
    if (refused) {
      locked.unlock();
      return a.fail(why);
    }
    Errno failed{};
    if (!exists) {
      Facts f;
      f.name = name;
      f.kind = Kind::file;
      f.size = 0;
      f.modified = now();
      node = make_node(dir, name, f, monotonic_ns());
      auto fd = make_spool();
      if (fd) {
        auto d = std::make_shared<Draft>(std::move(*fd));
        d->version = 1;
        d->mtime = *f.modified;
        // What a server would give it anyway is not asked for.
        if ((mode & 0777) != 0644) d->want_mode = mode;
        node->draft = d;
      } else {
        failed = fd.error();
        drop_if_unused(node);
      }
    }
    locked.unlock();
    if (failed != Errno{}) return a.fail(failed);
    auto call = a.take();
    locked.lock();
    if (!call) {
      if (!exists) node->draft->dead = true;
      settle(node, locked);
      drop_if_unused(node);
      return;
    }
    const Created made{counted(*node), opened(node, flags)};
    locked.unlock();
    if (!exists || !(flags & O_TRUNC)) return call->reply(made);
    Answer<op::Create> b(std::move(*call));
    truncate(node, 0, [b, made](Errno e2) {
      if (e2 == Errno{}) return b.finish(made);
      b.fail(e2);
    });
  });
}

void FtpFs::flush(Call<op::Flush> c) {
  Lock lock(m_);
  auto h = handle_of(c->handle);
  // A shell opens a file to write to, moves the descriptor and closes the first one, which is a flush: what has only
  // been emptied keeps its content on the server until there is another, or until the last close.
  const Draft* d = h ? h->node->draft.get() : nullptr;
  const bool emptied = d && d->exists && d->size == 0 && !d->uploading;
  lock.unlock();
  if (!h || !h->writes || emptied) return c.reply({});
  Answer<op::Flush> a(std::move(c));
  with_uploaded(h->node, [a](Errno e) { a.end(e); });
}

void FtpFs::fsync(Call<op::Fsync> c) {
  Lock lock(m_);
  auto found = find(c->node, Op::Fsync);
  lock.unlock();
  if (!found) return c.fail(found.error());
  Answer<op::Fsync> a(std::move(c));
  with_uploaded(*found, [a](Errno e) { a.end(e); });
}

void FtpFs::release(Call<op::Release> c) {
  {
    Lock lock(m_);
    if (auto h = handle_of(c->handle)) {
      const NodePtr node = h->node;
      handles_.erase(raw(c->handle));
      if (h->stream) drop_stream(*h->stream);
      node->opens--;
      if (h->writes) node->writers--;
      settle(node, lock);
      // It was kept for this reader alone.
      if (node->opens == 0 && !node->shadow.empty()) {
        const std::string shadow = std::exchange(node->shadow, "");
        const NodePtr dir = node->parent;
        const std::string name = shadow.substr(shadow.rfind('/') + 1);
        lock.unlock();
        submit(
            node->site, false,
            [this, shadow, dir, name](Remote& r) {
              (void)r.command({"*DELE " + shadow});
              Lock again(m_);
              dir->hidden.erase(name);
            },
            [](Errno) {});
        lock.lock();
      }
      drop_if_unused(node);
    }
  }
  c.reply({});
}

}  // namespace isthmus::fs::ftp
