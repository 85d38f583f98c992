#include "wire/dav/propfind.h"

#include <algorithm>

#include "wire/dav/xml_reader.h"

namespace isthmus::dav {
namespace {

class PropfindHandler : public XmlHandler {
 public:
  void start(const XmlPlace& place, const XmlElement& e) override {
    if (place.depth == 1) {
      if (!e.is(kDav, "propfind")) fail("the root element is not propfind of DAV:");
    } else if (place.depth == 2) {
      in_names_ = e.ns == kDav && second_level(e.local);
    } else if (place.depth == 3 && in_names_) {
      add(e);
    }
    depth_ = place.depth;
  }
  void end() override {
    if (depth_-- == 2) in_names_ = false;
  }
  void text(std::string_view) override {}

  Parsed<Propfind> result() {
    if (!error && !kind_known_) fail("propfind has none of allprop, propname and prop");
    if (!error && include_ && found_.kind != Propfind::Kind::allprop) fail("include stands without allprop");
    if (error) return *error;
    return std::move(found_);
  }

 private:
  /// Whether it holds names that we want.
  bool second_level(std::string_view name) {
    using Kind = Propfind::Kind;
    if (name == "include") {
      if (include_) fail("propfind has include twice");
      return include_ = true;
    }
    if (name != "allprop" && name != "propname" && name != "prop") return false;
    if (kind_known_) fail("propfind has more than one of allprop, propname and prop");
    kind_known_ = true;
    found_.kind = name == "allprop" ? Kind::allprop : name == "propname" ? Kind::propname : Kind::props;
    return found_.kind == Kind::props;
  }

  void add(const XmlElement& e) {
    auto same = [&](const Name& n) { return n.local == e.local && n.ns == e.ns; };
    if (std::any_of(found_.names.begin(), found_.names.end(), same)) return;
    if (found_.names.size() >= kMaxProperties) return fail("too many properties are asked for", true);
    found_.names.push_back({std::string(e.ns), std::string(e.local)});
  }

  Propfind found_;
  size_t depth_ = 0;
  bool kind_known_ = false;
  bool include_ = false;
  bool in_names_ = false;
};

}  // namespace

Parsed<Propfind> parse_propfind(std::string_view body, size_t max_body) {
  if (body.empty()) return Propfind{};
  PropfindHandler handler;
  read_xml(body, max_body, handler);
  return handler.result();
}

}  // namespace isthmus::dav
