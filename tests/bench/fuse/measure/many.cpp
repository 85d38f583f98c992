// A small and a very large folder: what an operation costs must not depend on how many files the server knows.
#include <algorithm>

#include "bench/fuse/measure/folder.h"

namespace isthmus::bench {
namespace {

constexpr int kSmall = 2000;

void one_size(Meter& meter, const std::string& folder, int count, const std::string& suffix) {
  make_folder(folder);
  const std::vector<std::string> files = paths_in(folder, "f", count);
  const std::vector<int> order = shuffled(count);
  meter.phase("many_create_" + suffix, count, [&] {
    for (const std::string& path : files) create_empty(path);
  });
  drop_dentries();
  meter.phase("many_stat_cold_" + suffix, count, [&] { stat_each(files, order); });
  drop_dentries();
  meter.phase("many_ls_l_" + suffix, count,
              [&] { walk(open_file(folder, O_RDONLY | O_DIRECTORY).get(), {.stat = true}); });
  meter.phase("many_open_close_" + suffix, count, [&] {
    for (int i : order) open_file(files[static_cast<size_t>(i)], O_RDONLY);
  });
  meter.phase("many_unlink_" + suffix, count, [&] { unlink_each(files); });
  need(rmdir(folder.c_str()) == 0, "rmdir");
}

}  // namespace

void measure_many(Meter& meter, const Setup& setup) {
  one_size(meter, setup.folder + "/small", std::min(kSmall, setup.files), "small");
  one_size(meter, setup.folder + "/large", setup.files, "large");
}

}  // namespace isthmus::bench
