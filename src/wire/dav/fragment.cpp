#include "wire/dav/fragment.h"

#include <algorithm>

#include "wire/dav/escape.h"

namespace isthmus::dav {

void Fragment::name(std::string_view prefix, std::string_view local) {
  if (!prefix.empty()) out_.append(prefix).append(":");
  out_.append(local);
}

void Fragment::declare(std::string_view prefix, std::string_view uri) {
  out_.append(" ");
  name(prefix.empty() ? "" : "xmlns", prefix.empty() ? "xmlns" : prefix);
  out_.append("=\"");
  append_attribute(out_, uri);
  out_.append("\"");
  namespaces_.push_back({std::string(prefix), std::string(uri)});
}

void Fragment::need(std::string_view prefix, std::string_view uri) {
  if (prefix == "xml") return;
  auto known = std::find_if(namespaces_.rbegin(), namespaces_.rend(), [&](auto& n) { return n.prefix == prefix; });
  if (known == namespaces_.rend() ? !uri.empty() : known->uri != uri) declare(prefix, uri);
}

void Fragment::close_tag() {
  if (tag_open_) out_.append(">");
  tag_open_ = false;
}

void Fragment::start(const XmlPlace& place, const XmlElement& element) {
  close_tag();
  out_.append("<");
  size_t begin = out_.size();
  name(element.prefix, element.local);
  levels_.push_back({.tag = out_.substr(begin), .namespaces = namespaces_.size()});
  for (size_t i = place.namespaces.size() - place.declared_here; i < place.namespaces.size(); i++)
    declare(place.namespaces[i].prefix, place.namespaces[i].uri);
  need(element.prefix, element.ns);
  for (auto& a : element.attributes)
    if (!a.prefix.empty()) need(a.prefix, a.ns);
  for (auto& a : element.attributes) {
    out_.append(" ");
    name(a.prefix, a.local);
    out_.append("=\"");
    append_attribute(out_, a.value);
    out_.append("\"");
  }
  tag_open_ = true;
}

void Fragment::end() {
  Level& level = levels_.back();
  if (tag_open_)
    out_.append("/>");
  else
    out_.append("</").append(level.tag).append(">");
  tag_open_ = false;
  namespaces_.resize(level.namespaces);
  levels_.pop_back();
}

void Fragment::text(std::string_view text) {
  close_tag();
  append_text(out_, text);
}

std::string Fragment::take() {
  std::string all = std::move(out_);
  *this = Fragment();
  return all;
}

}  // namespace isthmus::dav
