#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/log.h"
#include "fs/archive/archive_fs.h"
#include "vfs/sync.h"

// Bytes as an archive: its index is made with small limits, then every directory is listed and the beginnings and ends
// of files are read. What is checked beside crashes: a read never gives more or less than the attributes say.

namespace isthmus {
namespace {

constexpr size_t kMostFiles = 40;
constexpr uint64_t kReadToEnd = 1 << 20;  // of larger files only the beginning is read

struct Sink : DirSink {
  bool add(const DirEntry& e) override {
    if (e.name.empty() || e.name.size() > 255 || e.name.find('/') != std::string_view::npos) abort();
    if (e.with && !S_ISDIR(e.with->attr.mode)) files.push_back(e.with->node);
    if (e.with && S_ISDIR(e.with->attr.mode)) folders.push_back(e.with->node);
    return ++count % 7 != 0;  // listings go on where they stopped
  }
  std::vector<NodeId> files, folders;
  size_t count = 0;
};

void read(FileSystem& fs, NodeId node, uint64_t offset, uint64_t file_size) {
  op::Read a;
  a.node = node;
  a.offset = offset;
  a.size = 70'000;
  auto r = call_and_wait(fs, a);
  if (r && r->size() != std::min<uint64_t>(a.size, file_size - std::min(offset, file_size))) abort();
  std::vector<std::byte> to(r ? r->size() : 0);
  if (r && !r->copy_to(to)) abort();
}

void use(FileSystem& fs) {
  Sink sink;
  sink.folders.push_back(NodeId::root);
  for (size_t i = 0; i < sink.folders.size() && i < 3000; i++) {
    op::ReadDir a;
    a.node = sink.folders[i];
    a.with_attr = true;
    a.sink = &sink;
    for (size_t before = SIZE_MAX; before != sink.count; a.cookie += sink.count - before) {
      before = sink.count;
      if (!call_and_wait(fs, a)) abort();
    }
  }
  for (size_t i = 0; i < std::min(sink.files.size(), kMostFiles); i++) {
    NodeId node = sink.files[i];
    auto attr = call_and_wait(fs, op::Getattr{{}, node, {}});
    if (!attr) abort();
    (void)call_and_wait(fs, op::Readlink{{}, node});
    if (auto names = call_and_wait(fs, op::ListXattr{{}, node}))
      for (auto& n : *names) (void)call_and_wait(fs, op::GetXattr{{}, node, n});
    if (!S_ISREG(attr->attr.mode)) continue;
    uint64_t size = attr->attr.size;
    if (size < kReadToEnd && size > 0) read(fs, node, size - 1, size);
    read(fs, node, 0, size);
  }
}

}  // namespace
}  // namespace isthmus

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isthmus;
  set_log_level(LogLevel::off);
  Fd fd(memfd_create("archive", MFD_CLOEXEC));
  if (!fd || ::write(fd.get(), data, size) != static_cast<ssize_t>(size)) return 0;
  fs::archive::ArchiveOptions o;
  o.cache_in_memory = true;
  o.cache_size = 1 << 20;
  o.max_entries = 2000;
  o.max_index_memory = 16 << 20;
  o.max_total = 32 << 20;
  fs::archive::ArchiveHooks hooks;
  hooks.passphrase = [](int) { return std::optional<std::string>("secret"); };
  fs::archive::OpenError error;
  auto fs = fs::archive::ArchiveFs::open(std::move(fd), "fuzz.gz", o, hooks, error);
  if (!fs) return error.text.empty() ? (abort(), 0) : 0;
  Upcalls up;
  if (fs->start(up)) use(*fs);
  fs->stop();
  return 0;
}
