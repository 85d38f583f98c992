#include "wire/dav/multistatus.h"

#include <charconv>

#include "wire/dav/escape.h"
#include "wire/dav/headers.h"
#include "wire/http/response.h"

namespace isthmus::dav {
namespace {

constexpr std::string_view kDeclaration = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";
// Its prefix is xml everywhere, and no other may be bound to it.
constexpr std::string_view kXml = "http://www.w3.org/XML/1998/namespace";

void append_number(std::string& out, uint32_t n) {
  char digits[10];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, n).ptr);
}

void append_href(std::string& out, std::string_view href) {
  out.append("<D:href>");
  append_text(out, href);
  out.append("</D:href>");
}

void append_status(std::string& out, int status, std::string_view condition) {
  out.append("<D:status>HTTP/1.1 ");
  append_number(out, static_cast<uint32_t>(status));
  out.append(" ").append(http::reason_of(status)).append("</D:status>");
  if (!condition.empty()) out.append("<D:error><D:").append(condition).append("/></D:error>");
}

void append_lock(std::string& out, const ActiveLock& lock) {
  out.append("<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope>")
      .append(lock.exclusive ? "<D:exclusive/>" : "<D:shared/>")
      .append("</D:lockscope><D:depth>")
      .append(lock.infinite ? "infinity" : "0")
      .append("</D:depth>");
  if (!lock.owner.empty()) out.append("<D:owner>").append(lock.owner).append("</D:owner>");
  out.append("<D:timeout>");
  if (lock.timeout_s == kInfiniteTimeout) {
    out.append("Infinite");
  } else {
    out.append("Second-");
    append_number(out, lock.timeout_s);
  }
  out.append("</D:timeout><D:locktoken>");
  append_href(out, lock.token);
  out.append("</D:locktoken><D:lockroot>");
  append_href(out, lock.root_href);
  out.append("</D:lockroot></D:activelock>");
}

void append_lockdiscovery(std::string& out, std::span<const ActiveLock> locks) {
  if (locks.empty()) {
    out.append("<D:lockdiscovery/>");
    return;
  }
  out.append("<D:lockdiscovery>");
  for (auto& lock : locks) append_lock(out, lock);
  out.append("</D:lockdiscovery>");
}

}  // namespace

void Multistatus::begin(std::string_view declared) {
  declared_ = declared;
  out_.append(kDeclaration).append("<D:multistatus xmlns:D=\"DAV:\"");
  if (!declared.empty()) {
    out_.append(" xmlns:Z=\"");
    append_attribute(out_, declared);
    out_.append("\"");
  }
  out_.append(">");
}

void Multistatus::end() { out_.append("</D:multistatus>"); }

void Multistatus::response_status(std::string_view href, int status, std::string_view condition) {
  begin_response(href);
  append_status(out_, status, condition);
  end_response();
}

void Multistatus::begin_response(std::string_view href) {
  out_.append("<D:response>");
  append_href(out_, href);
}

void Multistatus::end_response() { out_.append("</D:response>"); }

void Multistatus::begin_propstat() { out_.append("<D:propstat><D:prop>"); }

void Multistatus::end_propstat(int status, std::string_view condition) {
  out_.append("</D:prop>");
  append_status(out_, status, condition);
  out_.append("</D:propstat>");
}

void Multistatus::tag(const Name& name) {
  if (name.ns == kDav)
    out_.append("D:");
  else if (name.ns == kXml)
    out_.append("xml:");
  else if (!name.ns.empty())
    out_.append(name.ns == declared_ ? "Z:" : "x:");
  out_.append(name.local);
}

void Multistatus::open(const Name& name) {
  out_.append("<");
  tag(name);
  if (name.ns.empty() || name.ns == kDav || name.ns == kXml || name.ns == declared_) return;
  out_.append(" xmlns:x=\"");
  append_attribute(out_, name.ns);
  out_.append("\"");
}

void Multistatus::close(const Name& name) {
  out_.append("</");
  tag(name);
  out_.append(">");
}

void Multistatus::text(const Name& name, std::string_view text) {
  open(name);
  out_.append(">");
  append_text(out_, text);
  close(name);
}

void Multistatus::text(std::string_view dav_name, std::string_view text) {
  out_.append("<D:").append(dav_name).append(">");
  append_text(out_, text);
  out_.append("</D:").append(dav_name).append(">");
}

void Multistatus::raw(const Name& name, std::string_view inner_xml, std::string_view lang) {
  open(name);
  if (!lang.empty()) {
    out_.append(" xml:lang=\"");
    append_attribute(out_, lang);
    out_.append("\"");
  }
  if (inner_xml.empty()) {
    out_.append("/>");
    return;
  }
  out_.append(">").append(inner_xml);
  close(name);
}

void Multistatus::raw(std::string_view dav_name, std::string_view inner_xml) {
  out_.append("<D:").append(dav_name).append(">").append(inner_xml);
  out_.append("</D:").append(dav_name).append(">");
}

void Multistatus::empty(const Name& name) {
  open(name);
  out_.append("/>");
}

void Multistatus::empty(std::string_view dav_name) { out_.append("<D:").append(dav_name).append("/>"); }

void Multistatus::resourcetype(bool collection) {
  out_.append(collection ? "<D:resourcetype><D:collection/></D:resourcetype>" : "<D:resourcetype/>");
}

void Multistatus::lockdiscovery(std::span<const ActiveLock> locks) { append_lockdiscovery(out_, locks); }

void Multistatus::supportedlock() {
  constexpr std::string_view kType = "<D:locktype><D:write/></D:locktype></D:lockentry>";
  out_.append("<D:supportedlock><D:lockentry><D:lockscope><D:exclusive/></D:lockscope>")
      .append(kType)
      .append("<D:lockentry><D:lockscope><D:shared/></D:lockscope>")
      .append(kType)
      .append("</D:supportedlock>");
}

void error_body(std::string& out, std::string_view condition, std::span<const std::string> hrefs) {
  out.append(kDeclaration).append("<D:error xmlns:D=\"DAV:\"><D:").append(condition);
  if (hrefs.empty()) {
    out.append("/></D:error>");
    return;
  }
  out.append(">");
  for (auto& href : hrefs) append_href(out, href);
  out.append("</D:").append(condition).append("></D:error>");
}

void lock_body(std::string& out, std::span<const ActiveLock> locks) {
  out.append(kDeclaration).append("<D:prop xmlns:D=\"DAV:\">");
  append_lockdiscovery(out, locks);
  out.append("</D:prop>");
}

}  // namespace isthmus::dav
