/// Nodes, and what is known of them.
#include "fs/ftp/nodes.h"

#include <algorithm>
#include <functional>

#include "base/log.h"
#include "fs/ftp/again.h"
#include "fs/ftp/ftp_fs.h"

namespace isthmus::fs::ftp {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

bool is_top(const Node& n) { return n.site && (!n.parent || !n.parent->site); }

}  // namespace

Result<NodePtr> FtpFs::find(NodeId id, Op op) {
  auto it = nodes_.find(raw(id));
  if (it != nodes_.end()) return it->second;
  log(LogLevel::error, "{}: unknown node {:#x}; the caller gets EIO", name_of(op), raw(id));
  return err(EIO);
}

NodePtr FtpFs::make_node(const NodePtr& parent, std::string name, Facts facts, int64_t known_ns) {
  auto node = std::make_shared<Node>();
  node->id = NodeId{++last_node_};
  node->parent = parent;
  node->name = std::move(name);
  if (parent) node->site = parent->site;
  node->facts = std::move(facts);
  node->known_ns = known_ns;
  nodes_.emplace(raw(node->id), node);
  if (parent) {
    parent->children[node->name] = node.get();
    node->ino = std::hash<std::string>()(node->name) * 0x9e3779b97f4a7c15 + parent->ino * 31;
  }
  if (node->ino < 2) node->ino = raw(node->id) + 1;
  return node;
}

NodePtr FtpFs::child(const NodePtr& dir, const std::string& name, const Facts& facts, int64_t known_ns) {
  if (auto it = dir->children.find(name); it != dir->children.end()) {
    NodePtr known = nodes_.at(raw(it->second->id));
    if (known->facts.kind == facts.kind || known->draft) return known;
    unlink_node(*known);  // the name is something else now
  }
  return make_node(dir, name, facts, known_ns);
}

void FtpFs::unlink_node(Node& node) {
  node.gone = true;
  if (!node.parent) return;
  auto it = node.parent->children.find(node.name);
  if (it != node.parent->children.end() && it->second == &node) node.parent->children.erase(it);
}

void FtpFs::drop_if_unused(NodePtr node) {
  while (node && node->parent && node->lookups == 0 && node->opens == 0 && !node->pinned && !node->draft &&
         !node->listing_now && node->children.empty()) {
    const NodePtr parent = node->parent;
    if (!node->gone) unlink_node(*node);
    nodes_.erase(raw(node->id));
    node = parent;
  }
}

std::string FtpFs::path_of(const Node& node) const {
  if (!node.shadow.empty()) return node.shadow;
  std::vector<const std::string*> names;
  const Node* n = &node;
  for (; !is_top(*n) && n->parent; n = n->parent.get()) names.push_back(&n->name);
  std::string path = node.site->top;
  for (auto it = names.rbegin(); it != names.rend(); ++it) path.append("/").append(**it);
  return path.empty() ? "/" : path;
}

std::string FtpFs::path_in(const Node& dir, const std::string& name) const {
  const std::string path = path_of(dir);
  return path == "/" ? "/" + name : path + "/" + name;
}

Attr FtpFs::attr_of(const Node& node) const {
  const Facts& f = node.facts;
  Attr a;
  a.ino = node.ino;
  a.uid = options_.uid;
  a.gid = options_.gid;
  a.size = f.size.value_or(0);
  a.mtime = f.modified.value_or(began_);
  switch (f.kind) {
    case Kind::folder:
      a.mode = S_IFDIR | f.mode.value_or(0755);
      break;
    case Kind::link:
      a.mode = S_IFLNK | 0777;
      break;
    default:
      a.mode = S_IFREG | f.mode.value_or(0644);
  }
  if (node.draft) {
    const Draft& d = *node.draft;
    a.size = d.size;
    if (d.dirty()) a.mtime = d.want_time.value_or(d.mtime);
    if (d.want_mode) a.mode = S_IFREG | *d.want_mode;
  }
  if (f.kind == Kind::link) a.size = f.target.size();
  if (f.kind != Kind::folder) a.blocks = a.size / 512 + (a.size % 512 != 0);
  a.atime = a.ctime = a.mtime;
  a.nlink = node.gone ? 0 : 1;
  a.block_size = 128 << 10;
  return a;
}

Ttl FtpFs::ttl_of(int64_t known_ns) const {
  const int64_t left = known_ns + options_.cache_ms * kNsPerMs - monotonic_ns();
  return left > 0 ? static_cast<Ttl>(left / kNsPerMs) : 0;
}

bool FtpFs::is_fresh(int64_t known_ns, uint32_t ms) const {
  return known_ns != 0 && monotonic_ns() - known_ns < std::min(ms, options_.cache_ms) * kNsPerMs;
}

Entry FtpFs::counted(Node& node) {
  node.lookups++;
  Entry e;
  e.node = node.id;
  e.attr = attr_of(node);
  const bool ours = node.draft || node.pinned || node.id == NodeId::root;
  e.entry_ttl = e.attr_ttl = ours ? options_.cache_ms : ttl_of(node.known_ns);
  return e;
}

void FtpFs::note_added(Node& dir, const std::string& name, const Facts& facts) {
  Facts f = facts;
  f.name = name;
  if (dir.listing) dir.listing->names[name] = f;
  if (dir.listing_now) dir.changed[name] = std::move(f);
}

void FtpFs::note_removed(Node& dir, const std::string& name) {
  if (dir.listing) dir.listing->names.erase(name);
  if (dir.listing_now) dir.changed[name] = std::nullopt;
}

void FtpFs::learn(Node& node, const Facts& facts, News& news) {
  if (node.draft) return;  // what is here is newer
  if (node.facts.size != facts.size || node.facts.modified != facts.modified) news.changed.push_back(node.id);
  node.facts = facts;
}

void FtpFs::install(Node& dir, std::vector<Facts> entries, int64_t began_ns, News& news) {
  Listing& l = dir.listing.emplace();
  l.at_ns = began_ns;
  for (auto& f : entries)
    if (!dir.hidden.contains(f.name)) {
      auto& name = f.name;
      l.names.emplace_hint(l.names.end(), name, std::move(f));
    }
  for (auto& [name, facts] : dir.changed) {
    if (facts)
      l.names[name] = *facts;
    else
      l.names.erase(name);
  }
  std::vector<Node*> children;
  for (auto& [name, node] : dir.children) children.push_back(node);
  for (Node* c : children) {
    auto it = l.names.find(c->name);
    if (it != l.names.end() && (it->second.kind == c->facts.kind || it->second.kind == Kind::unknown)) {
      if (it->second.kind == Kind::unknown) it->second = c->facts;
      learn(*c, it->second, news);
      c->known_ns = began_ns;
    } else if (!c->draft || c->draft->exists) {
      news.names.emplace_back(dir.id, c->name);
      unlink_node(*c);
      drop_if_unused(nodes_.at(raw(c->id)));
    }
  }
}

void FtpFs::tell(const News& news) {
  if (!up()) return;
  for (NodeId n : news.changed) up()->invalidate_node(n, 0, 0);
  for (auto& [dir, name] : news.names) up()->invalidate_entry(dir, name);
}

template <class T>
void FtpFs::answer_entry(const Answer<T>& a, const NodePtr& node) {
  auto call = a.take();
  if (!call) return;
  Entry e;
  {
    Lock lock(m_);
    e = counted(*node);
  }
  call->reply(e);
}
template void FtpFs::answer_entry(const Answer<op::Lookup>&, const NodePtr&);
template void FtpFs::answer_entry(const Answer<op::Mkdir>&, const NodePtr&);

void FtpFs::submit(const std::shared_ptr<Site>& site, bool stream, std::function<void(Remote&)> run, Then fail) {
  site->connections.submit({std::move(run),
                            [fail = std::move(fail)](const Said& s) {
                              // A name server that knows the host no more says nothing of files.
                              fail(s.error == err(ENOENT) ? err(EHOSTUNREACH) : s.error);
                            },
                            stream});
}

void FtpFs::with_listing(const NodePtr& dir, uint32_t ms, Then then) {
  Lock lock(m_);
  if (dir->gone) {
    lock.unlock();
    return then(err(ENOENT));
  }
  if (dir->listing && is_fresh(dir->listing->at_ns, ms)) {
    lock.unlock();
    return then(Errno{});
  }
  dir->listed.push_back(std::move(then));
  if (dir->listing_now) return;
  dir->listing_now = true;
  const std::string path = path_of(*dir);
  lock.unlock();
  auto done = [this, dir](Errno e, std::vector<Facts> entries, int64_t began) {
    News news;
    std::vector<Then> listed;
    {
      Lock again(m_);
      dir->listing_now = false;
      if (e == Errno{})
        install(*dir, std::move(entries), began, news);
      else if (e == err(ENOENT) && !is_top(*dir))
        unlink_node(*dir);
      dir->changed.clear();
      listed.swap(dir->listed);
      drop_if_unused(dir);
    }
    tell(news);
    for (auto& t : listed) t(e);
  };
  submit(
      dir->site, false,
      [path, done](Remote& r) {
        std::vector<Facts> entries;
        const int64_t began = monotonic_ns();
        Said s = again(r, [&] { return r.list(path, entries); });
        if (s.vague) {
          Facts what;
          const Said t = r.facts(path, what);
          s.error = t.error == err(ENOENT) ? t.error : t.ok() && what.kind != Kind::folder ? err(ENOTDIR) : err(EACCES);
        }
        done(s.error, std::move(entries), began);
      },
      [done](Errno e) { done(e, {}, 0); });
}

void FtpFs::probe(const NodePtr& dir, const std::string& name, std::function<void(Result<Facts>)> then) {
  std::string path;
  {
    Lock lock(m_);
    path = path_in(*dir, name);
  }
  auto shared = std::make_shared<std::function<void(Result<Facts>)>>(std::move(then));
  submit(
      dir->site, false,
      [path, name, shared](Remote& r) {
        Facts f;
        const Said s = again(r, [&] { return r.facts(path, f); });
        f.name = name;
        (*shared)(s.ok() ? Result<Facts>(std::move(f)) : Result<Facts>(s.error));
      },
      [shared](Errno e) { (*shared)(e); });
}

void FtpFs::with_facts(const NodePtr& node, uint32_t ms, Then then) {
  Lock lock(m_);
  const bool known = node->draft || is_top(*node) || !node->site || is_fresh(node->known_ns, ms);
  if (node->gone || known) {
    // An open file that was removed is what it was.
    const Errno e = node->gone && node->opens == 0 ? err(ENOENT) : Errno{};
    lock.unlock();
    return then(e);
  }
  const NodePtr dir = node->parent;
  const std::string name = node->name;
  lock.unlock();
  with_listing(dir, ms, [this, node, dir, name, then = std::move(then)](Errno e) {
    if (e == Errno{}) {
      Lock again(m_);
      const bool gone = node->gone && node->opens == 0;
      again.unlock();
      return then(gone ? err(ENOENT) : Errno{});
    }
    if (e != err(EACCES)) return then(e);
    // A folder that may be searched, but not listed.
    probe(dir, name, [this, node, then](Result<Facts> f) {
      if (!f) return then(f.error());
      News news;
      {
        Lock again(m_);
        learn(*node, *f, news);
        node->known_ns = monotonic_ns();
      }
      tell(news);
      then(Errno{});
    });
  });
}

}  // namespace isthmus::fs::ftp
