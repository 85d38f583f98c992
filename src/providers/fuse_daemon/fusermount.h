#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/problem.h"

/// fusermount(1) and fusermount3 in a daemon's eyes: the helper that libraries start for users who may not mount. It
/// asks the daemon's host, and hands our socket out as the device (_FUSE_COMMFD, fuse(4)).
namespace isthmus::fuse_daemon {

struct FusermountWords {
  /// From open_fuse on they are of a daemon itself, where our library is in it (preload/preload.cpp): it opens
  /// /dev/fuse, /dev/cuse, /dev/tty; mount(2) of the device that it has.
  enum class Wish : uint8_t {
    mount,
    unmount,
    version,
    help,
    open_fuse,
    open_cuse,
    open_terminal,
    mount_own
  } wish = Wish::mount;
  std::string options, target;
  int answer_to = -1;  ///< --comm-fd; -1: not said
  bool quiet = false;
};
/// What the program was told. EINVAL: nothing that it can do.
Result<FusermountWords> parse_fusermount(const std::vector<std::string>& arguments);

/// The program: `arguments` behind its name, `path` of the file that was executed. Its exit status.
int fusermount_main(const std::string& path, const std::vector<std::string>& arguments);
/// Whether a program of this name is to do so.
bool is_fusermount(std::string_view name);

/// The host's side: fusermount, fusermount3 and a socket in a folder.
class FusermountDoor {
 public:
  /// In `folder`, which is this user's alone. `program`: what the names lead to.
  static Expected<FusermountDoor> open(const std::string& folder, const std::string& program);
  int fd() const { return listener_.get(); }

  struct Request {
    Fd from;
    FusermountWords words;
    pid_t process;  ///< of the helper
  };
  /// One that has come, if it says something that can be understood within a second.
  Result<Request> take();
  /// `code`: 0 or an errno, `text` what its user is told; a daemon itself hears the code. `device`: -1 for none.
  static void answer(const Request& to, int code, std::string_view text, int device);
  /// Takes the names away again.
  static void remove(const std::string& folder);

 private:
  explicit FusermountDoor(Fd listener) : listener_(std::move(listener)) {}
  Fd listener_;
};

}  // namespace isthmus::fuse_daemon
