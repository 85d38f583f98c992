#pragma once
#include "wire/smb2/codec.h"
#include "wire/smb2/file_times.h"

/// Work on an open file. The response to FLUSH and LOCK is EmptyMessage (session.h).
namespace isthmus::smb2 {

constexpr uint16_t kPostQueryAttributes = 1;  ///< flag of CLOSE, both ways: the response says the following

/// Section 2.2.15.
struct CloseRequest {
  uint16_t flags = 0;
  FileId file_id;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(24);
    c.number(m.flags);
    c.reserved(4);
    c.id(m.file_id);
  }
};

/// Section 2.2.16. Without kPostQueryAttributes all is 0.
struct CloseResponse {
  uint16_t flags = 0;
  FileTimes times;
  uint64_t allocation = 0, end_of_file = 0;
  uint32_t attributes = 0;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(60);
    c.number(m.flags);
    c.reserved(4);
    FileTimes::fields(c, m.times);
    c.number(m.allocation);
    c.number(m.end_of_file);
    c.number(m.attributes);
  }
};

/// Section 2.2.17.
struct FlushRequest {
  uint16_t reserved1 = 0;  ///< 0xFFFF from macOS that asks for a full sync
  FileId file_id;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(24);
    c.number(m.reserved1);
    c.reserved(4);
    c.id(m.file_id);
  }
};

/// Section 2.2.19. Where another channel than the connection moves the data (RDMA), `channel` is not 0.
struct ReadRequest {
  static constexpr uint8_t kReadUnbuffered = 1, kRequestCompressed = 2;  // flags (3.x)
  uint8_t flags = 0;
  uint32_t length = 0;
  uint64_t offset = 0;
  FileId file_id;
  uint32_t minimum = 0;  ///< fewer bytes are answered by end_of_file
  uint32_t channel = 0, remaining = 0;
  Bytes channel_info;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(49);
    c.reserved(1);
    c.number(m.flags);
    c.number(m.length);
    c.number(m.offset);
    c.id(m.file_id);
    c.number(m.minimum);
    c.number(m.channel);
    c.number(m.remaining);
    c.template buffer<uint16_t>(m.channel_info);
  }
};

/// Section 2.2.20.
struct ReadResponse {
  Bytes data;
  uint32_t remaining = 0;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(17);
    c.template buffer<uint8_t, uint32_t, 1>(m.data);
    c.number(m.remaining);
    c.reserved(4);
  }
};
constexpr size_t kReadResponseHead = 16;  // bytes
/// A ReadResponse up to its data, `length` bytes that the caller puts behind it from elsewhere.
std::string read_response_head(uint32_t length);

/// Section 2.2.21.
struct WriteRequest {
  static constexpr uint32_t kWriteThrough = 1, kWriteUnbuffered = 2;  // flags (2.1 and 3.0.2 on)
  Bytes data;
  uint64_t offset = 0;
  FileId file_id;
  uint32_t channel = 0, remaining = 0;
  Bytes channel_info;
  uint32_t flags = 0;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(49);
    c.template buffer<uint16_t, uint32_t>(m.data);
    c.number(m.offset);
    c.id(m.file_id);
    c.number(m.channel);
    c.number(m.remaining);
    c.template buffer<uint16_t>(m.channel_info);
    c.number(m.flags);
  }
};

/// Section 2.2.22.
struct WriteResponse {
  uint32_t count = 0;  ///< bytes

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(17);
    c.reserved(2);
    c.number(m.count);
    c.reserved(8);
  }
};

/// Section 2.2.26.1.
struct LockElement {
  static constexpr uint32_t kShared = 1, kExclusive = 2, kUnlock = 4, kFailImmediately = 0x10;  // flags
  uint64_t offset = 0, length = 0;
  uint32_t flags = 0;

  bool operator==(const LockElement&) const = default;
  template <class C, class M>
  static void fields(C& c, M& m) {
    c.number(m.offset);
    c.number(m.length);
    c.number(m.flags);
    c.reserved(4);
  }
};
constexpr size_t kLockElement = 24;  // bytes

/// Section 2.2.26.
struct LockRequest {
  uint32_t sequence = 0;  ///< number in the low 4 bits, index above (2.1 and 3.x)
  FileId file_id;
  std::vector<LockElement> locks;  ///< at least one

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(48);
    c.count(m.locks);
    c.number(m.sequence);
    c.id(m.file_id);
    c.items(m.locks, kLockElement);
  }
};

}  // namespace isthmus::smb2
