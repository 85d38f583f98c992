#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "wire/dav/name.h"
#include "wire/dav/xml_error.h"

namespace isthmus::dav {

/// One instruction of a PROPPATCH (RFC 4918 sections 9.2, 14.19).
struct PropChange {
  bool remove = false;
  Name name;
  /// Inner XML of the property, UTF-8 and self-contained: each element declares the namespaces it takes from outside,
  /// with the prefixes of the client. Comments and processing instructions are left out (section 4.3 lets us).
  std::string value;
  std::string text;  ///< the property's character data, that of elements inside of it included: for live properties
  /// xml:lang in force at the property, empty if none. It belongs to the value: store it, and give it to
  /// Multistatus::raw(), since character data cannot carry it.
  std::string lang;
};

/// The instructions in document order, which is the order to obey them in. At least one.
Parsed<std::vector<PropChange>> parse_proppatch(std::string_view body, size_t max_body = kMaxBody);

/// Whether Multistatus::raw() may write this name and value: a name of XML, and content that is well-formed and
/// self-contained. For what comes from a store that others can write as well, e.g. extended attributes.
bool is_property(const Name& name, std::string_view value);

}  // namespace isthmus::dav
