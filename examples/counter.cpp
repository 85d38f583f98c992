// A file system that is a process answering packets: /count says how often it has been read. Run:
//   isthmus mount userfs:./counter MOUNTPOINT        or, elsewhere: isthmus mount 'userfs+ssh:HOST ./counter'
//   MOUNTPOINT
#include <dirent.h>
#include <isthmus/userfs.h>
#include <sys/stat.h>

#include <atomic>
#include <string>
using namespace isthmus;

constexpr NodeId kFile{2};

class Counter final : public Provider<Counter> {
 public:
  static constexpr auto kBlocking = Blocking::never_blocks;
  Result<Entry> lookup(const Context&, const op::Lookup& a) {
    if (a.dir != NodeId::root || a.name != "count") return err(ENOENT);
    return Entry{kFile, 0, attr(kFile), kForever, kForever};
  }
  Result<Attributes> getattr(const Context&, const op::Getattr& a) { return Attributes{attr(a.node), kForever}; }
  Result<Unit> read_dir(const Context&, const op::ReadDir& a) {
    if (a.cookie == 0) a.sink->add({raw(kFile), 1, DT_REG, "count", nullptr});
    return Unit{};
  }
  Result<Opened> open(const Context&, const op::Open&) { return Opened{HandleId{1}, kOpenedDirectIo}; }
  Result<Buffer> read(const Context&, const op::Read& a) {
    if (a.offset > 0) return Buffer();
    return Buffer::own((std::to_string(++reads_) + "\n").substr(0, a.size));
  }

 private:
  static Attr attr(NodeId n) {
    Attr a;
    a.ino = raw(n);
    a.mode = n == kFile ? S_IFREG | 0444 : S_IFDIR | 0755;
    return a;
  }
  std::atomic<int> reads_{0};
};

int main() {
  Counter fs;
  return userfs::run_main(fs, {.lasting_handles = true});
}
