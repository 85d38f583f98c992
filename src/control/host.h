#pragma once
#include <string>

#include "base/fd.h"
#include "base/problem.h"

/// How a program on our libfuse mounts by a process of ours, its host, in the place of the kernel: it connects to the
/// socket (SOCK_SEQPACKET) that $ISTHMUS_HOST names, says a HostHello, and has its /dev/fuse in that socket.
namespace isthmus::control {

constexpr const char* kHostVariable = "ISTHMUS_HOST";

struct HostHello {
  std::string mountpoint;  ///< absolute; where the program was told to mount
  std::string fsname, subtype;
  bool read_only = false;
};

/// Of the program: the device.
Expected<Fd> connect_to_host(const std::string& path, const HostHello& hello);

/// Of the host: a socket at `path`, in a folder of this user's alone.
Expected<Fd> listen_for_program(const std::string& path);

struct HostedDevice {
  Fd device;
  HostHello hello;
};
/// Takes one that has connected, and its hello, for which it has three seconds. EPERM: it is another user's.
Expected<HostedDevice> accept_program(int listener);

}  // namespace isthmus::control
