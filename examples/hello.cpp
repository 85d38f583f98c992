// A complete file system: one file, /hello. Run: hello MOUNTPOINT [-f] [-o OPTIONS]
#include <dirent.h>
#include <isthmus/isthmus.h>
#include <sys/stat.h>
using namespace isthmus;

constexpr std::string_view kText = "Hello, world!\n";
constexpr NodeId kFile{2};

class Hello final : public Provider<Hello> {
 public:
  static constexpr auto kBlocking = Blocking::never_blocks;
  Result<Entry> lookup(const Context&, const op::Lookup& a) {
    if (a.dir != NodeId::root || a.name != "hello") return err(ENOENT);
    return Entry{kFile, 0, attr(kFile), kForever, kForever};
  }
  Result<Attributes> getattr(const Context&, const op::Getattr& a) { return Attributes{attr(a.node), kForever}; }
  Result<Unit> read_dir(const Context&, const op::ReadDir& a) {
    if (a.cookie == 0) a.sink->add({raw(kFile), 1, DT_REG, "hello", nullptr});
    return Unit{};
  }
  Result<Buffer> read(const Context&, const op::Read& a) {
    return Buffer::view(as_bytes(a.offset < kText.size() ? kText.substr(a.offset, a.size) : ""));
  }
  static Attr attr(NodeId n) {
    Attr a;
    a.ino = raw(n);
    a.mode = n == kFile ? S_IFREG | 0444 : S_IFDIR | 0755;
    a.size = n == kFile ? kText.size() : 0;
    return a;
  }
};

int main(int argc, char** argv) {
  Hello fs;
  return fuse::run_main(argc, argv, fs);
}
