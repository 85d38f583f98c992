#pragma once
#include <signal.h>

#include <string>
#include <string_view>

#include "providers/fuse_daemon/daemon.h"

/// The process beside a host which is the parent of its daemon's processes; what it and the host say to each other, by
/// a socket (SOCK_SEQPACKET) between two processes of one program.
namespace isthmus::fuse_daemon {

enum class Order : uint32_t {
  serves,  ///< the daemon does
  end,     ///< end it, patiently
  end_now  ///< it never served
};

/// The head of a message to the host; a text follows it.
struct Word {
  enum Kind : uint32_t {
    started,    ///< pid
    cannot,     ///< code: an errno; text: what was being done
    opened,     ///< pid has a device
    mounted,    ///< a Mount: target, fsname and subtype in the text, with a NUL behind each
    line,       ///< of standard output (code 1) or error (2)
    ended,      ///< pid, with this status as of wait(2)
    over,       ///< no process is left
    last_words  ///< text: the last line of standard error
  } kind = over;
  int32_t pid = 0, code = 0;
  uint32_t max_read = 0;
  bool read_only = false, allow_other = false, default_permissions = false, block_device = false,
       character_device = false;
};

/// In the environment of all processes of a daemon; its value is the daemon's folder.
constexpr const char* kMark = "ISTHMUS_HOSTED_IN";

/// Dispositions of signals when the host was started; the daemon gets those that were ignored.
struct InheritedSignals {
  static InheritedSignals now();
  bool hangup_ignored = false, interrupt_ignored = false;
};

/// The warden's life. `socket`: to the host. `device`: the daemon's end.
void run_warden(const Job& job, Fd socket, Fd device, const InheritedSignals& signals);

/// What a daemon's host has made in its folder, and the folder; and of Job::temporary all. Never goes into a mount.
void remove_folders(const std::string& folder, const std::string& temporary);

}  // namespace isthmus::fuse_daemon
