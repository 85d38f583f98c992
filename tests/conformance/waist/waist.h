#pragma once
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "vfs/filesystem.h"
#include "vfs/sync.h"

/// Conformance of a provider seen through the waist alone, with no door and no mount: what every door relies on. A
/// program that knows providers makes Subjects of them (tests/matrix) and the suite runs on each.
namespace isthmus::conformance {

struct Subject {
  std::string name;
  /// A fresh file system, empty unless read_only, in which case it holds kSampleTree.
  std::function<std::unique_ptr<FileSystem>()> make;
  bool read_only = false;
  bool hard_links = true;
  bool xattrs = true;
  bool locks = true;
  bool fallocate = true;
  bool export_handles = true;
  bool special_files = true;
  size_t name_max = 255;
};

inline std::ostream& operator<<(std::ostream& os, const Subject& s) { return os << s.name; }

/// Files of a read-only subject: name below the root and content; "dir/" ends in a slash.
struct SampleFile {
  const char* name;
  const char* content;
};
inline constexpr SampleFile kSampleTree[] = {
    {"hello", "hello, world\n"}, {"dir/", ""}, {"dir/inner", "inside"}, {"empty", ""}};

/// The subjects, set by main() before the tests run.
std::vector<Subject>& subjects();

/// A started file system with blocking calls, as one user, and the news it sent up.
class Fixture {
 public:
  explicit Fixture(const Subject& subject);
  ~Fixture();
  FileSystem& fs() { return *fs_; }
  Context& ctx() { return ctx_; }

  template <class T>
  Result<typename T::Reply> call(T args) {
    return call_and_wait(*fs_, std::move(args), ctx_);
  }
  /// ENOENT also for a negative entry.
  Result<Entry> lookup(NodeId dir, std::string_view name);
  Result<Entry> mkdir(NodeId dir, std::string_view name, uint32_t mode = 0755);
  Result<Created> create(NodeId dir, std::string_view name, uint32_t mode = 0644);
  Result<Entry> mknod(NodeId dir, std::string_view name, uint32_t mode, uint64_t rdev = 0);
  Result<Entry> symlink(NodeId dir, std::string_view name, std::string_view target);
  Result<Entry> link(NodeId node, NodeId dir, std::string_view name);
  Status unlink(NodeId dir, std::string_view name);
  Status rmdir(NodeId dir, std::string_view name);
  Status rename(NodeId dir, std::string_view name, NodeId to_dir, std::string_view to_name, uint32_t flags = 0);
  Result<size_t> write(NodeId node, HandleId handle, uint64_t offset, std::string_view data);
  Result<std::string> read(NodeId node, HandleId handle, uint64_t offset, size_t size);
  Result<Attr> attr(NodeId node, HandleId handle = HandleId::none);
  void release(NodeId node, HandleId handle, uint64_t lock_owner = 0);
  void forget(NodeId node, uint64_t count = 1);
  /// All names but "." and "..", read `room` at a time by cookie.
  std::vector<std::string> list(NodeId dir, size_t room = SIZE_MAX);

  struct News final : Upcalls {};

 private:
  News news_;
  std::unique_ptr<FileSystem> fs_;
  Context ctx_;
};

}  // namespace isthmus::conformance
