#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "doors/common/door_metrics.h"
#include "doors/webdav/answer.h"
#include "doors/webdav/dead_props.h"
#include "doors/webdav/files.h"
#include "doors/webdav/guard.h"
#include "doors/webdav/locks.h"
#include "doors/webdav/spare_texts.h"
#include "doors/webdav/turns.h"
#include "doors/webdav/uploads.h"
#include "doors/webdav/webdav_door.h"
#include "windows/names.h"
#include "wire/dav/if_header.h"
#include "wire/http/request.h"

namespace isthmus::webdav {

/// What all connections share.
struct Site {
  Site(VolumePort& volume_port, const Options& door_options, const Endpoint& bound);

  VolumePort& port;
  const Options options;
  Guard guard;
  LockTable locks;
  DeadProps props;
  Turns turns;
  DoorMetrics metrics;
  Uploads uploads;
  SpareTexts spare_texts;
  const bool read_only;
};

/// Of the server's user, as which all clients come.
Context own_context(const Site& site);

/// Clients whose ways need an answer of their own.
enum class ClientKind : uint8_t {
  other,
  windows,     ///< Microsoft-WebDAV-MiniRedir
  macos_slow,  ///< webdavfs since Darwin 24.4: quota properties delay its mount by 90 s
};

/// One request that is being answered: who asks for what, and what every method needs. One thread at a time.
class Exchange {
 public:
  Exchange(Site& site, const http::Request& request, const http::Path& path);

  Site& site;
  const http::Request& request;  ///< of the connection, until the answer has been given
  Files files;
  Names names;  ///< as the file system has them
  bool trailing_slash;
  bool names_ok = true;  ///< false: the path holds a name that no file here can have
  ClientKind client = ClientKind::other;
  bool only_head = false;

  /// A path as this client writes it, escaped; a directory's ends with '/'.
  std::string href(const Names& of, bool directory) const;
  /// The same of a path of the lock table.
  std::string href_of_path(std::string_view path) const;
  std::string client_name(std::string_view name) const { return windows::to_client(name, rules()); }
  /// Names of a URL of ours.
  std::optional<Names> names_of(std::string_view url) const;
  std::optional<Names> from_client(const http::Path& path) const;

  /// The conditional headers and If against what is there now (RFC 9110 section 13, RFC 4918 section 10.4). An answer:
  /// refused.
  std::optional<Answer> preconditions(const Found& found);
  /// Which locks a change must hold the tokens of.
  enum Scope : uint8_t {
    kItself = 1,  ///< the file or its properties change
    kMember = 2,  ///< a name comes or goes in the directory above
    kBelow = 4,   ///< and so does everything below
  };
  std::optional<Answer> locked(const Names& of, unsigned scope);

 private:
  windows::NameRules rules() const {
    return client == ClientKind::windows ? windows::NameRules::windows : windows::NameRules::text;
  }
  bool matches(const std::string& resource, const dav::Condition& condition, const Found& own);
  bool read_if();

  bool if_read_ = false, if_bad_ = false;
  std::vector<dav::IfList> if_lists_;
};

/// Strong: differs whenever content does, as far as the file system's times do.
std::string etag_of(const Attr& attr);

/// What takes the body of a request, and answers it. Made when the head has been read.
class Method {
 public:
  virtual ~Method() = default;
  /// Before anything of the body, and before 100 (Continue). An answer: the body is not wanted.
  virtual std::optional<Answer> begin() { return std::nullopt; }
  /// An answer: no more is wanted.
  virtual std::optional<Answer> body(Bytes part) = 0;
  virtual Answer end() = 0;
};

/// Wants no body and answers at once.
class Refusal final : public Method {
 public:
  explicit Refusal(Answer answer) : answer_(std::move(answer)) {}
  std::optional<Answer> begin() override { return std::move(answer_); }
  std::optional<Answer> body(Bytes) override { return std::nullopt; }
  Answer end() override { return Answer(500); }  // not reached: begin() has answered

 private:
  Answer answer_;
};

/// Value of Allow, which goes with OPTIONS and 405.
std::string allowed_methods(const Site& site);
/// Of all that are served.
std::span<const std::string_view> method_names();
/// Null: no such method.
std::unique_ptr<Method> make_method(Exchange& x);

/// The methods, each with its whole body at hand (at most dav::kMaxBody).
Answer options(Exchange& x, std::string_view body);
Answer get(Exchange& x, std::string_view body);
Answer remove(Exchange& x, std::string_view body);
Answer make_collection(Exchange& x, std::string_view body);
Answer copy(Exchange& x, std::string_view body);
Answer move(Exchange& x, std::string_view body);
Answer propfind(Exchange& x, std::string_view body);
Answer proppatch(Exchange& x, std::string_view body);
Answer lock(Exchange& x, std::string_view body);
Answer unlock(Exchange& x, std::string_view body);
std::unique_ptr<Method> make_put(Exchange& x);

/// A name that nobody has, for what is not complete yet. Listings leave such names out.
std::string temporary_name();
bool is_temporary(std::string_view name);

}  // namespace isthmus::webdav
