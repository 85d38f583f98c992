// Some clients at a time, each in a folder of its own or all in one. Figures are the wall time divided by all
// operations: they fall where clients run beside each other.
#include <array>
#include <barrier>
#include <thread>

#include "bench/fuse/measure/folder.h"

namespace isthmus::bench {
namespace {

/// What one client works on.
struct Share {
  std::vector<std::string> files;
  std::vector<int> order;
};

/// Each client in a thread of its own; all begin together.
template <class F>
void in_threads(Meter& meter, const std::string& name, const std::vector<Share>& shares, F&& f) {
  long operations = 0;
  for (const Share& share : shares) operations += static_cast<long>(share.files.size());
  std::barrier start(static_cast<std::ptrdiff_t>(shares.size()) + 1);
  std::vector<std::thread> threads;
  for (const Share& share : shares)
    threads.emplace_back([&] {
      start.arrive_and_wait();
      f(share);
    });
  meter.begin(name);
  start.arrive_and_wait();
  for (std::thread& thread : threads) thread.join();
  meter.end(name, operations);
}

void write_each(const Share& share) {
  std::array<char, 4096> block{};
  for (int i : share.order) {
    Fd fd = open_file(share.files[static_cast<size_t>(i)], O_WRONLY);
    need(write(fd.get(), block.data(), block.size()) == static_cast<ssize_t>(block.size()), "write");
  }
}

}  // namespace

void measure_threads(Meter& meter, const Setup& setup) {
  const int each = std::max(1, setup.files / setup.threads);
  for (bool same : {false, true}) {
    const std::string top = setup.folder + (same ? "/same" : "/own");
    make_folder(top);
    std::vector<Share> shares;
    for (int t = 0; t < setup.threads; t++) {
      const std::string folder = same ? top : top + "/t" + std::to_string(t);
      if (!same) make_folder(folder);
      const std::string prefix = "t" + std::to_string(t) + "_";
      shares.push_back({paths_in(folder, prefix.c_str(), each), shuffled(each)});
    }
    const std::string suffix = std::string(same ? "_same_" : "_own_") + std::to_string(setup.threads);
    in_threads(meter, "threads_create" + suffix, shares, [](const Share& share) {
      for (const std::string& path : share.files) create_empty(path);
    });
    drop_dentries();
    in_threads(meter, "threads_stat" + suffix, shares, [](const Share& share) { stat_each(share.files, share.order); });
    in_threads(meter, "threads_write" + suffix, shares, write_each);
    in_threads(meter, "threads_unlink" + suffix, shares, [](const Share& share) { unlink_each(share.files); });
    Fd fd = open_file(top, O_RDONLY | O_DIRECTORY);
    walk(fd.get(), {.remove = true});
    need(rmdir(top.c_str()) == 0, "rmdir");
  }
}

}  // namespace isthmus::bench
