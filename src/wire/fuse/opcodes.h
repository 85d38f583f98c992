#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "wire/fuse/structs.h"

namespace isthmus::wire::fuse {

enum class Opcode : uint32_t {
#define X(op, number, name, in, trail, reply, flags, since) op = number,
#include "wire/fuse/opcodes.def"
#undef X
};

/// Codes of unsolicited messages to the kernel, in OutHeader.error.
enum class NotifyCode : int32_t {
  Poll = 1,        // 7.11
  InvalInode = 2,  // 7.12
  InvalEntry = 3,  // 7.12
  Store = 4,       // 7.15
  Retrieve = 5,    // 7.15
  Delete = 6,      // 7.18
  Resend = 7,      // 7.40
  IncEpoch = 8,    // 7.44
  Prune = 9,       // 7.45
};

/// What follows the fixed struct of a request.
enum class Trail : uint8_t {
  None,
  Name,           // one component
  TwoNames,       // old component, new component
  NameTarget,     // component, then the text of a symbolic link
  IgnoredName,    // a terminated string that means nothing: TMPFILE carries "/"
  XattrName,      // the name of an extended attribute
  XattrNameData,  // that name and the value
  Data,           // as many bytes as the struct says
  Forgets,        // ForgetOne records
  Mappings,       // RemovemappingOne records at any address
  Open,           // whatever a newer kernel adds is skipped
};

/// What a successful answer holds behind the OutHeader.
enum class Reply : uint8_t {
  Nothing,      // no answer is sent
  Empty,        // the header only
  Entry,        // EntryOut
  EntryOpen,    // EntryOut, OpenOut
  Attr,         // AttrOut
  Open,         // OpenOut
  Bytes,        // at most as many bytes as asked for
  Dirents,      // Dirent records
  DirentsPlus,  // Direntplus records
  Written,      // WriteOut
  Copied,       // CopyFileRangeOut
  Statfs,       // StatfsOut
  SizeOrBytes,  // GetxattrOut if the asked size is 0, else bytes
  Lock,         // LkOut
  Bmap,         // BmapOut
  Ioctl,        // IoctlOut, then bytes or IoctlIovec
  Poll,         // PollOut
  Lseek,        // LseekOut
  Statx,        // StatxOut
  Init,         // InitOut, see init_out_size
  CuseInit,     // CuseInitOut, then "DEVNAME=..." terminated
};

/// The kernel expects no answer. INTERRUPT may be answered by EAGAIN (send it again later) or ENOSYS (send none any
/// more).
inline constexpr uint32_t kOpcodeNoReply = 1u << 0;
inline constexpr uint32_t kOpcodeDots = 1u << 1;     // "." and ".." are names here (NFS export)
inline constexpr uint32_t kOpcodeCreates = 1u << 2;  // may carry a security context and groups
inline constexpr uint32_t kOpcodeVirtio = 1u << 3;   // sent over virtio only
inline constexpr uint32_t kOpcodeCuse = 1u << 4;     // sent to character devices only
inline constexpr uint32_t kOpcodeFile = 1u << 5;     // its node can be a regular file
inline constexpr uint32_t kOpcodeOpened = 1u << 6;   // on what is open already, or with no user waiting (allow_root)

struct OpcodeInfo {
  Opcode opcode;
  std::string_view name;
  uint32_t in_size;  // of the fixed struct
  Trail trail;
  Reply reply;
  uint32_t flags;
  uint32_t since;  // protocol minor, 0: before 7.9
};

namespace detail {
template <class T>
constexpr uint32_t size_or_zero() {
  if constexpr (std::is_void_v<T>) {
    return 0;
  } else {
    return sizeof(T);
  }
}
}  // namespace detail

/// All opcodes, by ascending number.
inline constexpr auto kOpcodes = std::to_array<OpcodeInfo>({
#define X(op, number, name, in, trail, reply, flags, since) \
  {Opcode::op, name, detail::size_or_zero<in>(), Trail::trail, Reply::reply, flags, since},
#include "wire/fuse/opcodes.def"
#undef X
});

/// The fixed struct of an opcode, or void.
template <Opcode op>
struct InOfImpl;
#define X(op, number, name, in, trail, reply, flags, since) \
  template <>                                               \
  struct InOfImpl<Opcode::op> {                             \
    using type = in;                                        \
  };
#include "wire/fuse/opcodes.def"
#undef X
template <Opcode op>
using InOf = typename InOfImpl<op>::type;

/// Null for a number that is not in the list.
const OpcodeInfo* find_opcode(uint32_t number);

/// "LOOKUP"; "?" for a number that is not in the list. Static storage.
std::string_view to_string(Opcode op);
std::string_view to_string(NotifyCode code);

}  // namespace isthmus::wire::fuse
