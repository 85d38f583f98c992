#include "wire/fuse/extensions.h"

#include "wire/fuse/flags.h"
#include "wire/fuse/structs.h"

namespace isthmus::wire::fuse {
namespace {

using Bytes = std::span<const std::byte>;

// Records follow names, so they lie at any address.
template <class T>
T load(Bytes from) {
  T out;
  std::memcpy(&out, from.data(), sizeof(T));
  return out;
}

constexpr size_t align8(size_t n) { return (n + 7) & ~size_t{7}; }

// Takes the first context off `rest`; false if it crosses the end.
bool take_context(Bytes& rest, SecurityContext& out) {
  if (rest.size() < sizeof(Secctx)) return false;
  const size_t value_size = load<Secctx>(rest).size;
  const Bytes behind = rest.subspan(sizeof(Secctx));
  const auto* text = reinterpret_cast<const char*>(behind.data());
  const void* nul = behind.empty() ? nullptr : std::memchr(text, 0, behind.size());
  if (nul == nullptr) return false;
  const auto name_size = static_cast<size_t>(static_cast<const char*>(nul) - text);
  if (name_size == 0 || name_size > kXattrNameMax) return false;
  if (value_size > behind.size() - name_size - 1) return false;
  const size_t whole = align8(sizeof(Secctx) + name_size + 1 + value_size);
  if (whole > rest.size()) return false;
  out = {{text, name_size}, behind.subspan(name_size + 1, value_size)};
  rest = rest.subspan(whole);
  return true;
}

bool check_contexts(Bytes block, uint32_t count) {
  SecurityContext ignored;
  for (uint32_t i = 0; i < count; ++i) {
    if (!take_context(block, ignored)) return false;
  }
  return block.empty();
}

}  // namespace

SecurityContext Extensions::context(uint32_t i) const {
  Bytes rest = contexts_;
  SecurityContext out;
  for (uint32_t n = 0; n <= i; ++n) {
    if (!take_context(rest, out)) return {};
  }
  return out;
}

std::optional<Extensions> parse_extensions(Bytes bytes) {
  Extensions out;
  bool contexts_seen = false;
  bool groups_seen = false;
  while (!bytes.empty()) {
    if (bytes.size() < sizeof(ExtHeader)) return std::nullopt;
    const auto header = load<ExtHeader>(bytes);
    if (header.size < sizeof(ExtHeader) || header.size % 8 != 0 || header.size > bytes.size()) return std::nullopt;
    const Bytes body = bytes.subspan(sizeof(ExtHeader), header.size - sizeof(ExtHeader));
    bytes = bytes.subspan(header.size);
    if (header.type <= kMaxNrSecctx) {
      if (contexts_seen || !check_contexts(body, header.type)) return std::nullopt;
      contexts_seen = true;
      out.contexts_ = body;
      out.context_count_ = header.type;
    } else if (header.type == kExtGroups) {
      if (groups_seen || body.size() < sizeof(SuppGroups)) return std::nullopt;
      const uint32_t count = load<SuppGroups>(body).nr_groups;
      const Bytes groups = body.subspan(sizeof(SuppGroups));
      if (count > groups.size() / sizeof(uint32_t)) return std::nullopt;
      groups_seen = true;
      out.groups_ = groups.first(count * sizeof(uint32_t));
    }
  }
  return out;
}

}  // namespace isthmus::wire::fuse
