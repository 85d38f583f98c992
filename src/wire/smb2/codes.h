#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// Numbers of SMB 2 and 3 that several messages share. Sections are MS-SMB2's where no other document is named.
namespace isthmus::smb2 {

using Guid = std::array<std::byte, 16>;

/// Section 2.2.1.2.
enum class Command : uint16_t {
  negotiate = 0,
  session_setup = 1,
  logoff = 2,
  tree_connect = 3,
  tree_disconnect = 4,
  create = 5,
  close = 6,
  flush = 7,
  read = 8,
  write = 9,
  lock = 10,
  ioctl = 11,
  cancel = 12,
  echo = 13,
  query_directory = 14,
  change_notify = 15,
  query_info = 16,
  set_info = 17,
  oplock_break = 18,
};
constexpr uint16_t kCommands = 19;

/// Flags of the header (section 2.2.1.2).
constexpr uint32_t kFlagResponse = 0x1;
constexpr uint32_t kFlagAsync = 0x2;
constexpr uint32_t kFlagRelated = 0x4;
constexpr uint32_t kFlagSigned = 0x8;
constexpr uint32_t kFlagPriority = 0x70;
constexpr uint32_t kFlagDfs = 0x10000000;
constexpr uint32_t kFlagReplay = 0x20000000;

enum class Dialect : uint16_t {
  smb202 = 0x0202,
  smb210 = 0x0210,
  smb300 = 0x0300,
  smb302 = 0x0302,
  smb311 = 0x0311,
  /// Only in the answer to an SMB 1 negotiation: the client negotiates again, by SMB 2.
  any = 0x02FF,
};

/// SecurityMode of NEGOTIATE and SESSION_SETUP.
constexpr uint16_t kSigningEnabled = 1, kSigningRequired = 2;

/// Capabilities of NEGOTIATE (section 2.2.3).
constexpr uint32_t kCapDfs = 0x1;
constexpr uint32_t kCapLeasing = 0x2;
constexpr uint32_t kCapLargeMtu = 0x4;
constexpr uint32_t kCapMultiChannel = 0x8;
constexpr uint32_t kCapPersistentHandles = 0x10;
constexpr uint32_t kCapDirectoryLeasing = 0x20;
constexpr uint32_t kCapEncryption = 0x40;

/// Section 2.2.3.1.2.
enum class Cipher : uint16_t { none = 0, aes128_ccm = 1, aes128_gcm = 2, aes256_ccm = 3, aes256_gcm = 4 };
/// Section 2.2.3.1.7.
enum class SigningAlgorithm : uint16_t { hmac_sha256 = 0, aes_cmac = 1, aes_gmac = 2 };
/// Section 2.2.3.1.1: SHA-512, the only one.
constexpr uint16_t kPreauthSha512 = 1;

/// 93AD2550-9CB4-11E7-B423-83DE968BCD7C, as the wire has it: the POSIX extensions, in NEGOTIATE and CREATE.
constexpr std::string_view kPosixGuid{"\x93\xAD\x25\x50\x9C\xB4\x11\xE7\xB4\x23\x83\xDE\x96\x8B\xCD\x7C", 16};

}  // namespace isthmus::smb2
