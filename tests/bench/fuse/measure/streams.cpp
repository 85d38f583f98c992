// One file from its beginning to its end; figures are a MiB.
#include "bench/fuse/measure/buffers.h"

namespace isthmus::bench {
namespace {

/// Has the kernel write a file's pages back and forget them.
void forget_pages(const std::string& path) {
  Fd fd = open_file(path, O_RDONLY);
  need(fsync(fd.get()) == 0, "fsync");
  need(posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
}

}  // namespace

void write_stream(const std::string& path, int flags, long mib, size_t piece, bool sync) {
  AlignedBuffer buffer(piece, 's');
  Fd fd = open_file(path, flags);
  const auto size = static_cast<off_t>(mib) * static_cast<off_t>(kMiB);
  for (off_t at = 0; at < size; at += static_cast<off_t>(piece))
    need(pwrite(fd.get(), buffer.data(), piece, at) == static_cast<ssize_t>(piece), "pwrite");
  if (sync) need(fsync(fd.get()) == 0, "fsync");
}

void read_stream(const std::string& path, int flags, long mib, size_t piece) {
  AlignedBuffer buffer(piece, 0);
  Fd fd = open_file(path, flags);
  const auto size = static_cast<off_t>(mib) * static_cast<off_t>(kMiB);
  for (off_t at = 0; at < size; at += static_cast<off_t>(piece))
    need(pread(fd.get(), buffer.data(), piece, at) == static_cast<ssize_t>(piece), "pread");
}

void measure_streams(Meter& meter, const Setup& setup) {
  const std::string path = setup.folder + "/stream.bin";
  const long mib = setup.mib;
  meter.phase("write_new_1m", mib, [&] { write_stream(path, O_CREAT | O_WRONLY | O_TRUNC, mib, kMiB, true); });
  for (auto [piece, name] : {std::pair{kMiB / 8, "_128k"}, std::pair{kMiB, "_1m"}}) {
    const size_t bytes = piece;
    const std::string suffix = name;
    meter.phase("overwrite" + suffix, mib, [&] { write_stream(path, O_WRONLY, mib, bytes, true); });
    forget_pages(path);
    meter.phase("read_cold" + suffix, mib, [&] { read_stream(path, O_RDONLY, mib, bytes); });
    meter.phase("read_warm" + suffix, mib, [&] { read_stream(path, O_RDONLY, mib, bytes); });
    meter.phase("write_direct" + suffix, mib, [&] { write_stream(path, O_WRONLY | O_DIRECT, mib, bytes); });
    meter.phase("read_direct" + suffix, mib, [&] { read_stream(path, O_RDONLY | O_DIRECT, mib, bytes); });
  }
  need(unlink(path.c_str()) == 0, "unlink");
}

}  // namespace isthmus::bench
