// Serves files whose reads wait for each other. Usage: gate_server MOUNTPOINT -f [-o OPTIONS]
//   blocks  a read keeps its thread until `open` is written to `gate`
//   later   the same without keeping a thread
//   slow    keeps its thread for 300 ms
//   count   how many reads wait
//   gate    a write of anything answers all that wait
#include <sys/stat.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "doors/fuse/main.h"
#include "vfs/provider.h"

namespace isthmus {
namespace {

enum Node : uint64_t { kRoot = 1, kBlocks, kLater, kSlow, kCount, kGate, kNodes };
constexpr const char* kNames[kNodes] = {"", "", "blocks", "later", "slow", "count", "gate"};

class GateFs final : public Provider<GateFs> {
 public:
  Traits traits() const override {
    Traits t;
    t.type = "gate";
    return t;
  }
  Result<Entry> lookup(const Context&, const op::Lookup& a) {
    for (uint64_t n = kBlocks; n < kNodes; n++)
      if (a.name == kNames[n]) return Entry{NodeId{n}, 1, attr(n), kForever, kForever};
    return err(ENOENT);
  }
  Result<Attributes> getattr(const Context&, const op::Getattr& a) { return Attributes{attr(raw(a.node)), kForever}; }
  Result<Attributes> setattr(const Context&, const op::Setattr& a) { return Attributes{attr(raw(a.node)), kForever}; }
  Result<Opened> open(const Context&, const op::Open&) { return Opened{HandleId::none, kOpenedDirectIo, -1}; }

  void read(Call<op::Read> c) {
    if (raw(c->node) == kSlow) {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      return c.reply(Buffer::own("passed"));
    }
    std::unique_lock lock(m_);
    if (raw(c->node) == kCount) {
      std::string text = c->offset ? "" : std::to_string(waiting_);
      lock.unlock();
      return c.reply(Buffer::own(text));
    }
    waiting_++;
    if (raw(c->node) == kLater) return later_.push_back(std::move(c));
    uint64_t opened = opened_;
    gate_.wait(lock, [&] { return opened_ != opened; });
    lock.unlock();
    c.reply(Buffer::own("passed"));
  }
  Result<size_t> write(const Context&, const op::Write& a) {
    std::vector<Call<op::Read>> later;
    {
      std::lock_guard lock(m_);
      opened_++;
      waiting_ = 0;
      later.swap(later_);
      gate_.notify_all();
    }
    for (auto& c : later) c.reply(Buffer::own("passed"));
    return a.data->size();
  }

 private:
  static Attr attr(uint64_t n) {
    Attr a;
    a.ino = n;
    a.mode = n == kRoot ? S_IFDIR | 0755 : S_IFREG | 0644;
    a.nlink = n == kRoot ? 2 : 1;
    return a;
  }

  std::mutex m_;
  std::condition_variable gate_;
  uint64_t opened_ = 0;
  unsigned waiting_ = 0;
  std::vector<Call<op::Read>> later_;
};

}  // namespace
}  // namespace isthmus

int main(int argc, char** argv) {
  isthmus::GateFs fs;
  return isthmus::fuse::run_main(argc, argv, fs);
}
