#pragma once
#include "wire/smb2/codec.h"

/// Messages of sessions and tree connections. Requests are read and responses written by a server; each can do both.
namespace isthmus::smb2 {

/// Section 2.2.5.
struct SessionSetupRequest {
  static constexpr uint8_t kBinding = 1;  ///< Flags: another connection of a session
  uint8_t flags = 0, security_mode = 0;
  uint32_t capabilities = 0, channel = 0;
  Bytes token;  ///< SPNEGO's or NTLMSSP's
  uint64_t previous_session_id = 0;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(25);
    c.number(m.flags);
    c.number(m.security_mode);
    c.number(m.capabilities);
    c.number(m.channel);
    c.template buffer<uint16_t>(m.token);
    c.number(m.previous_session_id);
  }
};

/// Section 2.2.6.
struct SessionSetupResponse {
  static constexpr uint16_t kGuest = 1, kAnonymous = 2, kEncrypt = 4;
  uint16_t flags = 0;
  Bytes token;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(9);
    c.number(m.flags);
    c.template buffer<uint16_t>(m.token);
  }
};

/// Section 2.2.9. Extensions (tree connect contexts) are not looked at.
struct TreeConnectRequest {
  static constexpr uint16_t kClusterReconnect = 1, kRedirectToOwner = 2, kExtension = 4;
  uint16_t flags = 0;  ///< 3.1.1 only
  Bytes path;          ///< UTF-16: \\server\share

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(9);
    c.number(m.flags);
    c.template buffer<uint16_t>(m.path);
  }
};

/// Section 2.2.10.
struct TreeConnectResponse {
  static constexpr uint8_t kDisk = 1, kPipe = 2, kPrint = 3;
  static constexpr uint32_t kNoCaching = 0x30, kEncryptData = 0x8000;  // share flags
  uint8_t share_type = kDisk;
  uint32_t share_flags = 0, capabilities = 0, maximal_access = 0;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(16);
    c.number(m.share_type);
    c.reserved(1);
    c.number(m.share_flags);
    c.number(m.capabilities);
    c.number(m.maximal_access);
  }
};

/// Bodies that say nothing: requests and responses of LOGOFF, TREE_DISCONNECT and ECHO, and the request CANCEL, which
/// has no response (sections 2.2.7, 2.2.8, 2.2.11, 2.2.12, 2.2.28 to 2.2.30).
struct EmptyMessage {
  template <class C, class M>
  static void fields(C& c, M&) {
    c.structure_size(4);
    c.reserved(2);
  }
};

}  // namespace isthmus::smb2
