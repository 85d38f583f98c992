#pragma once
#include <string>
#include <vector>

#include "bench/fuse/measure/meter.h"

namespace isthmus::bench {

/// `count` paths `FOLDER/PREFIX000000` and on.
std::vector<std::string> paths_in(const std::string& folder, const char* prefix, int count);
/// 0 to count-1 in an order that is not the one of creation, the same each time.
std::vector<int> shuffled(int count);

/// What walk() does with each entry besides reading its name.
struct WalkHow {
  bool stat = false;    ///< fstatat, as `ls -l`, find and du do
  bool remove = false;  ///< as `rm -r` does
};
/// Reads a folder and those below it; the number of entries. `folder` keeps its position.
long walk(int folder, WalkHow how);

void make_folder(const std::string& path);
/// Creates an empty file, as open(2) and close(2) do it.
void create_empty(const std::string& path);
void stat_each(const std::vector<std::string>& files, const std::vector<int>& order);
void unlink_each(const std::vector<std::string>& files);

}  // namespace isthmus::bench
