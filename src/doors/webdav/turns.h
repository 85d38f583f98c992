#pragma once
#include <array>
#include <functional>
#include <mutex>
#include <string_view>

namespace isthmus::webdav {

/// Lets one request at a time look at what a path leads to and change it. Only short changes may be made with a turn:
/// those of other paths may wait, too. Lock order: before everything else; a thread takes one turn at most.
class Turns {
 public:
  [[nodiscard]] std::unique_lock<std::mutex> take(std::string_view path) {
    return std::unique_lock(mutexes_[std::hash<std::string_view>{}(path) % mutexes_.size()]);
  }

 private:
  std::array<std::mutex, 64> mutexes_;
};

}  // namespace isthmus::webdav
