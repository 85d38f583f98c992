#include "wire/dcerpc/pdu.h"

#include <algorithm>

#include "wire/dcerpc/ndr.h"

namespace isthmus::dcerpc {
namespace {

constexpr uint8_t kVersion = 5;
constexpr uint32_t kLittleEndian = 0x10;  // and ASCII, IEEE numbers
constexpr Syntax kFeatures = syntax(0x6cb71c2c, 0x9812, 0x4540, 0, 1);
constexpr size_t kFeatureBits = 8, kFeatureVersion = 16;

/// With a length to be set by finish().
std::string begin(PduType type, uint8_t flags, uint32_t call_id) {
  std::string pdu{char{kVersion}, 0, static_cast<char>(type), static_cast<char>(flags)};
  append_le<uint32_t>(pdu, kLittleEndian);
  append_le<uint32_t>(pdu, 0);
  append_le<uint32_t>(pdu, call_id);
  return pdu;
}

std::string finish(std::string pdu) {
  pdu[8] = static_cast<char>(pdu.size() & 0xff);
  pdu[9] = static_cast<char>(pdu.size() >> 8);
  return pdu;
}

Syntax read_syntax(NdrReader& in) {
  Syntax s{};
  const Bytes from = in.bytes(s.size());
  std::copy(from.begin(), from.end(), s.begin());
  return s;
}

}  // namespace

std::optional<PduHead> read_pdu_head(Bytes pdu) {
  if (pdu.size() < kPduHead) return std::nullopt;
  NdrReader in(pdu);
  const auto major = in.number<uint8_t>(), minor = in.number<uint8_t>();
  PduHead head;
  head.type = static_cast<PduType>(in.number<uint8_t>());
  head.flags = in.number<uint8_t>();
  const auto representation = in.number<uint32_t>();
  head.length = in.number<uint16_t>();
  head.auth_length = in.number<uint16_t>();
  head.call_id = in.number<uint32_t>();
  if (major != kVersion || minor > 1 || (representation & 0xff) != kLittleEndian || head.length < kPduHead)
    return std::nullopt;
  return head;
}

std::optional<uint64_t> features_of(const Syntax& transfer) {
  if (!std::equal(transfer.begin(), transfer.begin() + kFeatureBits, kFeatures.begin()) ||
      !std::equal(transfer.begin() + kFeatureVersion, transfer.end(), kFeatures.begin() + kFeatureVersion))
    return std::nullopt;
  return load_le<uint64_t>(transfer, kFeatureBits);
}

std::optional<Bind> read_bind(Bytes pdu) {
  NdrReader in(pdu);
  in.bytes(kPduHead);
  Bind bind;
  bind.max_send = in.number<uint16_t>();
  bind.max_receive = in.number<uint16_t>();
  bind.group = in.number<uint32_t>();
  const auto contexts = in.number<uint8_t>();
  in.bytes(3);
  for (size_t i = 0; i < contexts && in.ok(); i++) {
    Bind::Context c;
    c.id = in.number<uint16_t>();
    const auto transfers = in.number<uint8_t>();
    in.bytes(1);
    c.interface = read_syntax(in);
    for (size_t k = 0; k < transfers && in.ok(); k++) c.transfers.push_back(read_syntax(in));
    bind.contexts.push_back(std::move(c));
  }
  if (!in.ok() || contexts == 0) return std::nullopt;
  return bind;
}

std::string write_bind_ack(PduType type, uint32_t call_id, uint16_t max_fragment, uint32_t group,
                           std::string_view address, const std::vector<BindResult>& results) {
  std::string pdu = begin(type, kFirst | kLast, call_id);
  append_le<uint16_t>(pdu, max_fragment);
  append_le<uint16_t>(pdu, max_fragment);
  append_le<uint32_t>(pdu, group);
  append_le<uint16_t>(pdu, static_cast<uint16_t>(address.empty() ? 0 : address.size() + 1));
  if (!address.empty()) pdu.append(address).append(1, '\0');
  pdu.resize(round_up(pdu.size(), 4));
  append_le<uint32_t>(pdu, static_cast<uint8_t>(results.size()));
  for (const BindResult& r : results) {
    append_le<uint16_t>(pdu, static_cast<uint16_t>(r.outcome));
    append_le<uint16_t>(pdu, r.reason);
    pdu += as_text(r.outcome == BindResult::Outcome::accepted ? kNdr20 : Syntax{});
  }
  return finish(std::move(pdu));
}

std::string write_bind_nak(uint32_t call_id, NakReason reason) {
  std::string pdu = begin(PduType::bind_nak, kFirst | kLast, call_id);
  append_le<uint16_t>(pdu, static_cast<uint16_t>(reason));
  pdu += {1, char{kVersion}, 0};  // one version of the protocol: 5.0
  return finish(std::move(pdu));
}

std::string write_response(uint32_t call_id, uint8_t flags, uint16_t context, size_t left, std::string_view part) {
  std::string pdu = begin(PduType::response, flags, call_id);
  append_le<uint32_t>(pdu, static_cast<uint32_t>(left));
  append_le<uint16_t>(pdu, context);
  append_le<uint16_t>(pdu, 0);
  return finish(pdu.append(part));
}

std::string write_fault(uint32_t call_id, uint16_t context, Fault fault) {
  // Every fault of ours is found before a call has done anything.
  std::string pdu = begin(PduType::fault, kFirst | kLast | kDidNotExecute, call_id);
  append_le<uint32_t>(pdu, 0);
  append_le<uint16_t>(pdu, context);
  append_le<uint16_t>(pdu, 0);
  append_le<uint32_t>(pdu, static_cast<uint32_t>(fault));
  append_le<uint32_t>(pdu, 0);
  return finish(std::move(pdu));
}

}  // namespace isthmus::dcerpc
