#include "wire/fuse/request.h"

#include <cerrno>
#include <cstring>
#include <optional>

namespace isthmus::wire::fuse {
namespace {

using Bytes = std::span<const std::byte>;
using Failed = std::optional<ParseError>;

bool aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % alignof(uint64_t) == 0; }

// Length of the fixed struct where the layout was lengthened over the years; `available` is what lies behind the
// header.
size_t fixed_size(const OpcodeInfo& info, const Negotiated& negotiated, size_t available) {
  switch (info.opcode) {
    case Opcode::Init:
      return available <= sizeof(InitCompatIn) ? sizeof(InitCompatIn) : sizeof(InitIn);
    case Opcode::Setxattr:
      return (negotiated.flags & kInitSetxattrExt) != 0 ? sizeof(SetxattrIn) : sizeof(SetxattrCompatIn);
    default:
      return info.in_size;
  }
}

Failed take_string(Bytes& rest, size_t longest, std::string_view& out) {
  const auto* text = reinterpret_cast<const char*>(rest.data());
  const void* nul = rest.empty() ? nullptr : std::memchr(text, 0, rest.size());
  if (nul == nullptr) return ParseError::NameUnterminated;
  const auto size = static_cast<size_t>(static_cast<const char*>(nul) - text);
  if (size == 0) return ParseError::NameEmpty;
  if (size > longest) return ParseError::NameTooLong;
  out = {text, size};
  rest = rest.subspan(size + 1);
  return std::nullopt;
}

Failed take_component(Bytes& rest, bool dots_allowed, std::string_view& out) {
  if (const Failed failed = take_string(rest, kNameMax, out)) return failed;
  if (out.find('/') != std::string_view::npos) return ParseError::NameSlash;
  if (!dots_allowed && (out == "." || out == "..")) return ParseError::NameDots;
  return std::nullopt;
}

// How many bytes of data the struct announces, for Trail::Data and XattrNameData.
uint32_t data_size(const Request& r) {
  switch (r.opcode()) {
    case Opcode::Write:
      return r.in<Opcode::Write>().size;
    case Opcode::Ioctl:
      return r.in<Opcode::Ioctl>().in_size;
    case Opcode::NotifyReply:
      return r.in<Opcode::NotifyReply>().size;
    case Opcode::Setxattr:
      return r.in<Opcode::Setxattr>().size;
    default:
      return 0;
  }
}

Failed take_data(Bytes& rest, uint32_t size, Bytes& out) {
  if (size != rest.size()) return ParseError::DataLength;
  out = rest;
  rest = {};
  return std::nullopt;
}

Failed take_forgets(Bytes& rest, uint32_t count, std::span<const ForgetOne>& out) {
  if (rest.size() % sizeof(ForgetOne) != 0 || rest.size() / sizeof(ForgetOne) != count) return ParseError::DataLength;
  if (!aligned(rest.data())) return ParseError::Misaligned;
  out = {static_cast<const ForgetOne*>(static_cast<const void*>(rest.data())), count};
  rest = {};
  return std::nullopt;
}

Failed take_mappings(Bytes& rest, uint32_t count, Bytes& out) {
  if (rest.size() % sizeof(RemovemappingOne) != 0 || rest.size() / sizeof(RemovemappingOne) != count) {
    return ParseError::DataLength;
  }
  out = rest;
  rest = {};
  return std::nullopt;
}

Failed take_trail(Request& r, Bytes& rest) {
  const bool dots = (r.info->flags & kOpcodeDots) != 0;
  switch (r.info->trail) {
    case Trail::None:
      return std::nullopt;
    case Trail::Open:
      rest = {};
      return std::nullopt;
    case Trail::Name:
      return take_component(rest, dots, r.name);
    case Trail::TwoNames:
      if (const Failed failed = take_component(rest, dots, r.name)) return failed;
      return take_component(rest, dots, r.name2);
    case Trail::NameTarget:
      if (const Failed failed = take_component(rest, dots, r.name)) return failed;
      return take_string(rest, kNameMax, r.name2);
    case Trail::IgnoredName: {
      std::string_view ignored;
      return take_string(rest, kNameMax, ignored);
    }
    case Trail::XattrName:
      return take_string(rest, kXattrNameMax, r.name);
    case Trail::XattrNameData:
      if (const Failed failed = take_string(rest, kXattrNameMax, r.name)) return failed;
      return take_data(rest, data_size(r), r.data);
    case Trail::Data:
      return take_data(rest, data_size(r), r.data);
    case Trail::Forgets:
      return take_forgets(rest, r.in<Opcode::BatchForget>().count, r.forgets);
    case Trail::Mappings:
      return take_mappings(rest, r.in<Opcode::Removemapping>().count, r.data);
  }
  return ParseError::UnknownOpcode;
}

// 7.36 and 7.37 sent security contexts without saying how long they are: they are what follows the names.
bool implied_contexts(const Request& r, const Negotiated& negotiated) {
  return r.header->total_extlen == 0 && (r.info->flags & kOpcodeCreates) != 0 &&
         (negotiated.flags & kInitSecurityCtx) != 0 && negotiated.minor < 38;
}

// `rest` is everything behind the fixed struct.
Failed parse_rest(Request& r, Bytes rest, const Negotiated& negotiated) {
  const size_t extension_size = size_t{r.header->total_extlen} * 8;
  if (extension_size > rest.size()) return ParseError::BadExtensions;
  Bytes extensions = rest.last(extension_size);
  rest = rest.first(rest.size() - extension_size);
  if (const Failed failed = take_trail(r, rest)) return failed;
  if (!rest.empty()) {
    if (!implied_contexts(r, negotiated)) return ParseError::TrailingBytes;
    extensions = rest;
  }
  if (extensions.empty()) return std::nullopt;
  const std::optional<Extensions> parsed = parse_extensions(extensions);
  if (!parsed) return ParseError::BadExtensions;
  r.extensions = *parsed;
  return std::nullopt;
}

const InHeader* header_at(const void* p) { return static_cast<const InHeader*>(p); }

void append_quoted(std::string& out, std::string_view name) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte > '~' || c == '"' || c == '\\') {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

std::string opcode_text(uint32_t number) {
  const OpcodeInfo* info = find_opcode(number);
  return info != nullptr ? std::string(info->name) : "opcode " + std::to_string(number);
}

}  // namespace

Parsed parse_request(Bytes message, const Negotiated& negotiated) {
  if (message.size() < sizeof(InHeader)) return ParseFailure{ParseError::TooShort, nullptr};
  if (!aligned(message.data())) return ParseFailure{ParseError::Misaligned, nullptr};
  Request r;
  r.header = header_at(message.data());
  if (r.header->len != message.size()) return ParseFailure{ParseError::LengthMismatch, r.header};
  r.info = find_opcode(r.header->opcode);
  if (r.info == nullptr) return ParseFailure{ParseError::UnknownOpcode, r.header};
  const Bytes tail = message.subspan(sizeof(InHeader));
  const size_t fixed = fixed_size(*r.info, negotiated, tail.size());
  if (tail.size() < fixed) return ParseFailure{ParseError::ShortBody, r.header};
  r.body = tail.first(fixed);
  if (const Failed failed = parse_rest(r, tail.subspan(fixed), negotiated)) return ParseFailure{*failed, r.header};
  return r;
}

Parsed parse_ring_request(const UringReqHeader& ring, Bytes payload, const Negotiated& negotiated) {
  Request r;
  r.header = header_at(ring.in_out);
  const uint32_t used = ring.ring_ent_in_out.payload_sz;
  if (used > payload.size()) return ParseFailure{ParseError::LengthMismatch, r.header};
  r.info = find_opcode(r.header->opcode);
  if (r.info == nullptr) return ParseFailure{ParseError::UnknownOpcode, r.header};
  const size_t fixed = fixed_size(*r.info, negotiated, kUringOpInOutSize);
  Bytes rest = payload.first(used);
  if (r.info->opcode == Opcode::NotifyReply && r.header->len == sizeof(InHeader) + used) {
    // It has its struct in the payload (Linux 6.18).
    if (used < fixed) return ParseFailure{ParseError::ShortBody, r.header};
    if (!aligned(rest.data())) return ParseFailure{ParseError::Misaligned, r.header};
    r.body = rest.first(fixed);
    rest = rest.subspan(fixed);
  } else {
    if (r.header->len != sizeof(InHeader) + fixed + used) return ParseFailure{ParseError::LengthMismatch, r.header};
    r.body = std::as_bytes(std::span(ring.op_in)).first(fixed);
  }
  if (const Failed failed = parse_rest(r, rest, negotiated)) return ParseFailure{*failed, r.header};
  return r;
}

uint32_t Request::setxattr_flags() const {
  return body.size() < sizeof(SetxattrIn) ? 0 : as<SetxattrIn>().setxattr_flags;
}

uint64_t Request::init_flags() const {
  const uint64_t low = in<Opcode::Init>().flags;
  if ((low & kInitInitExt) == 0 || body.size() < sizeof(InitIn)) return low;
  return low | uint64_t{as<InitIn>().flags2} << 32;
}

bool ParseFailure::wants_answer() const {
  if (header == nullptr) return false;
  const OpcodeInfo* info = find_opcode(header->opcode);
  return info == nullptr || (info->flags & kOpcodeNoReply) == 0;
}

Errno ParseFailure::answer() const {
  switch (error) {
    case ParseError::UnknownOpcode:
      return err(ENOSYS);
    case ParseError::NameTooLong:
      return err(ENAMETOOLONG);
    case ParseError::NameEmpty:
    case ParseError::NameSlash:
    case ParseError::NameDots:
      return err(EINVAL);
    default:
      return err(EPROTO);
  }
}

std::string ParseFailure::describe() const {
  if (header == nullptr) return std::string(to_string(error));
  return opcode_text(header->opcode) + " unique " + std::to_string(header->unique) + " node " +
         std::to_string(header->nodeid) + " length " + std::to_string(header->len) + ": " +
         std::string(to_string(error));
}

std::string describe(const Request& r) {
  const InHeader& h = *r.header;
  std::string out = std::string(r.info->name) + " unique " + std::to_string(h.unique) + " node " +
                    std::to_string(h.nodeid) + " uid " + std::to_string(h.uid) + " gid " + std::to_string(h.gid) +
                    " pid " + std::to_string(h.pid);
  for (const std::string_view name : {r.name, r.name2}) {
    if (name.empty()) continue;
    out += ' ';
    append_quoted(out, name);
  }
  return out;
}

std::string_view to_string(ParseError e) {
  switch (e) {
    case ParseError::TooShort:
      return "shorter than a header";
    case ParseError::Misaligned:
      return "not aligned to 8 bytes";
    case ParseError::LengthMismatch:
      return "length in the header differs from the message";
    case ParseError::UnknownOpcode:
      return "unknown opcode";
    case ParseError::ShortBody:
      return "arguments cut off";
    case ParseError::NameUnterminated:
      return "name not terminated";
    case ParseError::NameEmpty:
      return "name empty";
    case ParseError::NameTooLong:
      return "name too long";
    case ParseError::NameSlash:
      return "name with a slash";
    case ParseError::NameDots:
      return "name is a dot or two";
    case ParseError::DataLength:
      return "size of the data differs from the arguments";
    case ParseError::TrailingBytes:
      return "bytes left over";
    case ParseError::BadExtensions:
      return "malformed extensions";
  }
  return "?";
}

}  // namespace isthmus::wire::fuse
