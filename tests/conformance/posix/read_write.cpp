// read(2), write(2) and their vector and positioned forms; O_APPEND; O_DIRECT; fsync.
#include "tests/conformance/folder.h"

#include <sys/uio.h>
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace isthmus::conformance {
namespace {

class ReadWrite : public FolderTest {};

TEST_F(ReadWrite, EndOfFile) {
  write_file("file", "0123456789");
  const Fd fd = open_ok("file", O_RDWR);
  char text[32] = {};
  EXPECT_EQ(pread(fd.get(), text, 32, 0), 10);
  EXPECT_EQ(pread(fd.get(), text, 32, 7), 3);
  EXPECT_EQ(pread(fd.get(), text, 32, 10), 0);
  EXPECT_EQ(pread(fd.get(), text, 32, 1'000'000), 0);
  EXPECT_EQ(pread(fd.get(), text, 0, 3), 0);
  EXPECT_EQ(pwrite(fd.get(), text, 0, 1'000'000), 0);
  EXPECT_EQ(stat_of(fd.get()).st_size, 10);
  EXPECT_ERRNO(pread(fd.get(), text, 1, -1), EINVAL);
  EXPECT_ERRNO(pwrite(fd.get(), text, 1, -1), EINVAL);
  EXPECT_EQ(lseek(fd.get(), 0, SEEK_CUR), 0);
}

TEST_F(ReadWrite, EverySizeAndOffsetAroundPages) {
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  std::string model;
  unsigned seed = 1;
  for (const std::size_t offset : {0u, 1u, 4095u, 4096u, 4097u, 12287u, 65535u, 131071u, 131072u}) {
    for (const std::size_t size : {1u, 2u, 511u, 4095u, 4096u, 4097u, 8192u, 65537u, 131073u}) {
      const std::string data = pattern(size, seed++);
      write_all(fd.get(), data, static_cast<off_t>(offset));
      if (model.size() < offset + size) model.resize(offset + size);
      model.replace(offset, size, data);
      std::string back(size + 2, '\0');
      const off_t from = offset > 0 ? static_cast<off_t>(offset) - 1 : 0;
      const ssize_t got = pread(fd.get(), back.data(), back.size(), from);
      ASSERT_GE(got, static_cast<ssize_t>(size));
      ASSERT_TRUE(back.substr(0, static_cast<std::size_t>(got)) ==
                  model.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(got)));
    }
  }
  EXPECT_TRUE(read_file("file") == model);
}

TEST_F(ReadWrite, BigBlocks) {
  const std::string data = pattern(9'000'001, 9);
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  EXPECT_EQ(write(fd.get(), data.data(), data.size()), static_cast<ssize_t>(data.size()));
  std::string back(data.size() + 10, '\0');
  EXPECT_EQ(pread(fd.get(), back.data(), back.size(), 0), static_cast<ssize_t>(data.size()));
  back.resize(data.size());
  EXPECT_TRUE(back == data);
}

TEST_F(ReadWrite, Vectors) {
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  char a[] = "one";
  char b[] = "";
  char c[] = "three";
  const iovec out[] = {{a, 3}, {b, 0}, {c, 5}};
  EXPECT_EQ(writev(fd.get(), out, 3), 8);
  EXPECT_EQ(pwritev(fd.get(), out, 3, 8), 16 - 8);
  char x[4] = {};
  char y[100] = {};
  const iovec in[] = {{x, 4}, {y, 100}};
  EXPECT_EQ(lseek(fd.get(), 0, SEEK_SET), 0);
  EXPECT_EQ(readv(fd.get(), in, 2), 16);
  EXPECT_EQ(std::string(x, 4) + y, "onethreeonethree");
  EXPECT_EQ(preadv(fd.get(), in, 2, 15), 1);
  EXPECT_EQ(writev(fd.get(), out, 0), 0);
  EXPECT_ERRNO(writev(fd.get(), out, -1), EINVAL);
  EXPECT_ERRNO(preadv(fd.get(), in, 2, -1), EINVAL);
  // 1,024 vectors, the most there may be
  std::string bytes = pattern(3072, 5);
  std::vector<iovec> many;
  for (std::size_t i = 0; i < 1024; ++i) many.push_back({bytes.data() + i * 3, 3});
  EXPECT_EQ(pwritev(fd.get(), many.data(), 1024, 0), 3072);
  EXPECT_TRUE(read_file("file") == bytes);
  many.push_back({bytes.data(), 3});
  EXPECT_ERRNO(writev(fd.get(), many.data(), 1025), EINVAL);
}

TEST_F(ReadWrite, BadBuffers) {
  write_file("file", "content");
  const Fd fd = open_ok("file", O_RDWR);
  char* const nowhere = reinterpret_cast<char*>(8);
  EXPECT_ERRNO(pread(fd.get(), nowhere, 4, 0), EFAULT);
  EXPECT_ERRNO(pwrite(fd.get(), nowhere, 4, 0), EFAULT);
  EXPECT_EQ(read_file("file"), "content");
}

TEST_F(ReadWrite, HoleReadsAsZeroes) {
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  write_all(fd.get(), "a", 0);
  write_all(fd.get(), "b", 300000);
  std::string want(300001, '\0');
  want.front() = 'a';
  want.back() = 'b';
  EXPECT_TRUE(read_all(fd.get()) == want);
  if (options().traits.sparse) {
    EXPECT_LT(stat_of(fd.get()).st_blocks * 512, 200000);
  }
}

TEST_F(ReadWrite, AnotherDescriptorSeesTheBytesAtOnce) {
  const Fd writer = open_ok("file", O_WRONLY | O_CREAT);
  const Fd reader = open_ok("file", O_RDONLY);
  for (int i = 0; i < 200; ++i) {
    const std::string text = "line " + std::to_string(i) + "\n";
    ASSERT_EQ(write(writer.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    char back[32] = {};
    ASSERT_EQ(read(reader.get(), back, sizeof back), static_cast<ssize_t>(text.size()));
    ASSERT_EQ(text, back);
    ASSERT_EQ(lstat_of("file").st_size, lseek(writer.get(), 0, SEEK_CUR));
  }
}

TEST_F(ReadWrite, AppendGoesToTheEnd) {
  write_file("file", "start");
  const Fd fd = open_ok("file", O_RDWR | O_APPEND);
  EXPECT_EQ(lseek(fd.get(), 0, SEEK_CUR), 0);
  EXPECT_EQ(write(fd.get(), "1", 1), 1);
  EXPECT_EQ(lseek(fd.get(), 0, SEEK_CUR), 6);
  EXPECT_EQ(lseek(fd.get(), 0, SEEK_SET), 0);
  EXPECT_EQ(write(fd.get(), "2", 1), 1);
  EXPECT_EQ(pwrite(fd.get(), "3", 1, 0), 1);  // Linux appends here too, see BUGS in pwrite(2)
  EXPECT_EQ(read_file("file"), "start123");
  write_file("file", "fresh");
  EXPECT_EQ(write(fd.get(), "4", 1), 1);
  EXPECT_EQ(read_file("file"), "fresh4");
  if (options().traits.append_off) {
    ASSERT_OK(fcntl(fd.get(), F_SETFL, 0));
    EXPECT_EQ(pwrite(fd.get(), "F", 1, 0), 1);
    EXPECT_EQ(read_file("file"), "Fresh4");
  }
  const Fd created = open_ok("new", O_WRONLY | O_CREAT | O_APPEND);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(write(created.get(), "123456789", 9), 9);
    if (i % 25 == 0) {
      ASSERT_OK(fsync(created.get()));
    }
  }
  EXPECT_EQ(lstat_of("new").st_size, 900);
}

TEST_F(ReadWrite, SeveralWritersAppendWithoutLoss) {
  constexpr int kWriters = 4;
  constexpr int kLines = 500;
  write_file("log", "");
  const auto line_of = [](int writer, int number) {
    char line[32];
    snprintf(line, sizeof line, "writer %d line %06d\n", writer, number);
    return std::string(line);
  };
  {
    std::vector<std::unique_ptr<Child>> writers;
    for (int w = 0; w < kWriters; ++w) {
      writers.push_back(std::make_unique<Child>([w, &line_of] {
        const Fd fd = open_ok("log", O_WRONLY | O_APPEND);
        for (int i = 0; i < kLines; ++i) {
          const std::string line = line_of(w, i);
          ASSERT_EQ(write(fd.get(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
        }
      }));
    }
    for (auto& writer : writers) writer->join();
  }
  const std::string content = read_file("log");
  std::vector<int> next(kWriters, 0);
  int lines = 0;
  for (std::size_t at = 0; at < content.size(); ++lines) {
    int writer = 0;
    std::string line;
    for (; writer < kWriters; ++writer) {
      line = line_of(writer, next[static_cast<std::size_t>(writer)]);
      if (content.compare(at, line.size(), line) == 0) break;
    }
    ASSERT_LT(writer, kWriters) << "torn, lost or doubled line at " << at;
    ++next[static_cast<std::size_t>(writer)];
    at += line.size();
  }
  EXPECT_EQ(lines, kWriters * kLines);
}

TEST_F(ReadWrite, Direct) {
  REQUIRE_TRAIT(direct_io);
  constexpr std::size_t kBlock = 4096;
  const std::unique_ptr<void, decltype(&free)> memory(aligned_alloc(kBlock, kBlock * 16), &free);
  char* const block = static_cast<char*>(memory.get());
  const Fd fd = open_ok("file", O_RDWR | O_CREAT | O_DIRECT);
  const std::string data = pattern(kBlock * 16, 4);
  std::copy(data.begin(), data.end(), block);
  EXPECT_EQ(pwrite(fd.get(), block, kBlock * 16, 0), static_cast<ssize_t>(kBlock * 16));
  EXPECT_TRUE(read_file("file") == data);  // cached readers see it
  const Fd cached = open_ok("file", O_RDWR);
  write_all(cached.get(), "cached write", kBlock);
  EXPECT_EQ(pread(fd.get(), block, kBlock, kBlock), static_cast<ssize_t>(kBlock));
  EXPECT_EQ(memcmp(block, "cached write", 12), 0);
  EXPECT_EQ(pread(fd.get(), block, kBlock * 16, kBlock * 15), static_cast<ssize_t>(kBlock));
  EXPECT_EQ(pread(fd.get(), block, kBlock, kBlock * 16), 0);
  memset(block, 'd', kBlock);
  EXPECT_EQ(pwrite(fd.get(), block, kBlock, kBlock * 2), static_cast<ssize_t>(kBlock));
  EXPECT_TRUE(read_file("file").substr(kBlock * 2, kBlock) == std::string(kBlock, 'd'));
}

TEST_F(ReadWrite, Sync) {
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  ASSERT_OK(mkdir("dir", 0755));
  const Fd dir = open_ok("dir", O_RDONLY | O_DIRECTORY);
  write_all(fd.get(), pattern(100000, 1), 0);
  EXPECT_OK(fsync(fd.get()));
  EXPECT_OK(fdatasync(fd.get()));
  EXPECT_OK(fsync(dir.get()));
  EXPECT_OK(fdatasync(dir.get()));
  EXPECT_OK(syncfs(fd.get()));
  EXPECT_OK(sync_file_range(fd.get(), 0, 0, SYNC_FILE_RANGE_WRITE));
  const Fd synchronous = open_ok("file2", O_WRONLY | O_CREAT | O_SYNC);
  EXPECT_EQ(write(synchronous.get(), "x", 1), 1);
  const Fd datasync = open_ok("file2", O_WRONLY | O_DSYNC | O_APPEND);
  EXPECT_EQ(write(datasync.get(), "y", 1), 1);
  EXPECT_EQ(read_file("file2"), "xy");
  const Fd reader = open_ok("file", O_RDONLY);
  EXPECT_OK(fsync(reader.get()));
  EXPECT_OK(posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED) == 0 ? 0 : -1);
  EXPECT_TRUE(read_all(fd.get()) == pattern(100000, 1));
}

// Random reads and writes of one file against a model in memory.
TEST_F(ReadWrite, RandomAgainstAModel) {
  constexpr std::size_t kMost = 300000;
  unsigned long state = 12345;
  const auto random = [&](std::size_t below) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>(state >> 33) % below;
  };
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  std::string model;
  for (int step = 0; step < 1500; ++step) {
    const std::size_t offset = random(kMost);
    const std::size_t size = random(step % 10 == 0 ? 100000 : 5000) + 1;
    switch (random(8)) {
      case 0:
        ASSERT_OK(ftruncate(fd.get(), static_cast<off_t>(offset)));
        model.resize(offset);
        break;
      case 1:
      case 2:
      case 3: {
        const std::string data = pattern(size, static_cast<unsigned>(step));
        write_all(fd.get(), data, static_cast<off_t>(offset));
        if (model.size() < offset + size) model.resize(offset + size);
        model.replace(offset, size, data);
        break;
      }
      default: {
        std::string got(size, '\0');
        const ssize_t done = pread(fd.get(), got.data(), size, static_cast<off_t>(offset));
        ASSERT_GE(done, 0);
        got.resize(static_cast<std::size_t>(done));
        const std::string want = offset < model.size() ? model.substr(offset, size) : "";
        ASSERT_TRUE(got == want) << "step " << step << ": " << size << " bytes at " << offset << " of " << model.size();
      }
    }
    ASSERT_EQ(stat_of(fd.get()).st_size, static_cast<off_t>(model.size())) << "step " << step;
  }
  EXPECT_TRUE(read_file("file") == model);
}

}  // namespace
}  // namespace isthmus::conformance
