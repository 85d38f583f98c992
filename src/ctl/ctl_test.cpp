#include <gmock/gmock.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/doctor.h"
#include "ctl/json.h"
#include "ctl/logging.h"
#include "ctl/ways.h"

namespace isthmus::ctl {
namespace {

using testing::HasSubstr;

TEST(Json, DoctorIsAnArray) {
  std::string text = doctor_json({{.id = "x", .title = "t", .answer = Answer::no, .fix = "do"}});
  EXPECT_THAT(text, HasSubstr("\"answer\": \"no\""));
  EXPECT_THAT(text, HasSubstr("\"fix\": \"do\""));
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

TEST(Ways, CommandsHaveTheUrlInEachSystemsForm) {
  EXPECT_THAT(client_commands("http://127.0.0.1:80/x/"), HasSubstr("gio mount dav://127.0.0.1:80/x/\n"));
  const std::string tls = client_commands("https://127.0.0.1:80/x/");
  EXPECT_THAT(tls, HasSubstr("gio mount davs://127.0.0.1:80/x/\n"));
  EXPECT_THAT(tls, HasSubstr("net use * https://127.0.0.1:80/x/ "));
}

TEST(Ways, OneThatIsNotThereSaysWhy) {
  for (auto& w : ways_here()) EXPECT_FALSE(w.detail.empty()) << w.name;
  setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
  unsetenv("DBUS_SESSION_BUS_ADDRESS");
  auto gio = choose_way("gio");
  ASSERT_FALSE(gio);
  EXPECT_THAT(gio.problem().text(), HasSubstr("gio: "));
}

}  // namespace
}  // namespace isthmus::ctl
