#include "bench/fuse/measure/folder.h"

#include <dirent.h>
#include <sys/stat.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>

namespace isthmus::bench {

std::vector<std::string> paths_in(const std::string& folder, const char* prefix, int count) {
  std::vector<std::string> paths;
  paths.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; i++) {
    char name[32];
    std::snprintf(name, sizeof name, "/%s%06d", prefix, i);
    paths.push_back(folder + name);
  }
  return paths;
}

std::vector<int> shuffled(int count) {
  // A prime that does not divide the count walks through every number once.
  int64_t step = count % 7919 == 0 ? 7907 : 7919;
  std::vector<int> order;
  for (int64_t i = 0; i < count; i++) order.push_back(static_cast<int>(i * step % count));
  return order;
}

long walk(int folder, WalkHow how) {
  Fd own(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  need(static_cast<bool>(own), "openat");
  std::unique_ptr<DIR, int (*)(DIR*)> dir(fdopendir(own.get()), closedir);
  need(dir != nullptr, "fdopendir");
  (void)own.release();  // the DIR's now
  long count = 0;
  std::vector<std::string> folders, files;
  while (const dirent* entry = readdir(dir.get())) {
    if (!std::strcmp(entry->d_name, ".") || !std::strcmp(entry->d_name, "..")) continue;
    count++;
    bool is_folder = entry->d_type == DT_DIR;
    if (how.stat || entry->d_type == DT_UNKNOWN) {
      struct stat st {};
      need(fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0, "fstatat");
      is_folder = S_ISDIR(st.st_mode);
    }
    if (is_folder) {
      folders.emplace_back(entry->d_name);
    } else if (how.remove) {
      files.emplace_back(entry->d_name);
    }
  }
  for (const std::string& name : files) need(unlinkat(folder, name.c_str(), 0) == 0, "unlinkat");
  for (const std::string& name : folders) {
    {
      Fd below(openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      need(static_cast<bool>(below), "openat");
      count += walk(below.get(), how);
    }
    if (how.remove) need(unlinkat(folder, name.c_str(), AT_REMOVEDIR) == 0, "rmdir");
  }
  return count;
}

void make_folder(const std::string& path) { need(mkdir(path.c_str(), 0755) == 0, "mkdir"); }

void create_empty(const std::string& path) { open_file(path, O_CREAT | O_EXCL | O_WRONLY); }

void stat_each(const std::vector<std::string>& files, const std::vector<int>& order) {
  struct stat st {};
  for (int i : order) need(stat(files[static_cast<size_t>(i)].c_str(), &st) == 0, "stat");
}

void unlink_each(const std::vector<std::string>& files) {
  for (const std::string& path : files) need(unlink(path.c_str()) == 0, "unlink");
}

}  // namespace isthmus::bench
