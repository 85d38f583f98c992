#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace isthmus::webdav {

/// Write locks of RFC 4918 section 6 and 7, by path ("" is the root, then "/a/b"). They bind WebDAV clients to each
/// other; they end by UNLOCK, by their time, or with the file. Any thread.
class LockTable {
 public:
  using Clock = std::chrono::steady_clock;
  struct Lock {
    std::string token, path;
    bool exclusive = true, infinite = false;  ///< infinite: also everything below
    std::string owner;                        ///< XML that the client gave
    uint32_t seconds = 0;                     ///< that it was granted
    Clock::time_point until;
    uint32_t left(Clock::time_point now) const;  ///< seconds
  };
  enum class Refused : uint8_t { conflict, too_many };

  explicit LockTable(size_t most) : most_(most) {}

  /// Grants at most a week, and `seconds` 0 means an hour. `in_the_way`: where conflicting locks are.
  std::variant<Lock, Refused> lock(std::string path, bool exclusive, bool infinite, std::string owner, uint32_t seconds,
                                   std::vector<std::string>* in_the_way = nullptr);
  /// None: no such lock covers the path.
  std::optional<Lock> refresh(std::string_view path, std::string_view token, uint32_t seconds);
  bool unlock(std::string_view path, std::string_view token);
  /// Of the path itself, and those above it that reach down to it.
  std::vector<Lock> covering(std::string_view path);
  /// Those that begin somewhere below the path.
  std::vector<Lock> below(std::string_view path);
  /// The file or tree is gone, with the locks that begin there.
  void removed(std::string_view path);
  size_t size();

 private:
  using ByPath = std::multimap<std::string, Lock, std::less<>>;
  void expire();
  void add_covering(std::string_view path, std::vector<Lock>& to);
  std::pair<ByPath::iterator, ByPath::iterator> range_below(std::string_view path);

  const size_t most_;
  std::mutex m_;                                           // leaf
  Clock::time_point earliest_ = Clock::time_point::max();  // no lock ends before
  ByPath locks_;
};

}  // namespace isthmus::webdav
