// usage: fuse_measure MEASUREMENT [-d FOLDER] [-n FILES] [-s MIB] [-j THREADS] [-t SECONDS] [-p PID,...] [-m
// TRACE_MARKER] [-- NAME COMMAND...] Measures one thing in FOLDER and prints a line for each phase: NAME wall
// client-cpu daemon-cpu, in microseconds an operation.
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string_view>

#include "bench/fuse/measure/meter.h"

namespace isthmus::bench {
namespace {

struct Measurement {
  std::string_view name;
  void (*run)(Meter&, const Setup&);
};
constexpr Measurement kMeasurements[] = {
    {"meta", measure_meta}, {"tree", measure_tree},       {"io", measure_io},     {"streams", measure_streams},
    {"many", measure_many}, {"threads", measure_threads}, {"exec", measure_exec}, {"floor", measure_floor},
};

[[noreturn]] void usage() {
  std::fprintf(
      stderr,
      "usage: fuse_measure MEASUREMENT [-d FOLDER] [-n FILES] [-s MIB] [-j THREADS] [-t SECONDS] [-p PID,...]\n"
      "                    [-m TRACE_MARKER] [-- NAME COMMAND...]\nmeasurements:");
  for (const Measurement& m : kMeasurements) std::fprintf(stderr, " %s", std::string(m.name).c_str());
  std::fprintf(stderr, "\n");
  std::exit(2);
}

/// A whole text as a number.
template <class T>
T number(std::string_view text) {
  T value{};
  auto [end, error] = std::from_chars(text.begin(), text.end(), value);
  if (error != std::errc() || end != text.end()) usage();
  return value;
}

std::vector<pid_t> parse_pids(const char* text) {
  std::vector<pid_t> pids;
  std::istringstream in(text);
  for (std::string pid; std::getline(in, pid, ',');) pids.push_back(number<pid_t>(pid));
  return pids;
}

int run(int argc, char** argv) {
  Setup setup;
  std::vector<pid_t> daemons;
  std::string marks;
  for (int option; (option = getopt(argc, argv, "+d:n:s:j:t:p:m:")) != -1;) {
    switch (option) {
      case 'd':
        setup.folder = optarg;
        break;
      case 'n':
        setup.files = number<int>(optarg);
        break;
      case 's':
        setup.mib = number<long>(optarg);
        break;
      case 'j':
        setup.threads = number<int>(optarg);
        break;
      case 't':
        setup.seconds = number<double>(optarg);
        break;
      case 'p':
        daemons = parse_pids(optarg);
        break;
      case 'm':
        marks = optarg;
        break;
      default:
        usage();
    }
  }
  if (setup.files < 1 || setup.mib < 1 || setup.threads < 1 || setup.seconds <= 0) usage();
  for (int i = optind; i <= argc; i++) setup.command.push_back(argv[i]);
  Meter meter(daemons, marks);
  for (const Measurement& m : kMeasurements) {
    if (m.name != argv[0]) continue;
    m.run(meter, setup);
    return 0;
  }
  usage();
}

}  // namespace
}  // namespace isthmus::bench

int main(int argc, char** argv) {
  // The measurement's name stands first; what follows is read as its command line.
  return isthmus::bench::run(argc - 1, argv + (argc > 1 ? 1 : 0));
}
