#pragma once
#include <linux/ioctl.h>

#include <cstdint>

/// ioctl(2) on /dev/fuse and the io_uring command structs of the FUSE kernel protocol.
namespace isthmus::wire::fuse {

/// Argument of kDevBackingOpen, 7.40.
struct BackingMap {
  int32_t fd;
  uint32_t flags;
  uint64_t padding;
};

inline constexpr unsigned kDevIocMagic = 229;
/// uint32_t*: the descriptor of the session that the descriptor joins. 7.23.
inline constexpr unsigned long kDevIocClone = _IOR(kDevIocMagic, 0, uint32_t);
/// BackingMap*: returns the id for OpenOut.backing_id. 7.40, needs CAP_SYS_ADMIN.
inline constexpr unsigned long kDevIocBackingOpen = _IOW(kDevIocMagic, 1, BackingMap);
/// uint32_t*: the backing id. 7.40.
inline constexpr unsigned long kDevIocBackingClose = _IOW(kDevIocMagic, 2, uint32_t);
/// No argument, before mount(2): mount waits for the answer to INIT. Linux 6.18.
inline constexpr unsigned long kDevIocSyncInit = _IO(kDevIocMagic, 3);

// --- FUSE over io_uring, 7.42 ---

inline constexpr uint32_t kUringInOutHeaderSize = 128;
inline constexpr uint32_t kUringOpInOutSize = 128;

struct UringEntInOut {
  uint64_t flags;
  uint64_t commit_id;   // goes back in UringCmdReq
  uint32_t payload_sz;  // bytes used of the payload buffer
  uint32_t padding;
  uint64_t reserved;
};

/// The first of the two buffers of a ring entry; the second, the payload, holds what follows the operation's struct.
struct UringReqHeader {
  unsigned char in_out[kUringInOutHeaderSize];  // InHeader, then OutHeader
  unsigned char op_in[kUringOpInOutSize];       // the operation's struct
  UringEntInOut ring_ent_in_out;
};

enum class UringCmd : uint32_t { Invalid = 0, Register = 1, CommitAndFetch = 2 };

/// In the 80-byte command area of a 128-byte submission entry.
struct UringCmdReq {
  uint64_t flags;
  uint64_t commit_id;
  uint16_t qid;  // the CPU whose queue it is
  uint8_t padding[6];
};

}  // namespace isthmus::wire::fuse
