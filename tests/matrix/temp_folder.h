#pragma once
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace isthmus::testing {

/// A folder of its own, gone with the object.
class TempFolder {
 public:
  explicit TempFolder(const char* below = "/dev/shm") {
    std::string pattern = std::string(below) + "/isthmus.XXXXXX";
    if (char* made = ::mkdtemp(pattern.data())) path_ = made;
  }
  ~TempFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace isthmus::testing
