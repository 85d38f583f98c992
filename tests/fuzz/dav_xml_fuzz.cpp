#include <cstdint>
#include <cstdlib>
#include <string>

#include "wire/dav/lockinfo.h"
#include "wire/dav/multistatus.h"
#include "wire/dav/propfind.h"
#include "wire/dav/proppatch.h"

// Bodies of PROPFIND, PROPPATCH and LOCK. What is checked beside crashes: limits hold, refusals say why, and what was
// understood, written by Multistatus, is well-formed and understood as the same again.

namespace isthmus::dav {
namespace {

constexpr size_t kLarge = 64 << 20;

void require(bool holds) {
  if (!holds) abort();
}

template <class T>
const T* understood(const Parsed<T>& parsed) {
  if (auto* error = std::get_if<XmlError>(&parsed)) require(!error->what.empty());
  return std::get_if<T>(&parsed);
}

/// `write` puts properties between the start and end of a request that takes them.
template <class Write>
std::string request(std::string_view start, Write write, std::string_view end) {
  std::string out(start);
  Multistatus m(out);
  write(m);
  return out.append(end);
}

void propfind(std::string_view body) {
  auto parsed = parse_propfind(body);
  auto* p = understood(parsed);
  if (!p) return;
  require(p->names.size() <= kMaxProperties);
  require(p->kind != Propfind::Kind::propname || p->names.empty());
  if (p->kind != Propfind::Kind::props) return;
  auto again = parse_propfind(request(
                                  "<D:propfind xmlns:D='DAV:'><D:prop>",
                                  [&](Multistatus& m) {
                                    for (auto& name : p->names) m.empty(name);
                                  },
                                  "</D:prop></D:propfind>"),
                              kLarge);
  auto* q = understood(again);
  require(q && q->names == p->names);
}

void proppatch(std::string_view body) {
  auto parsed = parse_proppatch(body);
  auto* changes = understood(parsed);
  if (!changes) return;
  require(!changes->empty() && changes->size() <= kMaxProperties);
  for (auto& c : *changes) {
    if (c.remove) require(c.value.empty() && c.text.empty());
    require(is_property(c.name, c.value));
    auto again = parse_proppatch(
        request(
            "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop>", [&](Multistatus& m) { m.raw(c.name, c.value, c.lang); },
            "</D:prop></D:set></D:propertyupdate>"),
        kLarge);
    auto* d = understood(again);
    require(d && d->size() == 1 && (*d)[0].name == c.name && (*d)[0].value == c.value && (*d)[0].text == c.text &&
            (*d)[0].lang == c.lang);
  }
}

// Any bytes as the value of a property, from a store: what is_property() lets pass breaks no listing.
void stored(std::string_view value) {
  if (!is_property({"u", "a"}, value)) return;
  std::string body = request(
      "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop>",
      [&](Multistatus& m) {
        m.raw(Name{"u", "a"}, value);
      },
      "</D:prop></D:set></D:propertyupdate>");
  auto parsed = parse_proppatch(body, kLarge);
  auto* changes = std::get_if<std::vector<PropChange>>(&parsed);
  // Refused is what is within a limit by itself only.
  require(changes ? changes->size() == 1 : std::get_if<XmlError>(&parsed)->too_big);
}

void lockinfo(std::string_view body) {
  auto parsed = parse_lockinfo(body);
  auto* info = understood(parsed);
  if (!info) return;
  require(info->owner.size() <= kMaxOwner);
  auto again = parse_lockinfo(
      "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner>" +
      info->owner + "</D:owner></D:lockinfo>");
  auto* same = understood(again);
  require(same && same->owner == info->owner);
}

// Any bytes as a file's name: what is listed is XML whatever they are.
void listing(std::string_view name) {
  std::string body = request(
      "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop>", [&](Multistatus& m) { m.text("displayname", name); },
      "</D:prop></D:set></D:propertyupdate>");
  auto parsed = parse_proppatch(body, kLarge);
  require(understood(parsed));
}

}  // namespace
}  // namespace isthmus::dav

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view body(reinterpret_cast<const char*>(data), size);
  isthmus::dav::propfind(body);
  isthmus::dav::proppatch(body);
  isthmus::dav::lockinfo(body);
  isthmus::dav::listing(body);
  isthmus::dav::stored(body);
  return 0;
}
