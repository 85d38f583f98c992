// One operation at a time in one folder, and in a tree: what a single-threaded program waits for.
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "bench/fuse/measure/folder.h"

namespace isthmus::bench {
namespace {

constexpr size_t kBlock = 4096;

/// stat(2) of names that do not exist.
void stat_missing(const std::string& path) {
  struct stat st {};
  need(stat(path.c_str(), &st) != 0 && errno == ENOENT, "stat of a missing name");
}

/// One request and its answer each: the kernel must ask the server for the attributes, however long they were to live.
void force_getattr(int fd, int times) {
  struct statx st {};
  for (int i = 0; i < times; i++)
    need(statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &st) == 0, "statx");
}

void list_folder(const std::string& path, WalkHow how, long expected) {
  Fd fd = open_file(path, O_RDONLY | O_DIRECTORY);
  errno = ERANGE;
  need(walk(fd.get(), how) == expected, "number of names in the folder");
}

}  // namespace

void measure_meta(Meter& meter, const Setup& setup) {
  const int n = setup.files;
  const std::string folder = setup.folder + "/meta";
  make_folder(folder);
  const std::vector<std::string> files = paths_in(folder, "f", n), renamed = paths_in(folder, "r", n);
  const std::vector<std::string> missing = paths_in(folder, "no", n);
  const std::vector<int> order = shuffled(n);
  auto file = [&](int i) { return files[static_cast<size_t>(i)].c_str(); };
  std::array<char, kBlock> block{};
  block.fill('x');

  meter.phase("create_close", n, [&] {
    for (const std::string& path : files) create_empty(path);
  });
  meter.phase("stat_warm", n, [&] { stat_each(files, order); });
  meter.phase("open_close", n, [&] {
    for (int i : order) open_file(file(i), O_RDONLY);
  });
  meter.phase("open_write4k_close", n, [&] {
    for (int i : order) need(write(open_file(file(i), O_WRONLY).get(), block.data(), kBlock) == kBlock, "write");
  });
  meter.phase("open_read4k_close", n, [&] {
    for (int i : order) need(read(open_file(file(i), O_RDONLY).get(), block.data(), kBlock) == kBlock, "read");
  });
  meter.phase("stat_missing", n, [&] {
    for (int i : order) stat_missing(missing[static_cast<size_t>(i)]);
  });
  meter.phase("stat_missing_again", n, [&] {
    for (int i : order) stat_missing(missing[static_cast<size_t>(i)]);
  });
  Fd first = open_file(file(0), O_RDONLY);
  meter.phase("null_round_trip", n, [&] { force_getattr(first.get(), n); });
  first.reset();

  drop_dentries();
  meter.phase("readdir_cold", n, [&] { list_folder(folder, {}, n); });
  meter.phase("readdir_warm", n, [&] { list_folder(folder, {}, n); });
  drop_dentries();
  meter.phase("ls_l_cold", n, [&] { list_folder(folder, {.stat = true}, n); });
  meter.phase("ls_l_warm", n, [&] { list_folder(folder, {.stat = true}, n); });
  drop_dentries();
  meter.phase("stat_cold", n, [&] { stat_each(files, order); });
  meter.phase("chmod", n, [&] {
    for (int i : order) need(chmod(file(i), 0600) == 0, "chmod");
  });
  meter.phase("rename", n, [&] {
    for (size_t i = 0; i < files.size(); i++) need(rename(files[i].c_str(), renamed[i].c_str()) == 0, "rename");
  });
  meter.phase("unlink", n, [&] { unlink_each(renamed); });
  need(rmdir(folder.c_str()) == 0, "rmdir");
}

void measure_tree(Meter& meter, const Setup& setup) {
  constexpr int kWide = 10;  // folders in the top, and in each of them
  const int each = std::max(1, setup.files / (kWide * kWide));
  const long files = static_cast<long>(each) * kWide * kWide;
  const std::string top = setup.folder + "/tree";
  make_folder(top);
  std::array<char, 1024> text{};
  text.fill('x');
  meter.phase("tree_create", files, [&] {
    for (int a = 0; a < kWide; a++) {
      const std::string folder = top + "/d" + std::to_string(a);
      make_folder(folder);
      for (int b = 0; b < kWide; b++) {
        const std::string below = folder + "/s" + std::to_string(b);
        make_folder(below);
        for (int c = 0; c < each; c++) {
          Fd fd = open_file(below + "/f" + std::to_string(c) + ".txt", O_CREAT | O_EXCL | O_WRONLY);
          need(write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()), "write");
        }
      }
    }
  });
  Fd fd = open_file(top, O_RDONLY | O_DIRECTORY);
  meter.phase("tree_walk_warm", files, [&] { walk(fd.get(), {.stat = true}); });
  drop_dentries();
  meter.phase("tree_walk_cold", files, [&] { walk(fd.get(), {.stat = true}); });
  meter.phase("tree_remove", files, [&] { walk(fd.get(), {.remove = true}); });
  need(rmdir(top.c_str()) == 0, "rmdir");
}

}  // namespace isthmus::bench
