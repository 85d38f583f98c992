// Serves a file system whose files change without the kernel, and that tells or does not tell, as commands written to
// its file `control` say. Usage: news_server MOUNTPOINT (root; in the foreground)
#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <mutex>
#include <string>

#include "doors/fuse/fuse_door.h"
#include "vfs/provider.h"

namespace isthmus {
namespace {

enum Node : uint64_t { kRoot = 1, kControl, kCounter, kGhost, kLog, kSlow, kPollable, kNodes };
constexpr const char* kNames[kNodes] = {"", "", "control", "counter", "ghost", "log", "slow", "pollable"};

class NewsFs final : public Provider<NewsFs> {
 public:
  Traits traits() const override {
    Traits t;
    t.type = "news";
    t.export_stable = true;
    return t;
  }

  Result<Entry> lookup(const Context&, const op::Lookup& a) {
    std::lock_guard lock(m_);
    if (a.name == ".") return entry(raw(a.dir));
    if (a.name == "..") return entry(kRoot);
    for (uint64_t n = kControl; n < kNodes; n++)
      if (a.name == kNames[n] && (n != kGhost || ghost_)) return entry(n);
    Entry none;
    none.entry_ttl = kForever;
    return none;
  }
  Result<Attributes> getattr(const Context&, const op::Getattr& a) {
    std::lock_guard lock(m_);
    return Attributes{attr(raw(a.node)), kForever};
  }
  Result<Attributes> setattr(const Context&, const op::Setattr& a) {
    std::lock_guard lock(m_);
    return Attributes{attr(raw(a.node)), kForever};
  }
  Result<Opened> open(const Context&, const op::Open& a) {
    std::lock_guard lock(m_);
    return Opened{HandleId{++handles_}, raw(a.node) == kCounter ? kOpenedKeepCache : kOpenedDirectIo, -1};
  }
  Result<Unit> read_dir(const Context&, const op::ReadDir& a) {
    for (uint64_t n = std::max<uint64_t>(a.cookie, kControl); n < kNodes; n++)
      if (!a.sink->add({n, n + 1, S_IFREG >> 12, kNames[n], nullptr})) break;
    return Unit{};
  }
  void read(Call<op::Read> c) {
    if (raw(c->node) == kSlow) return read_slowly(std::move(c));
    std::lock_guard lock(m_);
    const std::string& text = raw(c->node) == kLog ? log_ : counter_;
    c.reply(Buffer::own(c->offset < text.size() ? text.substr(c->offset, c->size) : ""));
  }
  Result<size_t> write(const Context&, const op::Write& a) {
    std::string text(a.data->size(), '\0');
    if (auto n = a.data->copy_to(std::as_writable_bytes(std::span(text))); !n) return n.error();
    if (raw(a.node) == kControl) command(text);
    return text.size();
  }
  /// News about the directory whose lock the kernel holds at this moment.
  Result<Unit> unlink(const Context&, const op::Unlink& a) {
    {
      std::lock_guard lock(m_);
      if (!ghost_) return err(ENOENT);
      ghost_ = false;
    }
    up()->invalidate_entry(a.dir, a.name);
    up()->deleted(a.dir, NodeId{kGhost}, a.name);
    return Unit{};
  }
  Result<uint32_t> poll(const Context&, const op::Poll& a) {
    std::lock_guard lock(m_);
    if (a.arm) polled_ = a.handle;
    return ready_ ? uint32_t{POLLIN} : 0;
  }

 private:
  static Attr attr_of(uint64_t n) {
    Attr a;
    a.ino = n;
    a.mode = n == kRoot ? S_IFDIR | 0755 : S_IFREG | 0644;
    a.nlink = n == kRoot ? 2 : 1;
    return a;
  }
  Attr attr(uint64_t n) const {
    Attr a = attr_of(n);
    if (n == kCounter) a.size = counter_.size();
    return a;
  }
  Entry entry(uint64_t n) const { return {NodeId{n}, 1, attr(n), kForever, kForever}; }

  /// Never answers but by being interrupted.
  static void read_slowly(Call<op::Read> c) {
    Cancel* cancel = c.context().cancel;
    auto held = std::make_shared<Call<op::Read>>(std::move(c));
    cancel->on_request([held] { held->fail(EINTR); });
  }

  void command(const std::string& text) {
    auto space = text.find(' ');
    std::string verb = text.substr(0, space), rest = space == std::string::npos ? "" : text.substr(space + 1);
    {
      std::lock_guard lock(m_);
      if (verb == "set") counter_ = rest;
      if (verb == "ghost") ghost_ = rest == "1";
      if (verb == "ready") ready_ = true;
    }
    if (verb == "tell") up()->invalidate_node(NodeId{kCounter}, 0, 0);
    if (verb == "entry") up()->invalidate_entry(NodeId::root, "ghost");
    if (verb == "deleted") up()->deleted(NodeId::root, NodeId{kGhost}, "ghost");
    if (verb == "store") up()->store(NodeId{kCounter}, 0, Buffer::own(rest));
    if (verb == "retrieve") static_cast<void>(up()->retrieve(NodeId{kCounter}, 0, 4096, &NewsFs::take, this));
    if (verb == "ready") up()->poll_ready(NodeId{kPollable}, polled_, POLLIN);
    if (verb == "storm")
      for (int i = 0; i < 20'000; i++) up()->invalidate_entry(NodeId::root, "name" + std::to_string(i));
  }
  static void take(void* self, NodeId, uint64_t, Bytes data) {
    auto& fs = *static_cast<NewsFs*>(self);
    std::lock_guard lock(fs.m_);
    fs.log_ = "retrieved " + std::string(as_text(data));
  }

  std::mutex m_;
  std::string counter_ = "one", log_;
  bool ghost_ = false, ready_ = false;
  uint64_t handles_ = 0;
  HandleId polled_{};
};

int serve(const char* mountpoint) {
  Fd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  char options[128];
  std::snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions",
                device.get());
  NewsFs fs;
  fuse::Door door(fs, std::move(device), {});
  if (!fs.start(door.upcalls())) return 1;
  if (::mount("news", mountpoint, "fuse.news", MS_NOSUID | MS_NODEV, options) < 0) {
    std::perror("mount");
    return 1;
  }
  if (!door.start() || !door.wait_ready(std::chrono::seconds(10))) return 1;
  bool unmounted = door.wait() == fuse::EndReason::unmounted;
  fs.stop();
  return unmounted ? 0 : 1;
}

}  // namespace
}  // namespace isthmus

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: news_server MOUNTPOINT\n", stderr);
    return 2;
  }
  return isthmus::serve(argv[1]);
}
