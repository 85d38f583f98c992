// Upcalls: /time may be cached for ever, and a thread says once a second that it changed; /ticks comes and goes every
// other second. Run: clock MOUNTPOINT [-f]
#include <dirent.h>
#include <isthmus/isthmus.h>
#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>
using namespace isthmus;

namespace {

constexpr NodeId kTime{2}, kTicks{3};

class Clock final : public Provider<Clock> {
 public:
  Status start(Upcalls& upcalls) override {
    if (auto s = Provider::start(upcalls); !s) return s;
    ticker_ = std::thread([this] { tick(); });
    return Unit{};
  }
  void stop() override {
    {
      std::lock_guard lock(m_);
      stopping_ = true;
    }
    wake_.notify_all();
    ticker_.join();
  }

  Result<Entry> lookup(const Context&, const op::Lookup& a) {
    if (a.name == "time") return Entry{kTime, 0, attr(kTime), kForever, kForever};
    if (a.name != "ticks") return err(ENOENT);
    if (seconds() % 2 == 0) return Entry{kTicks, 0, attr(kTicks), kForever, kForever};
    Entry none;  // that it does not exist may be cached as well
    none.entry_ttl = kForever;
    return none;
  }
  Result<Attributes> getattr(const Context&, const op::Getattr& a) { return Attributes{attr(a.node), kForever}; }
  Result<Unit> read_dir(const Context&, const op::ReadDir& a) {
    if (a.cookie < 1 && !a.sink->add({raw(kTime), 1, DT_REG, "time", nullptr})) return Unit{};
    if (a.cookie < 2 && seconds() % 2 == 0) a.sink->add({raw(kTicks), 2, DT_REG, "ticks", nullptr});
    return Unit{};
  }
  Result<Opened> open(const Context&, const op::Open&) { return Opened{HandleId::none, kOpenedKeepCache, -1}; }
  Result<Buffer> read(const Context&, const op::Read& a) {
    std::string s = text(a.node);
    return Buffer::own(s.substr(std::min<uint64_t>(a.offset, s.size()), a.size));
  }

 private:
  time_t seconds() {
    std::lock_guard lock(m_);
    return now_;
  }
  std::string text(NodeId n) { return n == kTime ? std::to_string(seconds()) + "\n" : "tick\n"; }
  Attr attr(NodeId n) {
    Attr a;
    a.ino = raw(n);
    a.mode = n == NodeId::root ? S_IFDIR | 0755 : S_IFREG | 0444;
    if (n != NodeId::root) a.size = text(n).size();
    a.mtime.sec = seconds();
    return a;
  }
  void tick() {
    std::unique_lock lock(m_);
    while (!wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; })) {
      now_ = std::time(nullptr);
      lock.unlock();  // an upcall may wait for an operation, and operations take this lock
      up()->invalidate_node(kTime, 0, 0);
      up()->invalidate_entry(NodeId::root, "ticks");
      lock.lock();
    }
  }

  std::mutex m_;
  std::condition_variable wake_;
  bool stopping_ = false;
  time_t now_ = std::time(nullptr);
  std::thread ticker_;
};

}  // namespace

int main(int argc, char** argv) {
  Clock fs;
  return fuse::run_main(argc, argv, fs);
}
