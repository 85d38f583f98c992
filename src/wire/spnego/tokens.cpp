#include "wire/spnego/tokens.h"

#include "wire/spnego/der.h"

namespace isthmus::spnego {
namespace {

constexpr std::string_view kSpnego = "\x2b\x06\x01\x05\x05\x02";  // 1.3.6.1.5.5.2
constexpr std::string_view kHint = "not_defined_in_RFC4178@please_ignore";
constexpr size_t kMaxMechTypes = 32;

/// An optional field [n] that holds one element with that tag. False: it is there and malformed.
bool read_field(DerReader& fields, uint8_t n, uint8_t tag, std::optional<Bytes>& to) {
  auto field = fields.next(der::context(n));
  if (!field) return true;
  auto value = only(field->contents, tag);
  if (!value) return false;
  to = value->contents;
  return true;
}

bool read_mech_types(Bytes field, NegTokenInit& init) {
  auto list = only(field, der::kSequence);
  if (!list) return false;
  init.mech_list = list->whole;
  for (DerReader types(list->contents); !types.at_end();) {
    auto type = types.next(der::kObject);
    if (!type || init.mech_types.size() == kMaxMechTypes) return false;
    init.mech_types.push_back(type->contents);
  }
  return !init.mech_types.empty();
}

/// [3] is mechListMIC in RFC 4178, and hints in MS-SPNG, where the MIC is [4].
bool read_mic_or_hints(DerReader& fields, NegTokenInit& init) {
  auto third = fields.next(der::context(3));
  if (!third) return true;
  if (auto mic = only(third->contents, der::kOctets)) {
    init.mech_list_mic = mic->contents;
    return true;
  }
  return only(third->contents, der::kSequence) && read_field(fields, 4, der::kOctets, init.mech_list_mic);
}

}  // namespace

std::optional<NegTokenInit> read_init(Bytes token) {
  if (token.size() > kMaxToken) return std::nullopt;
  auto outer = only(token, der::kApplication0);
  if (!outer) return std::nullopt;
  DerReader inner(outer->contents);
  auto mechanism = inner.next(der::kObject);
  if (!mechanism || as_text(mechanism->contents) != kSpnego) return std::nullopt;
  auto choice = inner.next(der::context(0));
  if (!choice || !inner.at_end()) return std::nullopt;
  auto sequence = only(choice->contents, der::kSequence);
  if (!sequence) return std::nullopt;

  NegTokenInit init;
  DerReader fields(sequence->contents);
  auto types = fields.next(der::context(0));
  if (!types || !read_mech_types(types->contents, init)) return std::nullopt;
  (void)fields.next(der::context(1));  // reqFlags, which RFC 4178 ignores
  if (!read_field(fields, 2, der::kOctets, init.mech_token) || !read_mic_or_hints(fields, init) || !fields.at_end())
    return std::nullopt;
  return init;
}

std::string negotiate_hint() {
  using der::context;
  const std::string types = to_der(context(0), to_der(der::kSequence, to_der(der::kObject, kNtlmssp)));
  const std::string hint = to_der(context(0), to_der(der::kGeneralString, kHint));
  const std::string fields = types + to_der(context(3), to_der(der::kSequence, hint));
  return to_der(der::kApplication0, to_der(der::kObject, kSpnego) + to_der(context(0), to_der(der::kSequence, fields)));
}

std::optional<NegTokenResp> read_resp(Bytes token) {
  if (token.size() > kMaxToken) return std::nullopt;
  auto choice = only(token, der::context(1));
  auto sequence = choice ? only(choice->contents, der::kSequence) : std::nullopt;
  if (!sequence) return std::nullopt;
  NegTokenResp resp;
  std::optional<Bytes> state;
  DerReader fields(sequence->contents);
  if (!read_field(fields, 0, der::kEnumerated, state) || !read_field(fields, 1, der::kObject, resp.supported_mech) ||
      !read_field(fields, 2, der::kOctets, resp.response_token) ||
      !read_field(fields, 3, der::kOctets, resp.mech_list_mic) || !fields.at_end())
    return std::nullopt;
  if (state) {
    if (state->size() != 1 || std::to_integer<int>((*state)[0]) > static_cast<int>(NegState::request_mic))
      return std::nullopt;
    resp.state = static_cast<NegState>((*state)[0]);
  }
  return resp;
}

std::string to_bytes(const NegTokenResp& token) {
  std::string fields;
  auto add = [&fields](uint8_t n, uint8_t tag, const std::optional<Bytes>& value) {
    if (value) fields += to_der(der::context(n), to_der(tag, as_text(*value)));
  };
  if (token.state) {
    const auto state = static_cast<std::byte>(*token.state);
    add(0, der::kEnumerated, Bytes(&state, 1));
  }
  add(1, der::kObject, token.supported_mech);
  add(2, der::kOctets, token.response_token);
  add(3, der::kOctets, token.mech_list_mic);
  return to_der(der::context(1), to_der(der::kSequence, fields));
}

}  // namespace isthmus::spnego
