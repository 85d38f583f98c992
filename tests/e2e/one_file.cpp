// A file system whose root is a regular file, for tests: mounted on a file. Everything else is the waist's and
// run_main's.
#include <isthmus/isthmus.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
using namespace isthmus;

namespace {

constexpr std::string_view kText = "the root is a file\n";

class OneFile final : public Provider<OneFile> {
 public:
  Status start(Upcalls& up) override {
    if (getenv("ONE_FILE_FAILS")) return err(EACCES);
    return Provider::start(up);
  }
  Result<Attributes> getattr(const Context&, const op::Getattr&) {
    if (getenv("ONE_FILE_IS_SILENT") && asked_) return err(EIO);
    asked_ = true;
    Attributes a;
    a.attr.mode = S_IFREG | 0444;
    a.attr.size = kText.size();
    return a;
  }
  Result<Buffer> read(const Context&, const op::Read& a) {
    return Buffer::view(as_bytes(kText.substr(std::min<uint64_t>(a.offset, kText.size()), a.size)));
  }

 private:
  std::atomic<bool> asked_{false};
};

}  // namespace

int main(int argc, char** argv) {
  OneFile fs;
  return fuse::run_main(argc, argv, fs);
}
