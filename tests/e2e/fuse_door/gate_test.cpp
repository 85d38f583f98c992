// Runs on a mount of gate_server: requests that wait for later ones never keep those from being heard, also when all
// come from one CPU. Usage: gate_test MOUNTPOINT [gtest options]
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

std::string g_dir;

std::string read_all(const std::string& name) {
  int fd = open((g_dir + "/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  char buffer[100];
  ssize_t n = fd < 0 ? -1 : read(fd, buffer, sizeof buffer);
  std::string text = n < 0 ? strerror(errno) : std::string(buffer, static_cast<size_t>(n));
  close(fd);
  return text;
}

void open_gate() {
  int fd = open((g_dir + "/gate").c_str(), O_WRONLY | O_CLOEXEC);
  EXPECT_EQ(write(fd, "open", 4), 4) << strerror(errno);
  close(fd);
}

/// The calling thread, and those it starts, stay on the first CPU they may use.
void stay_on_one_cpu() {
  cpu_set_t set;
  ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &set)) cpu++;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ASSERT_EQ(sched_setaffinity(0, sizeof set, &set), 0);
}

/// All readers must be heard and the slow ones answered, then all must pass.
void pass(unsigned blocking, unsigned later, unsigned slow = 0) {
  std::vector<std::string> got(slow + blocking + later);
  std::vector<std::thread> readers;
  std::atomic<unsigned> slow_ended{0};
  for (unsigned i = 0; i < got.size(); i++) {
    if (slow > 0 && i == slow) std::this_thread::sleep_for(50ms);  // those are under way
    readers.emplace_back([&, i] {
      got[i] = read_all(i < slow ? "slow" : i - slow < blocking ? "blocks" : "later");
      if (i < slow) slow_ended++;
    });
  }
  std::string all = std::to_string(blocking + later), heard;
  for (int i = 0; i < 4000 && ((heard = read_all("count")) != all || slow_ended < slow); i++)
    std::this_thread::sleep_for(5ms);
  EXPECT_EQ(heard, all) << "requests heard";
  EXPECT_EQ(slow_ended, slow) << "answered while others wait";
  open_gate();
  for (auto& r : readers) r.join();
  for (auto& text : got) EXPECT_EQ(text, "passed");
}

TEST(Gate, BlockingOperations) { pass(24, 0); }
TEST(Gate, OperationsAnsweredLater) { pass(0, 300); }
TEST(Gate, BothKinds) { pass(12, 100); }
TEST(Gate, FromOneCpu) {
  std::thread([] {
    stay_on_one_cpu();
    pass(24, 0);
    pass(0, 300);
    pass(12, 100);
    pass(24, 0);
  }).join();
}
/// Many entries of one thread, all in use: it must go on sending the answers that others give.
TEST(Gate, AnswersGoOutWhileAllWait) {
  std::thread([] {
    stay_on_one_cpu();
    pass(0, 30);
    pass(50, 0, 5);
  }).join();
}
TEST(Gate, AgainAndAgain) {
  for (int i = 0; i < 20; i++) pass(4, 20);
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 2) return 2;
  g_dir = argv[1];
  return RUN_ALL_TESTS();
}
