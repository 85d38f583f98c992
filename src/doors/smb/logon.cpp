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
constexpr size_t kMostSessions = 64;             // of one connection
constexpr uint32_t kMostChannelsEver = 1 << 24;  // of one session: numbers of sealers

/// Keys of a session that has just logged on, and of its first channel (section 3.3.5.5.3).
bool make_keys(Channel& c, Session& s, Bytes session_key) {
  auto keys = smb2::derive_session_keys(s.dialect, s.cipher, session_key, c.preauth);
  if (!keys) return false;
  s.session_key = smb2::Key(session_key);
  s.keys = *keys;
  return c.set_signing(s.signing, s.keys.signing.bytes()) &&
         (s.cipher == smb2::Cipher::none || c.set_sealing(s.cipher, s.keys, s.next_channel++));
}

/// Of another channel: what it signs by is of its own logon, and it seals by the session's keys. `number`: as
/// set_sealing() has it.
bool make_channel_keys(Channel& c, const Session& s, smb2::SigningAlgorithm signing, Bytes session_key,
                       uint32_t number) {
  const auto keys = smb2::derive_session_keys(s.dialect, s.cipher, session_key, c.preauth);
  return keys && c.set_signing(signing, keys->signing.bytes()) &&
         (s.cipher == smb2::Cipher::none || c.set_sealing(s.cipher, s.keys, number));
}

/// What was begun and came to nothing. A session ends when its client cannot log on again.
void give_up(Request& r) {
  if (r.channel->ready())
    r.server.end_session(*r.session);
  else
    r.server.end_channel(*r.channel);
  r.channel->acceptor.reset();
}

Reply refuse(Request& r, Errno why) {
  give_up(r);
  unsigned bad = 0;
  {
    std::lock_guard lock(r.link->channels_m);
    bad = ++r.link->bad_logons;
  }
  log(LogLevel::warning, "smb: a logon was refused: {}", text_of(why));
  r.ends_link = bad >= kMostBadLogons;
  return why == err(EBADMSG) || why == err(EPROTO) ? NtStatus::invalid_parameter : NtStatus::logon_failure;
}

/// Makes the request's channel one of the connection's.
NtStatus add_channel(Request& r) {
  r.channel->preauth = r.link->agreed.preauth;
  {
    std::lock_guard lock(r.link->channels_m);
    if (r.link->channels.size() >= kMostSessions)
      std::erase_if(r.link->channels, [](const auto& c) { return c.second->session->is_over(); });
    if (r.link->channels.size() >= kMostSessions) return NtStatus::insufficient_resources;
    if (!r.link->channels.emplace(r.session->id, r.channel).second) return NtStatus::request_not_accepted;
  }
  if (!r.link->ended()) return NtStatus::success;
  r.server.end_channel(*r.channel);  // whoever ended the connection may not have seen it
  return NtStatus::user_session_deleted;
}

NtStatus begin_session(Request& r) {
  r.channel = r.server.new_session(r.link);
  r.session = r.channel->session;
  const NtStatus s = add_channel(r);
  if (s != NtStatus::success) r.server.end_channel(*r.channel);
  return s;
}

/// What both connections have to have in common. Windows looks at AES-GMAC first, and at the client last.
NtStatus may_bind(const Session& session, const Agreed& agreed) {
  using enum smb2::SigningAlgorithm;
  if (session.signing != agreed.signing && session.signing == aes_gmac) return NtStatus::request_out_of_sequence;
  if (session.signing != agreed.signing && agreed.signing == aes_gmac) return NtStatus::not_supported;
  if (agreed.dialect < Dialect::smb300) return NtStatus::request_not_accepted;
  if (session.dialect != agreed.dialect || session.cipher != agreed.cipher) return NtStatus::invalid_parameter;
  return session.client == agreed.asked.client_guid ? NtStatus::success : NtStatus::user_session_deleted;
}

/// A client wants to use a session on this connection, too (section 3.3.5.5). Whoever has the session's key gets
/// answers that are signed by it, refusals as well.
NtStatus begin_binding(Request& r) {
  const auto session = r.server.find_session(r.header.session_id);
  if (!session) return NtStatus::user_session_deleted;
  if (!session->valid()) return NtStatus::request_not_accepted;
  if (!r.header.is_signed()) return NtStatus::invalid_parameter;
  if (!r.refused_by) return NtStatus::access_denied;
  if (const NtStatus s = may_bind(*session, r.link->agreed); s != NtStatus::success) return s;
  r.session = session;
  r.channel = r.refused_by;
  return add_channel(r);
}

/// The last step of the first logon of a session.
NtStatus complete_session(Request& r, const ntlm::Logon& logon, const smb2::SessionSetupRequest& m) {
  Session& session = *r.session;
  const Agreed& agreed = r.link->agreed;
  const bool must_encrypt = r.server.options.encrypt == Options::Encrypt::required;
  {
    std::lock_guard lock(session.m);
    session.user = logon.user;
    session.dialect = agreed.dialect;
    session.client = agreed.asked.client_guid;
    session.cipher = agreed.cipher;
    session.signing = agreed.signing;
    session.signs = r.server.options.must_sign || (agreed.asked.security_mode & smb2::kSigningRequired) ||
                    (m.security_mode & smb2::kSigningRequired);
    session.encrypts = must_encrypt && agreed.cipher != smb2::Cipher::none;
    if (must_encrypt && !session.encrypts) {
      log(LogLevel::warning, "smb: a client that cannot seal its messages was refused");
      return NtStatus::access_denied;
    }
    if (!make_keys(*r.channel, session, logon.session_key.bytes())) return NtStatus::internal_error;
  }
  // A client that lost its connection takes the place of what it was before.
  if (m.previous_session_id != 0 && m.previous_session_id != session.id)
    if (auto old = r.server.find_session(m.previous_session_id); old && old->valid()) r.server.end_session(*old);
  std::lock_guard lock(session.m);
  if (session.state == Session::State::over) return NtStatus::user_session_deleted;
  session.state = Session::State::valid;
  r.channel->set_ready();
  return NtStatus::success;
}

/// The last step of a logon that binds a session to another connection.
NtStatus complete_binding(Request& r, const ntlm::Logon& logon) {
  Session& session = *r.session;
  {
    std::lock_guard lock(session.m);
    if (session.state != Session::State::valid) return NtStatus::user_session_deleted;
    if (!windows::same_but_case(session.user, logon.user)) return NtStatus::access_denied;
    std::erase_if(session.channels, [](const auto& w) { return w.expired(); });
    if (session.channels.size() >= Session::kMostChannels || session.next_channel >= kMostChannelsEver)
      return NtStatus::insufficient_resources;
    const auto signing = r.link->agreed.signing;
    if (!make_channel_keys(*r.channel, session, signing, logon.session_key.bytes(), session.next_channel++))
      return NtStatus::internal_error;
    r.channel->set_ready();
    session.channels.push_back(r.channel);
  }
  if (!r.link->ended()) return NtStatus::success;
  r.server.end_channel(*r.channel);
  return NtStatus::user_session_deleted;
}

}  // namespace

std::shared_ptr<Channel> stray_channel(const Request& r, const std::shared_ptr<Session>& session) {
  if (!r.header.is_signed()) return nullptr;
  auto channel = std::make_shared<Channel>(session, r.link);
  if (!channel->set_signing(session->signing, session->keys.signing.bytes()) || !channel->verify(r.bytes))
    return nullptr;
  return channel;
}

std::optional<Reply> session_setup(Request& r) {
  auto m = r.read<smb2::SessionSetupRequest>();
  if (!m) return Reply(NtStatus::invalid_parameter);
  const bool binds = m->flags & smb2::SessionSetupRequest::kBinding;
  if (!r.channel) {
    if (r.header.session_id != 0 && !binds) return Reply(NtStatus::user_session_deleted);
    const NtStatus s = binds ? begin_binding(r) : begin_session(r);
    if (s != NtStatus::success) return Reply(s);
  } else if (binds && r.channel->ready()) {
    return Reply(NtStatus::request_not_accepted);
  }
  Channel& channel = *r.channel;
  std::lock_guard one_at_a_time(channel.logon_m);
  {
    std::lock_guard lock(r.session->m);
    if (r.session->state == Session::State::over) return Reply(NtStatus::user_session_deleted);
  }
  if (!channel.acceptor) {
    ntlm::ServerChallenge challenge{};
    fill_random(challenge);
    channel.acceptor = std::make_unique<spnego::Acceptor>(r.server.logons, challenge, now());
  }
  if (!channel.preauth.add(r.bytes)) return Reply(NtStatus::internal_error);
  const spnego::Acceptor::Answer answer = channel.acceptor->step(m->token);
  smb2::SessionSetupResponse response{.flags = 0, .token = as_bytes(answer.token)};
  if (answer.state == spnego::Acceptor::State::go_on) {
    Reply reply(response);
    reply.status = NtStatus::more_processing_required;
    return reply;
  }
  const ntlm::Logon* logon = answer.state == spnego::Acceptor::State::accepted ? channel.acceptor->logon() : nullptr;
  if (!logon) return refuse(r, answer.why);
  if (!channel.ready()) {  // else logged on again: the keys stay
    const bool first = !channel.has_keys();
    const NtStatus s = first ? complete_session(r, *logon, *m) : complete_binding(r, *logon);
    if (s != NtStatus::success) {
      give_up(r);
      return Reply(s);
    }
    std::lock_guard lock(r.link->channels_m);
    r.link->bad_logons = 0;
    r.link->known = true;
  }
  channel.acceptor.reset();
  if (r.session->encrypts) response.flags |= smb2::SessionSetupResponse::kEncrypt;
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
