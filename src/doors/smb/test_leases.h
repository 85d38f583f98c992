#pragma once
#include "doors/smb/test_door.h"
#include "wire/smb2/create_contexts.h"
#include "wire/smb2/oplock.h"

/// What the tests of leases share.
namespace isthmus::smb::testing {

using smb2::Disposition;
using smb2::FileId;

/// A lease's context for a CREATE, of version 2 unless said otherwise. parent: the key of the directory's; 0: none.
inline std::string lease_context(uint8_t key, uint32_t state, uint8_t parent = 0, bool v2 = true) {
  smb2::Lease lease;
  lease.key.fill(std::byte{key});
  lease.state = state;
  lease.v2 = v2;
  if (parent) lease.parent.emplace().fill(std::byte{parent});
  std::string list;
  smb2::append_create_context(list, smb2::kContextLease, as_bytes(smb2::write_lease(lease)));
  return list;
}

struct Made {
  NtStatus status = NtStatus::success;
  FileId id;
  smb2::OplockLevel level = smb2::OplockLevel::none;
  std::optional<smb2::Lease> lease;
  bool durable = false;
};

inline Made read_made(const Message& m) {
  Made made{.status = m.status(), .id = {}, .lease = {}};
  const auto answer = smb2::read_message<smb2::CreateResponse>(as_bytes(m.bytes));
  if (made.status != NtStatus::success || !answer) return made;
  made.id = answer->file_id;
  made.level = answer->oplock;
  const auto contexts = smb2::read_create_contexts(answer->contexts);
  EXPECT_TRUE(contexts);
  if (!contexts) return made;
  if (const auto* c = smb2::find_context(*contexts, smb2::kContextLease)) made.lease = smb2::read_lease(c->data);
  made.durable = smb2::find_context(*contexts, smb2::kContextDurableV2) != nullptr;
  return made;
}

inline Made make(Client& c, const std::string& name, const std::string& contexts,
                 smb2::OplockLevel level = smb2::OplockLevel::lease, uint32_t options = 0, uint32_t access = 0x1f01ff) {
  smb2::CreateRequest m = c.creation(name, Disposition::open_if, options, access);
  m.oplock = level;
  m.contexts = as_bytes(contexts);
  return read_made(c.ask(Command::create, m));
}

constexpr uint32_t kRWH = smb2::kLeaseRead | smb2::kLeaseWrite | smb2::kLeaseHandle;
constexpr uint32_t kRH = smb2::kLeaseRead | smb2::kLeaseHandle;

/// The break of a lease that has come by now.
inline std::optional<smb2::LeaseBreakNotification> heard_break(Client& c) {
  std::optional<smb2::LeaseBreakNotification> news;
  c.send_frame(c.message(Command::echo, smb2::write_message(smb2::EmptyMessage{})));
  for (Message m = c.receive(); m.header.command != Command::echo && !m.gone(); m = c.receive())
    if (m.header.command == Command::oplock_break) {
      EXPECT_FALSE(news) << "two at once";
      news = smb2::read_message<smb2::LeaseBreakNotification>(as_bytes(m.bytes));
    }
  return news;
}
/// The break that is to come: it takes a way of its own, beside answers.
inline std::optional<smb2::LeaseBreakNotification> await_break(Client& c) {
  const Message m = c.receive();
  EXPECT_EQ(m.header.command, Command::oplock_break);
  return smb2::read_message<smb2::LeaseBreakNotification>(as_bytes(m.bytes));
}
inline NtStatus acknowledge(Client& c, const smb2::LeaseBreakNotification& news) {
  return c.ask(Command::oplock_break, smb2::LeaseBreakAck{.flags = 0, .key = news.key, .state = news.next}).status();
}

}  // namespace isthmus::smb::testing
