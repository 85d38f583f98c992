#include "providers/fuse_daemon/syscalls.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <initializer_list>
#include <span>

#include "providers/fuse_daemon/device.h"

namespace isthmus::fuse_daemon {
namespace {

struct Numbered {
  SystemCall call;
  uint32_t number;
};
constexpr Numbered kNative[] = {
#ifdef __NR_open
    {SystemCall::open, __NR_open},
#endif
    {SystemCall::openat, __NR_openat},   {SystemCall::openat2, __NR_openat2},   {SystemCall::mount, __NR_mount},
    {SystemCall::umount2, __NR_umount2}, {SystemCall::fsopen, __NR_fsopen},     {SystemCall::ioctl, __NR_ioctl},
    {SystemCall::execve, __NR_execve},   {SystemCall::execveat, __NR_execveat}, {SystemCall::fcntl, __NR_fcntl},
};
#ifdef __x86_64__
// Of arch/x86/entry/syscalls/syscall_32.tbl.
constexpr Numbered kI386[] = {
    {SystemCall::open, 5},    {SystemCall::openat, 295},   {SystemCall::openat2, 437}, {SystemCall::mount, 21},
    {SystemCall::umount, 22}, {SystemCall::umount2, 52},   {SystemCall::fsopen, 430},  {SystemCall::ioctl, 54},
    {SystemCall::execve, 11}, {SystemCall::execveat, 358}, {SystemCall::fcntl, 55},    {SystemCall::fcntl, 221},
};
constexpr uint32_t kX32Bit = 0x40000000;
#endif

struct Machine {
  uint32_t arch;
  std::span<const Numbered> calls;
};
constexpr Machine kMachines[] = {
#if defined(__x86_64__)
    {AUDIT_ARCH_X86_64, kNative},
    {AUDIT_ARCH_I386, kI386},
#elif defined(__aarch64__)
    {AUDIT_ARCH_AARCH64, kNative},
#elif defined(__riscv) && __riscv_xlen == 64
    {AUDIT_ARCH_RISCV64, kNative},
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
    {AUDIT_ARCH_PPC64LE, kNative},
#else
#error "which AUDIT_ARCH_ is this machine?"
#endif
};

constexpr uint32_t kEnosys = SECCOMP_RET_ERRNO | ENOSYS;

class Assembler {
 public:
  std::vector<sock_filter> code;

  void load(size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset)); }
  /// The lower half, where all values that matter fit.
  void load_argument(unsigned i) { load(offsetof(seccomp_data, args) + i * sizeof(uint64_t)); }
  void mask(uint32_t bits) { add(BPF_ALU | BPF_AND | BPF_K, bits); }
  void give(uint32_t action) { add(BPF_RET | BPF_K, action); }
  /// Passes over the next `skipped` instructions unless the value is this one.
  void unless_equal(uint32_t value, size_t skipped) { add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skipped); }
  void unless_above(uint32_t value, size_t skipped) { add(BPF_JMP | BPF_JGE | BPF_K, value, 0, skipped); }

 private:
  void add(int op, uint32_t k, uint8_t yes = 0, size_t no = 0) {
    code.push_back({static_cast<uint16_t>(op), yes, static_cast<uint8_t>(no), k});
  }
};

/// The number is loaded.
void put_call(Assembler& a, Numbered n) {
  Assembler when;
  uint32_t action = SECCOMP_RET_USER_NOTIF;
  switch (n.call) {
    case SystemCall::open:
    case SystemCall::openat:
      // A device of ours, and a terminal, are opened for reading and writing.
      when.load_argument(n.call == SystemCall::open ? 1 : 2);
      when.mask(O_ACCMODE | O_CREAT);
      when.unless_equal(O_RDWR, 1);
      break;
    case SystemCall::fcntl:
      // libfuse would splice all that goes through its device, by pages, and send long answers in pieces.
      when.load_argument(1);
      when.unless_equal(F_SETPIPE_SZ, 1);
      action = SECCOMP_RET_ERRNO | EPERM;
      break;
    case SystemCall::ioctl:
      when.load_argument(1);
      when.unless_equal(kCloneDevice, 1);
      break;
    default:
      a.unless_equal(n.number, 1);
      return a.give(SECCOMP_RET_USER_NOTIF);
  }
  when.give(action);
  when.give(SECCOMP_RET_ALLOW);
  a.unless_equal(n.number, when.code.size());
  a.code.insert(a.code.end(), when.code.begin(), when.code.end());
}

}  // namespace

SystemCall which_call(const seccomp_data& d) {
  for (auto& machine : kMachines)
    if (machine.arch == d.arch)
      for (auto& n : machine.calls)
        if (n.number == static_cast<uint32_t>(d.nr)) return n.call;
  return SystemCall::other;
}

std::vector<sock_filter> make_filter() {
  Assembler all;
  all.load(offsetof(seccomp_data, arch));
  for (auto& machine : kMachines) {
    Assembler body;
    body.load(offsetof(seccomp_data, nr));
#ifdef __x86_64__
    if (machine.arch == AUDIT_ARCH_X86_64) {
      body.unless_above(kX32Bit, 1);
      body.give(kEnosys);
    }
#endif
    for (auto& n : machine.calls) put_call(body, n);
    body.give(SECCOMP_RET_ALLOW);
    all.unless_equal(machine.arch, body.code.size());
    all.code.insert(all.code.end(), body.code.begin(), body.code.end());
  }
  all.give(kEnosys);
  return all.code;
}

}  // namespace isthmus::fuse_daemon
