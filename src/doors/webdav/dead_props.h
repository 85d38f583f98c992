#pragma once
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "doors/webdav/files.h"
#include "wire/dav/name.h"

namespace isthmus::webdav {

/// A property that only clients give a meaning.
struct DeadProp {
  dav::Name name;
  std::string value;  ///< inner XML, self-contained
  std::string lang;
  friend bool operator==(const DeadProp&, const DeadProp&) = default;
};

/// Keeps dead properties: all of a file's in one extended attribute, so that a PROPPATCH changes all or nothing, and so
/// that they go where the file goes. Where the file system has no extended attributes, in memory. Any thread.
class DeadProps {
 public:
  static constexpr std::string_view kXattr = "user.isthmus.webdav";

  /// An error is not "none": who stored what comes of it would wipe them out.
  Result<std::vector<DeadProp>> load(Files& files, NodeId node);
  /// The same for a listing, which has the attributes of each file: one that had none is not asked again until its
  /// ctime changes, or properties are stored.
  Result<std::vector<DeadProp>> load(Files& files, NodeId node, const Attr& attr);
  /// All that the file shall have.
  Status store(Files& files, NodeId node, const std::vector<DeadProp>& props);
  /// From one file to another, which is a copy of it.
  Status copy(Files& files, NodeId from, NodeId to);

  static std::string encode(const std::vector<DeadProp>& props);
  static std::vector<DeadProp> decode(std::string_view text);

 private:
  /// Which file it was that had none. Its ctime was then older than any clock's step.
  struct Without {
    uint64_t ino;
    Time ctime;
    friend bool operator==(const Without&, const Without&) = default;
  };
  static constexpr size_t kMostMemory = size_t{16} << 20;
  static constexpr size_t kMostWithout = 50'000;
  std::string key(Files& files, NodeId node);

  std::mutex m_;  // leaf
  std::unordered_map<NodeId, Without> without_;
  uint64_t stores_ = 0;                        // that have ended
  std::map<std::string, std::string> memory_;  // by export handle
  size_t memory_size_ = 0;
};

}  // namespace isthmus::webdav
