#include "bench/fuse/measure/meter.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "base/clock.h"

namespace isthmus::bench {
namespace {

double micros(clockid_t clock) {
  Time t = clock_time(clock);
  return static_cast<double>(t.sec) * 1e6 + t.nsec / 1e3;
}

double children_micros() {
  rusage r{};
  getrusage(RUSAGE_CHILDREN, &r);
  return static_cast<double>(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
         static_cast<double>(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

}  // namespace

void die(const std::string& what) {
  std::fprintf(stderr, "measure: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

Fd open_file(const std::string& path, int flags, mode_t mode) {
  Fd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd) die("open " + path);
  return fd;
}

void drop_dentries() {
  Fd fd(::open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC));
  if (fd && ::write(fd.get(), "2", 1) < 0) die("drop_caches");
}

Meter::Meter(const std::vector<pid_t>& daemons, const std::string& marks) {
  for (pid_t pid : daemons) {
    clockid_t clock{};
    errno = clock_getcpuclockid(pid, &clock);
    need(errno == 0, "the daemon's CPU clock");
    daemon_clocks_.push_back(clock);
  }
  if (!marks.empty()) marks_ = open_file(marks, O_WRONLY);
}

Meter::Clocks Meter::read_clocks() const {
  Clocks c;
  for (clockid_t clock : daemon_clocks_) c.daemon += micros(clock);
  c.client = children_ ? children_micros() : micros(CLOCK_PROCESS_CPUTIME_ID);
  c.wall = micros(CLOCK_MONOTONIC);
  return c;
}

void Meter::begin(const std::string& name) {
  if (marks_) need(::write(marks_.get(), name.data(), name.size()) > 0, "trace_marker");
  start_ = read_clocks();
}

void Meter::end(const std::string& name, long operations) {
  Clocks now = read_clocks();
  auto n = static_cast<double>(operations);
  print(name, (now.wall - start_.wall) / n, (now.client - start_.client) / n, (now.daemon - start_.daemon) / n);
}

void Meter::print(const std::string& name, double wall, double client, double daemon) {
  std::printf("%s %.4f %.4f %.4f\n", name.c_str(), wall, client, daemon);
  std::fflush(stdout);
}

}  // namespace isthmus::bench
