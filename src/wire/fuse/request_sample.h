#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "wire/fuse/request.h"

/// Well-formed requests made from opcodes.def, for tests, seeds of the fuzzers and servers' own tests.
namespace isthmus::wire::fuse {

struct SampleOptions {
  bool extensions = false;  // with a security context, an unknown record and groups
  std::string_view name = "name";
  std::string_view name2 = "other";
  std::string_view data = "hello";  // WRITE, IOCTL, NOTIFY_REPLY, SETXATTR
  uint32_t records = 3;             // BATCH_FORGET, REMOVEMAPPING
  Negotiated negotiated{};
};

namespace detail {

using Message = std::vector<std::byte>;

inline void append(Message& m, const void* from, size_t size) {
  const size_t at = m.size();
  m.resize(at + size);
  if (size != 0) std::memcpy(m.data() + at, from, size);
}

template <class T>
void append(Message& m, const T& value) {
  append(m, &value, sizeof(value));
}

inline void append_string(Message& m, std::string_view text) {
  append(m, text.data(), text.size());
  m.push_back(std::byte{0});
}

/// A security context of 24 bytes behind its header, an unknown record, one group.
inline Message sample_extensions() {
  Message m;
  append(m, SecctxHeader{8 + 32, 1});
  append(m, Secctx{5, 0});
  append_string(m, "security.selinux");
  append(m, "label", 5);
  m.resize(8 + 32);
  append(m, ExtHeader{16, 77});
  append(m, uint64_t{0});
  append(m, ExtHeader{16, kExtGroups});
  append(m, SuppGroups{1});
  append(m, uint32_t{1000});
  return m;
}

inline void append_body(Message& m, const OpcodeInfo& info, const SampleOptions& o) {
  const auto size = static_cast<uint32_t>(o.data.size());
  switch (info.opcode) {
    case Opcode::Init:
      append(m, InitIn{kMajor, kMinor, 131072, static_cast<uint32_t>(kInitInitExt), 3, {}});
      return;
    case Opcode::Write:
      append(m, WriteIn{7, 4096, size, 0, 0, 1, 0});
      return;
    case Opcode::Ioctl:
      append(m, IoctlIn{7, 0, 0x5401, 0, size, 64});
      return;
    case Opcode::NotifyReply:
      append(m, NotifyRetrieveIn{0, 4096, size, 0, 0, 0});
      return;
    case Opcode::BatchForget:
      append(m, BatchForgetIn{o.records, 0});
      return;
    case Opcode::Removemapping:
      append(m, RemovemappingIn{o.records});
      return;
    case Opcode::Setxattr:
      if ((o.negotiated.flags & kInitSetxattrExt) != 0) {
        append(m, SetxattrIn{size, 0, kSetxattrAclKillSgid, 0});
      } else {
        append(m, SetxattrCompatIn{size, 0});
      }
      return;
    default:
      m.resize(m.size() + info.in_size);
      return;
  }
}

inline void append_trail(Message& m, const OpcodeInfo& info, const SampleOptions& o) {
  switch (info.trail) {
    case Trail::None:
    case Trail::Open:
      return;
    case Trail::IgnoredName:
      append_string(m, "/");
      return;
    case Trail::Name:
    case Trail::XattrName:
      append_string(m, o.name);
      return;
    case Trail::TwoNames:
    case Trail::NameTarget:
      append_string(m, o.name);
      append_string(m, o.name2);
      return;
    case Trail::XattrNameData:
      append_string(m, o.name);
      [[fallthrough]];
    case Trail::Data:
      append(m, o.data.data(), o.data.size());
      return;
    case Trail::Forgets:
    case Trail::Mappings:
      for (uint32_t i = 0; i < o.records; ++i) append(m, ForgetOne{i + 2, 1});
      return;
  }
}

}  // namespace detail

/// The message is as long as the vector; vectors begin at a boundary that parse_request accepts.
inline std::vector<std::byte> make_sample(const OpcodeInfo& info, const SampleOptions& options = {}) {
  detail::Message m;
  InHeader header{0, static_cast<uint32_t>(info.opcode), 42, kRootId, 1000, 1001, 77, 0, 0};
  detail::append(m, header);
  detail::append_body(m, info, options);
  detail::append_trail(m, info, options);
  if (options.extensions) {
    const detail::Message extensions = detail::sample_extensions();
    header.total_extlen = static_cast<uint16_t>(extensions.size() / 8);
    detail::append(m, extensions.data(), extensions.size());
  }
  header.len = static_cast<uint32_t>(m.size());
  std::memcpy(m.data(), &header, sizeof(header));
  return m;
}

}  // namespace isthmus::wire::fuse
