// Runs on a mount of news_server. Usage: news_test MOUNTPOINT [gtest options]
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>
#include <thread>

namespace {

using namespace std::chrono_literals;

std::string g_dir;

std::string path(const char* name) { return g_dir + "/" + name; }

void say(const std::string& command) {
  int fd = open(path("control").c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0) << strerror(errno);
  EXPECT_EQ(write(fd, command.data(), command.size()), static_cast<ssize_t>(command.size()));
  close(fd);
}

std::string content(const char* name) {
  int fd = open(path(name).c_str(), O_RDONLY | O_CLOEXEC);
  char buffer[100];
  ssize_t n = fd < 0 ? -1 : read(fd, buffer, sizeof buffer);
  close(fd);
  return n < 0 ? strerror(errno) : std::string(buffer, static_cast<size_t>(n));
}

bool exists(const char* name) {
  struct stat st {};
  return stat(path(name).c_str(), &st) == 0;
}

/// News arrives soon, not at once: what is told now may drop what is cached a moment later. So a test of what stays
/// cached is a whole attempt, from telling to looking, and one of a few must succeed.
template <class F>
bool soon(F f, int attempts = 1000) {
  for (int i = 0; i < attempts; i++) {
    if (f()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

TEST(News, DataIsCachedUntilToldOtherwise) {
  auto stays = [] {
    say("set one");
    say("tell");
    if (!soon([] { return content("counter") == "one"; })) return false;
    say("set two");
    return content("counter") == "one";
  };
  ASSERT_TRUE(soon(stays, 20));
  say("tell");
  EXPECT_TRUE(soon([] { return content("counter") == "two"; }));
}

TEST(News, ALongerFileIsSeenWhole) {
  say("set short");
  say("tell");
  ASSERT_TRUE(soon([] { return content("counter") == "short"; }));
  say("set much longer than before");
  say("tell");
  EXPECT_TRUE(soon([] { return content("counter") == "much longer than before"; }));
}

TEST(News, NamesComeAndGo) {
  auto stays_away = [] {
    say("ghost 0");
    say("entry");
    if (!soon([] { return !exists("ghost"); })) return false;
    say("ghost 1");
    return !exists("ghost");
  };
  ASSERT_TRUE(soon(stays_away, 20)) << "a name that is not there is believed for ever";
  auto stays = [] {
    say("ghost 1");
    say("entry");
    if (!soon([] { return exists("ghost"); })) return false;
    say("ghost 0");
    return exists("ghost");
  };
  ASSERT_TRUE(soon(stays, 20));
  say("deleted");
  EXPECT_TRUE(soon([] { return !exists("ghost"); }));
}

TEST(News, FromInsideAnOperationThatHoldsTheDirectory) {
  for (int i = 0; i < 200; i++) {
    say("ghost 1");
    say("entry");
    ASSERT_TRUE(soon([] { return exists("ghost"); }));
    ASSERT_EQ(unlink(path("ghost").c_str()), 0) << strerror(errno);
  }
  EXPECT_FALSE(exists("ghost"));
}

TEST(News, AStormStopsNobody) {
  say("storm");
  EXPECT_TRUE(exists("counter"));
}

TEST(News, StoreAndRetrieve) {
  auto stored = [] {
    say("set 12345");
    say("tell");
    if (!soon([] { return content("counter") == "12345"; })) return false;
    say("store abcde");
    return soon([] { return content("counter") == "abcde"; }, 50);
  };
  ASSERT_TRUE(soon(stored, 20)) << "from the cache: the file says 12345";
  say("retrieve");
  EXPECT_TRUE(soon([] { return content("log").rfind("retrieved abcde", 0) == 0; })) << content("log");
  say("tell");
  EXPECT_TRUE(soon([] { return content("counter") == "12345"; }));
}

TEST(News, PollWakes) {
  int fd = open(path("pollable").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  pollfd p{fd, POLLIN, 0};
  EXPECT_EQ(poll(&p, 1, 0), 0);
  std::thread later([] {
    std::this_thread::sleep_for(100ms);
    say("ready");
  });
  EXPECT_EQ(poll(&p, 1, 10'000), 1);
  EXPECT_EQ(p.revents, POLLIN);
  later.join();
  close(fd);
}

TEST(News, ASignalEndsAWaitingRead) {
  pid_t child = fork();
  if (child == 0) {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGALRM, &action, nullptr);
    itimerval in{{0, 0}, {0, 200'000}};
    setitimer(ITIMER_REAL, &in, nullptr);
    int fd = open(path("slow").c_str(), O_RDONLY);
    char byte;
    _exit(read(fd, &byte, 1) == -1 && errno == EINTR ? 0 : 1);
  }
  int status = -1;
  EXPECT_TRUE(soon([&] { return waitpid(child, &status, WNOHANG) == child; }));
  EXPECT_EQ(status, 0);
}

TEST(News, KilledReadersGo) {
  pid_t children[20];
  for (pid_t& child : children) {
    child = fork();
    if (child != 0) continue;
    int fd = open(path("slow").c_str(), O_RDONLY);
    char byte;
    _exit(read(fd, &byte, 1) == -1 ? 0 : 1);
  }
  std::this_thread::sleep_for(100ms);
  EXPECT_TRUE(exists("counter")) << "waiting reads stop nobody";
  for (pid_t child : children) {
    kill(child, SIGKILL);
    int status = -1;
    EXPECT_TRUE(soon([&] { return waitpid(child, &status, WNOHANG) == child; }));
  }
}

TEST(News, HandlesOutliveTheCaches) {
  alignas(file_handle) char room[sizeof(file_handle) + MAX_HANDLE_SZ];
  auto* handle = reinterpret_cast<file_handle*>(room);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  ASSERT_EQ(name_to_handle_at(AT_FDCWD, path("counter").c_str(), handle, &mount_id, 0), 0) << strerror(errno);
  int drop = open("/proc/sys/vm/drop_caches", O_WRONLY);
  EXPECT_TRUE(drop < 0 || write(drop, "2", 1) == 1);
  close(drop);
  int dir = open(g_dir.c_str(), O_RDONLY | O_DIRECTORY);
  int fd = open_by_handle_at(dir, handle, O_RDONLY);
  EXPECT_GE(fd, 0) << strerror(errno);
  char byte;
  EXPECT_EQ(read(fd, &byte, 1), 1);
  close(fd);
  close(dir);
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 2) {
    fputs("usage: news_test MOUNTPOINT [gtest options]\n", stderr);
    return 2;
  }
  g_dir = argv[1];
  return RUN_ALL_TESTS();
}
