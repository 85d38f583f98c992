/// `ftp:`, where naming a server connects to it, and how servers are opened.
#include <fmt/format.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "base/log.h"
#include "fs/curl/logins.h"
#include "fs/ftp/ftp_fs.h"

namespace isthmus::fs::ftp {
namespace {

constexpr Ttl kNoHostMs = 60'000;  // a name that is no server's is not asked for again
constexpr int64_t kDownNs = 5 * kNsPerSec;

using Tls = curl::Terms::Tls;

std::string name_of_place(const Place& p) {
  const bool ipv6 = p.host.find(':') != std::string::npos;
  std::string s = p.user.empty() ? "" : p.user + "@";
  s += ipv6 ? "[" + p.host + "]" : p.host;
  if (p.port) s += fmt::format(":{}", p.port);
  return s;
}

/// Where a URL's path leads, from where logins land.
std::string top_of(const std::string& entry, std::string_view path) {
  if (path.starts_with('/')) path.remove_prefix(1);
  std::string top = path.starts_with('/') ? "" : entry;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    if (slash > 0) top.append("/").append(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return top;
}

}  // namespace

FtpFs::FtpFs(FtpOptions o) : options_(std::move(o)), began_(now()) {
  mark_ = std::random_device()();
  root_ = make_node(nullptr, "", {}, 0);
  root_->facts.kind = Kind::folder;
  root_->pinned = true;
}

FtpFs::~FtpFs() { stop(); }

std::unique_ptr<FtpFs> FtpFs::open_all(const FtpOptions& o) {
  auto fs = std::unique_ptr<FtpFs>(new FtpFs(o));
  fs->all_ = true;
  fs->source_ = "ftp:";
  return fs;
}

std::shared_ptr<Site> FtpFs::make_site(const Place& place, const std::string& name, bool implicit_tls,
                                       std::optional<curl::Login> login) const {
  auto server = std::make_shared<Server>();
  server->name = name;
  server->host = place.host;
  server->port = place.port;
  server->active = options_.active;
  server->max_entries = options_.max_entries;
  server->anonymous = !login;
  curl::Terms& t = server->terms;
  t.user = login ? login->user : place.user.empty() ? "anonymous" : place.user;
  t.password = login ? login->password : place.user.empty() ? curl::Secret("anonymous@") : curl::Secret();
  if (!place.user.empty()) server->anonymous = false;
  // What nobody has to know is worth no certificate.
  t.tls = implicit_tls ? Tls::implicit : options_.tls.value_or(server->anonymous ? Tls::off : Tls::attempt);
  t.ca_file = options_.ca_file;
  t.insecure = options_.insecure;
  t.connect_ms = options_.connect_ms;
  t.stall_ms = options_.timeout_ms;
  return std::make_shared<Site>(server, options_);
}

Expected<std::unique_ptr<FtpFs>> FtpFs::open(const Place& place, std::string_view path, bool implicit_tls,
                                             const FtpOptions& o, const FtpHooks& hooks) {
  auto fs = std::unique_ptr<FtpFs>(new FtpFs(o));
  const std::string name = name_of_place(place);
  fs->source_ = (implicit_tls ? "ftps://" : "ftp://") + name + std::string(path);
  std::optional<curl::Login> login;
  if (!o.password_file.empty()) {
    if (place.user.empty())
      return Problem{err(EINVAL), "password_file without a user", "write ftp://USER@" + place.host};
    auto secret = curl::read_secret(o.password_file);
    if (!secret) return secret.problem();
    login = curl::Login{place.user, *secret};
  } else {
    login = curl::find_login(place.host, place.user);
  }
  for (int attempt = 0;; attempt++) {
    if (!login && !place.user.empty() && place.user != "anonymous" && place.user != "ftp" && attempt == 0) attempt = 1;
    if (attempt > 0) {
      auto text = hooks.password ? hooks.password(attempt) : std::nullopt;
      if (!text)
        return Problem{err(EACCES), "no password for " + name + " is known",
                       "put it into ~/.netrc (machine " + place.host + " login " + place.user +
                           " password ...) or into a file, for password_file"};
      login = curl::Login{place.user, curl::Secret(*text)};
      explicit_bzero(text->data(), text->size());
    }
    auto site = fs->make_site(place, name, implicit_tls, login);
    Remote remote(*site->server);
    Said s = remote.connect();
    Facts what;
    if (s.ok()) {
      site->top = top_of(site->server->entry, path);
      // Behind the login's own folder, all that stands here was named by whoever mounts.
      if (!site->top.empty()) s = remote.facts(site->top, what);
      if (s.ok() && !site->top.empty() && what.kind != Kind::folder) s.error = err(ENOTDIR);
      if (!s.ok() && !s.lost)
        return Problem{s.error, fmt::format("{}: {}: {}", name, site->top, text_of(s.error)),
                       "a path begins in the login's own folder; ftp://HOST//PATH begins at the server's root"};
    }
    if (s.ok()) {
      (void)remote.command({"*QUIT"});
      remote.abort();
      fs->root_->site = site;
      fs->sites_.push_back(site);
      return fs;
    }
    const bool refused = s.error == err(EACCES);
    if (hooks.cancelled && hooks.cancelled()) return Problem{err(EINTR), "interrupted", ""};
    if (!refused || attempt == 0 || attempt >= 3) {
      std::string why = explain(*site->server, s);
      const size_t hint = why.find("; ");
      const size_t begin = why.starts_with("ftp: ") ? 5 : 0;
      return Problem{s.error, why.substr(begin, hint == std::string::npos ? hint : hint - begin),
                     hint == std::string::npos ? "" : why.substr(hint + 2)};
    }
  }
}

Status FtpFs::start(Upcalls& up) { return FileSystem::start(up); }

void FtpFs::stop() {
  std::vector<std::shared_ptr<Site>> sites;
  {
    Lock lock(m_);
    if (stopping_) return;
    stopping_ = true;
    sites.swap(sites_);
    for (auto& [name, host] : hosts_)
      if (host.site) sites.push_back(host.site);
  }
  // What is written still goes out; what a server does not take within the time for retries is lost, and was told of.
  for (auto& s : sites) s->connections.stop(options_.retry_ms);
  Lock lock(m_);
  hosts_.clear();
  handles_.clear();
  auto nodes = std::exchange(nodes_, {});
  lock.unlock();
}

Traits FtpFs::traits() const {
  Traits t;
  t.type = "ftp";
  t.source = source_;
  t.read_only = options_.read_only;
  t.dir_attr = true;
  t.changes_outside = true;
  t.write_back = false;  // a kernel's order is not the file's, and its times would each cost a round trip
  t.time_granularity_ns = 1'000'000'000;
  return t;
}

Result<StatFs> FtpFs::statfs(const Context&, const op::Statfs&) {
  // The protocol does not tell; nothing at all would keep clients from writing.
  StatFs s;
  s.fragment_size = s.block_size = 128 << 10;
  s.blocks = s.blocks_free = s.blocks_available = (uint64_t{1} << 40) / s.block_size;
  s.volume_flags = kVolumePersistent | kVolumeShared | (options_.read_only ? kVolumeReadOnly : 0u);
  s.volume_name = source_;
  return s;
}

void FtpFs::lookup_host(const Answer<op::Lookup>& a, const std::string& name) {
  Lock lock(m_);
  if (auto it = root_->children.find(name); it != root_->children.end()) {
    NodePtr n = nodes_.at(raw(it->second->id));
    lock.unlock();
    return answer_entry(a, n);
  }
  Host& host = hosts_[name];
  if (host.site) {
    host.waiting.push_back(a);
    return;
  }
  if (host.error != Errno{} && monotonic_ns() < host.until_ns) {
    const Errno e = host.error;
    lock.unlock();
    if (e != err(ENOENT)) return a.fail(e);
    Entry none;
    none.entry_ttl = kNoHostMs;
    return a.finish(none);
  }
  lock.unlock();
  const auto place = parse_place(name);
  if (!place || !may_connect(*place, options_)) {
    host_answered(name, nullptr, err(ENOENT));
    Entry none;
    none.entry_ttl = kNoHostMs;
    return a.finish(none);
  }
  auto site = make_site(*place, name, false, curl::find_login(place->host, place->user));
  std::shared_ptr<Site> let_go;
  lock.lock();
  Host& again = hosts_[name];
  if (again.site) {
    again.waiting.push_back(a);
    return;
  }
  if (stopping_ || !make_room(let_go)) {
    hosts_.erase(name);
    lock.unlock();
    return a.fail(EMFILE);
  }
  again.site = site;
  again.waiting.push_back(a);
  lock.unlock();
  if (let_go) let_go->connections.stop();
  site->connections.submit({[this, name, site](Remote&) {
                              site->top = site->server->entry;
                              host_answered(name, site, Errno{});
                            },
                            [this, name, site](const Said& s) { host_answered(name, site, s.error); }});
}

/// Room for one server more, perhaps where one was that nobody uses. Under m_.
bool FtpFs::make_room(std::shared_ptr<Site>& let_go) {
  const auto reached = static_cast<size_t>(
      std::count_if(hosts_.begin(), hosts_.end(), [](auto& h) { return h.second.site != nullptr; }));
  if (root_->children.size() + reached < options_.most_hosts) return true;
  for (auto& [name, node] : root_->children) {
    if (node->lookups > 0 || node->opens > 0 || !node->children.empty() || node->listing_now) continue;
    NodePtr n = nodes_.at(raw(node->id));
    let_go = n->site;
    std::erase(sites_, n->site);
    n->pinned = false;
    drop_if_unused(n);
    return true;
  }
  return false;
}

void FtpFs::host_answered(const std::string& name, const std::shared_ptr<Site>& site, Errno e) {
  std::vector<Answer<op::Lookup>> waiting;
  NodePtr node;
  {
    Lock lock(m_);
    constexpr size_t kMostKept = 1000;
    Host& host = hosts_[name];
    waiting.swap(host.waiting);
    host.site = nullptr;
    host.error = e;
    host.until_ns = monotonic_ns() + (e == err(ENOENT) ? kNoHostMs * int64_t{1'000'000} : kDownNs);
    if (e == Errno{}) {
      hosts_.erase(name);
      Facts f;
      f.name = name;
      f.kind = Kind::folder;
      node = make_node(root_, name, f, 0);
      node->site = site;
      node->pinned = true;
      sites_.push_back(site);
    }
    // Names that were looked up long ago.
    if (hosts_.size() > kMostKept)
      std::erase_if(hosts_, [](auto& h) { return !h.second.site && h.second.until_ns < monotonic_ns(); });
    if (hosts_.size() > kMostKept) std::erase_if(hosts_, [](auto& h) { return !h.second.site; });
  }
  for (auto& a : waiting) {
    if (node) {
      answer_entry(a, node);
    } else if (e == err(ENOENT)) {
      Entry none;
      none.entry_ttl = kNoHostMs;
      a.finish(none);
    } else {
      a.fail(e);
    }
  }
}

}  // namespace isthmus::fs::ftp
