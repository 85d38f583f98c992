// mmap(2): shared and private mappings, coherence with read and write, the end of the file.
#include "tests/conformance/folder.h"

#include <sys/mman.h>
#include <csetjmp>
#include <csignal>
#include <cstring>

namespace isthmus::conformance {
namespace {

constexpr std::size_t kPage = 4096;

class Mapping {
 public:
  Mapping(std::size_t size, int protection, int flags, int fd, off_t offset = 0)
      : size_(size), data_(mmap(nullptr, size, protection, flags, fd, offset)) {
    if (data_ == MAP_FAILED) ADD_FAILURE() << "mmap: " << error_name(errno);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (data_ != MAP_FAILED) munmap(data_, size_);
  }
  explicit operator bool() const { return data_ != MAP_FAILED; }
  char* data() const { return static_cast<char*>(data_); }
  void* get() const { return data_; }

 private:
  std::size_t size_;
  void* data_;
};

class Mmap : public FolderTest {};

sigjmp_buf bus_jump;

// True if reading the byte raises SIGBUS.
bool raises_sigbus(const volatile char* address) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) { siglongjmp(bus_jump, 1); };
  sigaction(SIGBUS, &action, &before);
  volatile bool raised = true;
  if (sigsetjmp(bus_jump, 1) == 0) {
    static_cast<void>(*address);
    raised = false;
  }
  sigaction(SIGBUS, &before, nullptr);
  return raised;
}

TEST_F(Mmap, PrivateReadsAndKeepsItsWrites) {
  const std::string content = pattern(3 * kPage + 100, 1);
  write_file("file", content);
  const Fd fd = open_ok("file", O_RDONLY);
  const Mapping map(content.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd.get());
  ASSERT_TRUE(map);
  EXPECT_EQ(memcmp(map.data(), content.data(), content.size()), 0);
  memset(map.data(), '!', kPage);
  EXPECT_TRUE(read_file("file") == content);
  for (std::size_t i = content.size(); i < 4 * kPage; ++i) ASSERT_EQ(map.data()[i], '\0');
}

TEST_F(Mmap, SharedWritesReachTheFile) {
  REQUIRE_TRAIT(mmap_shared);
  std::string content = pattern(5 * kPage, 2);
  write_file("file", content);
  const Fd fd = open_ok("file", O_RDWR);
  {
    const Mapping map(content.size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get());
    ASSERT_TRUE(map);
    for (const std::size_t at : {0u, 4095u, 4096u, 10000u, 20479u}) {
      map.data()[at] = 'M';
      content[at] = 'M';
    }
    EXPECT_OK(msync(map.get(), content.size(), MS_SYNC));
    EXPECT_TRUE(read_file("file") == content);
    map.data()[5] = 'N';  // left to munmap and close
    content[5] = 'N';
  }
  EXPECT_TRUE(read_file("file") == content);
  EXPECT_EQ(lstat_of("file").st_size, static_cast<off_t>(content.size()));
}

TEST_F(Mmap, CoherentWithReadAndWrite) {
  REQUIRE_TRAIT(mmap_shared);
  write_file("file", std::string(2 * kPage, '.'));
  const Fd fd = open_ok("file", O_RDWR);
  const Mapping map(2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get());
  ASSERT_TRUE(map);
  EXPECT_EQ(map.data()[100], '.');
  write_all(fd.get(), "written", 100);
  EXPECT_EQ(memcmp(map.data() + 100, "written", 7), 0);
  memcpy(map.data() + kPage, "mapped", 6);
  char text[7] = {};
  EXPECT_EQ(pread(fd.get(), text, 6, kPage), 6);
  EXPECT_STREQ(text, "mapped");
  const Fd other = open_ok("file", O_RDONLY);
  EXPECT_EQ(pread(other.get(), text, 6, kPage), 6);
  EXPECT_STREQ(text, "mapped");
}

TEST_F(Mmap, TwoProcessesShareThePages) {
  REQUIRE_TRAIT(mmap_shared);
  write_file("file", std::string(kPage, '.'));
  const Fd fd = open_ok("file", O_RDWR);
  const Mapping map(kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get());
  ASSERT_TRUE(map);
  in_child([] {
    const Fd mine = open_ok("file", O_RDWR);
    const Mapping again(kPage, PROT_READ | PROT_WRITE, MAP_SHARED, mine.get());
    ASSERT_TRUE(again);
    memcpy(again.data() + 10, "child", 5);
  });
  EXPECT_EQ(memcmp(map.data() + 10, "child", 5), 0);
}

TEST_F(Mmap, PastTheEnd) {
  write_file("file", "short");
  const Fd fd = open_ok("file", O_RDONLY);
  const Mapping map(3 * kPage, PROT_READ, MAP_SHARED, fd.get());
  ASSERT_TRUE(map);
  EXPECT_EQ(memcmp(map.data(), "short\0\0\0", 8), 0);
  EXPECT_FALSE(raises_sigbus(map.data() + kPage - 1));
  EXPECT_TRUE(raises_sigbus(map.data() + kPage));
  EXPECT_TRUE(raises_sigbus(map.data() + 2 * kPage));
}

TEST_F(Mmap, TruncatedUnderTheMapping) {
  REQUIRE_TRAIT(mmap_shared);
  write_file("file", std::string(3 * kPage, 'x'));
  const Fd fd = open_ok("file", O_RDWR);
  const Mapping map(3 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get());
  ASSERT_TRUE(map);
  EXPECT_EQ(map.data()[2 * kPage], 'x');
  ASSERT_OK(ftruncate(fd.get(), kPage + 10));
  EXPECT_TRUE(raises_sigbus(map.data() + 2 * kPage));
  EXPECT_EQ(map.data()[kPage + 9], 'x');
  ASSERT_OK(ftruncate(fd.get(), 3 * kPage));
  EXPECT_FALSE(raises_sigbus(map.data() + 2 * kPage));
  EXPECT_EQ(map.data()[2 * kPage], '\0');
  EXPECT_EQ(map.data()[kPage + 10], '\0');
}

TEST_F(Mmap, StaysAfterCloseAndUnlink) {
  REQUIRE_TRAIT(unlinked_open);
  write_file("file", std::string(2 * kPage, 'k'));
  Fd fd = open_ok("file", O_RDONLY);
  const Mapping map(2 * kPage, PROT_READ, MAP_SHARED, fd.get());
  ASSERT_TRUE(map);
  fd.reset();
  ASSERT_OK(unlink("file"));
  EXPECT_EQ(map.data()[0], 'k');
  EXPECT_EQ(map.data()[2 * kPage - 1], 'k');
}

TEST_F(Mmap, WritingAfterCloseReachesTheFile) {
  REQUIRE_TRAIT(mmap_shared);
  write_file("file", std::string(kPage, '.'));
  {
    Fd fd = open_ok("file", O_RDWR);
    const Mapping map(kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get());
    ASSERT_TRUE(map);
    fd.reset();
    memcpy(map.data(), "late", 4);
  }
  EXPECT_EQ(read_file("file").substr(0, 5), "late.");
}

TEST_F(Mmap, NeedsTheRightDescriptor) {
  write_file("file", std::string(kPage, '.'));
  const Fd reader = open_ok("file", O_RDONLY);
  const Fd writer = open_ok("file", O_WRONLY);
  EXPECT_ERRNO(mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, reader.get(), 0), EACCES);
  EXPECT_ERRNO(mmap(nullptr, kPage, PROT_READ, MAP_SHARED, writer.get(), 0), EACCES);
  EXPECT_ERRNO(mmap(nullptr, kPage, PROT_READ, MAP_SHARED, reader.get(), 100), EINVAL);
  const Fd dir = open_ok(".", O_RDONLY);
  EXPECT_ERRNO(mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, dir.get(), 0), ENODEV, EACCES);
}

TEST_F(Mmap, Offsets) {
  const std::string content = pattern(20 * kPage, 6);
  write_file("file", content);
  const Fd fd = open_ok("file", O_RDONLY);
  for (const std::size_t page : {1u, 7u, 19u}) {
    const Mapping map(kPage, PROT_READ, MAP_SHARED, fd.get(), static_cast<off_t>(page * kPage));
    ASSERT_TRUE(map);
    EXPECT_EQ(memcmp(map.data(), content.data() + page * kPage, kPage), 0);
  }
}

TEST_F(Mmap, GrowingFile) {
  REQUIRE_TRAIT(mmap_shared);
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  ASSERT_OK(ftruncate(fd.get(), 4 * kPage));
  const Mapping map(8 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get());
  ASSERT_TRUE(map);
  map.data()[3 * kPage] = 'a';
  ASSERT_OK(ftruncate(fd.get(), 8 * kPage));
  map.data()[7 * kPage] = 'b';
  EXPECT_OK(msync(map.get(), 8 * kPage, MS_SYNC));
  const std::string content = read_file("file");
  ASSERT_EQ(content.size(), 8 * kPage);
  EXPECT_EQ(content[3 * kPage], 'a');
  EXPECT_EQ(content[7 * kPage], 'b');
  EXPECT_EQ(content[kPage], '\0');
}

TEST_F(Mmap, DirectWritesAreSeen) {
  REQUIRE_TRAIT(direct_io);
  REQUIRE_TRAIT(mmap_shared);
  write_file("file", std::string(2 * kPage, '.'));
  const Fd mapped = open_ok("file", O_RDWR);
  const Mapping map(2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, mapped.get());
  ASSERT_TRUE(map);
  EXPECT_EQ(map.data()[0], '.');
  const Fd direct = open_ok("file", O_RDWR | O_DIRECT);
  alignas(kPage) static char block[kPage];
  memset(block, 'D', kPage);
  ASSERT_EQ(pwrite(direct.get(), block, kPage, 0), static_cast<ssize_t>(kPage));
  EXPECT_EQ(map.data()[0], 'D');
  map.data()[kPage] = 'M';
  ASSERT_OK(msync(map.get(), 2 * kPage, MS_SYNC));
  ASSERT_EQ(pread(direct.get(), block, kPage, kPage), static_cast<ssize_t>(kPage));
  EXPECT_EQ(block[0], 'M');
}

TEST_F(Mmap, OfADirectDescriptor) {
  REQUIRE_TRAIT(direct_io);
  write_file("file", std::string(kPage, 'q'));
  const Fd fd = open_ok("file", O_RDWR | O_DIRECT);
  const Mapping reading(kPage, PROT_READ, MAP_PRIVATE, fd.get());
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading.data()[5], 'q');
  if (!options().traits.mmap_shared) return;
  {
    const Mapping writing(kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get());
    ASSERT_TRUE(writing);
    writing.data()[6] = 'w';
  }
  EXPECT_EQ(read_file("file")[6], 'w');
}

}  // namespace
}  // namespace isthmus::conformance
