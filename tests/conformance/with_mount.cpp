// Runs a test command on a mount that a server command serves, and leaves nothing behind, however it ends:
//   with_mount [options] MOUNTPOINT -- SERVER COMMAND... --- TEST COMMAND...
// See usage(). Processes: the driver (this), a guardian that outlives it and aborts the connection when it is gone, and
// the keeper, first process of a process id namespace and a mount namespace, which starts server and test. A killed
// driver takes the keeper with it (parent death signal), and the keeper takes everything else (end of the namespace).
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr int kUsage = 2;
constexpr int kSkipped = 77;
constexpr int kServerFailed = 123;
constexpr int kTimeout = 124;
constexpr int kNoMount = 125;
constexpr const char* kFusectl = "/sys/fs/fuse/connections";

using Words = std::vector<std::string>;

struct Plan {
  Words server;
  Words test;
  std::string top;  // temporary folder, removed by the guardian
  std::string mountpoint;
  std::string ready;                                       // path that must exist before the test starts, or empty
  std::vector<std::pair<std::string, std::string>> tmpfs;  // name, mount options
  int timeout = 600;                                       // seconds for the test command
  int start_timeout = 30;                                  // seconds until the mount is there
  bool server_status = true;
};

int usage(const std::string& complaint) {
  fprintf(stderr, "with_mount: %s\n", complaint.c_str());
  fputs(
      "usage: with_mount [options] MOUNTPOINT -- SERVER COMMAND... --- TEST COMMAND...\n"
      "Starts SERVER (which must stay in the foreground) in mount and process id namespaces of its own, waits until "
      "MOUNTPOINT is a\n"
      "mount of type fuse, runs TEST, unmounts, and ends the server. MOUNTPOINT `-` stands for a fresh folder. In all "
      "words {mnt} is\n"
      "the mountpoint, {tmp} a fresh native folder and {NAME} a tmpfs made by --tmpfs. Needs root.\n"
      "  --timeout S             seconds for TEST (600)\n"
      "  --start-timeout S       seconds until the mount is there (30)\n"
      "  --ready PATH            wait also until PATH exists\n"
      "  --tmpfs NAME[=OPTIONS]  a fresh tmpfs (size=1g,mode=755 by default); may be repeated\n"
      "  --server-arg WORD       one more word at the end of SERVER; may be repeated\n"
      "  --ignore-server-status  a server that ends with a status other than 0 does not fail the run\n"
      "Exit status: TEST's (128 + N if signal N ended it); 123 the server failed, 124 the time was over, 125 no mount, "
      "77 not root.\n",
      stderr);
  return kUsage;
}

double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

void nap() { usleep(20'000); }

// "major:minor" of the last mount on `mountpoint` if its type begins with fuse, else empty. Never touches the mount
// itself.
std::string fuse_device(const std::string& mountpoint) {
  std::ifstream table("/proc/self/mountinfo");
  std::string found;
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string id;
    std::string parent;
    std::string device;
    std::string root;
    std::string place;
    fields >> id >> parent >> device >> root >> place;
    const auto dash = line.find(" - ");
    if (place != mountpoint || dash == std::string::npos) continue;
    found = line.compare(dash + 3, 4, "fuse") == 0 ? device : "";
  }
  return found;
}

// Ends a connection through fusectl, where its name is the minor number of the device (the major is 0 for file systems
// without a block device). The file is opened while the mount is there: the number of a connection that is gone is
// given to the next mount of anybody, but a file of the old one stays dead.
class Connection {
 public:
  Connection() = default;
  explicit Connection(const std::string& device) {
    const auto colon = device.find(':');
    if (colon == std::string::npos) return;
    fd_ = open((std::string(kFusectl) + "/" + device.substr(colon + 1) + "/abort").c_str(), O_WRONLY | O_CLOEXEC);
  }
  void abort() const {
    if (fd_ >= 0 && write(fd_, "1", 1) < 0) return;
  }

 private:
  int fd_ = -1;  // until the process ends
};

void mount_fusectl() {
  if (access((std::string(kFusectl) + "/.").c_str(), F_OK) != 0) return;
  if (std::filesystem::is_empty(kFusectl))
    mount("fusectl", kFusectl, "fusectl", 0, nullptr);  // busy if it is there already
}

bool enter_namespaces(int flags) {
  return unshare(flags) == 0 && mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

void replace_all(std::string* word, const std::string& what, const std::string& with) {
  for (std::size_t at = 0; (at = word->find(what, at)) != std::string::npos; at += with.size())
    word->replace(at, what.size(), with);
}

void fill_in(const Plan& plan, std::string* word) {
  replace_all(word, "{mnt}", plan.mountpoint);
  replace_all(word, "{tmp}", plan.top + "/tmp");
  for (const auto& [name, mount_options] : plan.tmpfs) replace_all(word, "{" + name + "}", plan.top + "/" + name);
}

// ---- guardian

// Reads device numbers from the driver's side until all writers are gone, then aborts those connections and removes the
// folder.
[[noreturn]] void guard(int pipe_end, const std::string& top) {
  setsid();
  for (const int each : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) signal(each, SIG_IGN);
  if (chdir("/") != 0 || !enter_namespaces(CLONE_NEWNS)) _exit(1);
  mount_fusectl();
  std::vector<Connection> connections;
  std::string told;
  for (;;) {
    char c = 0;
    const ssize_t got = read(pipe_end, &c, 1);
    if (got == 0 || (got < 0 && errno != EINTR)) break;
    if (got < 0) continue;
    if (c != '\n') {
      told += c;
      continue;
    }
    connections.emplace_back(told);
    told.clear();
  }
  for (const Connection& each : connections) each.abort();
  // The namespace may take a moment to go; its mounts keep no folder of ours busy once it did.
  std::error_code error;
  for (int round = 0; round < 100; ++round) {
    std::filesystem::remove_all(top, error);
    if (!std::filesystem::exists(top, error)) break;
    nap();
  }
  _exit(0);
}

// ---- keeper

pid_t start(const Words& words, bool own_group) {
  fflush(nullptr);
  const pid_t pid = fork();
  if (pid != 0) return pid;
  if (own_group) setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int each : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) signal(each, SIG_DFL);
  std::vector<char*> pointers;
  std::vector<std::string> copy = words;
  for (auto& word : copy) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  execvp(pointers[0], pointers.data());
  fprintf(stderr, "with_mount: %s: %s\n", pointers[0], strerror(errno));
  _exit(127);
}

class Reaper {
 public:
  // Collects what ended. As first process of the namespace we also get orphans.
  void collect() {
    int status = 0;
    for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) ended_.emplace_back(pid, status);
  }
  bool ended(pid_t pid, int* status) {
    collect();
    for (const auto& [each, value] : ended_) {
      if (each != pid) continue;
      *status = value;
      return true;
    }
    return false;
  }
  bool wait(pid_t pid, double seconds, int* status) {
    for (const double end = now() + seconds; !ended(pid, status); nap()) {
      if (now() > end) return false;
    }
    return true;
  }

 private:
  std::vector<std::pair<pid_t, int>> ended_;
};

int exit_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

std::string described(int status) {
  return WIFEXITED(status) ? "exit status " + std::to_string(WEXITSTATUS(status))
                           : std::string("signal ") + strsignal(WTERMSIG(status));
}

bool prepare(const Plan& plan) {
  if (mount("proc", "/proc", "proc", 0, nullptr) != 0) return false;
  mount_fusectl();
  for (const auto& [name, mount_options] : plan.tmpfs) {
    const std::string place = plan.top + "/" + name;
    mkdir(place.c_str(), 0755);
    if (mount("tmpfs", place.c_str(), "tmpfs", 0, mount_options.c_str()) != 0) {
      fprintf(stderr, "with_mount: tmpfs %s (%s): %s\n", name.c_str(), mount_options.c_str(), strerror(errno));
      return false;
    }
  }
  return true;
}

// Waits for the mount, in a child for `ready`, because looking at a path may hang.
bool wait_for_mount(const Plan& plan, Reaper* reaper, pid_t server, std::string* device) {
  const double end = now() + plan.start_timeout;
  int status = 0;
  for (; (*device = fuse_device(plan.mountpoint)).empty(); nap()) {
    if (reaper->ended(server, &status)) {
      fprintf(stderr, "with_mount: the server ended before the mount was there: %s\n", described(status).c_str());
      return false;
    }
    if (now() > end) {
      fprintf(stderr, "with_mount: no fuse mount on %s after %d s\n", plan.mountpoint.c_str(), plan.start_timeout);
      return false;
    }
  }
  if (plan.ready.empty()) return true;
  while (now() < end) {
    const pid_t looker = fork();
    if (looker == 0) _exit(access(plan.ready.c_str(), F_OK) == 0 ? 0 : 1);
    if (!reaper->wait(looker, end - now(), &status)) break;
    if (status == 0) return true;
    nap();
  }
  fprintf(stderr, "with_mount: %s does not appear\n", plan.ready.c_str());
  return false;
}

// Unmounts, ends the server. False if the server failed by itself.
bool stop_server(const Plan& plan, Reaper* reaper, pid_t server, const Connection& connection) {
  int status = 0;
  bool good = true;
  const bool early = reaper->ended(server, &status);
  if (early) {
    fprintf(stderr, "with_mount: the server ended during the test: %s\n", described(status).c_str());
    good = false;
  }
  const pid_t unmounter = fork();
  if (unmounter == 0)
    _exit(umount2(plan.mountpoint.c_str(), 0) == 0 || umount2(plan.mountpoint.c_str(), MNT_DETACH) == 0 ? 0 : 1);
  int unmounted = 0;
  if (!reaper->wait(unmounter, 10, &unmounted)) {
    fprintf(stderr, "with_mount: unmounting hangs; the connection is aborted\n");
    connection.abort();
    umount2(plan.mountpoint.c_str(), MNT_DETACH);
  }
  if (!early && !reaper->wait(server, 20, &status)) {
    fprintf(stderr, "with_mount: the server does not end after the unmount; it is killed\n");
    connection.abort();
    kill(server, SIGKILL);
    reaper->wait(server, 10, &status);
    good = false;
  } else if (!early && status != 0) {
    fprintf(stderr, "with_mount: the server ended with %s\n", described(status).c_str());
    good = false;
  }
  return good;
}

[[noreturn]] void keep(const Plan& plan, int guardian) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!prepare(plan)) {
    fprintf(stderr, "with_mount: preparing the namespace: %s\n", strerror(errno));
    _exit(kNoMount);
  }
  Reaper reaper;
  std::string device;
  const pid_t server = start(plan.server, true);
  const bool mounted = wait_for_mount(plan, &reaper, server, &device);
  const Connection connection(device);
  if (!mounted) {
    connection.abort();
    _exit(kNoMount);  // ends everything in this namespace
  }
  const std::string told = device + "\n";
  if (write(guardian, told.data(), told.size()) < 0) _exit(kNoMount);
  const pid_t test = start(plan.test, true);
  int status = 0;
  int result = kTimeout;
  if (reaper.wait(test, plan.timeout, &status)) {
    result = exit_code(status);
  } else {
    fprintf(stderr, "with_mount: the test was not done after %d s\n", plan.timeout);
    kill(-test, SIGKILL);
    if (!reaper.wait(test, 5, &status)) {
      fprintf(stderr, "with_mount: the test hangs in the kernel; the connection is aborted\n");
      connection.abort();
      reaper.wait(test, 10, &status);
    }
  }
  if (!stop_server(plan, &reaper, server, connection) && result == 0 && plan.server_status) result = kServerFailed;
  fflush(nullptr);
  _exit(result);
}

// ---- driver

bool parse(int argc, char** argv, Plan* plan, std::string* complaint) {
  Words words(argv + 1, argv + argc);
  Words extra;
  std::size_t at = 0;
  for (; at < words.size() && words[at].starts_with("--") && words[at].size() > 3; ++at) {
    const std::string option = words[at];
    if (option == "--ignore-server-status") {
      plan->server_status = false;
      continue;
    }
    if (at + 1 == words.size()) {
      *complaint = option + " needs a value";
      return false;
    }
    const std::string value = words[++at];
    if (option == "--timeout" || option == "--start-timeout") {
      char* end = nullptr;
      const long seconds = strtol(value.c_str(), &end, 10);
      if (*end || seconds <= 0 || seconds > INT_MAX) {
        *complaint = option + " needs a number of seconds";
        return false;
      }
      (option == "--timeout" ? plan->timeout : plan->start_timeout) = static_cast<int>(seconds);
    } else if (option == "--ready") {
      plan->ready = value;
    } else if (option == "--server-arg") {
      extra.push_back(value);
    } else if (option == "--tmpfs") {
      const auto equal = value.find('=');
      plan->tmpfs.emplace_back(value.substr(0, equal),
                               equal == std::string::npos ? "size=1g,mode=755" : value.substr(equal + 1));
    } else {
      *complaint = "unknown option " + option;
      return false;
    }
  }
  const auto rest = words.begin() + static_cast<std::ptrdiff_t>(at);
  const auto dashes = std::find(rest, words.end(), "--");
  const auto more = std::find(dashes, words.end(), "---");
  if (dashes - rest != 1 || more == words.end()) {
    *complaint = "expected MOUNTPOINT -- SERVER... --- TEST...";
    return false;
  }
  plan->mountpoint = *rest;
  plan->server.assign(dashes + 1, more);
  plan->server.insert(plan->server.end(), extra.begin(), extra.end());
  plan->test.assign(more + 1, words.end());
  if (plan->server.empty() || plan->test.empty()) {
    *complaint = "both commands are needed";
    return false;
  }
  return true;
}

volatile std::sig_atomic_t stopped_by = 0;

}  // namespace

int main(int argc, char** argv) {
  Plan plan;
  std::string complaint;
  if (!parse(argc, argv, &plan, &complaint)) return usage(complaint);
  if (geteuid() != 0) {
    printf("SKIPPED: %s: mounting in a namespace needs root\n", plan.test[0].c_str());
    return kSkipped;
  }
  if (access("/dev/fuse", F_OK) != 0) {
    printf("SKIPPED: %s: there is no /dev/fuse\n", plan.test[0].c_str());
    return kSkipped;
  }
  const char* const parent = getenv("TMPDIR");
  plan.top = std::string(parent != nullptr ? parent : "/tmp") + "/isthmus.mount.XXXXXX";
  if (mkdtemp(plan.top.data()) == nullptr) return usage(std::string("mkdtemp: ") + strerror(errno));
  chmod(plan.top.c_str(), 0755);
  mkdir((plan.top + "/tmp").c_str(), 0755);
  setenv("ISTHMUS_RUNTIME_DIR", (plan.top + "/run").c_str(), 1);  // control sockets go with the folder
  if (plan.mountpoint == "-") {
    plan.mountpoint = plan.top + "/mnt";
    mkdir(plan.mountpoint.c_str(), 0755);
  }
  for (auto* words : {&plan.server, &plan.test}) {
    for (auto& word : *words) fill_in(plan, &word);
  }
  fill_in(plan, &plan.ready);

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return kNoMount;
  const pid_t guardian = fork();
  if (guardian == 0) {
    close(ends[1]);
    guard(ends[0], plan.top);
  }
  close(ends[0]);
  struct sigaction action {};
  action.sa_handler = [](int number) { stopped_by = number; };
  for (const int each : {SIGTERM, SIGINT, SIGHUP}) sigaction(each, &action, nullptr);

  int result = kNoMount;
  // The namespaces are entered by a child: the driver's own later children would else be born in them.
  const pid_t outer = fork();
  if (outer == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!enter_namespaces(CLONE_NEWNS | CLONE_NEWPID)) {
      fprintf(stderr, "with_mount: unshare: %s\n", strerror(errno));
      _exit(kNoMount);
    }
    const pid_t keeper = fork();
    if (keeper == 0) keep(plan, ends[1]);
    close(ends[1]);
    int status = 0;
    while (waitpid(keeper, &status, 0) < 0 && errno == EINTR) {
    }
    _exit(exit_code(status));
  }
  int status = 0;
  while (waitpid(outer, &status, WNOHANG) != outer) {
    if (stopped_by != 0) kill(outer, SIGKILL);
    nap();
  }
  result = stopped_by != 0 ? 128 + stopped_by : exit_code(status);
  close(ends[1]);
  while (waitpid(guardian, nullptr, 0) < 0 && errno == EINTR) {
  }
  return result;
}
