#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "wire/dav/name.h"

namespace isthmus::dav {

/// A lock as lockdiscovery shows it (RFC 4918 section 14.1).
struct ActiveLock {
  bool exclusive = true;
  bool infinite = false;   ///< depth; else 0
  std::string owner;       ///< inner XML, self-contained (LockInfo::owner); empty: not shown
  std::string token;       ///< URI, without <>
  std::string root_href;   ///< percent-encoded
  uint32_t timeout_s = 0;  ///< seconds left; kInfiniteTimeout of headers.h: without end
};

/// Appends a 207 body (RFC 4918 section 13) to a string, element by element and with no white space between them, which
/// Windows' client takes for text. The caller keeps the order of the calls: begin, then responses, then end; a response
/// is either one response_status(), or begin_response, propstats (begin_propstat, properties, end_propstat),
/// end_response. DAV: is prefix D, declared once; other namespaces are declared where they are used. Hrefs and statuses
/// are written as given: hrefs percent-encoded already, `&` and such are escaped here. Text may be any bytes: what is
/// not UTF-8 or not allowed in XML 1.0 becomes U+FFFD.
class Multistatus {
 public:
  explicit Multistatus(std::string& out) : out_(out) {}

  /// `declared` is a second namespace that most entries use, e.g. kMicrosoft: declared once, it saves its bytes in
  /// each.
  void begin(std::string_view declared = {});
  /// `condition` is the local name of an error condition in DAV:, e.g. "lock-token-submitted"; empty: none.
  void response_status(std::string_view href, int status, std::string_view condition = {});

  void begin_response(std::string_view href);
  void begin_propstat();
  void text(const Name& name, std::string_view text);
  void text(std::string_view dav_name, std::string_view text);
  /// `inner_xml` is written as it is: well-formed and self-contained, as PropChange::value (is_property()). `lang` is
  /// PropChange::lang.
  void raw(const Name& name, std::string_view inner_xml, std::string_view lang = {});
  void raw(std::string_view dav_name, std::string_view inner_xml);
  void empty(const Name& name);
  void empty(std::string_view dav_name);
  /// <D:resourcetype>: a collection or nothing.
  void resourcetype(bool collection);
  void lockdiscovery(std::span<const ActiveLock> locks);
  /// Exclusive and shared write locks.
  void supportedlock();
  void end_propstat(int status, std::string_view condition = {});
  void end_response();
  void end();

 private:
  void tag(const Name& name);
  void open(const Name& name);
  void close(const Name& name);

  std::string& out_;
  std::string declared_;  // namespace of prefix Z
};

/// Body of a 4xx answer: the pre- or postcondition that failed (RFC 4918 section 16), e.g. lock-token-submitted with
/// the hrefs of the locks, or propfind-finite-depth with none.
void error_body(std::string& out, std::string_view condition, std::span<const std::string> hrefs = {});

/// Body of the answer to a LOCK: <D:prop> with lockdiscovery.
void lock_body(std::string& out, std::span<const ActiveLock> locks);

}  // namespace isthmus::dav
