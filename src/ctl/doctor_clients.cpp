#include <unistd.h>

#include <sys/utsname.h>
#include <fstream>

#include "ctl/doctor_checks.h"

namespace isthmus::ctl {
namespace {

struct Client {
  const char *id, *title, *program, *package;
};

// Their absence is told, not held against the machine.
constexpr Client kClients[] = {
    {"mount_cifs", "SMB client: mount.cifs", "mount.cifs", "cifs-utils"},
    {"smbclient", "SMB client without a mount: smbclient", "smbclient", "smbclient"},
    {"mount_davfs", "WebDAV client: mount.davfs", "mount.davfs", "davfs2"},
    {"mount_nfs", "NFS client: mount.nfs", "mount.nfs", "nfs-common"},
    {"sshfs", "SSH client: sshfs", "sshfs", "sshfs"},
};

}  // namespace

bool has_module(const std::string& name) {
  if (access(("/sys/module/" + name).c_str(), F_OK) == 0) return true;
  utsname u{};
  uname(&u);
  for (const char* list : {"modules.builtin", "modules.dep"}) {
    std::ifstream file("/lib/modules/" + std::string(u.release) + "/" + list);
    for (std::string line; std::getline(file, line);)
      if (line.substr(0, line.find(':')).find("/" + name + ".ko") != std::string::npos) return true;
  }
  return false;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string find_program(const std::string& name) {
  for (const char* folder : {"/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"})
    if (access((folder + name).c_str(), X_OK) == 0) return folder + name;
  return {};
}

void check_clients(std::vector<Finding>& to) {
  for (auto& c : kClients) {
    Finding f{.id = c.id, .title = c.title, .answer = Answer::info, .detail = find_program(c.program)};
    if (f.detail.empty()) {
      f.detail = "absent; no door of this version needs it";
      f.fix = std::string("apt-get install ") + c.package + " (as root)";
    }
    to.push_back(std::move(f));
  }
  bool ninep = has_module("9p");
  to.push_back({.id = "9p",
                .title = "9P client: the kernel's 9p module",
                .answer = Answer::info,
                .detail = ninep ? "there" : "absent; no door of this version needs it",
                .fix = ninep ? "" : "modprobe 9p (as root)"});
  std::string nfsd = find_program("rpc.nfsd");
  bool kernel_serves = has_module("nfsd");
  to.push_back({.id = "nfsd",
                .title = "NFS server that can export mounts: nfsd",
                .answer = Answer::info,
                .detail = !kernel_serves ? "this kernel has none"
                          : nfsd.empty() ? "rpc.nfsd is absent"
                                         : nfsd,
                .fix = kernel_serves && nfsd.empty() ? "apt-get install nfs-kernel-server (as root)" : ""});
}

}  // namespace isthmus::ctl
