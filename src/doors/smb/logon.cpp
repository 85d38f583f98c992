#include "doors/smb/logon.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/utf16.h"
#include "doors/common/secret.h"
#include "doors/smb/request.h"
#include "windows/fold.h"
#include "windows/security.h"
#include "wire/smb2/session.h"

/// SESSION_SETUP, LOGOFF, TREE_CONNECT and TREE_DISCONNECT (MS-SMB2 sections 3.3.5.5 to 3.3.5.8).
namespace isthmus::smb {
namespace {

using smb2::Dialect;
using smb2::NtStatus;

constexpr size_t kMostTrees = 64;
constexpr size_t kMostSessions = 64;  // of one connection

/// Keys of a session that has just logged on.
bool make_keys(Request& r, Session& s, Bytes session_key) {
  const Agreed& agreed = r.link->agreed;
  auto keys = smb2::derive_session_keys(agreed.dialect, agreed.cipher, session_key, s.preauth);
  if (!keys) return false;
  s.session_key = smb2::Key(session_key);
  s.keys = *keys;
  s.signer = smb2::Signer::make(agreed.signing, keys->signing.bytes());
  s.verifier = smb2::Signer::make(agreed.signing, keys->signing.bytes());
  if (!s.signer || !s.verifier) return false;
  if (agreed.cipher != smb2::Cipher::none) {
    s.sealer = smb2::Sealer::make(agreed.cipher, keys->encryption.bytes());
    s.opener = smb2::Opener::make(agreed.cipher, keys->decryption.bytes());
    if (!s.sealer || !s.opener) return false;
  }
  return true;
}

Reply refuse(Request& r, const std::shared_ptr<Session>& session, Errno why) {
  const bool again = session->valid();
  if (!again) {
    r.server.end_session(*session);
  } else {
    std::lock_guard lock(session->m);
    session->acceptor.reset();
  }
  unsigned bad = 0;
  {
    std::lock_guard lock(r.link->sessions_m);
    bad = ++r.link->bad_logons;
  }
  log(LogLevel::warning, "smb: a logon was refused: {}", text_of(why));
  if (bad >= kMostBadLogons) r.link->end_soon();
  return why == err(EBADMSG) || why == err(EPROTO) ? NtStatus::invalid_parameter : NtStatus::logon_failure;
}

}  // namespace

std::optional<Reply> session_setup(Request& r) {
  auto m = r.read<smb2::SessionSetupRequest>();
  if (!m) return Reply(NtStatus::invalid_parameter);
  if (m->flags & smb2::SessionSetupRequest::kBinding)
    return Reply(NtStatus::request_not_accepted);  // one connection a session
  std::shared_ptr<Session> session = r.session;
  if (!session) {
    {
      std::lock_guard lock(r.link->sessions_m);
      if (r.link->sessions.size() >= kMostSessions) return Reply(NtStatus::insufficient_resources);
    }
    session = r.server.new_session(r.link);
    session->preauth = r.link->agreed.preauth;
    {
      std::lock_guard lock(r.link->sessions_m);
      r.link->sessions[session->id] = session;
    }
    r.session = session;
    if (r.link->ended()) {  // whoever ended the connection may not have seen it
      r.server.end_session(*session);
      return Reply(NtStatus::user_session_deleted);
    }
  }
  std::lock_guard one_at_a_time(session->logon_m);
  spnego::Acceptor::Answer answer;
  std::optional<ntlm::Logon> logon;
  {
    std::lock_guard lock(session->m);
    if (session->state == Session::State::over) return Reply(NtStatus::user_session_deleted);
    if (!session->acceptor) {
      ntlm::ServerChallenge challenge{};
      fill_random(challenge);
      session->acceptor = std::make_unique<spnego::Acceptor>(r.server.logons, challenge, now());
      if (session->state == Session::State::valid) session->preauth = r.link->agreed.preauth;
    }
    if (!session->preauth.add(r.bytes)) return Reply(NtStatus::internal_error);
    answer = session->acceptor->step(m->token);
    if (answer.state == spnego::Acceptor::State::accepted && session->acceptor->logon())
      logon = *session->acceptor->logon();
  }
  if (answer.state == spnego::Acceptor::State::go_on) {
    Reply reply(smb2::SessionSetupResponse{.flags = 0, .token = as_bytes(answer.token)});
    reply.status = NtStatus::more_processing_required;
    return reply;
  }
  if (!logon) return refuse(r, session, answer.why);
  smb2::SessionSetupResponse response{.flags = 0, .token = as_bytes(answer.token)};
  if (session->valid()) {  // logged on again: the keys stay
    std::lock_guard lock(session->m);
    session->acceptor.reset();
    return Reply(response);
  }
  {
    std::lock_guard lock(session->m);
    session->acceptor.reset();
    session->user = logon->user;
    session->signs = r.server.options.must_sign || (r.link->agreed.asked.security_mode & smb2::kSigningRequired) ||
                     (m->security_mode & smb2::kSigningRequired);
    session->encrypts =
        r.server.options.encrypt == Options::Encrypt::required && r.link->agreed.cipher != smb2::Cipher::none;
  }
  if (r.server.options.encrypt == Options::Encrypt::required && !session->encrypts) {
    log(LogLevel::warning, "smb: a client that cannot seal its messages was refused");
    r.server.end_session(*session);
    return Reply(NtStatus::access_denied);
  }
  if (!make_keys(r, *session, logon->session_key.bytes())) {
    r.server.end_session(*session);
    return Reply(NtStatus::internal_error);
  }
  // A client that lost its connection takes the place of what it was before.
  if (m->previous_session_id != 0 && m->previous_session_id != session->id)
    if (auto old = r.server.find_session(m->previous_session_id); old && old->valid()) r.server.end_session(*old);
  {
    std::lock_guard lock(session->m);
    session->state = Session::State::valid;
  }
  {
    std::lock_guard lock(r.link->sessions_m);
    r.link->bad_logons = 0;
    r.link->known = true;
  }
  if (session->encrypts) response.flags |= smb2::SessionSetupResponse::kEncrypt;
  return Reply(response);
}

std::optional<Reply> logoff(Request& r) {
  if (!r.read<smb2::EmptyMessage>()) return Reply(NtStatus::invalid_parameter);
  r.server.end_session(*r.session);
  return Reply(smb2::EmptyMessage{});
}

std::optional<Reply> tree_connect(Request& r) {
  auto m = r.read<smb2::TreeConnectRequest>();
  if (!m) return Reply(NtStatus::invalid_parameter);
  const auto path = utf8_of(m->path);
  if (!path || !path->starts_with("\\\\")) return Reply(NtStatus::bad_network_name);
  const size_t at = path->find('\\', 2);
  if (at == std::string::npos) return Reply(NtStatus::bad_network_name);
  const std::string share = path->substr(at + 1);
  Tree tree;
  tree.pipes = windows::same_but_case(share, "IPC$");
  if (!tree.pipes && !windows::same_but_case(share, r.server.options.share)) return Reply(NtStatus::bad_network_name);
  {
    std::lock_guard lock(r.session->m);
    if (r.session->state != Session::State::valid) return Reply(NtStatus::user_session_deleted);
    if (r.session->trees.size() >= kMostTrees) return Reply(NtStatus::insufficient_resources);
    tree.id = r.session->next_tree++;
    r.session->trees[tree.id] = tree;
  }
  r.tree = tree;
  smb2::TreeConnectResponse response;
  response.share_type = tree.pipes ? smb2::TreeConnectResponse::kPipe : smb2::TreeConnectResponse::kDisk;
  if (tree.pipes) response.share_flags = smb2::TreeConnectResponse::kNoCaching;
  response.maximal_access = windows::kAllRights;
  if (r.server.read_only && !tree.pipes)
    response.maximal_access &=
        ~(windows::kWriteData | windows::kAppendData | windows::kWriteEa | windows::kWriteAttributes |
          windows::kDelete | windows::kDeleteChild | windows::kWriteDac | windows::kWriteOwner);
  return Reply(response);
}

std::optional<Reply> tree_disconnect(Request& r) {
  if (!r.read<smb2::EmptyMessage>()) return Reply(NtStatus::invalid_parameter);
  {
    std::lock_guard lock(r.session->m);
    r.session->trees.erase(r.tree.id);
  }
  for (const auto& open : r.server.files.of_session(r.session->id, r.tree.id)) close_open(r.server, open);
  return Reply(smb2::EmptyMessage{});
}

}  // namespace isthmus::smb
