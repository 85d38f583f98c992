#include "doors/webdav/exchange.h"

#include <fmt/compile.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "doors/common/secret.h"
#include "wire/dav/multistatus.h"
#include "wire/http/ranges.h"

namespace isthmus::webdav {
namespace {

constexpr std::string_view kTemporary = ".~isthmus-";

ClientKind kind_of(std::string_view agent) {
  if (agent.starts_with("Microsoft-WebDAV-MiniRedir")) return ClientKind::windows;
  constexpr std::string_view kDarwin = "Darwin/";
  if (agent.starts_with("WebDAVFS/")) {
    unsigned major = 0, minor = 0;
    if (size_t at = agent.find(kDarwin); at != std::string_view::npos) {
      std::string_view version = agent.substr(at + kDarwin.size());
      const char* end = version.data() + version.size();
      auto [next, ec] = std::from_chars(version.data(), end, major);
      if (ec == std::errc{} && next != end && *next == '.') std::from_chars(next + 1, end, minor);
    }
    if (major > 24 || (major == 24 && minor >= 4)) return ClientKind::macos_slow;
  }
  return ClientKind::other;
}

std::optional<std::string_view> optional_field(const http::Request& r, std::string_view name) {
  const http::Field* f = r.find(name);
  return f ? std::optional(f->value) : std::nullopt;
}

}  // namespace

Context own_context(const Site& site) {
  // They stay as they are while a door serves; asked once, not for each request.
  static const Credentials own{.known = true,
                               .uid = geteuid(),
                               .gid = getegid(),
                               .pid = static_cast<uint32_t>(getpid()),
                               .umask = 0,
                               .groups = {}};
  Context ctx;
  ctx.cred = own;
  ctx.cred.umask = site.options.umask;
  ctx.umask_pending = true;
  ctx.door = DoorKind::webdav;
  return ctx;
}

Site::Site(VolumePort& volume_port, const Options& door_options, const Endpoint& bound)
    : port(volume_port),
      options(door_options),
      guard(options, bound),
      locks(options.max_locks),
      metrics(method_names()),
      read_only(options.read_only || volume_port.traits().read_only) {}

Exchange::Exchange(Site& s, const http::Request& r, const http::Path& path)
    : site(s),
      request(r),
      files(s.port, own_context(s)),
      trailing_slash(path.trailing_slash),
      client(kind_of(r.field("User-Agent"))),
      only_head(r.method == "HEAD") {
  if (auto own = from_client(path))
    names = std::move(*own);
  else
    names_ok = false;
}

std::optional<Names> Exchange::from_client(const http::Path& path) const {
  Names own;
  for (const std::string& name : path.names) {
    auto one = windows::from_client(name, rules());
    if (!one || is_temporary(*one)) return std::nullopt;
    own.push_back(std::move(*one));
  }
  return own;
}

std::optional<Names> Exchange::names_of(std::string_view url) const {
  auto path = site.guard.path_of(url);
  return path ? from_client(*path) : std::nullopt;
}

std::string Exchange::href(const Names& of, bool directory) const {
  std::string text = site.guard.prefix();
  for (const std::string& name : of) {
    text += '/';
    http::append_segment(text, client_name(name));
  }
  if (directory || text.empty()) text += '/';
  return text;
}

std::string Exchange::href_of_path(std::string_view path) const {
  Names at;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/', 1), path.size());
    at.emplace_back(path.substr(1, end - 1));
    path.remove_prefix(end);
  }
  return href(at, false);
}

bool Exchange::read_if() {
  if (!if_read_) {
    if_read_ = true;
    if (const http::Field* f = request.find("If")) {
      auto lists = dav::parse_if(f->value);
      if_bad_ = !lists || request.count("If") > 1;
      if (lists) if_lists_ = std::move(*lists);
    }
  }
  return !if_bad_;
}

bool Exchange::matches(const std::string& resource, const dav::Condition& condition, const Found& own) {
  Names other;
  const bool is_own = resource.empty();
  if (!is_own) {
    auto named = names_of(resource);
    if (!named) return false;
    other = std::move(*named);
  }
  if (!condition.is_etag) {
    for (const LockTable::Lock& lock : site.locks.covering(path_text(is_own ? names : other)))
      if (lock.token == condition.value) return true;
    return false;
  }
  if (is_own) return own.exists() && http::strong_match(etag_of(own.attr()), condition.value);
  auto found = files.find(other);
  return found && found->exists() && http::strong_match(etag_of(found->attr()), condition.value);
}

std::optional<Answer> Exchange::preconditions(const Found& found) {
  const std::string etag = found.exists() ? etag_of(found.attr()) : std::string();
  const http::Current current{found.exists(), etag, found.exists() ? std::optional(found.attr().mtime) : std::nullopt};
  const http::Conditionals wanted{optional_field(request, "If-Match"), optional_field(request, "If-None-Match"),
                                  optional_field(request, "If-Modified-Since"),
                                  optional_field(request, "If-Unmodified-Since")};
  switch (http::preconditions(wanted, current, request.method == "GET" || request.method == "HEAD")) {
    case http::Verdict::go_on:
      break;
    case http::Verdict::not_modified: {
      Answer answer(304);
      answer.field("ETag", etag);
      return answer;
    }
    case http::Verdict::precondition_failed:
      return plain_answer(412);
  }
  if (!read_if()) return plain_answer(400, "the If header is malformed");
  if (!if_lists_.empty() &&
      !dav::evaluate(if_lists_, [&](const std::string& resource, const dav::Condition& condition) {
        return matches(resource, condition, found);
      }))
    return plain_answer(412);
  return std::nullopt;
}

std::optional<Answer> Exchange::locked(const Names& of, unsigned scope) {
  if (!read_if()) return plain_answer(400, "the If header is malformed");
  const auto tokens = dav::submitted_tokens(if_lists_);
  auto held = [&](const LockTable::Lock& lock) {
    return std::find(tokens.begin(), tokens.end(), lock.token) != tokens.end();
  };
  std::vector<std::string> missing;
  auto want_one = [&](const std::vector<LockTable::Lock>& locks) {
    if (!locks.empty() && std::none_of(locks.begin(), locks.end(), held)) missing.push_back(locks.front().path);
  };
  const std::string path = path_text(of);
  if (scope & kItself) want_one(site.locks.covering(path));
  if (scope & kMember && !of.empty()) want_one(site.locks.covering(path.substr(0, path.rfind('/'))));
  if (scope & kBelow) {
    // Of several locks on one path one is enough.
    std::map<std::string, std::vector<LockTable::Lock>> by_path;
    for (LockTable::Lock& lock : site.locks.below(path)) by_path[lock.path].push_back(std::move(lock));
    for (const auto& [where, locks] : by_path) want_one(locks);
  }
  if (missing.empty()) return std::nullopt;
  std::vector<std::string> hrefs;
  for (const std::string& where : missing) hrefs.push_back(href_of_path(where));
  Answer answer(423);
  dav::error_body(answer.xml().body, "lock-token-submitted", hrefs);
  return answer;
}

std::string etag_of(const Attr& attr) {
  return fmt::format(FMT_COMPILE("\"{:x}-{:x}-{:x}{:08x}\""), attr.ino, attr.size, attr.mtime.sec, attr.mtime.nsec);
}

std::string temporary_name() { return std::string(kTemporary) + random_secret(10); }

bool is_temporary(std::string_view name) { return name.starts_with(kTemporary); }

}  // namespace isthmus::webdav
