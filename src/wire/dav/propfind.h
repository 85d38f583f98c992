#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "wire/dav/name.h"
#include "wire/dav/xml_error.h"

namespace isthmus::dav {

/// Body of a PROPFIND (RFC 4918 section 14.20).
struct Propfind {
  enum class Kind : uint8_t { allprop, propname, props } kind = Kind::allprop;
  std::vector<Name> names;  ///< of props: what is asked; of allprop: its `include`. Each name once, in document order.
};

/// An empty body asks for allprop. Elements that RFC 4918 does not know are ignored (section 17).
Parsed<Propfind> parse_propfind(std::string_view body, size_t max_body = kMaxBody);

}  // namespace isthmus::dav
