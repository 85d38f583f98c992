#pragma once
#include "wire/smb2/create.h"

/// Taking back what lets clients cache. Notifications have the message id ~0 and are not signed.
namespace isthmus::smb2 {

/// Notification, acknowledgment and response (sections 2.2.23.1, 2.2.24.1, 2.2.25.1).
struct OplockBreak {
  OplockLevel level = OplockLevel::none;
  FileId file_id;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(24);
    c.number(m.level);
    c.reserved(5);
    c.id(m.file_id);
  }
};

/// Section 2.2.23.2.
struct LeaseBreakNotification {
  static constexpr uint32_t kAckRequired = 1;  // flags
  uint16_t epoch = 0;                          ///< of v2
  uint32_t flags = 0;
  Guid key{};
  uint32_t current = 0, next = 0;  ///< kLease...

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(44);
    c.number(m.epoch);
    c.number(m.flags);
    c.id(m.key);
    c.number(m.current);
    c.number(m.next);
    c.reserved(12);
  }
};

/// Acknowledgment, a request as OplockBreak of which StructureSize tells it, and response (sections 2.2.24.2,
/// 2.2.25.2).
struct LeaseBreakAck {
  uint32_t flags = 0;  ///< reserved
  Guid key{};
  uint32_t state = 0;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(36);
    c.reserved(2);
    c.number(m.flags);
    c.id(m.key);
    c.number(m.state);
    c.reserved(8);
  }
};
using LeaseBreakResponse = LeaseBreakAck;

}  // namespace isthmus::smb2
