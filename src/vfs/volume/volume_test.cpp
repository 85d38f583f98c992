#include "vfs/volume/volume_test.h"

#include "vfs/volume/resolve.h"

namespace isthmus::volume::testing {

Gate::Gate(FileSystem& inner) : Decorator(inner) {}

template <class T>
void Gate::around(Pending<T>& p) {
  Hold how = Hold::nothing;
  {
    std::lock_guard lock(m_);
    if (op_ == T::id) how = how_;
  }
  if (without.has(T::id)) return detail::run_default<T>(*this, Call<T>(p));
  if (how == Hold::nothing) return inner().submit(p);
  if (how == Hold::before) return keep([this, &p] { inner().submit(p); });
  struct Later final : Pending<T> {
    void answered(Result<typename T::Reply>&& r) noexcept override {
      gate->keep([this, r = std::make_shared<Result<typename T::Reply>>(std::move(r))] {
        Pending<T>& o = *outer;
        delete this;
        o.answered(std::move(*r));
      });
    }
    Gate* gate;
    Pending<T>* outer;
  };
  auto* l = new Later;
  l->ctx = p.ctx;
  l->args = p.args;
  l->gate = this;
  l->outer = &p;
  inner().submit(*static_cast<Pending<T>*>(l));
}

Door::Door(Volume& v, const PortOptions& o) : port(v.port(o)) { EXPECT_TRUE(port->start(ears)); }
Result<Entry> Door::lookup(NodeId dir, std::string_view name) { return run(op::Lookup{{}, dir, name}); }
void Door::forget(NodeId n, uint64_t count) { static_cast<void>(run(op::Forget{{}, n, count})); }
NodeId Door::node(NodeId dir, std::string_view name) {
  auto e = lookup(dir, name);
  if (!e || e->node == NodeId::none) return NodeId::none;
  forget(e->node);
  return e->node;
}
NodeId Door::mkdir(NodeId dir, std::string_view name, uint32_t mode) {
  auto e = run(op::Mkdir{{}, dir, name, mode, {}});
  EXPECT_TRUE(e) << name;
  return e ? e->node : NodeId::none;
}
Result<Created> Door::create(NodeId dir, std::string_view name, uint32_t flags, uint32_t mode, uint32_t share) {
  return run(op::Create{{}, dir, name, mode, flags, share, false, {}, 0});
}
Result<Opened> Door::open(NodeId n, uint32_t flags, uint32_t share) {
  return run(op::Open{{}, n, flags, share, false, 0});
}
int Door::release(NodeId n, HandleId h) {
  op::Release r;
  r.node = n;
  r.handle = h;
  return run(r).code();
}
int Door::unlink(NodeId dir, std::string_view name) { return run(op::Unlink{{}, dir, name}).code(); }
int Door::rmdir(NodeId dir, std::string_view name) { return run(op::Rmdir{{}, dir, name}).code(); }
int Door::rename(NodeId a, std::string_view from, NodeId b, std::string_view to, uint32_t flags) {
  return run(op::Rename{{}, a, from, b, to, flags}).code();
}
Result<size_t> Door::write(NodeId n, HandleId h, uint64_t offset, std::string_view text) {
  Buffer b = Buffer::view(as_bytes(text));
  op::Write w;
  w.node = n;
  w.handle = h;
  w.offset = offset;
  w.data = &b;
  return run(w);
}
std::string Door::read(NodeId n, HandleId h, uint64_t offset, size_t size) {
  op::Read r;
  r.node = n;
  r.handle = h;
  r.offset = offset;
  r.size = size;
  std::string room(size, '\0');
  r.into = std::as_writable_bytes(std::span(room));
  auto b = run(r);
  if (!b) return "error " + std::to_string(b.code());
  std::string text(b->size(), '\0');
  auto got = b->copy_to(std::as_writable_bytes(std::span(text)), as_bytes(room));
  text.resize(got ? *got : 0);
  return text;
}
Attr Door::stat(NodeId n) {
  op::Getattr g{};
  g.node = n;
  auto a = run(g);
  EXPECT_TRUE(a);
  return a ? a->attr : Attr{};
}
Result<Attributes> Door::set(NodeId n, uint32_t mask, const Attr& to, HandleId h) {
  op::Setattr s{};
  s.node = n;
  s.handle = h;
  s.set.mask = mask;
  s.set.to = to;
  return run(s);
}
Result<Resolved> Door::resolve(std::string_view path, ResolveOptions o) {
  std::mutex m;
  std::condition_variable cv;
  std::optional<Result<Resolved>> got;
  isthmus::resolve(*port, ctx, path, o, [&](Result<Resolved> r) {
    std::lock_guard lock(m);
    got.emplace(std::move(r));
    cv.notify_all();
  });
  std::unique_lock lock(m);
  cv.wait(lock, [&] { return got.has_value(); });
  return std::move(*got);
}

}  // namespace isthmus::volume::testing
