#include "ctl/control.h"

#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "ctl/doctor.h"
#include "ctl/json.h"
#include "ctl/logging.h"

namespace isthmus::ctl {
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
}

TEST(Json, OthersMayBeWrong) {
  for (auto text : {"", "[]", "{", "{}", "{\"version\":1}", "null", "\xff\xfe"})
    EXPECT_FALSE(status_from_json(text)) << text;
}

TEST(Json, DoctorIsAnArray) {
  std::string text = doctor_json({{.id = "x", .title = "t", .answer = Answer::no, .fix = "do"}});
  EXPECT_THAT(text, HasSubstr("\"answer\": \"no\""));
  EXPECT_THAT(text, HasSubstr("\"fix\": \"do\""));
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

TEST(Logging, LevelsHaveNames) {
  EXPECT_EQ(parse_log_level("debug"), LogLevel::debug);
  EXPECT_EQ(parse_log_level("off"), LogLevel::off);
  EXPECT_FALSE(parse_log_level("loud"));
}

TEST(Logging, FilesGetWholeLines) {
  char name[] = "/tmp/isthmus-log-test-XXXXXX";
  close(mkstemp(name));
  ASSERT_TRUE(log_to_file(name));
  log(LogLevel::error, "{} went wrong", "this");
  set_log_sink(nullptr);
  FILE* f = fopen(name, "r");
  char line[256] = "";
  EXPECT_TRUE(fgets(line, sizeof line, f));
  fclose(f);
  unlink(name);
  EXPECT_THAT(line, HasSubstr("]: error: this went wrong\n"));
  EXPECT_FALSE(log_to_file("/no/such/folder/log"));
}

TEST(Doctor, SaysSomethingAboutEverything) {
  auto findings = examine();
  EXPECT_GE(findings.size(), 15u);
  for (auto& f : findings) {
    EXPECT_FALSE(f.id.empty());
    EXPECT_FALSE(f.title.empty()) << f.id;
    EXPECT_TRUE(f.answer != Answer::no || !f.fix.empty()) << f.id;
  }
  EXPECT_THAT(doctor_text(findings), HasSubstr("/dev/fuse"));
}

}  // namespace
}  // namespace isthmus::ctl
