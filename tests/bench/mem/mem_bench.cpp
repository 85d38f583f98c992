#include <fmt/format.h>
#include <malloc.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <barrier>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <thread>

#include "tests/bench/mem/ask.h"
#include "tests/bench/mem/work.h"

/// What operations on `mem` cost through the waist, without a kernel (docs/mem.md shows figures).
namespace isthmus::bench {
namespace {

constexpr const char* kUsage = R"(usage: mem_bench COMMAND
  speed [FILES]       CPU and time an operation with 1, 2, 4 and 16 threads, in one directory and in one each
  once STEP FILES     one step alone, for: valgrind --tool=callgrind --toggle-collect=mem_bench_measured
  steps               the names of the steps
  memory FILES BYTES  makes files in one directory with BYTES each, and removes them: memory a file, the longest operation
  directory NAMES     cost of an operation in a directory of that many names
)";

fs::mem::MemOptions unlimited() {
  fs::mem::MemOptions o;
  o.limits = {};
  return o;
}

int64_t thread_cpu_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * kNsPerSec + t.tv_nsec;
}

NodeId make_dir(FileSystem& fs, std::string_view name) {
  return ask(fs, op::Mkdir{{}, NodeId::root, name, 0755, {}}).node;
}

struct Cost {
  double cpu_ns = 0, wall_ns = 0;  // an operation
};

std::vector<Cost> run_threads(unsigned threads, size_t files, bool same) {
  fs::mem::MemFs fs(unlimited());
  std::vector<NodeId> dirs;
  for (unsigned i = 0; i < threads; i++) dirs.push_back(same && i ? dirs[0] : make_dir(fs, fmt::format("d{}", i)));
  auto& steps = Work::steps();
  std::vector<Cost> costs(steps.size());
  std::vector<std::vector<int64_t>> cpu(threads, std::vector<int64_t>(steps.size()));
  std::vector<int64_t> started(steps.size() + 1);
  size_t at = 0;
  std::barrier line(threads, [&]() noexcept { started[at++] = monotonic_ns(); });
  auto work = [&](unsigned i) {
    Work w(fs, dirs[i], i, files);
    for (size_t s = 0; s < steps.size(); s++) {
      line.arrive_and_wait();
      int64_t before = thread_cpu_ns();
      (w.*steps[s].step)();
      cpu[i][s] = thread_cpu_ns() - before;
    }
    line.arrive_and_wait();
  };
  std::vector<std::thread> all;
  for (unsigned i = 0; i < threads; i++) all.emplace_back(work, i);
  for (auto& t : all) t.join();
  for (size_t s = 0; s < steps.size(); s++) {
    auto n = static_cast<double>(threads * files);
    int64_t sum = 0;
    for (auto& c : cpu) sum += c[s];
    costs[s] = {static_cast<double>(sum) / n, static_cast<double>(started[s + 1] - started[s]) / n};
  }
  return costs;
}

void speed(size_t files) {
  constexpr unsigned kThreads[] = {1, 2, 4, 16};
  constexpr int kRounds = 5;
  for (bool same : {false, true}) {
    fmt::print("{}: CPU ns an operation / million operations a second, least and most of {} rounds\n",
               same ? "one directory for all" : "a directory for each thread", kRounds);
    std::vector<std::vector<Cost>> best;
    for (unsigned n : kThreads) {
      std::vector<Cost> least;
      for (int r = 0; r < kRounds; r++) {
        auto c = run_threads(n, files / n, same);
        if (least.empty()) least = c;
        for (size_t s = 0; s < c.size(); s++) {
          least[s].cpu_ns = std::min(least[s].cpu_ns, c[s].cpu_ns);
          least[s].wall_ns = std::min(least[s].wall_ns, c[s].wall_ns);
        }
      }
      best.push_back(std::move(least));
    }
    for (size_t s = 0; s < Work::steps().size(); s++) {
      fmt::print("  {:14}", Work::steps()[s].name);
      for (size_t i = 0; i < best.size(); i++)
        fmt::print("  {:2}: {:7.1f} /{:6.2f}", kThreads[i], best[i][s].cpu_ns, 1000 / best[i][s].wall_ns);
      fmt::print("\n");
    }
  }
}

uint64_t resident() {
  std::ifstream f("/proc/self/statm");
  uint64_t size = 0, pages = 0;
  f >> size >> pages;
  return pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// Runs f(0..n) and says how long the longest call took.
template <class F>
void timed(const char* what, size_t n, F f) {
  int64_t longest = 0, begin = monotonic_ns(), last = begin;
  for (size_t i = 0; i < n; i++) {
    f(i);
    int64_t now = monotonic_ns();
    longest = std::max(longest, now - last);
    last = now;
  }
  fmt::print("{:8} {:7.0f} ns an operation, the longest {:.2f} ms\n", what,
             static_cast<double>(last - begin) / static_cast<double>(n), static_cast<double>(longest) / 1e6);
}

void memory(size_t files, size_t bytes) {
  fs::mem::MemFs fs(unlimited());
  std::string data(bytes, 'x');
  Buffer view = Buffer::view(as_bytes(data));
  uint64_t before = resident();
  timed("make", files, [&](size_t i) {
    char name[32];
    auto n = static_cast<size_t>(std::snprintf(name, sizeof name, "f%09zu", i));
    NodeId node = ask(fs, op::Mknod{{}, NodeId::root, {name, n}, S_IFREG | 0644, 0, {}}).node;
    if (bytes) {
      op::Write w;
      w.node = node;
      w.data = &view;
      (void)ask(fs, w);
    }
    (void)ask(fs, op::Forget{{}, node, 1});
  });
  auto a_file = [&](uint64_t b) { return static_cast<double>(b) / static_cast<double>(files); };
  fmt::print("resident: {:.1f} bytes a file of {} bytes with a name of 10\n", a_file(resident() - before), bytes);
  timed("unlink", files, [&](size_t i) {
    char name[32];
    auto n = static_cast<size_t>(std::snprintf(name, sizeof name, "f%09zu", i));
    (void)ask(fs, op::Unlink{{}, NodeId::root, {name, n}});
  });
  uint64_t after = resident();
  fmt::print("left after removing all: {:.1f} bytes a file", a_file(after > before ? after - before : 0));
  ::malloc_trim(0);
  after = resident();
  fmt::print(", {:.1f} once malloc gave back what it keeps\n", a_file(after > before ? after - before : 0));
}

void directory(size_t names) {
  fs::mem::MemFs fs(unlimited());
  auto work = std::make_unique<Work>(fs, NodeId::root, 0, names);
  for (auto& s : Work::steps()) {
    int64_t before = thread_cpu_ns();
    (work.get()->*s.step)();
    fmt::print("{:14} {:7.1f} ns\n", s.name,
               static_cast<double>(thread_cpu_ns() - before) / static_cast<double>(names));
  }
}

extern "C" __attribute__((noinline)) void mem_bench_measured(Work& w, Work::Step step) { (w.*step)(); }

int once(std::string_view name, size_t files) {
  fs::mem::MemFs fs(unlimited());
  Work w(fs, make_dir(fs, "d"), 0, files);
  for (auto& s : Work::steps()) {
    if (s.name == name) {
      mem_bench_measured(w, s.step);
      return 0;
    }
    (w.*s.step)();
  }
  std::fputs("mem_bench: no such step\n", stderr);
  return 2;
}

int run(int argc, char** argv) {
  auto number = [&](int i, size_t otherwise) {
    size_t n = otherwise;
    if (i < argc) std::from_chars(argv[i], argv[i] + std::strlen(argv[i]), n);
    return n;
  };
  std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "speed") return speed(number(2, 32000)), 0;
  if (command == "once" && argc == 4) return once(argv[2], number(3, 1));
  if (command == "memory" && argc == 4) return memory(number(2, 1), number(3, 0)), 0;
  if (command == "directory" && argc == 3) return directory(number(2, 1)), 0;
  if (command == "steps") {
    for (auto& s : Work::steps()) fmt::print("{}\n", s.name);
    return 0;
  }
  std::fputs(kUsage, stderr);
  return 2;
}

}  // namespace
}  // namespace isthmus::bench

int main(int argc, char** argv) { return isthmus::bench::run(argc, argv); }
