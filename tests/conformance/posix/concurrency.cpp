// Threads and processes that work in one folder at the same time: nothing is lost, nothing appears twice.
#include "tests/conformance/folder.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>

namespace isthmus::conformance {
namespace {

class Concurrency : public FolderTest {};

void on_threads(const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < options().threads; ++i) threads.emplace_back(body, i);
  for (auto& thread : threads) thread.join();
}

TEST_F(Concurrency, CreateRenameUnlinkInOneFolder) {
  constexpr int kEach = 200;
  ASSERT_OK(mkdir("dir", 0755));
  on_threads([](int thread) {
    for (int i = 0; i < kEach; ++i) {
      const std::string name = "dir/" + std::to_string(thread) + "." + std::to_string(i);
      write_file(name, name);
      if (i % 3 == 0) {
        EXPECT_OK(unlink(name.c_str()));
      }
      if (i % 3 == 1) {
        EXPECT_OK(rename(name.c_str(), (name + ".renamed").c_str()));
      }
    }
  });
  std::vector<std::string> want;
  for (int thread = 0; thread < options().threads; ++thread) {
    for (int i = 0; i < kEach; ++i) {
      const std::string name = std::to_string(thread) + "." + std::to_string(i);
      if (i % 3 == 1) want.push_back(name + ".renamed");
      if (i % 3 == 2) want.push_back(name);
    }
  }
  std::sort(want.begin(), want.end());
  EXPECT_EQ(names_of("dir"), want);
  for (const auto& name : want) {
    const std::string content = read_file("dir/" + name);
    EXPECT_EQ("dir/" + name, name.ends_with(".renamed") ? content + ".renamed" : content);
  }
}

TEST_F(Concurrency, ExclusiveCreateHasOneWinner) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> winners{0};
    const std::string name = "file" + std::to_string(round);
    on_threads([&](int) {
      const Fd fd(open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644));
      if (fd) {
        ++winners;
      } else {
        EXPECT_EQ(error_name(errno), "EEXIST");
      }
    });
    EXPECT_EQ(winners, 1);
  }
}

TEST_F(Concurrency, MkdirAndRmdirHaveOneWinner) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> made{0};
    std::atomic<int> removed{0};
    on_threads([&](int) {
      if (mkdir("dir", 0755) == 0) {
        ++made;
      } else {
        EXPECT_EQ(error_name(errno), "EEXIST");
      }
    });
    on_threads([&](int) {
      if (rmdir("dir") == 0) {
        ++removed;
      } else {
        EXPECT_EQ(error_name(errno), "ENOENT");
      }
    });
    EXPECT_EQ(made, 1);
    EXPECT_EQ(removed, 1);
  }
}

TEST_F(Concurrency, RenameOverIsAtomicForReaders) {
  write_file("file", "0000000000");
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; i < 1000; ++i) {
      write_file("new", std::string(10, static_cast<char>('0' + i % 10)));
      EXPECT_OK(rename("new", "file"));
    }
    stop = true;
  });
  int reads = 0;
  while (!stop || reads < 10) {
    const Fd fd(open("file", O_RDONLY));
    if (!fd) {
      ADD_FAILURE() << "read " << reads << ": " << error_name(errno);
      break;
    }
    const std::string content = read_all(fd.get());
    EXPECT_EQ(content.size(), 10u);
    EXPECT_EQ(content, std::string(10, content.empty() ? '?' : content[0]));
    ++reads;
    if (HasFailure()) break;
  }
  writer.join();
}

TEST_F(Concurrency, EachThreadWritesItsPartOfOneFile) {
  constexpr std::size_t kPart = 4096 * 5 + 123;
  const Fd fd = open_ok("file", O_RDWR | O_CREAT);
  on_threads([&](int thread) {
    const std::string data = pattern(kPart, static_cast<unsigned>(thread));
    const Fd own = open_ok("file", O_WRONLY);
    for (std::size_t at = 0; at < kPart; at += 1000) {
      write_all(own.get(), std::string_view(data).substr(at, 1000),
                static_cast<off_t>(static_cast<std::size_t>(thread) * kPart + at));
    }
  });
  std::string want;
  for (int thread = 0; thread < options().threads; ++thread) want += pattern(kPart, static_cast<unsigned>(thread));
  EXPECT_TRUE(read_file("file") == want);
}

TEST_F(Concurrency, RenamesBetweenFoldersInBothDirections) {
  ASSERT_OK(mkdir("a", 0755));
  ASSERT_OK(mkdir("b", 0755));
  for (int i = 0; i < options().threads; ++i) write_file("a/" + std::to_string(i), std::to_string(i));
  on_threads([](int thread) {
    const std::string name = "/" + std::to_string(thread);
    for (int i = 0; i < 100; ++i) {
      EXPECT_OK(rename((i % 2 == 0 ? "a" + name : "b" + name).c_str(), (i % 2 == 0 ? "b" + name : "a" + name).c_str()));
    }
  });
  EXPECT_EQ(names_of("a").size(), static_cast<std::size_t>(options().threads));
  EXPECT_TRUE(names_of("b").empty());
  for (int i = 0; i < options().threads; ++i) EXPECT_EQ(read_file("a/" + std::to_string(i)), std::to_string(i));
}

// Two directories moved into each other at once: one of the moves must fail, or the tree has a loop.
TEST_F(Concurrency, CrossingDirectoryMovesMakeNoLoop) {
  for (int round = 0; round < 100; ++round) {
    ASSERT_OK(mkdir("a", 0755));
    ASSERT_OK(mkdir("b", 0755));
    std::atomic<int> moved{0};
    std::thread one([&] { moved += rename("a", "b/a") == 0 ? 1 : 0; });
    std::thread two([&] { moved += rename("b", "a/b") == 0 ? 1 : 0; });
    one.join();
    two.join();
    ASSERT_EQ(moved, 1);
    ASSERT_EQ(names_of(".").size(), 1u);
    remove_tree("a");
    remove_tree("b");
  }
}

TEST_F(Concurrency, LinksCountRight) {
  REQUIRE_TRAIT(hard_links);
  write_file("file", "x");
  on_threads([](int thread) {
    for (int i = 0; i < 100; ++i) {
      const std::string name = "link" + std::to_string(thread);
      EXPECT_OK(link("file", name.c_str()));
      if (i != 99) {
        EXPECT_OK(unlink(name.c_str()));
      }
    }
  });
  EXPECT_EQ(lstat_of("file").st_nlink, static_cast<nlink_t>(options().threads) + 1);
}

TEST_F(Concurrency, ReadersListWhileWritersChange) {
  ASSERT_OK(mkdir("dir", 0755));
  for (int i = 0; i < 200; ++i) write_file("dir/keep" + std::to_string(i), "");
  std::atomic<int> running{options().threads / 2};
  on_threads([&](int thread) {
    if (thread % 2 == 0) {
      for (int i = 0; i < 150; ++i) {
        const std::string name = "dir/t" + std::to_string(thread);
        write_file(name, "x");
        EXPECT_OK(unlink(name.c_str()));
      }
      --running;
      return;
    }
    do {
      int kept = 0;
      for (const auto& name : names_of("dir")) kept += name.starts_with("keep") ? 1 : 0;
      EXPECT_EQ(kept, 200);
    } while (running > 0 && !HasFailure());
  });
}

TEST_F(Concurrency, ProcessesCountInOneFileUnderALock) {
  REQUIRE_TRAIT(locks);
  write_file("counter", "0");
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(std::make_unique<Child>([] {
      for (int round = 0; round < 100; ++round) {
        const Fd fd = open_ok("counter", O_RDWR);
        struct flock region {};
        region.l_type = F_WRLCK;
        region.l_whence = SEEK_SET;
        ASSERT_OK(fcntl(fd.get(), F_SETLKW, &region));
        const std::string next = std::to_string(std::stoi(read_all(fd.get())) + 1);
        write_all(fd.get(), next, 0);
      }
    }));
  }
  for (auto& child : children) child->join();
  EXPECT_EQ(read_file("counter"), "400");
}

}  // namespace
}  // namespace isthmus::conformance
