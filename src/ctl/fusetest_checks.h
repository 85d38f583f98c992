#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vfs/sync.h"

/// What `isthmus fusetest` asks of a FUSE daemon: the rules of POSIX as a kernel's users see them, by the waist.
namespace isthmus::ctl {

/// Thrown by a check that has not passed.
struct CheckFailed {
  std::string why;
};
/// Thrown by a check of something that the daemon does not have.
struct CheckSkipped {
  std::string why;
};

/// A daemon under test, and a folder in it that is the test's own, or its root where nothing can be made.
class Bench {
 public:
  /// `fs` is a volume's port, whose lookups are the bench's.
  Bench(FileSystem& fs, NodeId folder) : fs_(fs), folder_(folder) {}

  NodeId folder() const { return folder_; }
  FileSystem& fs() { return fs_; }
  template <class T>
  Result<typename T::Reply> call(T args, const Context& ctx = {}) {
    return call_and_wait(fs_, std::move(args), ctx);
  }
  /// The same, which must go well.
  template <class T>
  typename T::Reply must(std::string_view what, T args) {
    auto r = call(std::move(args));
    if (!r) fail(what, r.error());
    return std::move(*r);
  }
  /// The same, which must fail with that number.
  template <class T>
  void must_fail(std::string_view what, int code, T args) {
    auto r = call(std::move(args));
    if (r.code() != code) wrong(what, code, r.code());
  }

  [[noreturn]] static void fail(std::string_view what, Errno e);
  [[noreturn]] static void wrong(std::string_view what, int wanted, int got);
  static void want(bool holds, std::string_view what) {
    if (!holds) throw CheckFailed{std::string(what)};
  }

  // In the folder unless another is given. The lookups that they count are given back by the volume's end.
  NodeId make_folder(std::string_view name, NodeId in = NodeId::none);
  /// A file with that content, closed.
  NodeId make_file(std::string_view name, std::string_view content, NodeId in = NodeId::none);
  NodeId look(std::string_view name, NodeId in = NodeId::none);
  bool exists(std::string_view name, NodeId in = NodeId::none);
  void unlink(std::string_view name, NodeId in = NodeId::none);
  void rmdir(std::string_view name, NodeId in = NodeId::none);
  Attr attr(NodeId node);
  HandleId open(NodeId node, uint32_t flags);
  void release(NodeId node, HandleId handle);
  void write(NodeId node, HandleId handle, uint64_t offset, std::string_view data);
  std::string read(NodeId node, HandleId handle, uint64_t offset, size_t size);
  std::string content(NodeId node);
  struct Name {
    std::string name;
    uint64_t cookie = 0;
    NodeId node = NodeId::none;  // listed with its attributes
  };
  /// Without "." and "..". `from`: a cookie.
  std::vector<Name> list(NodeId dir, bool with_attr = false, uint64_t from = 0);

 private:
  NodeId in_or_folder(NodeId in) const { return in == NodeId::none ? folder_ : in; }

  FileSystem& fs_;
  const NodeId folder_;
};

struct Check {
  std::string_view name;  ///< what holds when it passes
  bool writes;            ///< needs a folder of its own
  void (*run)(Bench&);
};
std::span<const Check> posix_checks();

}  // namespace isthmus::ctl
