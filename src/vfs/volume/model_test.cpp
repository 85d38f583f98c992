#include <array>
#include <map>
#include <random>
#include <set>

#include "vfs/volume/volume_test.h"

/// Random operations through two doors, one of which caches like a kernel and hears only upcalls, against a plain
/// model. After each operation both must see what the model says.
namespace isthmus::volume::testing {
namespace {

struct Model {
  struct Node {
    bool dir = false;
    std::string data;
    std::map<std::string, std::shared_ptr<Node>> names;
    unsigned links = 0;
  };
  using P = std::shared_ptr<Node>;
  P root = std::make_shared<Node>(Node{true, {}, {}, 0});

  using Path = std::vector<std::string>;
  /// The directory that holds the last name, or an errno.
  Result<P> parent(const Path& p) const {
    P at = root;
    for (size_t i = 0; i + 1 < p.size(); i++) {
      auto it = at->names.find(p[i]);
      if (it == at->names.end()) return err(ENOENT);
      at = it->second;
      if (!at->dir) return err(ENOTDIR);
    }
    return at;
  }
  Result<P> find(const Path& p) const {
    auto dir = parent(p);
    if (!dir) return dir.error();
    auto it = (*dir)->names.find(p.back());
    if (it == (*dir)->names.end()) return err(ENOENT);
    return it->second;
  }
  static bool below(const Node& n, const Node& top) {
    if (&n == &top) return true;
    return std::any_of(top.names.begin(), top.names.end(), [&](auto& c) { return below(n, *c.second); });
  }
  int make(const Path& p, bool dir) {
    auto d = parent(p);
    if (!d) return d.code();
    if ((*d)->names.contains(p.back())) return EEXIST;
    (*d)->names[p.back()] = std::make_shared<Node>(Node{dir, {}, {}, 1});
    return 0;
  }
  int remove(const Path& p, bool dir) {
    auto d = parent(p);
    auto n = find(p);
    if (!n) return n.code();
    if (dir && !(*n)->dir) return ENOTDIR;
    if (!dir && (*n)->dir) return EISDIR;
    if (!(*n)->names.empty()) return ENOTEMPTY;
    (*n)->links--;
    (*d)->names.erase(p.back());
    return 0;
  }
  int link(const Path& from, const Path& to) {
    auto n = find(from);
    if (!n) return n.code();
    auto d = parent(to);
    if (!d) return d.code();
    if ((*n)->dir) return EPERM;
    if ((*d)->names.contains(to.back())) return EEXIST;
    (*d)->names[to.back()] = *n;
    (*n)->links++;
    return 0;
  }
  int rename(const Path& from, const Path& to, bool swap) {
    auto fd = parent(from);
    if (!fd) return fd.code();
    auto td = parent(to);
    if (!td) return td.code();
    auto n = find(from);
    if (!n) return n.code();
    auto t = find(to);
    if (swap && !t) return t.code();
    if (below(**td, **n)) return EINVAL;
    if (t && below(**fd, **t)) return swap ? EINVAL : ENOTEMPTY;
    P moved = *n;
    if (swap) {
      std::swap((*fd)->names[from.back()], (*td)->names[to.back()]);
      return 0;
    }
    if (t) {
      if (*t == moved) return 0;
      if (moved->dir && !(*t)->dir) return ENOTDIR;
      if (!moved->dir && (*t)->dir) return EISDIR;
      if (!(*t)->names.empty()) return ENOTEMPTY;
      (*t)->links--;
    }
    (*fd)->names.erase(from.back());
    (*td)->names[to.back()] = moved;
    return 0;
  }
};

/// A door and what its client keeps: nodes, attributes and data, until an upcall says otherwise.
class Client final : public Upcalls {
 public:
  Client(Volume& v, const PortOptions& o, bool caches) : caches_(caches) {
    door.port = v.port(o);
    EXPECT_TRUE(door.port->start(*this));
  }
  ~Client() override {
    drop_names([](auto&) { return true; });
    rest();
    door.port.reset();
  }

  void invalidate_node(NodeId n, uint64_t, uint64_t) override {
    data_.erase(n);
    attr_.erase(n);
    lists_.erase(n);
  }
  void invalidate_attr(NodeId n) override { attr_.erase(n); }
  void invalidate_entry(NodeId dir, std::string_view name) override {
    drop_names([&](auto& k) { return k.first == dir && k.second == name; });
  }
  void deleted(NodeId dir, NodeId, std::string_view name) override { invalidate_entry(dir, name); }

  Result<NodeId> step(NodeId dir, const std::string& name) {
    auto key = std::make_pair(dir, name);
    if (auto it = names_.find(key); it != names_.end())
      return it->second == NodeId::none ? Result<NodeId>(err(ENOENT)) : Result<NodeId>(it->second);
    auto e = door.lookup(dir, name);
    if (!e && e.error() != err(ENOENT)) return e.error();
    NodeId n = e ? e->node : NodeId::none;
    if (caches_) {
      names_[key] = n;
      if (n != NodeId::none) attr_[n] = e->attr;
    } else if (n != NodeId::none) {
      used_.push_back(n);
    }
    if (n == NodeId::none) return err(ENOENT);
    return n;
  }
  Result<NodeId> dir_of(const Model::Path& p) {
    NodeId at = kRoot;
    for (size_t i = 0; i + 1 < p.size(); i++) {
      auto n = step(at, p[i]);
      if (!n) return n;
      at = *n;
      if (!S_ISDIR(stat(at).mode)) return err(ENOTDIR);
    }
    return at;
  }
  Result<NodeId> find(const Model::Path& p) {
    auto dir = dir_of(p);
    return dir ? step(*dir, p.back()) : dir;
  }
  Attr stat(NodeId n) {
    if (auto it = attr_.find(n); it != attr_.end()) return it->second;
    Attr a = door.stat(n);
    if (caches_) attr_[n] = a;
    return a;
  }
  std::string read(NodeId n) {
    if (auto it = data_.find(n); it != data_.end()) return it->second;
    auto o = door.open(n, O_RDONLY);
    if (!o) return "error";
    std::string text = door.read(n, o->handle, 0, 65536);
    door.release(n, o->handle);
    if (caches_) data_[n] = text;
    return text;
  }
  std::vector<std::string> list(NodeId n) {
    if (auto it = lists_.find(n); it != lists_.end()) return it->second;
    isthmus::testing::NameSink sink;
    EXPECT_TRUE(door.run(op::ReadDir{{}, n, HandleId::none, 0, false, {}, &sink}));
    std::erase_if(sink.names, [](auto& s) { return s == "." || s == ".."; });
    std::sort(sink.names.begin(), sink.names.end());
    if (caches_) lists_[n] = sink.names;
    return sink.names;
  }
  /// What a kernel knows of its own doing.
  void did(NodeId dir, const std::string& name) {
    invalidate_entry(dir, name);
    invalidate_node(dir, 0, 0);
  }
  /// Between operations a client without a cache holds nothing.
  void rest() {
    for (NodeId n : used_) door.forget(n);
    used_.clear();
    for (NodeId n : dropped_) door.forget(n);
    dropped_.clear();
  }

  Door door{};

 private:
  template <class F>
  void drop_names(F which) {
    for (auto it = names_.begin(); it != names_.end();)
      if (which(it->first)) {
        if (it->second != NodeId::none) dropped_.push_back(it->second);
        it = names_.erase(it);
      } else {
        ++it;
      }
  }

  const bool caches_;
  std::map<std::pair<NodeId, std::string>, NodeId> names_;
  std::map<NodeId, Attr> attr_;
  std::map<NodeId, std::string> data_;
  std::map<NodeId, std::vector<std::string>> lists_;
  std::vector<NodeId> used_, dropped_;
};

class Play {
 public:
  Play(unsigned seed, size_t names) : random_(seed), rig_(VolumeOptions{.cached_names = names}) {
    rig_.begin();
    before_ = rig_.mem.inodes();
    clients_[0] = std::make_unique<Client>(rig_.v, PortOptions{.door = DoorKind::webdav}, false);
    clients_[1] = std::make_unique<Client>(rig_.v, PortOptions{.door = DoorKind::fuse, .has_kernel = true}, true);
  }
  void go(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); i++) {
      Client& c = *clients_[pick(2)];
      std::string what = one(c);
      SCOPED_TRACE(fmt::format("step {}: {}", i, what));
      for (auto& client : clients_) {
        compare(*client, path());
        compare(*client, path());
        client->rest();
      }
    }
    for (auto& client : clients_) compare_all(*client, {}, *model_.root);
    for (auto& client : clients_) {
      client->rest();
      client.reset();
    }
    rig_.end();
    std::set<const Model::Node*> all;
    count(*model_.root, all);
    EXPECT_EQ(rig_.mem.inodes(), before_ + all.size()) << "every lookup was given back";
  }

 private:
  size_t pick(size_t n) { return random_() % n; }
  Model::Path path() {
    Model::Path p;
    size_t depth = 1 + pick(3);
    for (size_t i = 0; i < depth; i++) p.emplace_back(1, static_cast<char>('a' + pick(3)));
    return p;
  }
  static std::string text(const Model::Path& p) {
    std::string s;
    for (auto& n : p) s += '/' + n;
    return s;
  }
  static void same(int mine, int models, const std::string& what) { EXPECT_EQ(mine, models) << what; }

  std::string one(Client& c) {
    std::string who = &c == clients_[1].get() ? "kernel " : "door ";
    Model::Path p = path(), q = path();
    auto dir = c.dir_of(p);
    switch (pick(8)) {
      case 0:
      case 1: {
        bool is_dir = pick(2);
        std::string what = who + (is_dir ? "mkdir " : "create ") + text(p);
        int e = dir.code();
        if (dir) {
          if (is_dir) {
            auto r = c.door.run(op::Mkdir{{}, *dir, p.back(), 0755, {}});
            if (r) c.door.forget(r->node);
            e = r.code();
          } else {
            auto r = c.door.create(*dir, p.back(), O_RDWR | O_EXCL);
            if (r) {
              c.door.release(r->entry.node, r->opened.handle);
              c.door.forget(r->entry.node);
            }
            e = r.code();
          }
          c.did(*dir, p.back());
        }
        same(e, model_.make(p, is_dir), what);
        return what;
      }
      case 2: {
        bool is_dir = pick(2);
        std::string what = who + (is_dir ? "rmdir " : "unlink ") + text(p);
        int e = dir.code();
        if (dir) {
          auto n = c.step(*dir, p.back());
          e = is_dir ? c.door.rmdir(*dir, p.back()) : c.door.unlink(*dir, p.back());
          c.did(*dir, p.back());
          if (n) c.invalidate_attr(*n);
        }
        same(e, model_.remove(p, is_dir), what);
        return what;
      }
      case 3: {
        bool swap = pick(4) == 0;
        std::string what = who + (swap ? "exchange " : "rename ") + text(p) + " " + text(q);
        int e = dir.code();
        auto to = c.dir_of(q);
        if (dir) e = to.code();
        if (dir && to) {
          auto n = c.step(*dir, p.back());
          auto t = c.step(*to, q.back());
          e = c.door.rename(*dir, p.back(), *to, q.back(), swap ? RENAME_EXCHANGE : 0);
          c.did(*dir, p.back());
          c.did(*to, q.back());
          if (n) c.invalidate_attr(*n);
          if (t) c.invalidate_attr(*t);
        }
        same(e, model_.rename(p, q, swap), what);
        return what;
      }
      case 4: {
        std::string what = who + "link " + text(p) + " " + text(q);
        auto n = c.find(p);
        auto to = c.dir_of(q);
        int e = n ? to.code() : n.code();
        if (n && to) {
          auto r = c.door.run(op::Link{{}, *n, *to, q.back()});
          if (r) c.door.forget(r->node);
          e = r.code();
          c.did(*to, q.back());
          c.invalidate_attr(*n);
        }
        same(e, model_.link(p, q), what);
        return what;
      }
      case 5:
      case 6: {
        std::string words(1 + pick(20), static_cast<char>('A' + pick(26)));
        size_t offset = pick(30);
        std::string what = fmt::format("{}write {} {}+{}", who, text(p), offset, words.size());
        auto n = c.find(p);
        auto m = model_.find(p);
        EXPECT_EQ(n.code(), m.code()) << what;
        if (!n || !m) return what;
        auto o = c.door.open(*n, O_RDWR);
        EXPECT_EQ(o.code(), (*m)->dir ? EISDIR : 0) << what;
        if (!o) return what;
        EXPECT_EQ(c.door.write(*n, o->handle, offset, words).code(), 0);
        c.door.release(*n, o->handle);
        c.invalidate_node(*n, 0, 0);
        std::string& data = (*m)->data;
        data.resize(std::max(data.size(), offset + words.size()));
        data.replace(offset, words.size(), words);
        return what;
      }
      default: {
        size_t size = pick(30);
        std::string what = fmt::format("{}truncate {} {}", who, text(p), size);
        auto n = c.find(p);
        auto m = model_.find(p);
        EXPECT_EQ(n.code(), m.code()) << what;
        if (!n || !m || (*m)->dir) return what;
        Attr to;
        to.size = size;
        EXPECT_TRUE(c.door.set(*n, kSetSize, to));
        c.invalidate_node(*n, 0, 0);
        (*m)->data.resize(size);
        return what;
      }
    }
  }

  void compare(Client& c, const Model::Path& p) {
    std::string who = fmt::format("{} seen by the {}", text(p), &c == clients_[1].get() ? "kernel" : "door");
    auto n = c.find(p);
    auto m = model_.find(p);
    ASSERT_EQ(n.code(), m.code()) << who;
    if (n) compare_node(c, *n, **m, who);
  }
  void compare_node(Client& c, NodeId n, const Model::Node& m, const std::string& who) {
    Attr a = c.stat(n);
    EXPECT_EQ(S_ISDIR(a.mode), m.dir) << who;
    if (m.dir) {
      std::vector<std::string> names;
      for (auto& [name, node] : m.names) names.push_back(name);
      EXPECT_EQ(c.list(n), names) << who;
    } else {
      EXPECT_EQ(a.size, m.data.size()) << who;
      EXPECT_EQ(a.nlink, m.links) << who;
      EXPECT_EQ(c.read(n), m.data) << who;
    }
  }
  void compare_all(Client& c, const Model::Path& at, const Model::Node& m) {
    for (auto& [name, node] : m.names) {
      Model::Path p = at;
      p.push_back(name);
      compare(c, p);
      if (node->dir && p.size() < 6) compare_all(c, p, *node);
    }
    c.rest();
  }
  static void count(const Model::Node& n, std::set<const Model::Node*>& all) {
    for (auto& [name, c] : n.names)
      if (all.insert(c.get()).second) count(*c, all);
  }

  std::mt19937 random_;
  Rig rig_;
  Model model_;
  std::array<std::unique_ptr<Client>, 2> clients_;
  size_t before_ = 0;
};

TEST(VolumeModel, TwoDoors) {
  for (unsigned seed = 1; seed <= 25; seed++) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Play(seed, 65536).go(300);
    if (HasFailure()) break;
  }
}

// Names are thrown out all the time: counts must be right all the same.
TEST(VolumeModel, ATinyCache) {
  for (unsigned seed = 101; seed <= 110; seed++) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Play(seed, 16).go(300);
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace isthmus::volume::testing
