#include "control/control.h"

#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <sstream>

#include "control/prometheus.h"
#include "control/status_json.h"

namespace isthmus::control {
namespace {

using testing::HasSubstr;

Status sample() {
  Status s;
  s.version = "1.2.3";
  s.source = "mem:";
  s.mountpoint = "/mnt/\xff\"x";
  s.door = "fuse";
  s.transport = "/dev/fuse";
  s.protocol = "7.45";
  s.settled = {{"open", "no request"}, {"permissions", "kernel"}};
  s.pid = getpid();
  s.uid = geteuid();
  s.started = 1234567890;
  s.operations = 5;
  s.by_operation = {{"lookup", 2}, {"read", 3}};
  DoorStatus door{"webdav", "http://127.0.0.1:80/", {}, 3};
  door.metrics.kinds = {{"GET", 7, 1}};
  door.metrics.histogram[1] = 6;
  door.metrics.histogram.back() = 1;
  door.metrics.seconds = 12.5;
  door.metrics.bytes_in = 10;
  door.metrics.bytes_out = 20;
  door.metrics.clients = {{1000, "curl/8", 1234567891, 7}, {std::nullopt, "far", 1234567892, 0}};
  door.metrics.errors = {{1234567893, "GET /\n\"a\": 500"}};
  s.doors.push_back(std::move(door));
  return s;
}

TEST(Json, StatusSurvivesTheTrip) {
  auto back = status_from_json(to_json(sample()));
  ASSERT_TRUE(back) << back.problem().what;
  EXPECT_EQ(back->source, "mem:");
  EXPECT_EQ(back->mountpoint, "/mnt/\xef\xbf\xbd\"x");  // what is not UTF-8 is marked, not lost silently
  EXPECT_EQ(back->started, 1234567890);
  EXPECT_EQ(back->operations, 5u);
  EXPECT_EQ(back->by_operation, sample().by_operation);
  EXPECT_EQ(back->settled, sample().settled);
  EXPECT_EQ(to_json(*back), to_json(*status_from_json(to_json(*back))));
  ASSERT_EQ(back->doors.size(), 1u);
  EXPECT_EQ(back->doors[0].locks, 3u);
  EXPECT_EQ(back->doors[0].metrics.histogram, sample().doors[0].metrics.histogram);
  ASSERT_EQ(back->doors[0].metrics.clients.size(), 2u);
  EXPECT_EQ(back->doors[0].metrics.clients[1].uid, std::nullopt);
  EXPECT_EQ(back->doors[0].metrics.errors[0].what, "GET /\n\"a\": 500");
}

TEST(Prometheus, EachLineIsAFigureOrAComment) {
  Status s = sample();
  s.source = "a\"b\\c\nd";
  const std::string text = to_prometheus({s});
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    EXPECT_THAT(line, testing::MatchesRegex("# (HELP|TYPE) isthmus_[a-z_]+ .+|isthmus_[a-z_]+[{].*[}] [0-9.e+]+"));
  const std::string who = "pid=\"" + std::to_string(s.pid) + "\",source=\"a\\\"b\\\\c\\nd\"";
  EXPECT_THAT(text, HasSubstr("isthmus_operations_total{" + who + ",operation=\"read\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("isthmus_door_requests_total{" + who + ",door=\"webdav\",request=\"GET\"} 7\n"));
  EXPECT_THAT(text, HasSubstr(who + ",door=\"webdav\",le=\"0.0001\"} 0\n"));
  EXPECT_THAT(text, HasSubstr(who + ",door=\"webdav\",le=\"0.00025\"} 6\n"));
  EXPECT_THAT(text, HasSubstr(who + ",door=\"webdav\",le=\"10\"} 6\n"));
  EXPECT_THAT(text, HasSubstr(who + ",door=\"webdav\",le=\"+Inf\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("isthmus_door_request_seconds_sum{" + who + ",door=\"webdav\"} 12.5\n"));
}

TEST(Json, OthersMayBeWrong) {
  for (auto text : {"", "[]", "{", "{}", "{\"version\":1}", "null", "\xff\xfe"})
    EXPECT_FALSE(status_from_json(text)) << text;
  // Histograms of other lengths, and what is no list.
  const std::string good = to_json(sample());
  for (auto [from, to] : {std::pair{"\"histogram\":[0,", "\"histogram\":["},
                          {"\"doors\":[", "\"doors\":[1,"},
                          {"\"count\":7", "\"count\":\"7\""},
                          {"\"clients\":[", "\"clients\":7,\"x\":["}}) {
    std::string bad = good;
    bad.replace(bad.find(from), strlen(from), to);
    EXPECT_FALSE(status_from_json(bad)) << bad;
  }
}

class ControlTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/isthmus-control-test-XXXXXX";
    folder = mkdtemp(name);
    setenv("ISTHMUS_RUNTIME_DIR", (folder + "/isthmus").c_str(), 1);
  }
  void TearDown() override {
    unsetenv("ISTHMUS_RUNTIME_DIR");
    std::filesystem::remove_all(folder);
  }
  std::string folder;
};

TEST_F(ControlTest, AnswersAndCleansUp) {
  std::string path;
  {
    auto server = ControlServer::start(sample);
    ASSERT_TRUE(server) << server.problem().text();
    path = (*server)->path();
    struct stat st {};
    ASSERT_EQ(lstat(path.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0600u);
    ASSERT_EQ(lstat((folder + "/isthmus").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0700u);
    auto status = ask_status(path, geteuid());
    ASSERT_TRUE(status) << status.problem().what;
    EXPECT_EQ(status->pid, getpid());
    EXPECT_FALSE(ask_status(path, geteuid() + 1));
    ASSERT_EQ(list_mounts(0).size(), 1u);
    EXPECT_EQ(list_mounts(10)[0].source, "mem:");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(list_mounts(0).empty());
}

TEST_F(ControlTest, StaleSocketsGo) {
  ASSERT_TRUE(control_folder());
  std::string path = folder + "/isthmus/1-2.sock";
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  strncpy(at.sun_path, path.c_str(), sizeof at.sun_path - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
  close(fd);
  EXPECT_TRUE(list_mounts(0).empty());
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ControlTest, OtherRequestsGetNoAnswer) {
  auto server = ControlServer::start(sample);
  ASSERT_TRUE(server);
  for (std::string_view request :
       {"", "secrets\n", "status", "statusstatusstatusstatusstatusstatusstatusstatusstatusstatus\n"}) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    strncpy(to.sun_path, (*server)->path().c_str(), sizeof to.sun_path - 1);
    ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    ASSERT_EQ(send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
    shutdown(fd, SHUT_WR);
    char byte = 0;
    EXPECT_LE(recv(fd, &byte, 1, 0), 0) << request;
    close(fd);
  }
  EXPECT_TRUE(ask_status((*server)->path(), geteuid()));
}

TEST_F(ControlTest, FoldersOpenToOthersAreRefused) {
  ASSERT_EQ(mkdir((folder + "/isthmus").c_str(), 0755), 0);
  auto refused = control_folder();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.problem().text(), HasSubstr("chmod 700"));
  ASSERT_EQ(rmdir((folder + "/isthmus").c_str()), 0);
  ASSERT_EQ(symlink("/tmp", (folder + "/isthmus").c_str()), 0);
  EXPECT_FALSE(control_folder());
}

}  // namespace
}  // namespace isthmus::control
