#pragma once
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "wire/fuse/device.h"
#include "wire/fuse/extensions.h"
#include "wire/fuse/flags.h"
#include "wire/fuse/opcodes.h"

/// Reading requests of the kernel: every length and name is checked once, here; what comes out are views into the
/// message.
namespace isthmus::wire::fuse {

/// What INIT agreed on, as far as layouts depend on it.
struct Negotiated {
  uint32_t minor = kMinor;
  uint64_t flags = 0;  // kInit... of the answer: SetxattrExt and SecurityCtx matter here
};

enum class ParseError : uint8_t {
  TooShort,          // not even an InHeader
  Misaligned,        // the message, or the records of BATCH_FORGET, do not begin at an 8-byte boundary
  LengthMismatch,    // InHeader.len is not the length of the message
  UnknownOpcode,     // answer ENOSYS
  ShortBody,         // the fixed struct is cut off
  NameUnterminated,  // no NUL before the end
  NameEmpty,
  NameTooLong,    // more than kNameMax, for attributes kXattrNameMax
  NameSlash,      // a component with '/'
  NameDots,       // "." or ".." where only a real name may stand
  DataLength,     // the struct's size or count does not match what follows
  TrailingBytes,  // more than the request is made of
  BadExtensions,  // see parse_extensions
};

std::string_view to_string(ParseError e);

/// Why a message was refused. `header` is null where there is none to read (TooShort, Misaligned).
struct ParseFailure {
  ParseError error;
  const InHeader* header;

  /// True if the kernel waits for an answer to it.
  bool wants_answer() const;
  /// What to answer: ENOSYS for an unknown opcode, ENAMETOOLONG, EINVAL for other names, EPROTO for a broken message.
  Errno answer() const;
  /// "CREATE unique 12 node 1 length 61: name not terminated", for logs.
  std::string describe() const;
};

/// A well-formed request. All members are views into the message (the ring entry) it was read from.
struct Request {
  const InHeader* header = nullptr;
  const OpcodeInfo* info = nullptr;
  std::span<const std::byte> body;     // the fixed struct as sent: at least info->in_size, more for INIT and SETXATTR
  std::string_view name;               // Trail::Name, TwoNames (old), NameTarget, XattrName, XattrNameData; NUL follows
  std::string_view name2;              // TwoNames (new), NameTarget (target); NUL follows
  std::span<const std::byte> data;     // Trail::Data, XattrNameData (value), Mappings
  std::span<const ForgetOne> forgets;  // Trail::Forgets
  Extensions extensions;

  Opcode opcode() const { return info->opcode; }
  /// The same request was sent before to a server that did not answer it. The answer repeats header->unique as it is.
  bool resent() const { return (header->unique & kUniqueResend) != 0; }
  /// The fixed struct of the request; `op` must be its opcode.
  template <Opcode op>
  const InOf<op>& in() const {
    assert(info->opcode == op);
    return *static_cast<const InOf<op>*>(static_cast<const void*>(body.data()));
  }
  /// The fixed struct by type, for opcodes that share one (Read and Readdir). sizeof(T) must not exceed body.
  template <class T>
  const T& as() const {
    assert(sizeof(T) <= body.size());
    return *static_cast<const T*>(static_cast<const void*>(body.data()));
  }
  /// SETXATTR: kSetxattr... bits, 0 in the old layout.
  uint32_t setxattr_flags() const;
  /// INIT: the capabilities offered, flags and, if sent and marked by kInitInitExt, flags2.
  uint64_t init_flags() const;
};

using Parsed = std::variant<Request, ParseFailure>;

/// Reads one message as it comes from /dev/fuse or a socket: `message` begins at an 8-byte boundary and ends where the
/// message ends. Lengths are exact: bytes that nothing accounts for are refused, except behind INIT, which newer
/// kernels may lengthen. Names are never empty, components hold no '/', and are "." or ".." only for LOOKUP. They may
/// be longer than 255 bytes: what is too long for a file system it says itself.
Parsed parse_request(std::span<const std::byte> message, const Negotiated& negotiated = {});

/// The same for an entry of an io_uring queue; `payload` is the whole payload buffer, of which
/// ring_ent_in_out.payload_sz bytes are used.
Parsed parse_ring_request(const UringReqHeader& header, std::span<const std::byte> payload,
                          const Negotiated& negotiated = {});

/// "CREATE unique 12 node 1 uid 0 gid 0 pid 77 \"a\"", for traces. Bytes below space and above '~' of names are shown
/// as \xNN.
std::string describe(const Request& request);

template <Opcode op>
struct OpcodeTag {
  static constexpr Opcode value = op;
};

/// Calls handler(OpcodeTag<op>{}, request) for the opcode of the request; the handler answers the same type for all.
template <class Handler>
decltype(auto) visit(const Request& request, Handler&& handler) {
  switch (request.opcode()) {
#define X(op, number, name, in, trail, reply, flags, since) \
  case Opcode::op:                                          \
    return handler(OpcodeTag<Opcode::op>{}, request);
#include "wire/fuse/opcodes.def"
#undef X
  }
  __builtin_unreachable();
}

}  // namespace isthmus::wire::fuse
