#pragma once
#include <linux/seccomp.h>

#include <memory>
#include <vector>

#include "providers/fuse_daemon/device.h"
#include "providers/fuse_daemon/mount_words.h"

namespace isthmus::fuse_daemon {

/// What is heard of the processes of a daemon.
class Listener {
 public:
  virtual ~Listener() = default;
  /// It has got its device.
  virtual void opened(pid_t process) = 0;
  /// It has a mount, or a character device. EPERM: there is one already.
  virtual Status mounted(Mount mount) = 0;
  /// Whether that was our mount, which it takes away.
  virtual bool unmounted(const std::string& target) = 0;
};

/// Answers the calls that the filter (syscalls.h) holds up, of a daemon and all that it starts: /dev/fuse and /dev/cuse
/// are our socket, also where there are no such files; mounting and unmounting it is done as soon as it is asked for.
/// Everything else goes on as if nothing had been. Never waits. One thread.
///
/// What is decided rests on one reading of the caller's memory, which another thread of it may change: a daemon can
/// cheat itself so, and get to the kernel with the rights that it has anyway. This is no wall around it.
class Notifier {
 public:
  /// `fd`: of SECCOMP_FILTER_FLAG_NEW_LISTENER. `fusermount`: the one program of that name that may be executed.
  Notifier(Fd fd, Device& device, Listener& listener, std::string fusermount);
  /// Readable when a call waits; hung up when no process is left.
  int fd() const { return fd_.get(); }
  /// Answers one.
  void answer();

  /// For the process that is to become the daemon: the filter, and the notifications' descriptor. Needs
  /// PR_SET_NO_NEW_PRIVS. EBUSY: one of an outer host is in force; ENOSYS, EINVAL: this kernel has none.
  static Result<Fd> install();

 private:
  struct Question;
  // Each answers, or leaves it to the kernel.
  void answer_open(const Question& q, uint64_t path, uint64_t flags);
  void answer_openat2(const Question& q);
  void answer_mount(const Question& q);
  void answer_umount(const Question& q);
  void answer_fsopen(const Question& q);
  void answer_clone(const Question& q);
  void answer_exec(const Question& q, uint64_t path);

  bool still_asks(const Question& q) const;
  void go_on(const Question& q);
  void reply(const Question& q, int error, int64_t value = 0);
  void give(const Question& q, int fd, uint64_t flags);
  void give_device(const Question& q, uint64_t flags);
  void give_cuse(const Question& q, uint64_t flags);
  void send(seccomp_notif_resp response);

  const Fd fd_;
  Device& device_;
  Listener& listener_;
  const std::string fusermount_;
  std::vector<uint64_t> question_, response_;  // as large as the kernel says
  const Fd terminal_;                          // the user's, for passwords: a daemon has none of its own
};

}  // namespace isthmus::fuse_daemon
