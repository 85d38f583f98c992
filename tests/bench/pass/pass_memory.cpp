#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/clock.h"
#include "fs/pass/pass.h"
#include "vfs/sync.h"

/// Makes many files through `pass` at `ulimit -n 1024`, keeps all of them known, uses some again and forgets them:
/// memory a file, descriptors, time (docs/pass.md shows figures). Fails when an operation does, or descriptors grow.
namespace isthmus::bench {
namespace {

constexpr const char* kUsage = "usage: pass_memory FOLDER FILES [handles=yes|no]\n";
constexpr size_t kEach = 10'000;  // files in a directory
constexpr rlim_t kDescriptors = 1024;

template <class T>
typename T::Reply ask(FileSystem& fs, T a) {
  auto r = call_and_wait<T>(fs, std::move(a), {});
  if (!r) {
    fmt::print(stderr, "pass_memory: {}: errno {}\n", name_of(T::id), r.code());
    std::exit(1);
  }
  return std::move(*r);
}

uint64_t resident() {
  uint64_t size = 0, pages = 0;
  std::ifstream("/proc/self/statm") >> size >> pages;
  return pages * 4096;
}

size_t descriptors() {
  auto all = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

template <class F>
void timed(const char* what, size_t n, F f) {
  int64_t begin = monotonic_ns();
  for (size_t i = 0; i < n; i++) f(i);
  fmt::print("{:7} {:6.2f} us an operation\n", what,
             static_cast<double>(monotonic_ns() - begin) / 1000 / static_cast<double>(n));
}

void measure(const std::string& folder, size_t files, fs::pass::PassOptions options) {
  Upcalls nobody;
  fs::pass::PassFs fs(folder, options);
  if (auto s = fs.start(nobody); !s) {
    fmt::print(stderr, "pass_memory: {}: errno {}\n", folder, s.code());
    std::exit(1);
  }
  std::vector<NodeId> dirs, nodes;
  nodes.reserve(files);
  for (size_t i = 0; i <= files / kEach; i++) {
    op::Mkdir d;
    d.dir = NodeId::root;
    std::string name = "d" + std::to_string(i);
    d.name = name;
    d.mode = 0755;
    dirs.push_back(ask(fs, d).node);
  }
  uint64_t before = resident();
  timed("make", files, [&](size_t i) {
    op::Mknod f;
    f.dir = dirs[i / kEach];
    std::string name = "file" + std::to_string(i);
    f.name = name;
    f.mode = S_IFREG | 0644;
    nodes.push_back(ask(fs, f).node);
  });
  uint64_t grown = resident() - std::min(before, resident());
  fmt::print("resident: {:.0f} bytes a file, {} of them known by {}, {} descriptors\n",
             static_cast<double>(grown) / static_cast<double>(files), fs.known_nodes(),
             fs.uses_handles() ? "handle" : "name", descriptors());
  size_t some = std::max<size_t>(1, files / 10);
  timed("getattr", some, [&](size_t i) { (void)ask(fs, op::Getattr{{}, nodes[i * 7919 % files], HandleId::none}); });
  Buffer text = Buffer::view(as_bytes("text"));
  timed("write", some, [&](size_t i) {
    op::Write w;
    w.node = nodes[i * 7919 % files];
    w.data = &text;
    (void)ask(fs, w);
  });
  if (size_t n = descriptors(); n > kDescriptors / 2) {
    fmt::print(stderr, "pass_memory: {} descriptors\n", n);
    std::exit(1);
  }
  timed("forget", files, [&](size_t i) { (void)ask(fs, op::Forget{{}, nodes[i], 1}); });
  ::malloc_trim(0);
  uint64_t after = resident();
  fmt::print("left: {:.0f} bytes a file\n",
             static_cast<double>(after > before ? after - before : 0) / static_cast<double>(files));
  fs.stop();
}

int run(int argc, char** argv) {
  size_t files = 0;
  fs::pass::PassOptions options;
  if (argc > 2) std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), files);
  if (argc > 3) options.handles = std::string_view(argv[3]) == "handles=yes";
  if (files == 0) return std::fputs(kUsage, stderr), 2;
  rlimit few{kDescriptors, kDescriptors};
  ::setrlimit(RLIMIT_NOFILE, &few);
  std::string folder = std::string(argv[1]) + "/pass_memory.XXXXXX";
  if (!::mkdtemp(folder.data())) return std::perror(folder.c_str()), 1;
  measure(folder, files, options);
  std::error_code ec;
  std::filesystem::remove_all(folder, ec);
  return 0;
}

}  // namespace
}  // namespace isthmus::bench

int main(int argc, char** argv) { return isthmus::bench::run(argc, argv); }
