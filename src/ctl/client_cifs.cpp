#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "base/clock.h"
#include "base/text.h"
#include "ctl/client.h"
#include "ctl/doctor_checks.h"
#include "doors/fuse/mount_table.h"

/// Linux's own client of SMB. mount(2) is all it needs: no mount.cifs, whose options a list of processes would show.
namespace isthmus::ctl {
namespace {

constexpr int kPollMs = 20;

/// What of "smb://ADDRESS:PORT/SHARE" the kernel wants apart. The address is an IPv4 one, as is our door's.
struct SmbUrl {
  std::string address, port, share;

  explicit SmbUrl(const std::string& url) {
    constexpr std::string_view kScheme = "smb://";
    const std::string rest = url.substr(kScheme.size());
    const size_t colon = rest.find(':'), slash = rest.find('/');
    address = rest.substr(0, colon);
    port = rest.substr(colon + 1, slash - colon - 1);
    share = rest.substr(slash + 1);
  }
};

/// Whether the kernel, or another of root's, has a connection to a port of 127.0.0.1.
bool connected_to(const std::string& port) {
  std::ifstream table("/proc/self/net/tcp");
  const std::string wanted = fmt::format("{:08X}:{:04X}", htonl(INADDR_LOOPBACK), parse_number(port).value_or(0));
  std::string line;
  std::getline(table, line);  // the heading
  while (std::getline(table, line)) {
    // "sl local remote state ..."; 01: ESTABLISHED
    std::istringstream words(line);
    std::string slot, local, remote, state, queues, timer, retries;
    unsigned uid = 0;
    if (words >> slot >> local >> remote >> state >> queues >> timer >> retries >> uid && remote == wanted &&
        state == "01" && uid == 0)
      return true;
  }
  return false;
}

class Cifs final : public Client {
 public:
  explicit Cifs(const ClientJob& job) : job_(job), table_(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)) {}

  Expected<ClientMount> mount(const std::string& url) override {
    const SmbUrl at(url);
    port_ = at.port;
    const std::string source = fmt::format("//{}/{}", at.address, at.share);
    int error = mount_within(source, options(at, true), job_.limit_ms);
    // Kernels without the POSIX extensions of 3.1.1 do not know the option.
    if (error == EINVAL || error == EOPNOTSUPP) error = mount_within(source, options(at, false), job_.limit_ms);
    const auto entry = fuse::mount_at(job_.mountpoint);
    if (entry && entry->type == "cifs" && entry->source == source) mount_.id = entry->id;
    if (error == 0 && mount_.id >= 0) {
      mount_.folder = job_.mountpoint;
      return mount_;
    }
    const Errno e = err(error == 0 ? EIO : error);
    if (e == err(ENODEV)) return Problem{e, std::string(kNoCifs), ""};
    return Problem{e, fmt::format("cannot mount on '{}': {}", job_.mountpoint, text_of(e)),
                   "dmesg says what the kernel's client did not like"};
  }

  void adopt(const ClientMount& mount) override { mount_ = mount; }
  pollfd watch() const override { return {table_.get(), POLLPRI, 0}; }
  bool mounted() override { return mount_.id >= 0 && fuse::mount_by_id(mount_.id).has_value(); }
  /// Out of sight, it is at work until its last user has left: that long it keeps its connection.
  bool running() override { return mounted() || (!port_.empty() && connected_to(port_)); }

  Status unmount(fuse::UnmountHow how) override {
    auto entry = fuse::mount_by_id(mount_.id);
    return entry ? fuse::unmount_entry(*entry, how) : Status(Unit{});
  }

  /// Without its server the kernel tries for minutes to write back what it has, and who unmounts waits for that: a
  /// process that is left to it.
  void clear() override {
    if (!mounted()) return;
    const pid_t child = fork();
    if (child == 0) {
      static_cast<void>(unmount(fuse::UnmountHow::force));
      _exit(0);
    }
    for (int waited = 0; waited < kMostMs && mounted(); waited += kPollMs) poll(nullptr, 0, kPollMs);
    if (child > 0) waitpid(child, nullptr, WNOHANG);
  }

 private:
  static constexpr int kMostMs = 3000;
  /// mount(2)'s text.
  std::string options(const SmbUrl& at, bool posix) const {
    // nosharesock: clients keep connections by address and port, and the port may have been another server's.
    // sign: a mount that is out of sight and in use outlives its server, and another may take the port then.
    // nobrl: locks are between the programs of this machine, and advisory; SMB's would keep others from reading.
    std::string text = fmt::format(
        "ip={},port={},user={},pass={},sec=ntlmsspi,vers=3.1.1,nosharesock,serverino,mapposix,nobrl,uid={},gid={}",
        at.address, at.port, job_.user, job_.password, geteuid(), getegid());
    if (posix) {
      text += ",posix,modefromsid,idsfromsid,noforceuid,noforcegid";
      // Modes would let others in: with this each user needs a logon of his own, and they have none.
      if (!job_.allow_other) text += ",multiuser";
    } else {
      text += ",forceuid,forcegid";
      text += job_.allow_other ? ",file_mode=0755,dir_mode=0755" : ",file_mode=0700,dir_mode=0700";
    }
    return text;
  }

  /// 0, or an errno; ETIMEDOUT if it took longer.
  int mount_within(const std::string& source, const std::string& text, int limit_ms) const {
    unsigned long flags = MS_NOSUID | MS_NODEV;
    if (job_.read_only) flags |= MS_RDONLY;
    if (job_.noexec) flags |= MS_NOEXEC;
    const pid_t child = fork();
    if (child < 0) return errno;
    if (child == 0)
      _exit(::mount(source.c_str(), job_.mountpoint.c_str(), "cifs", flags, text.c_str()) == 0 ? 0 : errno);
    const int64_t until = monotonic_ns() + int64_t{limit_ms} * 1'000'000;
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
      if (monotonic_ns() > until) {
        // It may be past where it hears of that, and mount still.
        kill(child, SIGKILL);
        for (int waited = 0; waited < kMostMs && waitpid(child, &status, WNOHANG) == 0; waited += kPollMs)
          poll(nullptr, 0, kPollMs);
        return ETIMEDOUT;
      }
      poll(nullptr, 0, kPollMs);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
  }

  const ClientJob job_;
  const Fd table_;
  ClientMount mount_;
  std::string port_;  // of the server; empty: not known here
};

}  // namespace

std::unique_ptr<Client> make_cifs(const ClientJob& job) { return std::make_unique<Cifs>(job); }

}  // namespace isthmus::ctl
