#pragma once
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "fs/mem/mem_fs.h"
#include "vfs/sync.h"
#include "vfs/test_fs.h"
#include "vfs/volume/core.h"
#include "vfs/volume/port.h"
#include "vfs/volume/resolve.h"

/// What the tests of the volume share: a file system whose answers can be held back, doors that remember what they
/// hear, and short forms of operations. Everything waits here, for tests only.
namespace isthmus::volume::testing {

inline constexpr NodeId kRoot = NodeId::root;

/// Around a file system: operations of chosen kinds are held, before they reach it or with their answer on the way.
class Gate final : public Decorator<Gate> {
 public:
  explicit Gate(FileSystem& inner);
  Traits traits() const override {
    Traits t = Decorator::traits();
    if (change) change(t);
    return t;
  }
  Capabilities capabilities() const override {
    return Capabilities::from_bits(Decorator::capabilities().bits() & ~without.bits());
  }
  enum class Hold { nothing, before, answer };
  void hold(Op op, Hold how) {
    std::lock_guard lock(m_);
    op_ = op;
    how_ = how;
  }
  size_t held() {
    std::lock_guard lock(m_);
    return held_.size();
  }
  /// Lets everything go that is held, on this thread.
  void let_go() {
    std::deque<std::function<void()>> all;
    {
      std::lock_guard lock(m_);
      how_ = Hold::nothing;
      all.swap(held_);
    }
    for (auto& f : all) f();
  }
  uint64_t asked(Op op) const { return counters().get(op); }
  /// Where the provider tells its news.
  Upcalls* told() const { return up(); }

  template <class T>
  void around(Pending<T>& p);

  std::function<void(Traits&)> change;
  Capabilities without;

 private:
  void keep(std::function<void()> f) {
    std::lock_guard lock(m_);
    held_.push_back(std::move(f));
  }
  std::mutex m_;
  Op op_ = Op::count;
  Hold how_ = Hold::nothing;
  std::deque<std::function<void()>> held_;
};

/// A door's ears: each upcall is a line, "entry 1 name", "node 5 0 10", "attr 5", "deleted 1 5 name", "break 5 1".
class Ears final : public Upcalls {
 public:
  void invalidate_node(NodeId n, uint64_t o, uint64_t l) override { say("node", raw(n), o, l); }
  void invalidate_attr(NodeId n) override { say("attr", raw(n)); }
  void invalidate_entry(NodeId d, std::string_view n) override { say("entry", raw(d), n); }
  void invalidate_all_names() override { say("names"); }
  void deleted(NodeId d, NodeId c, std::string_view n) override { say("deleted", raw(d), raw(c), n); }
  void break_lease(NodeId n, HandleId h, uint8_t bits) override {
    say("break", raw(n), int{bits});
    if (on_break) on_break(n, h, bits);
  }
  bool heard(const std::string& line) {
    std::lock_guard lock(m_);
    return std::find(lines_.begin(), lines_.end(), line) != lines_.end();
  }
  std::vector<std::string> take() {
    std::lock_guard lock(m_);
    return std::exchange(lines_, {});
  }
  void when_heard(std::function<void()> done) override {
    if (slow)
      waiting.push_back(std::move(done));
    else
      done();
  }
  std::function<void(NodeId, HandleId, uint8_t)> on_break;
  bool slow = false;  // its clients hear only when those that wait are run
  std::vector<std::function<void()>> waiting;

 private:
  template <class... A>
  void say(const char* what, A... a) {
    std::string line = what;
    ((line += fmt::format(" {}", a)), ...);
    std::lock_guard lock(m_);
    lines_.push_back(std::move(line));
  }
  std::mutex m_;
  std::vector<std::string> lines_;
};

/// An operation under way at a port.
template <class T>
struct Running final : Pending<T> {
  void answered(Result<typename T::Reply>&& r) noexcept override {
    std::lock_guard lock(m);
    result.emplace(std::move(r));
    cv.notify_all();
  }
  bool done() {
    std::lock_guard lock(m);
    return result.has_value();
  }
  Result<typename T::Reply>& wait() {
    std::unique_lock lock(m);
    cv.wait(lock, [&] { return result.has_value(); });
    return *result;
  }
  std::mutex m;
  std::condition_variable cv;
  std::optional<Result<typename T::Reply>> result;
};

inline Context as_user(uint32_t uid, uint32_t gid, std::span<const uint32_t> groups = {}) {
  Context c;
  c.cred = {.known = true, .uid = uid, .gid = gid, .groups = groups, .groups_known = true};
  return c;
}

/// One door, with short forms.
struct Door {
  Door() = default;
  Door(Volume& v, const PortOptions& o);

  template <class T>
  Result<typename T::Reply> run(T args) {
    return call_and_wait<T>(*port, std::move(args), ctx);
  }
  template <class T>
  std::unique_ptr<Running<T>> begin(T args) {
    auto r = std::make_unique<Running<T>>();
    r->ctx = ctx;
    r->args = std::move(args);
    port->submit<T>(*r);
    return r;
  }
  Result<Entry> lookup(NodeId dir, std::string_view name);
  void forget(NodeId n, uint64_t count = 1);
  /// Node of a name; its lookup is given back (it stays cached, or is another's).
  NodeId node(NodeId dir, std::string_view name);
  NodeId mkdir(NodeId dir, std::string_view name, uint32_t mode = 0755);
  Result<Created> create(NodeId dir, std::string_view name, uint32_t flags = O_RDWR, uint32_t mode = 0644,
                         uint32_t share = 7);
  Result<Opened> open(NodeId n, uint32_t flags = O_RDWR, uint32_t share = 7);
  int release(NodeId n, HandleId h);
  int unlink(NodeId dir, std::string_view name);
  int rmdir(NodeId dir, std::string_view name);
  int rename(NodeId a, std::string_view from, NodeId b, std::string_view to, uint32_t flags = 0);
  Result<size_t> write(NodeId n, HandleId h, uint64_t offset, std::string_view text);
  std::string read(NodeId n, HandleId h, uint64_t offset = 0, size_t size = 4096);
  Attr stat(NodeId n);
  Result<Attributes> set(NodeId n, uint32_t mask, const Attr& to, HandleId h = HandleId::none);
  Result<Resolved> resolve(std::string_view path, ResolveOptions o = {});

  Ears ears;
  Context ctx;
  std::unique_ptr<VolumePort> port;
};

/// A volume over memory. `v` is destroyed first, but after all doors.
struct Rig {
  explicit Rig(VolumeOptions o = {}, fs::mem::MemOptions m = {}) : mem(std::move(m)), gate(mem), v(gate, o) {}
  ~Rig() { end(); }
  void begin() { ASSERT_TRUE(v.start()); }
  /// Every lookup and every open file is back at the provider: what is left has names.
  void end() {
    if (std::exchange(over, true)) return;
    v.stop();
    EXPECT_FALSE(log.has("given back")) << "lookups given back twice";
  }
  isthmus::testing::LogCatcher log;
  fs::mem::MemFs mem;
  Gate gate;
  Volume v;
  bool over = false;
};

}  // namespace isthmus::volume::testing
