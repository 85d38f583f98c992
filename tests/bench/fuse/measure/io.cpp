// 4 KiB at random places of one file, by some threads at a time.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "bench/fuse/measure/buffers.h"

namespace isthmus::bench {
namespace {

constexpr size_t kBlock = 4096;

struct Job {
  std::string path;
  uint64_t blocks;
  bool writes, direct;
  int64_t until;  // monotonic_ns()
};

/// xorshift64: the same places in every run.
uint64_t next(uint64_t& x) {
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return x;
}

/// Runs until the job's time is over, but once at least, however late the thread begins; the number of blocks.
long random_blocks(const Job& job, int thread) {
  Fd fd = open_file(job.path, (job.writes ? O_WRONLY : O_RDONLY) | (job.direct ? O_DIRECT : 0));
  AlignedBuffer buffer(kBlock, 'q');
  uint64_t seed = 88172645463325252ULL + static_cast<uint64_t>(thread) * 7919;
  long done = 0;
  do {
    for (int k = 0; k < 32; k++, done++) {  // the clock is read seldom
      auto offset = static_cast<off_t>(next(seed) % job.blocks * kBlock);
      ssize_t n =
          job.writes ? pwrite(fd.get(), buffer.data(), kBlock, offset) : pread(fd.get(), buffer.data(), kBlock, offset);
      need(n == static_cast<ssize_t>(kBlock), job.writes ? "pwrite" : "pread");
    }
  } while (monotonic_ns() < job.until);
  return done;
}

}  // namespace

void measure_io(Meter& meter, const Setup& setup) {
  const std::string path = setup.folder + "/io.bin";
  const uint64_t blocks = static_cast<uint64_t>(setup.mib) * (kMiB / kBlock);
  write_stream(path, O_CREAT | O_WRONLY, setup.mib, kMiB);
  for (bool direct : {true, false}) {
    for (bool writes : {false, true}) {
      const std::string name = std::string(writes ? "rand_write_" : "rand_read_") + (direct ? "direct_" : "buffered_") +
                               std::to_string(setup.threads);
      meter.begin(name);
      const Job job{path, blocks, writes, direct, monotonic_ns() + static_cast<int64_t>(setup.seconds * kNsPerSec)};
      std::atomic<long> done{0};
      std::vector<std::thread> threads;
      for (int t = 0; t < setup.threads; t++) threads.emplace_back([&, t] { done += random_blocks(job, t); });
      for (std::thread& thread : threads) thread.join();
      meter.end(name, done);
    }
  }
  need(unlink(path.c_str()) == 0, "unlink");
}

}  // namespace isthmus::bench
