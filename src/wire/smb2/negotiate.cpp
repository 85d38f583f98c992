#include "wire/smb2/negotiate.h"

#include <algorithm>

#include "wire/smb2/codec.h"

namespace isthmus::smb2 {
namespace {

constexpr uint16_t kPreauth = 1, kEncryption = 2, kSigning = 8, kPosix = 0x100;
constexpr size_t kContextHead = 8, kRequestFixed = 36, kResponseFixed = 64;  // bytes; the latter without the header
constexpr size_t kMostDialects = 64, kMostContexts = 64;

bool read_preauth(Bytes data, NegotiateContexts& to) {
  const auto count = load_le<uint16_t>(data, 0), salt = load_le<uint16_t>(data, 2);
  auto hashes = salt ? read_numbers(data, 4, *count) : std::nullopt;
  if (!to.hashes.empty() || !hashes || hashes->empty()) return false;
  data = data.subspan(4 + 2 * hashes->size());
  if (*salt > data.size()) return false;
  to.salt = data.first(*salt);
  to.hashes = std::move(*hashes);
  return true;
}

bool read_algorithms(Bytes data, std::vector<uint16_t>& to) {
  const auto count = load_le<uint16_t>(data, 0);
  auto found = count ? read_numbers(data, 2, *count) : std::nullopt;
  if (!to.empty() || !found || found->empty()) return false;
  to = std::move(*found);
  return true;
}

bool read_context(uint16_t type, Bytes data, NegotiateContexts& to) {
  switch (type) {
    case kPreauth:
      return read_preauth(data, to);
    case kEncryption:
      return read_algorithms(data, to.ciphers);
    case kSigning:
      return read_algorithms(data, to.signing);
    case kPosix:
      if (to.posix || data.size() != kPosixGuid.size()) return false;
      to.posix = as_text(data) == kPosixGuid;
      return true;
    default:
      return true;
  }
}

std::optional<NegotiateContexts> read_contexts(Bytes message, size_t offset, size_t count) {
  NegotiateContexts found;
  // Only the distances between them are multiples of 8 with all clients.
  if (offset < kHeader + kRequestFixed || count > kMostContexts) return std::nullopt;
  for (size_t i = 0; i < count; i++) {
    const auto type = load_le<uint16_t>(message, offset), size = load_le<uint16_t>(message, offset + 2);
    if (!size || message.size() - offset < kContextHead || *size > message.size() - offset - kContextHead)
      return std::nullopt;
    if (!read_context(*type, message.subspan(offset + kContextHead, *size), found)) return std::nullopt;
    offset += round_up(kContextHead + *size, 8);
  }
  if (found.hashes.empty()) return std::nullopt;
  return found;
}

std::string with_count(const std::vector<uint16_t>& numbers) {
  std::string out;
  append_le<uint16_t>(out, static_cast<uint16_t>(numbers.size()));
  append_numbers(out, numbers);
  return out;
}

struct WrittenContexts {
  std::string bytes;
  uint16_t count = 0;

  void add(uint16_t type, std::string_view data) {
    bytes.resize(round_up(bytes.size(), 8));
    append_le<uint16_t>(bytes, type);
    append_le<uint16_t>(bytes, static_cast<uint16_t>(data.size()));
    append_le<uint32_t>(bytes, 0);
    bytes += data;
    count++;
  }
};

WrittenContexts write_contexts(const NegotiateContexts& c) {
  WrittenContexts out;
  std::string preauth;
  append_le<uint16_t>(preauth, static_cast<uint16_t>(c.hashes.size()));
  append_le<uint16_t>(preauth, static_cast<uint16_t>(c.salt.size()));
  append_numbers(preauth, c.hashes);
  preauth += as_text(c.salt);
  out.add(kPreauth, preauth);
  if (!c.ciphers.empty()) out.add(kEncryption, with_count(c.ciphers));
  if (!c.signing.empty()) out.add(kSigning, with_count(c.signing));
  if (c.posix) out.add(kPosix, kPosixGuid);
  return out;
}

/// What a message says of the lists behind its fixed part.
struct Lists {
  uint16_t dialects = 0, contexts = 0;
  uint32_t contexts_at = 0;  // from the header on
};

template <class C, class M>
void request_fields(C& c, M& m, Lists& lists) {
  c.structure_size(kRequestFixed);
  c.number(lists.dialects);
  c.number(m.security_mode);
  c.reserved(2);
  c.number(m.capabilities);
  c.id(m.client_guid);
  c.number(lists.contexts_at);
  c.number(lists.contexts);
  c.reserved(2);
}

template <class C, class M>
void response_fields(C& c, M& m, Lists& lists) {
  c.structure_size(65);
  c.number(m.security_mode);
  c.number(m.dialect);
  c.number(lists.contexts);
  c.id(m.server_guid);
  c.number(m.capabilities);
  c.number(m.max_transact);
  c.number(m.max_read);
  c.number(m.max_write);
  c.number(m.system_time);
  c.reserved(8);
  c.template buffer<uint16_t>(m.token);
  c.number(lists.contexts_at);
}

}  // namespace

bool NegotiateRequest::offers(Dialect d) const {
  return std::find(dialects.begin(), dialects.end(), static_cast<uint16_t>(d)) != dialects.end();
}

std::optional<NegotiateRequest> read_negotiate_request(Bytes message) {
  NegotiateRequest m;
  Decoder d(message);
  Lists lists;
  request_fields(d, m, lists);
  if (!d.ok() || lists.dialects == 0 || lists.dialects > kMostDialects) return std::nullopt;
  auto offered = read_numbers(message, kHeader + kRequestFixed, lists.dialects);
  if (!offered) return std::nullopt;
  m.dialects = std::move(*offered);
  if (!m.offers(Dialect::smb311)) return m;
  auto found = read_contexts(message, lists.contexts_at, lists.contexts);
  if (!found) return std::nullopt;
  m.contexts = std::move(*found);
  return m;
}

std::string write_negotiate_request(const NegotiateRequest& m) {
  Encoder e;
  const bool newest = m.offers(Dialect::smb311);
  const WrittenContexts contexts = newest ? write_contexts(m.contexts) : WrittenContexts{};
  const size_t contexts_at = round_up(kRequestFixed + 2 * m.dialects.size(), 8);
  Lists lists{static_cast<uint16_t>(m.dialects.size()), contexts.count,
              static_cast<uint32_t>(newest ? kHeader + contexts_at : 0)};
  request_fields(e, m, lists);
  std::string body = e.finish();
  append_numbers(body, m.dialects);
  if (!newest) return body;
  body.resize(contexts_at);
  return body + contexts.bytes;
}

std::string write_negotiate_response(const NegotiateResponse& m) {
  Encoder e;
  const bool newest = m.dialect == Dialect::smb311;
  const WrittenContexts contexts = newest ? write_contexts(m.contexts) : WrittenContexts{};
  const size_t contexts_at = round_up(kResponseFixed + m.token.size(), 8);
  Lists lists{0, contexts.count, static_cast<uint32_t>(newest ? kHeader + contexts_at : 0)};
  response_fields(e, m, lists);
  std::string body = e.finish();
  if (!newest) return body;
  body.resize(contexts_at);
  return body + contexts.bytes;
}

std::optional<NegotiateResponse> read_negotiate_response(Bytes message) {
  NegotiateResponse m;
  Decoder d(message);
  Lists lists;
  response_fields(d, m, lists);
  if (!d.ok()) return std::nullopt;
  if (m.dialect != Dialect::smb311) return m;
  auto found = read_contexts(message, lists.contexts_at, lists.contexts);
  if (!found) return std::nullopt;
  m.contexts = std::move(*found);
  return m;
}

}  // namespace isthmus::smb2
