/// Looking up, making, removing and renaming.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "fs/ftp/again.h"
#include "fs/ftp/ftp_fs.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

namespace isthmus::fs::ftp {

void FtpFs::lookup(Call<op::Lookup> c) {
  const std::string name(c->name);
  Lock lock(m_);
  auto found = find(c->dir, Op::Lookup);
  const NodePtr dir = found ? *found : nullptr;
  const bool host = dir && all_ && dir == root_, folder = dir && dir->is_folder();
  const NodePtr above = dir && dir->parent ? dir->parent : dir;
  lock.unlock();
  if (!dir) return c.fail(found.error());
  Answer<op::Lookup> a(std::move(c));
  if (name == "." || name == "..") return answer_entry(a, name == "." ? dir : above);
  if (!folder) return a.fail(ENOTDIR);
  if (name.size() > 255) return a.fail(ENAMETOOLONG);
  if (host) return lookup_host(a, name);
  // Nothing that a server could have, and nothing that could be asked for.
  if (!wire::ftp::is_name(name)) return a.fail(EINVAL);
  with_listing(dir, options_.cache_ms, [this, a, dir, name](Errno e) {
    if (e == err(EACCES))
      return probe(dir, name, [this, a, dir, name](Result<Facts> f) {
        if (!f) return a.fail(f.error());
        Lock locked(m_);
        NodePtr n = child(dir, name, *f, monotonic_ns());
        locked.unlock();
        answer_entry(a, n);
      });
    if (e != Errno{}) return a.fail(e);
    Lock locked(m_);
    if (auto made = dir->children.find(name); made != dir->children.end() && made->second->draft) {
      NodePtr n = nodes_.at(raw(made->second->id));
      locked.unlock();
      return answer_entry(a, n);
    }
    if (!dir->listing) {
      locked.unlock();
      return a.fail(ENOENT);
    }
    auto it = dir->listing->names.find(name);
    if (it == dir->listing->names.end()) {
      Entry none;
      none.entry_ttl = ttl_of(dir->listing->at_ns);
      locked.unlock();
      return a.finish(none);
    }
    const int64_t known = dir->listing->at_ns;
    if (it->second.kind != Kind::unknown) {
      NodePtr n = child(dir, name, it->second, known);
      n->known_ns = known;
      locked.unlock();
      return answer_entry(a, n);
    }
    locked.unlock();
    // A link that does not say where to: what it leads to is what it is.
    probe(dir, name, [this, a, dir, name, known](Result<Facts> f) {
      if (!f) return a.fail(f.error());
      Lock again(m_);
      if (dir->listing) dir->listing->names[name] = *f;
      NodePtr n = child(dir, name, *f, known);
      again.unlock();
      answer_entry(a, n);
    });
  });
}

void FtpFs::forget(Call<op::Forget> c) {
  const NodeId id = c->node;
  const uint64_t count = c->count;
  {
    Lock lock(m_);
    auto it = nodes_.find(raw(id));
    if (it != nodes_.end()) {
      NodePtr n = it->second;
      if (count > n->lookups)
        log(LogLevel::error, "forget: {} lookups of node {:#x} given back, {} counted", count, raw(id), n->lookups);
      n->lookups -= std::min(count, n->lookups);
      drop_if_unused(n);
    }
  }
  c.reply({});
}

/// Where a link's target lies, as seen from the link; false: outside of the tree. What is told to a door must not lead
/// it out, as a local kernel would follow it to files of its own.
bool FtpFs::leaves(const Node& dir, std::string_view target, std::string& inside) {
  size_t depth = 0;
  for (const Node* n = &dir; n->parent && n->parent->site; n = n->parent.get()) depth++;
  std::string_view rest = target;
  inside.clear();
  if (target.starts_with('/')) {
    const std::string& top = dir.site->top;
    if (!target.starts_with(top) || (target.size() > top.size() && target[top.size()] != '/')) return true;
    rest.remove_prefix(top.size());
    while (rest.starts_with('/')) rest.remove_prefix(1);
    for (size_t i = 0; i < depth; i++) inside += "../";
    depth = 0;
  }
  inside += rest;
  if (inside.empty()) inside = ".";
  int64_t at = static_cast<int64_t>(depth);
  while (!rest.empty()) {
    const size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (part == "..")
      at--;
    else if (!part.empty() && part != ".")
      at++;
    if (at < 0) return true;
  }
  return false;
}

void FtpFs::readlink(Call<op::Readlink> c) {
  Lock lock(m_);
  auto found = find(c->node, Op::Readlink);
  if (!found) {
    lock.unlock();
    return c.fail(found.error());
  }
  const Node& n = **found;
  std::string inside;
  const bool link = n.facts.kind == Kind::link && n.parent;
  const bool out = link && (n.facts.target.empty() || leaves(*n.parent, n.facts.target, inside));
  lock.unlock();
  if (!link) return c.fail(EINVAL);
  if (out || inside.size() > 4095) return c.fail(ENOENT);
  c.reply(inside);
}

void FtpFs::mkdir(Call<op::Mkdir> c) {
  const std::string name(c->name);
  const uint32_t mode = c->mode & 07777 & ~(c.context().umask_pending ? c.context().cred.umask : 0u);
  Lock lock(m_);
  auto found = find(c->dir, Op::Mkdir);
  const bool host = found && all_ && *found == root_;
  lock.unlock();
  if (!found) return c.fail(found.error());
  if (options_.read_only) return c.fail(EROFS);
  if (host) return c.fail(EPERM);
  if (!wire::ftp::is_name(name)) return c.fail(EINVAL);
  const NodePtr dir = *found;
  lock.lock();
  const std::string path = path_in(*dir, name), above = path_of(*dir);
  lock.unlock();
  Answer<op::Mkdir> a(std::move(c));
  submit(
      dir->site, false,
      [this, a, dir, name, path, above, mode](Remote& r) {
        bool second = false;
        Said s = again(r, [&] {
          Said t = r.command({"MKD " + path});
          // Done already, by the try whose answer got lost.
          Facts f;
          if (second && !t.ok() && !t.lost && r.facts(path, f).ok() && f.kind == Kind::folder) t = {};
          second = true;
          return t;
        });
        if (s.vague) {
          Facts f;
          const Errno here = r.facts(path, f).error, there = here == err(ENOENT) ? r.facts(above, f).error : Errno{};
          s.error = here == Errno{} ? err(EEXIST) : there == err(ENOENT) ? there : err(EACCES);
        }
        if (!s.ok()) return a.fail(s.error);
        Facts made;
        made.name = name;
        made.kind = Kind::folder;
        made.modified = now();
        // What a server would give it anyway is not asked for.
        if ((mode & 0777) != 0755 && r.set_mode(path, mode).ok()) made.mode = mode;
        Lock again_locked(m_);
        note_added(*dir, name, made);
        NodePtr n = child(dir, name, made, monotonic_ns());
        again_locked.unlock();
        answer_entry(a, n);
      },
      [a](Errno e) { a.fail(e); });
}

void FtpFs::remove(const NodePtr& dir, const std::string& name, bool folder, Then then) {
  Lock lock(m_);
  NodePtr node;
  if (auto it = dir->children.find(name); it != dir->children.end()) node = nodes_.at(raw(it->second->id));
  auto forget_it = [this, dir, name, node] {  // under m_
    note_removed(*dir, name);
    if (!node) return;
    unlink_node(*node);
    if (node->draft) node->draft->dead = true;
    drop_if_unused(node);
  };
  if (node && folder != node->is_folder()) {
    lock.unlock();
    return then(err(folder ? ENOTDIR : EISDIR));
  }
  if (node && node->draft && !node->draft->exists) {
    forget_it();
    lock.unlock();
    return then(Errno{});
  }
  const std::string path = path_in(*dir, name);
  // Who has it open reads on: it goes when he has closed it.
  const bool keep = !folder && node && node->opens > 0 && !node->draft;
  const std::string beside =
      keep ? fmt::format(".isthmus-{:08x}{:08x}.gone", static_cast<uint32_t>(mark_), ++last_beside_) : "";
  const std::string shadow = keep ? path_in(*dir, beside) : "";
  if (keep) dir->hidden.insert(beside);
  lock.unlock();
  submit(
      dir->site, false,
      [this, dir, node, path, folder, shadow, beside, forget_it, then](Remote& r) {
        bool second = false, kept = false;
        Said s = again(r, [&] {
          Said t;
          if (!shadow.empty()) {
            t = r.command({"RNFR " + path, "RNTO " + shadow});
            kept = t.ok();
            if (t.ok() || t.lost) return t;
          }
          t = r.command({(folder ? "RMD " : "DELE ") + path});
          Facts f;
          if (second && !t.ok() && !t.lost && r.facts(path, f).error == err(ENOENT)) t = {};
          second = true;
          return t;
        });
        if (s.vague) {
          Facts f;
          std::vector<Facts> inside;
          const Said there = r.facts(path, f);
          if (there.error == err(ENOENT))
            s.error = err(ENOENT);
          else if (there.ok() && (f.kind == Kind::folder) != folder)
            s.error = err(folder ? ENOTDIR : EISDIR);
          else if (folder && r.list(path, inside).ok() && !inside.empty())
            s.error = err(ENOTEMPTY);
          else
            s.error = err(EACCES);
        }
        {
          Lock again_locked(m_);
          if (s.ok() || s.error == err(ENOENT)) {
            if (kept) node->shadow = shadow;
            forget_it();
          }
          if (!kept && !beside.empty()) dir->hidden.erase(beside);
        }
        then(s.error);
      },
      [this, dir, beside, then](Errno e) {
        {
          Lock again_locked(m_);
          dir->hidden.erase(beside);
        }
        then(e);
      });
}

Result<NodePtr> FtpFs::to_change(NodeId id, Op op, std::string_view name) {
  Lock lock(m_);
  auto found = find(id, op);
  if (!found) return found;
  if (all_ && *found == root_) return err(EPERM);
  if (options_.read_only) return err(EROFS);
  if (!wire::ftp::is_name(name)) return err(EINVAL);
  return found;
}

template <class T>
void FtpFs::remove_name(Call<T> c, bool folder) {
  const std::string name(c->name);
  const auto dir = to_change(c->dir, T::id, name);
  if (!dir) return c.fail(dir.error());
  Answer<T> a(std::move(c));
  remove(*dir, name, folder, [a](Errno e) { a.end(e); });
}

void FtpFs::unlink(Call<op::Unlink> c) { remove_name(std::move(c), false); }

void FtpFs::rmdir(Call<op::Rmdir> c) { remove_name(std::move(c), true); }

void FtpFs::rename(Call<op::Rename> c) {
  const std::string name(c->name), to_name(c->to_name);
  const uint32_t flags = c->flags;
  Lock lock(m_);
  auto from = find(c->dir, Op::Rename), to = find(c->to_dir, Op::Rename);
  const bool host = from && to && all_ && (*from == root_ || *to == root_);
  lock.unlock();
  if (!from || !to) return c.fail(from ? to.error() : from.error());
  if (options_.read_only || host) return c.fail(host ? EPERM : EROFS);
  if (flags & ~uint32_t{RENAME_NOREPLACE}) return c.fail(EINVAL);
  if (!wire::ftp::is_name(name) || !wire::ftp::is_name(to_name)) return c.fail(EINVAL);
  const NodePtr dir = *from, to_dir = *to;
  if (dir->site != to_dir->site) return c.fail(EXDEV);
  Answer<op::Rename> a(std::move(c));
  const bool replace = !(flags & RENAME_NOREPLACE);
  auto done = [a](Errno e) { a.end(e); };
  // What both names are, and that all that was written is there.
  with_listing(dir, options_.cache_ms, [this, dir, name, to_dir, to_name, replace, done](Errno e) {
    if (e != Errno{} && e != err(EACCES)) return done(e);
    with_listing(to_dir, options_.cache_ms, [this, dir, name, to_dir, to_name, replace, done](Errno e2) {
      if (e2 != Errno{} && e2 != err(EACCES)) return done(e2);
      Lock again_locked(m_);
      NodePtr node;
      if (auto it = dir->children.find(name); it != dir->children.end()) node = nodes_.at(raw(it->second->id));
      again_locked.unlock();
      auto go = [this, dir, name, to_dir, to_name, replace, done](Errno e3) {
        if (e3 != Errno{}) return done(e3);
        rename_known(dir, name, to_dir, to_name, replace, done);
      };
      if (node && !node->is_folder()) return with_uploaded(node, go);
      go(Errno{});
    });
  });
}

void FtpFs::rename_known(const NodePtr& dir, const std::string& name, const NodePtr& to_dir, const std::string& to_name,
                         bool replace, Then then) {
  Lock lock(m_);
  Facts facts;
  bool known = false, target_known = false;
  if (dir->listing) {
    auto it = dir->listing->names.find(name);
    known = it != dir->listing->names.end();
    if (!known) {
      lock.unlock();
      return then(err(ENOENT));
    }
    facts = it->second;
  }
  Kind target_kind = Kind::unknown;
  if (to_dir->listing)
    if (auto it = to_dir->listing->names.find(to_name); it != to_dir->listing->names.end()) {
      target_known = true;
      target_kind = it->second.kind;
    }
  if (auto it = to_dir->children.find(to_name); it != to_dir->children.end() && it->second->draft) target_known = true;
  Errno e{};
  if (dir == to_dir && name == to_name) {
    lock.unlock();
    return then(Errno{});
  }
  if (target_known && !replace)
    e = err(EEXIST);
  else if (known && target_known && target_kind == Kind::folder && facts.kind != Kind::folder)
    e = err(EISDIR);
  else if (known && target_known && target_kind == Kind::file && facts.kind == Kind::folder)
    e = err(ENOTDIR);
  const std::string from = path_in(*dir, name), to = path_in(*to_dir, to_name);
  if (facts.kind == Kind::folder && to.starts_with(from + "/")) e = err(EINVAL);
  const std::string aside =
      path_in(*to_dir, fmt::format(".isthmus-{:08x}{:08x}.old", static_cast<uint32_t>(mark_), ++last_beside_));
  lock.unlock();
  if (e != Errno{}) return then(e);
  const bool swap = target_known && target_kind != Kind::folder,
             over_folder = target_known && target_kind == Kind::folder;
  submit(
      dir->site, false,
      [this, dir, name, to_dir, to_name, from, to, aside, swap, over_folder, facts, then](Remote& r) {
        bool second = false;
        Said s = again(r, [&] {
          Facts f;
          // The try whose answer got lost may have done it.
          if (second && r.facts(from, f).error == err(ENOENT) && r.facts(to, f).ok()) return Said{};
          second = true;
          Said t = move(r, from, to, aside, swap);
          // An empty folder may be replaced by another; servers rarely know.
          if (over_folder && !t.ok() && !t.lost && r.command({"RMD " + to}).ok())
            t = r.command({"RNFR " + from, "RNTO " + to});
          return t;
        });
        if (s.vague || s.error == err(EEXIST)) {
          Facts f;
          std::vector<Facts> inside;
          if (r.facts(from, f).error == err(ENOENT))
            s.error = err(ENOENT);
          else if (over_folder)
            s.error = r.list(to, inside).ok() && !inside.empty() ? err(ENOTEMPTY) : err(EACCES);
          else if (s.vague)
            s.error = err(EACCES);
        }
        if (s.ok()) renamed(dir, name, to_dir, to_name, facts);
        then(s.error);
      },
      then);
}

/// RNFR, RNTO. Where the server does not rename over a file: that one steps aside first, and comes back if need be.
Said FtpFs::move(Remote& r, const std::string& from, const std::string& to, const std::string& aside, bool exists) {
  std::vector<wire::ftp::Reply> done;
  Said s = r.command({"RNFR " + from, "RNTO " + to}, &done);
  if (s.ok() || s.lost || done.size() < 2 || !exists) return s;
  if (!r.command({"RNFR " + to, "RNTO " + aside}).ok()) return s;
  Said t = r.command({"RNFR " + from, "RNTO " + to});
  if (t.ok()) {
    (void)r.command({"*DELE " + aside});
    return t;
  }
  Said back = again(r, [&] { return r.command({"RNFR " + aside, "RNTO " + to}); });
  if (!back.ok())
    log(LogLevel::error, "ftp: {} is now called {}, and could not be named back", wire::ftp::printable(to),
        wire::ftp::printable(aside));
  return s;
}

void FtpFs::renamed(const NodePtr& dir, const std::string& name, const NodePtr& to_dir, const std::string& to_name,
                    const Facts& facts) {
  Lock lock(m_);
  if (auto it = to_dir->children.find(to_name); it != to_dir->children.end()) {
    NodePtr old = nodes_.at(raw(it->second->id));
    unlink_node(*old);
    if (old->draft) old->draft->dead = true;
    drop_if_unused(old);
  }
  note_removed(*dir, name);
  note_added(*to_dir, to_name, facts);
  auto it = dir->children.find(name);
  if (it == dir->children.end()) return;
  NodePtr node = nodes_.at(raw(it->second->id));
  dir->children.erase(it);
  const NodePtr old_dir = node->parent;
  node->parent = to_dir;
  node->name = to_name;
  to_dir->children[to_name] = node.get();
  drop_if_unused(old_dir);
}

}  // namespace isthmus::fs::ftp
