#pragma once
#include <memory>

#include "doors/smb/link.h"
#include "doors/smb/server.h"

namespace isthmus::smb {

class Request;

/// Bytes of one READ, WRITE or listing (MS-SMB2 section 3.3.5.4), as Samba's default; without large messages 64 KiB.
constexpr uint32_t kMostIo = 8 << 20, kMostIoOld = 64 << 10;
inline uint32_t most_io(const Agreed& agreed) { return agreed.large() ? kMostIo : kMostIoOld; }
constexpr unsigned kMostBadLogons = 5;

/// SecurityMode of NEGOTIATE.
uint16_t security_mode(const Server& server);
/// A channel that is none of the session's, for an answer to one who has its key: it signs by that. Null: he has not.
std::shared_ptr<Channel> stray_channel(const Request& r, const std::shared_ptr<Session>& session);
/// The answer to a client that begins with SMB 1. False: the connection ends.
bool answer_smb1(Server& server, const std::shared_ptr<Link>& link, smb2::Dialect dialect);

}  // namespace isthmus::smb
