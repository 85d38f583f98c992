#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "wire/dav/name.h"
#include "wire/dav/xml_reader.h"

namespace isthmus::dav {

/// Writes what RFC 4918 section 4.3 wants kept of the content of each element called `name`: elements as {namespace}
/// prefix:local with their attributes sorted, character data, in brackets. Two documents with the same text say the
/// same.
class Infoset : public XmlHandler {
 public:
  explicit Infoset(Name name) : name_(std::move(name)) {}

  void start(const XmlPlace& place, const XmlElement& e) override {
    depth_ = place.depth;
    if (inside_ == 0) {
      if (e.is(name_.ns, name_.local)) {
        inside_ = depth_;
        text_ += "[" + place.lang() + "|";
      }
      return;
    }
    text_ += "({" + std::string(e.ns) + "}" + qualified(e.prefix, e.local);
    std::vector<std::string> attributes;
    for (auto& a : e.attributes)
      attributes.push_back(" {" + std::string(a.ns) + "}" + qualified(a.prefix, a.local) + "='" + std::string(a.value) +
                           "'");
    std::sort(attributes.begin(), attributes.end());
    for (auto& a : attributes) text_ += a;
    text_ += ":";
  }
  void end() override {
    if (inside_ != 0) text_ += depth_ == inside_ ? "]" : ")";
    if (depth_ == inside_) inside_ = 0;
    depth_--;
  }
  void text(std::string_view text) override {
    if (inside_ != 0) text_ += text;
  }
  const std::string& result() const { return text_; }

 private:
  static std::string qualified(std::string_view prefix, std::string_view local) {
    return (prefix.empty() ? "" : std::string(prefix) + ":") + std::string(local);
  }

  Name name_;
  std::string text_;
  size_t depth_ = 0, inside_ = 0;
};

inline std::string infoset(std::string_view document, const Name& name) {
  Infoset handler(name);
  read_xml(document, SIZE_MAX, handler);
  EXPECT_FALSE(handler.error) << handler.error->what << "\n" << document;
  return handler.result();
}

/// What a parser said was wrong; empty if nothing.
template <class T>
std::string wrong(const Parsed<T>& parsed) {
  auto* error = std::get_if<XmlError>(&parsed);
  return !error ? "" : error->too_big ? "too big: " + error->what : error->what;
}

}  // namespace isthmus::dav
