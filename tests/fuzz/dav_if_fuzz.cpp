#include <cstdint>
#include <cstdlib>
#include <string>

#include "wire/dav/headers.h"
#include "wire/dav/if_header.h"

// Values of the If header, and of WebDAV's other headers. What is checked beside crashes: limits hold, and lists that
// were understood, written again, are understood as the same.

namespace isthmus::dav {
namespace {

void require(bool holds) {
  if (!holds) abort();
}

std::string written(const std::vector<IfList>& lists) {
  std::string out;
  for (auto& list : lists) {
    if (!list.resource.empty()) out += "<" + list.resource + ">";
    out += "(";
    for (auto& c : list.conditions)
      out += (c.negated ? "Not " : "") + (c.is_etag ? "[" + c.value + "]" : "<" + c.value + ">");
    out += ")";
  }
  return out;
}

void if_header(std::string_view value) {
  auto lists = parse_if(value);
  if (!lists) return;
  size_t conditions = 0;
  for (auto& list : *lists) {
    require(!list.conditions.empty());
    require(list.resource.empty() == lists->front().resource.empty());
    conditions += list.conditions.size();
  }
  require(conditions > 0 && conditions <= kMaxIfConditions);
  require(submitted_tokens(*lists).size() <= conditions);
  auto again = parse_if(written(*lists));
  require(again == lists);
  // No list is so that it neither holds where everything matches nor where nothing does, unless it has both kinds.
  bool all = evaluate(*lists, [](auto&, auto&) { return true; });
  bool none = evaluate(*lists, [](auto&, auto&) { return false; });
  bool mixed = false;
  for (auto& list : *lists)
    for (auto& c : list.conditions) mixed = mixed || c.negated != list.conditions.front().negated;
  require(all || none || mixed);
}

void others(std::string_view value) {
  auto inside = [&](std::string_view part) {
    return part.data() >= value.data() && part.data() + part.size() <= value.data() + value.size();
  };
  parse_depth(value);
  parse_timeout(value);
  parse_overwrite(value);
  if (auto token = parse_lock_token(value)) require(!token->empty() && inside(*token));
  auto d = parse_destination(value);
  if (!d) return;
  require(d->path.starts_with('/') && (inside(d->path) || d->path == "/"));
  require(d->scheme.empty() == d->authority.empty());
  for (char c : d->path) require(static_cast<unsigned char>(c) > 0x20 && c != '?' && c != '#');
}

}  // namespace
}  // namespace isthmus::dav

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view value(reinterpret_cast<const char*>(data), size);
  isthmus::dav::if_header(value);
  isthmus::dav::others(value);
  return 0;
}
