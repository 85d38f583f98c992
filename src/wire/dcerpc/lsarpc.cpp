// MS-LSAD and MS-LSAT: names of SIDs, as security tabs ask for them. No name has a SID yet.
#include <algorithm>
#include <tuple>
#include <utility>

#include "wire/dcerpc/interfaces.h"

namespace isthmus::dcerpc {
namespace {

enum class Status : uint32_t {
  ok = 0,
  some_not_mapped = 0x00000107,
  invalid_parameter = 0xc000000d,
  none_mapped = 0xc0000073,
  insufficient_resources = 0xc000009a,
};
Fault answer(NdrWriter& out, Status status) {
  out.number<uint32_t>(static_cast<uint32_t>(status));
  return Fault::none;
}

constexpr size_t kMaxPolicies = 64, kMaxLookups = 1000;
constexpr uint32_t kNoDomain = 0xffffffff;

/// Our handles: this, then the number of the open policy.
constexpr std::string_view kPolicyHandle("\0\0\0\0isthmus LSA ", 16);

void write_policy(NdrWriter& out, uint32_t number) {
  out.number<uint32_t>(0);
  out.bytes(number == 0 ? as_bytes(std::string_view("\0\0\0\0\0\0\0\0\0\0\0\0", 12))
                        : as_bytes(kPolicyHandle.substr(4)));
  out.number<uint32_t>(number);
}

/// Fault::none: it is one of this pipe's, and then `number` says which.
Fault read_policy(const Session& session, NdrReader& in, uint32_t& number) {
  const Bytes tag = in.bytes(kPolicyHandle.size());
  number = in.number<uint32_t>();
  if (!in.ok()) return Fault::ndr;
  return as_text(tag) == kPolicyHandle && session.policies.contains(number) ? Fault::none : Fault::context_mismatch;
}

/// LsarOpenPolicy and LsarOpenPolicy2, which differ in the name that comes first. All may look up names, so neither
/// name, attributes nor the access that is asked for matter.
Fault open_policy(Session& session, NdrReader&, NdrWriter& out) {
  const bool room = session.policies.size() < kMaxPolicies;
  if (room) session.policies.insert(++session.last_policy);
  write_policy(out, room ? session.last_policy : 0);
  return answer(out, room ? Status::ok : Status::insufficient_resources);
}

Fault close_policy(Session& session, NdrReader& in, NdrWriter& out) {
  uint32_t policy = 0;
  if (const Fault f = read_policy(session, in, policy); f != Fault::none) return f;
  session.policies.erase(policy);
  write_policy(out, 0);
  return answer(out, Status::ok);
}

/// MS-LSAD section 3.1.4.4.4: a computer that is in no domain, only in a workgroup.
Fault query_policy(Session& session, NdrReader& in, NdrWriter& out) {
  constexpr uint16_t kPrimaryDomain = 3, kAccountDomain = 5;
  uint32_t policy = 0;
  if (const Fault f = read_policy(session, in, policy); f != Fault::none) return f;
  const auto what = in.number<uint16_t>();
  if (!in.ok()) return Fault::ndr;
  const Environment& e = session.environment;
  const bool known = what == kPrimaryDomain || what == kAccountDomain;
  out.pointer(known);
  if (!known) return answer(out, Status::invalid_parameter);
  out.number<uint16_t>(what);
  out.unicode_string(what == kPrimaryDomain ? e.workgroup : e.server_name);
  out.sid_pointer(what == kPrimaryDomain ? Bytes() : as_bytes(e.machine_sid));
  out.pointees();
  return answer(out, Status::ok);
}

/// MS-LSAT section 3.1.4.2.
Fault get_user_name(Session& session, NdrReader& in, NdrWriter& out) {
  in.unique_text();
  auto string = [&in] {
    if (in.pointer() && in.unicode_string()) in.text();
  };
  string();
  const bool wants_domain = in.pointer();
  if (wants_domain) string();
  if (!in.ok()) return Fault::ndr;
  out.pointer();
  out.unicode_string(session.environment.user);
  out.pointees();
  out.pointer(wants_domain);
  if (wants_domain) {
    out.pointer();
    out.unicode_string(session.environment.user_domain);
    out.pointees();
  }
  return answer(out, Status::ok);
}

/// LSAPR_REFERENCED_DOMAIN_LIST (MS-LSAT section 2.2.12): those that names of one answer belong to.
class Domains {
 public:
  uint32_t index_of(std::string name, Bytes sid) {
    const std::pair<std::string, std::string> domain(std::move(name), as_text(sid));
    const auto found = std::find(all_.begin(), all_.end(), domain);
    if (found != all_.end()) return static_cast<uint32_t>(found - all_.begin());
    all_.push_back(domain);
    return static_cast<uint32_t>(all_.size() - 1);
  }
  void write(NdrWriter& out) const {
    const auto count = static_cast<uint32_t>(all_.size());
    out.pointer();
    out.number<uint32_t>(count);
    out.pointer(count > 0);
    out.number<uint32_t>(count);
    if (count == 0) return;
    out.number<uint32_t>(count);
    for (const auto& [name, sid] : all_) {
      out.unicode_string(name);
      out.sid_pointer(as_bytes(sid));
    }
    out.pointees();
  }

 private:
  std::vector<std::pair<std::string, std::string>> all_;
};

/// The SID without its last number: the authority itself, as Windows says of those that have one number only.
std::string domain_of(Bytes sid) {
  std::string domain(as_text(sid));
  if (domain.size() < 12) return domain;
  domain.resize(domain.size() - 4);
  domain[1]--;
  return domain;
}

/// Policy handle and LSAPR_SID_ENUM_BUFFER.
Fault read_sids(const Session& session, NdrReader& in, std::vector<Bytes>& sids) {
  uint32_t policy = 0;
  if (const Fault f = read_policy(session, in, policy); f != Fault::none) return f;
  const auto count = in.number<uint32_t>();
  const bool has_array = in.pointer();
  const auto size = has_array ? in.number<uint32_t>() : 0;
  if (!in.ok() || count > kMaxLookups || count != size) return Fault::ndr;
  for (uint32_t i = 0; i < count; i++)
    if (!in.pointer()) return Fault::ndr;
  for (uint32_t i = 0; i < count; i++) sids.push_back(in.sid());
  return in.ok() ? Fault::none : Fault::ndr;
}

/// MS-LSAT sections 3.1.4.9 and 3.1.4.10. What the client says after the SIDs chooses among domain controllers.
Fault lookup_sids(Session& session, NdrReader& in, NdrWriter& out, bool with_flags) {
  std::vector<Bytes> sids;
  if (const Fault f = read_sids(session, in, sids); f != Fault::none) return f;
  struct Found {
    SidName name;
    uint32_t domain = kNoDomain;
  };
  std::vector<Found> names;
  Domains domains;
  uint32_t mapped = 0;
  for (const Bytes sid : sids) {
    auto name = session.environment.name_of ? session.environment.name_of(sid) : std::nullopt;
    Found& f = names.emplace_back(Found{std::move(name).value_or(SidName{}), kNoDomain});
    if (f.name.type == SidType::unknown) continue;
    f.domain = domains.index_of(f.name.domain, f.name.type == SidType::domain ? sid : as_bytes(domain_of(sid)));
    mapped++;
  }
  const auto count = static_cast<uint32_t>(names.size());
  domains.write(out);
  out.number<uint32_t>(count);
  out.pointer(count > 0);
  if (count > 0) out.number<uint32_t>(count);
  for (const Found& f : names) {
    out.number<uint16_t>(static_cast<uint16_t>(f.name.type));
    out.unicode_string(f.name.name);
    out.number<uint32_t>(f.domain);
    if (with_flags) out.number<uint32_t>(0);
  }
  out.pointees();
  out.number<uint32_t>(mapped);
  if (mapped == 0) return answer(out, Status::none_mapped);
  return answer(out, mapped < count ? Status::some_not_mapped : Status::ok);
}
Fault lookup_sids1(Session& s, NdrReader& in, NdrWriter& out) { return lookup_sids(s, in, out, false); }
Fault lookup_sids2(Session& s, NdrReader& in, NdrWriter& out) { return lookup_sids(s, in, out, true); }

/// MS-LSAT section 3.1.4.8.
Fault lookup_names(Session& session, NdrReader& in, NdrWriter& out) {
  uint32_t policy = 0;
  if (const Fault f = read_policy(session, in, policy); f != Fault::none) return f;
  const auto count = in.number<uint32_t>(), again = in.number<uint32_t>();
  if (!in.ok() || count > kMaxLookups || count != again) return Fault::ndr;
  Domains().write(out);
  out.number<uint32_t>(count);
  out.pointer(count > 0);
  if (count > 0) out.number<uint32_t>(count);
  for (uint32_t i = 0; i < count; i++) {
    out.number<uint16_t>(static_cast<uint16_t>(SidType::unknown));
    out.number<uint32_t>(0);
    out.number<uint32_t>(kNoDomain);
  }
  out.number<uint32_t>(0);
  return answer(out, Status::none_mapped);
}

constexpr Operation kLsaOperations[] = {{0, close_policy},   {6, open_policy},   {7, query_policy},
                                        {14, lookup_names},  {15, lookup_sids1}, {44, open_policy},
                                        {45, get_user_name}, {46, query_policy}, {57, lookup_sids2}};

}  // namespace

constinit const Interface kLsarpc{"lsarpc", syntax(0x12345778, 0x1234, 0xabcd, 0xef000123456789ab, 0), kLsaOperations};

}  // namespace isthmus::dcerpc
