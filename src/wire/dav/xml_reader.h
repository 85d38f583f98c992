#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/dav/xml_error.h"

namespace isthmus::dav {

struct XmlAttribute {
  std::string_view ns, local, prefix, value;
};

/// A start tag. Everything in it lives until start() returns.
struct XmlElement {
  std::string_view ns, local, prefix;
  std::span<const XmlAttribute> attributes;

  bool is(std::string_view in, std::string_view name) const { return ns == in && local == name; }
};

struct XmlNamespace {
  std::string prefix, uri;  // both may be empty
};

/// Where the reader is.
struct XmlPlace {
  size_t depth = 0;                       ///< elements open, that of start() included
  std::vector<XmlNamespace> namespaces;   ///< in force, inner ones last
  size_t declared_here = 0;               ///< how many of the last ones the element of start() declares
  std::vector<std::string> langs = {{}};  ///< xml:lang in force at each depth, 0 first

  const std::string& lang() const { return langs[depth]; }
};

/// What a body's parser does with the parts of a document. A call of fail() ends the reading.
class XmlHandler {
 public:
  virtual ~XmlHandler() = default;
  virtual void start(const XmlPlace& place, const XmlElement& element) = 0;
  virtual void end() = 0;
  virtual void text(std::string_view text) = 0;

  void fail(std::string what, bool too_big = false) {
    if (!error) error = XmlError{std::move(what), too_big};
  }
  std::optional<XmlError> error;
};

/// Reads a document (UTF-8, UTF-16, ISO-8859-1 or US-ASCII) within the limits of xml_error.h; document types are
/// refused, and with them all entities but the five of XML. Namespaces are resolved and must be declared; a prefix
/// cannot be declared as no namespace. What it finds wrong is in handler.error then.
void read_xml(std::string_view body, size_t max_body, XmlHandler& handler);

}  // namespace isthmus::dav
