#include "wire/smb2/create_contexts.h"

#include "wire/smb2/entry_list.h"

namespace isthmus::smb2 {
namespace {

constexpr size_t kCreateContextHead = 16, kShortestContextName = 4, kLeaseV1 = 32, kLeaseV2 = 52;  // bytes

/// `context`: up to the next one.
std::optional<CreateContext> read_create_context(Bytes context) {
  const size_t name = *load_le<uint16_t>(context, 4), name_length = *load_le<uint16_t>(context, 6);
  const size_t data = *load_le<uint16_t>(context, 10), data_length = *load_le<uint32_t>(context, 12);
  if (name < kCreateContextHead || name_length < kShortestContextName || name > context.size() ||
      name_length > context.size() - name)
    return std::nullopt;
  CreateContext found{as_text(context.subspan(name, name_length)), {}};
  if (data_length == 0) return found;
  if (data < name + name_length || data > context.size() || data_length > context.size() - data) return std::nullopt;
  found.data = context.subspan(data, data_length);
  return found;
}

template <class C, class M>
void lease_fields(C& c, M& m) {
  c.id(m.key);
  c.number(m.state);
  c.number(m.flags);
  c.number(m.duration);
}

}  // namespace

std::optional<std::vector<CreateContext>> read_create_contexts(Bytes list, size_t most) {
  std::vector<CreateContext> found;
  while (!list.empty()) {
    if (found.size() == most || list.size() < kCreateContextHead) return std::nullopt;
    const size_t next = *load_le<uint32_t>(list, 0);
    if (next != 0 && (next % 8 != 0 || next < kCreateContextHead || next > list.size())) return std::nullopt;
    const auto one = read_create_context(next != 0 ? list.first(next) : list);
    if (!one) return std::nullopt;
    found.push_back(*one);
    if (next == 0) break;
    list = list.subspan(next);
    if (list.empty()) return std::nullopt;
  }
  return found;
}

const CreateContext* find_context(const std::vector<CreateContext>& contexts, std::string_view name) {
  for (const CreateContext& c : contexts) {
    if (c.name == name) return &c;
  }
  return nullptr;
}

void append_create_context(std::string& list, std::string_view name, Bytes data) {
  size_t last = 0;
  while (const auto next = load_le<uint32_t>(as_bytes(list), last)) {
    if (*next == 0) break;
    last += *next;
  }
  const size_t data_at = data.empty() ? 0 : round_up(kCreateContextHead + name.size(), 8);
  if (!begin_entry(list, last, 8, kCreateContextHead)) return;
  append_le<uint32_t>(list, 0);
  append_le<uint16_t>(list, kCreateContextHead);
  append_le<uint16_t>(list, static_cast<uint16_t>(name.size()));
  append_le<uint16_t>(list, 0);
  append_le<uint16_t>(list, static_cast<uint16_t>(data_at));
  append_le<uint32_t>(list, static_cast<uint32_t>(data.size()));
  list += name;
  if (data.empty()) return;
  list.resize(last + data_at);
  list += as_text(data);
}

std::optional<Lease> read_lease(Bytes data) {
  Lease m;
  m.v2 = data.size() == kLeaseV2;
  if (!m.v2 && data.size() != kLeaseV1) return std::nullopt;
  Decoder d(data, 0);
  lease_fields(d, m);
  if (!m.v2) return m;
  Guid parent{};
  d.id(parent);
  d.number(m.epoch);
  if ((m.flags & kLeaseParentKeySet) != 0) m.parent = parent;
  m.flags &= ~kLeaseParentKeySet;
  return m;
}

std::string write_lease(const Lease& m) {
  Encoder e;
  Lease with_flag = m;
  if (m.v2 && m.parent) with_flag.flags |= kLeaseParentKeySet;
  lease_fields(e, with_flag);
  if (m.v2) {
    e.id(m.parent.value_or(Guid{}));
    e.number(m.epoch);
    e.reserved(2);
  }
  return e.finish();
}

std::string write_aapl(const AaplResponse& m) {
  std::string out;
  append_le<uint32_t>(out, AaplRequest::kServerQuery);
  append_le<uint32_t>(out, 0);
  append_le<uint64_t>(out, m.bitmap);
  if ((m.bitmap & AaplRequest::kServerCaps) != 0) append_le<uint64_t>(out, m.server_caps);
  if ((m.bitmap & AaplRequest::kVolumeCaps) != 0) append_le<uint64_t>(out, m.volume_caps);
  if ((m.bitmap & AaplRequest::kModelInfo) != 0) {
    append_le<uint32_t>(out, 0);
    append_le<uint32_t>(out, static_cast<uint32_t>(m.model.size()));
    out += m.model;
  }
  return out;
}

std::string write_posix_create(const PosixCreateResponse& m) {
  std::string out;
  append_le<uint32_t>(out, m.links);
  append_le<uint32_t>(out, m.reparse_tag);
  append_le<uint32_t>(out, m.mode);
  out += as_text(m.owner);
  out += as_text(m.group);
  return out;
}

}  // namespace isthmus::smb2
