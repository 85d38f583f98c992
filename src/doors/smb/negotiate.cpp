#include <algorithm>

#include "base/clock.h"
#include "base/file_time.h"
#include "doors/common/secret.h"
#include "doors/smb/link.h"
#include "doors/smb/logon.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "wire/ntlm/messages.h"
#include "wire/smb2/session.h"
#include "wire/spnego/tokens.h"

/// NEGOTIATE (MS-SMB2 section 3.3.5.4), and what goes before it.
namespace isthmus::smb {
namespace {

using smb2::Dialect;
using smb2::NtStatus;

/// The first of ours that the client has, too.
template <class T>
T choose(std::initializer_list<T> ours, const std::vector<uint16_t>& theirs, T otherwise) {
  for (T one : ours)
    if (std::find(theirs.begin(), theirs.end(), static_cast<uint16_t>(one)) != theirs.end()) return one;
  return otherwise;
}

std::optional<Dialect> choose_dialect(const smb2::NegotiateRequest& m) {
  for (Dialect d : {Dialect::smb311, Dialect::smb302, Dialect::smb300, Dialect::smb210, Dialect::smb202})
    if (m.offers(d)) return d;
  return {};
}

smb2::NegotiateResponse response(Server& server, const Agreed& agreed, Dialect dialect, const std::string& hint) {
  smb2::NegotiateResponse m;
  m.security_mode = security_mode(server);
  m.dialect = dialect;
  m.server_guid = server.guid;
  m.capabilities = agreed.capabilities;
  m.max_transact = m.max_read = m.max_write = dialect == Dialect::any ? kMostIo : most_io(agreed);
  m.system_time = file_time(now());
  m.token = as_bytes(hint);
  return m;
}

uint32_t capabilities_of(const Server& server, Dialect d, uint32_t asked) {
  uint32_t caps = 0;
  if (d >= Dialect::smb210) caps |= smb2::kCapLargeMtu | smb2::kCapLeasing;
  const bool seals = server.options.encrypt != Options::Encrypt::off;
  if (d >= Dialect::smb300) caps |= asked & (smb2::kCapMultiChannel | smb2::kCapDirectoryLeasing);
  // In 3.1.1 the contexts say so.
  if ((d == Dialect::smb300 || d == Dialect::smb302) && seals) caps |= asked & smb2::kCapEncryption;
  return caps;
}

}  // namespace

uint16_t security_mode(const Server& server) {
  return smb2::kSigningEnabled | (server.options.must_sign ? smb2::kSigningRequired : uint16_t{0});
}

bool answer_smb1(Server& server, const std::shared_ptr<Link>& link, Dialect dialect) {
  // The client goes on with SMB 2 where it may; else this is the answer to its NEGOTIATE.
  Agreed& agreed = link->agreed;
  if (dialect != Dialect::any) agreed.dialect = dialect;
  agreed.capabilities = capabilities_of(server, dialect == Dialect::any ? Dialect::smb210 : dialect, 0);
  if (!link->spend(0, 1)) return false;
  smb2::Header head;
  head.command = smb2::Command::negotiate;
  head.flags = smb2::kFlagResponse;
  head.credits = link->grant(1);
  Outgoing out;
  smb2::append_header(out.head, head);
  const std::string hint = spnego::negotiate_hint();
  out.body = smb2::write_negotiate_response(response(server, agreed, dialect, hint));
  std::vector<Outgoing> one;
  one.push_back(std::move(out));
  link->send(one, nullptr);
  return true;
}

std::optional<Reply> negotiate(Request& r) {
  Agreed& agreed = r.link->agreed;
  if (agreed.done()) {
    r.link->end();  // once only (section 3.3.5.4)
    return Reply(NtStatus::invalid_parameter);
  }
  auto m = smb2::read_negotiate_request(r.bytes);
  if (!m) return Reply(NtStatus::invalid_parameter);
  const auto dialect = choose_dialect(*m);
  if (!dialect) return Reply(NtStatus::not_supported);
  smb2::NegotiateContexts contexts;
  const std::string salt = random_secret(20);
  const bool seals = r.server.options.encrypt != Options::Encrypt::off;
  if (*dialect == Dialect::smb311) {
    const auto& theirs = m->contexts;
    if (std::find(theirs.hashes.begin(), theirs.hashes.end(), smb2::kPreauthSha512) == theirs.hashes.end())
      return Reply(NtStatus::no_preauth_hash_overlap);
    contexts.hashes = {smb2::kPreauthSha512};
    contexts.salt = as_bytes(salt);
    // What the extensions change they change for opens that ask for them, so every client may have them.
    agreed.posix = contexts.posix = theirs.posix;
    if (!theirs.ciphers.empty()) {
      using enum smb2::Cipher;
      if (seals) agreed.cipher = choose({aes128_gcm, aes256_gcm, aes128_ccm, aes256_ccm}, theirs.ciphers, none);
      contexts.ciphers = {static_cast<uint16_t>(agreed.cipher)};
    }
    agreed.signing = smb2::SigningAlgorithm::aes_cmac;
    if (!theirs.signing.empty()) {
      using enum smb2::SigningAlgorithm;
      agreed.signing = choose({aes_gmac, aes_cmac, hmac_sha256}, theirs.signing, aes_cmac);
      contexts.signing = {static_cast<uint16_t>(agreed.signing)};
    }
  } else {
    agreed.signing =
        *dialect >= Dialect::smb300 ? smb2::SigningAlgorithm::aes_cmac : smb2::SigningAlgorithm::hmac_sha256;
  }
  agreed.capabilities = capabilities_of(r.server, *dialect, m->capabilities);
  if (agreed.capabilities & smb2::kCapEncryption) agreed.cipher = smb2::Cipher::aes128_ccm;
  agreed.dialect = *dialect;
  const std::string hint = spnego::negotiate_hint();
  smb2::NegotiateResponse answer = response(r.server, agreed, *dialect, hint);
  answer.contexts = contexts;
  Reply reply;
  reply.body = smb2::write_negotiate_response(answer);
  m->contexts.salt = {};  // views the frame
  agreed.asked = std::move(*m);
  return reply;
}

std::optional<Reply> echo(Request& r) {
  if (!r.read<smb2::EmptyMessage>()) return Reply(NtStatus::invalid_parameter);
  return Reply(smb2::EmptyMessage{});
}

}  // namespace isthmus::smb
