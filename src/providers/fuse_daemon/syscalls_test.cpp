#include "providers/fuse_daemon/syscalls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

#include "providers/fuse_daemon/device.h"

namespace isthmus::fuse_daemon {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kArch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArch = AUDIT_ARCH_AARCH64;
#endif

/// What the kernel makes of the filter, for the instructions that it has.
uint32_t run(const seccomp_data& d) {
  const auto code = make_filter();
  EXPECT_LT(code.size(), size_t{BPF_MAXINSNS});
  uint32_t a = 0;
  for (size_t at = 0; at < code.size(); at++) {
    const sock_filter& i = code[at];
    switch (i.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        EXPECT_LE(i.k + sizeof a, sizeof d);
        memcpy(&a, reinterpret_cast<const char*>(&d) + i.k, sizeof a);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        a &= i.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        at += a == i.k ? i.jt : i.jf;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        at += a >= i.k ? i.jt : i.jf;
        break;
      case BPF_RET | BPF_K:
        return i.k;
      default:
        ADD_FAILURE() << "instruction " << i.code;
        return 0;
    }
  }
  ADD_FAILURE() << "no end";
  return 0;
}

seccomp_data call(uint32_t arch, int nr, uint64_t a1 = 0, uint64_t a2 = 0) {
  seccomp_data d{};
  d.arch = arch;
  d.nr = nr;
  d.args[1] = a1;
  d.args[2] = a2;
  return d;
}
constexpr uint32_t kEnosys = SECCOMP_RET_ERRNO | ENOSYS;

TEST(FilterTest, TheCallsOfAMountWait) {
  for (int nr : {__NR_mount, __NR_umount2, __NR_fsopen, __NR_openat2, __NR_execve, __NR_execveat})
    EXPECT_EQ(run(call(kArch, nr)), SECCOMP_RET_USER_NOTIF) << nr;
  EXPECT_EQ(run(call(kArch, __NR_openat, 0, O_RDWR | O_CLOEXEC)), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(call(kArch, __NR_ioctl, kCloneDevice)), SECCOMP_RET_USER_NOTIF);
}

TEST(FilterTest, TheCallsOfServingDoNot) {
  for (int nr : {__NR_read, __NR_write, __NR_writev, __NR_close, __NR_splice, __NR_unlinkat})
    EXPECT_EQ(run(call(kArch, nr)), SECCOMP_RET_ALLOW) << nr;
  for (uint64_t flags : {O_RDONLY, O_WRONLY, O_RDWR | O_CREAT, O_RDONLY | O_DIRECTORY})
    EXPECT_EQ(run(call(kArch, __NR_openat, 0, flags)), SECCOMP_RET_ALLOW) << flags;
  EXPECT_EQ(run(call(kArch, __NR_ioctl, 0x5401)), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(call(kArch, __NR_fcntl, F_SETFD)), SECCOMP_RET_ALLOW);
}

TEST(FilterTest, PipesGetNoLonger) { EXPECT_EQ(run(call(kArch, __NR_fcntl, F_SETPIPE_SZ)), SECCOMP_RET_ERRNO | EPERM); }

#ifdef __x86_64__
TEST(FilterTest, OtherNumbersOfTheSameMachine) {
  EXPECT_EQ(run(call(AUDIT_ARCH_I386, 5, O_RDWR)), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(run(call(AUDIT_ARCH_I386, 5, O_RDONLY)), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run(call(AUDIT_ARCH_I386, 21)), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(which_call(call(AUDIT_ARCH_I386, 21)), SystemCall::mount);
  EXPECT_EQ(which_call(call(AUDIT_ARCH_X86_64, 21)), SystemCall::other) << "access(2)";
  EXPECT_EQ(run(call(AUDIT_ARCH_X86_64, 0x40000000 | __NR_mount)), kEnosys) << "x32";
}
#endif

TEST(FilterTest, AnUnknownMachineHasNoCalls) { EXPECT_EQ(run(call(AUDIT_ARCH_S390X, 0)), kEnosys); }

}  // namespace
}  // namespace isthmus::fuse_daemon
