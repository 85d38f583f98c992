#include "wire/dav/proppatch.h"

#include "wire/dav/fragment.h"
#include "wire/dav/multistatus.h"
#include "wire/dav/xml_reader.h"

namespace isthmus::dav {
namespace {

// propertyupdate / set or remove / prop / property / its value; unknown elements beside the first three are ignored.
class ProppatchHandler : public XmlHandler {
 public:
  /// `max_values`: bytes of all values together. A short document can write a long namespace in each element.
  explicit ProppatchHandler(size_t max_values) : max_values_(max_values) {}

  void start(const XmlPlace& place, const XmlElement& e) override {
    depth_ = place.depth;
    if (depth_ == 1) {
      if (!e.is(kDav, "propertyupdate")) fail("the root element is not propertyupdate of DAV:");
      known_ = 1;
    } else if (known_ == depth_ - 1 || depth_ > kProperty) {
      known_level(place, e);
    }
  }
  void end() override {
    if (depth_ > kProperty && known_ == kProperty && !remove_) value_.end();
    if (depth_ == kProperty && known_ == kProperty) {
      PropChange& change = changes_.back();
      change.value = value_.take();
      used_ += change.value.size() + change.text.size();
    }
    depth_--;
    if (known_ > depth_) known_ = depth_;
  }
  void text(std::string_view text) override {
    if (known_ != kProperty || remove_) return;
    value_.text(text);
    changes_.back().text.append(text);
    check_size();
  }

  Parsed<std::vector<PropChange>> result() {
    if (!error && changes_.empty()) fail("propertyupdate names no property to set or remove");
    if (error) return *error;
    return std::move(changes_);
  }

 private:
  static constexpr size_t kProperty = 4;  // depth of a property element

  void known_level(const XmlPlace& place, const XmlElement& e) {
    if (depth_ > kProperty) {
      if (known_ != kProperty || remove_) return;  // what a property to remove holds does not matter
      value_.start(place, e);
      return check_size();
    }
    if (depth_ == 2) {
      if (!e.is(kDav, "set") && !e.is(kDav, "remove")) return;
      remove_ = e.local == "remove";
    } else if (depth_ == 3) {
      if (!e.is(kDav, "prop")) return;
    } else {
      if (changes_.size() >= kMaxProperties) return fail("too many properties", true);
      PropChange& change = changes_.emplace_back();
      change.remove = remove_;
      change.name = {std::string(e.ns), std::string(e.local)};
      if (!remove_) change.lang = place.lang();
    }
    known_ = depth_;
  }
  void check_size() {
    if (used_ + value_.size() + changes_.back().text.size() > max_values_) fail("the values are too large", true);
  }

  const size_t max_values_;
  std::vector<PropChange> changes_;
  Fragment value_;
  size_t used_ = 0;
  size_t depth_ = 0;
  size_t known_ = 0;  // down to which depth the elements that are open are those we know
  bool remove_ = false;
};

/// Counts the elements that are not the root, and those with a name.
class Names : public XmlHandler {
 public:
  explicit Names(const Name& name) : name_(name) {}
  void start(const XmlPlace& place, const XmlElement& e) override {
    if (place.depth < 2) return;
    all++;
    if (e.is(name_.ns, name_.local) && e.attributes.empty()) same++;
  }
  void end() override {}
  void text(std::string_view) override {}
  size_t all = 0, same = 0;

 private:
  const Name& name_;
};

}  // namespace

bool is_property(const Name& name, std::string_view value) {
  std::string element = "<D:root xmlns:D=\"DAV:\">";
  Multistatus(element).empty(name);
  element.append("</D:root>");
  Names names(name);
  read_xml(element, kMaxBody, names);
  if (names.error || names.all != 1 || names.same != 1) return false;
  // In a root of its own nothing can end before its time, and no namespace comes from outside.
  Names content(name);
  read_xml("<root>" + std::string(value) + "</root>", 4 * kMaxBody, content);
  return !content.error;
}

Parsed<std::vector<PropChange>> parse_proppatch(std::string_view body, size_t max_body) {
  // Values are kept as XML and as text, and UTF-8 may take twice the bytes of ISO-8859-1.
  ProppatchHandler handler(4 * max_body);
  read_xml(body, max_body, handler);
  return handler.result();
}

}  // namespace isthmus::dav
