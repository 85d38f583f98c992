#include "doors/smb/pipes.h"

#include <grp.h>
#include <pwd.h>

#include "base/utf16.h"
#include "doors/smb/server.h"
#include "windows/security.h"
#include "wire/dcerpc/pipe.h"
#include "wire/smb2/io.h"

namespace isthmus::smb {
namespace {

using smb2::NtStatus;

/// "user" or "group" of this machine, as the identities have them.
std::optional<dcerpc::SidName> name_of(const Server& server, Bytes bytes) {
  const auto sid = windows::read_sid(bytes);
  if (!sid) return {};
  const auto who = server.options.identities.identity_of(*sid);
  char room[4096];
  if (who.uid && *sid == server.options.identities.of_user(*who.uid)) {
    passwd entry{};
    passwd* found = nullptr;
    if (getpwuid_r(*who.uid, &entry, room, sizeof room, &found) != 0 || !found) return {};
    return dcerpc::SidName{server.name, found->pw_name, dcerpc::SidType::user};
  }
  if (who.gid && *sid == server.options.identities.of_group(*who.gid)) {
    group entry{};
    group* found = nullptr;
    if (getgrgid_r(*who.gid, &entry, room, sizeof room, &found) != 0 || !found) return {};
    return dcerpc::SidName{server.name, found->gr_name, dcerpc::SidType::group};
  }
  if (*sid == windows::kEveryone) return dcerpc::SidName{"", "Everyone", dcerpc::SidType::well_known_group};
  return {};
}

}  // namespace

void fill_environment(Server& server) {
  dcerpc::Environment& e = server.environment;
  e.server_name = server.name;
  e.comment = "isthmus";
  e.shares = {{server.options.share, "", dcerpc::Environment::kDiskShare, 0},
              {"IPC$", "", dcerpc::Environment::kIpcShare | dcerpc::Environment::kSpecialShare, 0}};
  e.user = server.options.user;
  e.user_domain = server.name;
  e.name_of = [&server](Bytes sid) { return name_of(server, sid); };
  e.now = [] { return now(); };
}

Reply open_pipe(Request& r, const smb2::CreateRequest& m) {
  const auto name = utf8_of(m.name);
  const auto kind = name ? dcerpc::pipe_of(*name) : std::nullopt;
  if (!kind) return NtStatus::object_name_not_found;
  auto open = std::make_shared<Open>();
  open->pipe = std::make_unique<dcerpc::Pipe>(*kind, r.server.environment);
  open->access = windows::kReadData | windows::kWriteData | windows::kReadAttributes;
  attach(*open, r);
  r.server.files.add(open);
  if (!r.lives()) {
    close_open(r.server, open);
    return NtStatus::user_session_deleted;
  }
  r.use(open);
  smb2::CreateResponse response;
  response.attributes = smb2::kAttrNormal;
  response.file_id = open->id;
  return response;
}

Reply read_pipe(Request& r, uint32_t most) {
  std::lock_guard lock(r.open->m);
  if (!r.open->pipe->has_output()) return NtStatus::pipe_empty;
  const std::string data = r.open->pipe->read(most);
  Reply reply = smb2::ReadResponse{as_bytes(data), 0};
  if (r.open->pipe->message_left() > 0 && data.size() == most) reply.status = NtStatus::buffer_overflow;
  return reply;
}

Reply write_pipe(Request& r, Bytes data) {
  std::lock_guard lock(r.open->m);
  if (!r.open->pipe->write(data)) return NtStatus::pipe_disconnected;
  return smb2::WriteResponse{static_cast<uint32_t>(data.size())};
}

NtStatus transceive(Request& r, Bytes input, uint32_t most, std::string& output) {
  std::lock_guard lock(r.open->m);
  if (r.open->pipe->has_output()) return NtStatus::pipe_busy;
  if (!r.open->pipe->write(input)) return NtStatus::pipe_disconnected;
  if (!r.open->pipe->has_output()) return NtStatus::pipe_empty;
  const size_t whole = r.open->pipe->message_left();
  output = r.open->pipe->read(most);
  return output.size() < whole ? NtStatus::buffer_overflow : NtStatus::success;
}

}  // namespace isthmus::smb
