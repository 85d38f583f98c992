// Programs on the file system: execve(2), fexecve, ETXTBSY, set-user-id.
#include "tests/conformance/folder.h"

#include <spawn.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <csignal>

namespace isthmus::conformance {
namespace {

class Exec : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    if (!IsSkipped()) REQUIRE_TRAIT(exec);
  }
};

void copy_program(const char* from, const char* to) {
  write_file(to, read_file(from));
  ASSERT_OK(chmod(to, 0755));
}

// Exit status of the program, or -errno if it does not start.
int run(const std::string& program, std::vector<std::string> arguments = {}) {
  arguments.insert(arguments.begin(), program);
  std::vector<char*> pointers;
  for (auto& each : arguments) pointers.push_back(each.data());
  pointers.push_back(nullptr);
  char* environment[] = {nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.c_str(), nullptr, nullptr, pointers.data(), environment);
  if (error != 0) return -error;
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST_F(Exec, BinaryAndScript) {
  copy_program("/bin/true", "true");
  copy_program("/bin/false", "./false");
  EXPECT_EQ(run("./true"), 0);
  EXPECT_EQ(run("./false"), 1);
  write_file("script", "#!/bin/sh\nexit 7\n", 0755);
  EXPECT_EQ(run("./script"), 7);
  ASSERT_OK(rename("true", "renamed"));
  EXPECT_EQ(run("./renamed"), 0);
}

TEST_F(Exec, NeedsTheExecuteBit) {
  copy_program("/bin/true", "true");
  ASSERT_OK(chmod("true", 0644));
  EXPECT_EQ(run("./true"), -EACCES);
  // Root needs any of the three; a server that is the owner of all files, and not root, must be able to read.
  ASSERT_OK(chmod("true", options().traits.owners ? 0001 : 0401));
  EXPECT_EQ(run("./true"), 0);
  EXPECT_EQ(run("."), -EACCES);
  EXPECT_EQ(run("./absent"), -ENOENT);
  write_file("text", "no program", 0755);
  EXPECT_EQ(run("./text"), -ENOEXEC);
  if (!options().traits.other_users) return;
  ASSERT_OK(chmod("true", 0744));
  as_user(kAlice, [] { EXPECT_EQ(run("./true"), -EACCES); });
  ASSERT_OK(chmod("true", 0711));
  as_user(kAlice, [] { EXPECT_EQ(run("./true"), 0); });  // binaries need not be readable
}

TEST_F(Exec, RunningProgramCannotBeWritten) {
  copy_program("/bin/sleep", "sleep");
  // A program has started once its descriptor with FD_CLOEXEC is closed.
  int ends[2];
  ASSERT_OK(pipe2(ends, O_CLOEXEC));
  const pid_t pid = fork();
  if (pid == 0) {
    execl("./sleep", "sleep", "30", nullptr);
    _exit(127);
  }
  close(ends[1]);
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), 0);
  close(ends[0]);
  EXPECT_ERRNO(open("sleep", O_WRONLY), ETXTBSY);
  EXPECT_ERRNO(open("sleep", O_RDWR | O_TRUNC), ETXTBSY);
  EXPECT_OK(unlink("sleep"));
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

TEST_F(Exec, OpenForWritingCannotBeRun) {
  copy_program("/bin/true", "true");
  const Fd fd = open_ok("true", O_WRONLY);
  EXPECT_EQ(run("./true"), -ETXTBSY);
}

TEST_F(Exec, ByDescriptor) {
  copy_program("/bin/true", "true");
  const Fd fd = open_ok("true", O_RDONLY);
  if (options().traits.unlinked_open) {
    ASSERT_OK(unlink("true"));
  }
  EXPECT_EQ(run(fd_path(fd.get())), 0);
}

TEST_F(Exec, SetUserId) {
  REQUIRE_TRAIT(owners);
  REQUIRE_TRAIT(other_users);
  struct statvfs about {};
  ASSERT_OK(statvfs(".", &about));
  if ((about.f_flag & ST_NOSUID) != 0) GTEST_SKIP() << "mounted nosuid";
  copy_program("/usr/bin/id", "id");
  ASSERT_OK(chown("id", kBob.uid, kBob.gid));
  ASSERT_OK(chmod("id", 06755));
  as_user(kAlice, [] {
    const std::string command = "set -- $(./id -u) $(./id -g); [ \"$*\" = '10002 10002' ]";
    EXPECT_EQ(run("/bin/sh", {"-c", command}), 0);
  });
}

}  // namespace
}  // namespace isthmus::conformance
