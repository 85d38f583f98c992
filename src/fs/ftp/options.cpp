#include "fs/ftp/options.h"

#include <fmt/format.h>
#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "fs/curl/logins.h"

namespace isthmus::fs::ftp {
namespace {

using V = std::string_view;

bool same_host(V a, V b) { return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0; }

bool all_of(V text, V letters) { return text.find_first_not_of(letters) == V::npos; }
constexpr V kDigits = "0123456789";
constexpr V kHex = "0123456789abcdefABCDEF:.";
constexpr V kHostLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

bool is_ipv4(V text) {
  int parts = 0;
  for (; parts < 4; parts++) {
    const size_t dot = std::min(text.find('.'), text.size());
    const V part = text.substr(0, dot);
    if (part.empty() || part.size() > 3 || !parse_number(part, 255)) return false;
    text.remove_prefix(dot);
    if (text.empty()) break;
    text.remove_prefix(1);
  }
  return parts == 3;
}

/// RFC 1123, 2.1, without a dot at the end.
bool is_host(V text) {
  if (text.empty() || text.size() > 253) return false;
  V last;
  for (V rest = text;;) {
    const size_t dot = rest.find('.');
    last = rest.substr(0, dot);
    if (last.empty() || last.size() > 63 || last.front() == '-' || last.back() == '-' || !all_of(last, kHostLetters))
      return false;
    if (dot == V::npos) break;
    rest.remove_prefix(dot + 1);
  }
  return !all_of(last, kDigits) || is_ipv4(text);
}

/// Endings of files' names that are no top-level domains.
bool is_file_name(V host) {
  constexpr V kEndings[] = {
      "bak",     "bat",       "bin", "bmp", "c",    "cfg",   "cmd",  "conf",      "cpp", "css",  "csv",  "db",
      "desktop", "directory", "dll", "doc", "docx", "exe",   "gif",  "gitignore", "gz",  "h",    "html", "htm",
      "ico",     "icns",      "inf", "ini", "iso",  "jar",   "jpeg", "jpg",       "js",  "json", "lnk",  "local",
      "lock",    "log",       "old", "pdf", "php",  "plist", "png",  "sqlite",    "svg", "swp",  "sys",  "tar",
      "tmp",     "toml",      "txt", "url", "vbs",  "wav",   "webp", "xml",       "xz",  "yaml", "yml"};
  const size_t dot = host.rfind('.');
  if (dot == V::npos) return false;
  const V ending = host.substr(dot + 1);
  return std::any_of(std::begin(kEndings), std::end(kEndings), [&](V e) { return same_host(e, ending); });
}

bool in_etc_hosts(V host) {
  std::ifstream file("/etc/hosts");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string word;
    words >> word;  // the address
    while (words >> word)
      if (same_host(word, host)) return true;
  }
  return false;
}

}  // namespace

FtpOptions::FtpOptions() : uid(getuid()), gid(getgid()) {}

std::optional<Place> parse_place(V text) {
  Place p;
  // A user's name may have an '@' in it, a host's may not.
  if (const size_t at = text.rfind('@'); at != V::npos) {
    p.user = text.substr(0, at);
    text.remove_prefix(at + 1);
    if (p.user.empty() || p.user.find(':') != std::string::npos) return std::nullopt;
    for (char c : p.user)
      if (static_cast<unsigned char>(c) < 0x20 || c == '/' || c == 0x7f) return std::nullopt;
  }
  V port;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == V::npos) return std::nullopt;
    p.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (p.host.find(':') == std::string::npos || !all_of(p.host, kHex)) return std::nullopt;
    if (!text.empty() && text[0] != ':') return std::nullopt;
    if (!text.empty()) port = text.substr(1);
    if (!text.empty() && port.empty()) return std::nullopt;
  } else {
    const size_t colon = text.find(':');
    p.host = text.substr(0, colon);
    if (colon != V::npos && (port = text.substr(colon + 1)).empty()) return std::nullopt;
    if (!is_host(p.host)) return std::nullopt;
  }
  if (!port.empty()) {
    auto n = parse_number(port, 65535);
    if (!n || *n == 0) return std::nullopt;
    p.port = static_cast<uint16_t>(*n);
  }
  return p;
}

bool may_connect(const Place& p, const FtpOptions& o) {
  if (!o.hosts.empty())
    return std::any_of(o.hosts.begin(), o.hosts.end(), [&](auto& h) { return same_host(h, p.host); });
  if (!p.user.empty() || p.port != 0 || p.host.find(':') != std::string::npos) return true;
  if (p.host.find('.') == std::string::npos)
    return same_host(p.host, "localhost") || in_etc_hosts(p.host) || curl::names_host(p.host);
  return !is_file_name(p.host);
}

bool set_ftp_option(FtpOptions& o, V key, V value, std::string& why) {
  using Mode = curl::Terms::Tls;
  const auto refuse = [&](V wanted) {
    why = fmt::format("{}={}: {}", key, value, wanted);
    return false;
  };
  const auto seconds = [&](uint32_t& to, uint32_t least) {
    auto ms = parse_seconds(value);
    if (!ms || *ms < least) return refuse(least ? "not a number of seconds above 0" : "not a number of seconds");
    to = *ms;
    return true;
  };
  const auto count = [&](uint32_t& to, uint32_t least, uint32_t most) {
    auto n = parse_number(value, most);
    if (!n || *n < least) return refuse(fmt::format("not a number from {} to {}", least, most));
    to = static_cast<uint32_t>(*n);
    return true;
  };
  const auto flag = [&](bool& to) {
    if (!value.empty()) return refuse("takes no value");
    to = true;
    return true;
  };
  const auto text = [&](std::string& to, V what) {
    if (value.empty()) return refuse(what);
    to = value;
    return true;
  };
  if (key == "tls") {
    if (value == "require")
      o.tls = Mode::require;
    else if (value == "try")
      o.tls = Mode::attempt;
    else if (value == "off")
      o.tls = Mode::off;
    else
      return refuse("there are require, try and off; ftps:// begins with TLS at once");
    return true;
  }
  if (key == "cacert") return text(o.ca_file, "give a file");
  if (key == "insecure") return flag(o.insecure);
  if (key == "password_file") return text(o.password_file, "give a file");
  if (key == "active") return flag(o.active);
  if (key == "ro") return flag(o.read_only);
  if (key == "cache") return seconds(o.cache_ms, 0);
  if (key == "connect_timeout") return seconds(o.connect_ms, 1);
  if (key == "timeout") return seconds(o.timeout_ms, 1);
  if (key == "idle") return seconds(o.idle_ms, 1);
  if (key == "retry") return seconds(o.retry_ms, 0);
  if (key == "connections") return count(o.connections, 1, 64);
  if (key == "max_hosts") return count(o.most_hosts, 1, 10'000);
  if (key == "max_entries") return count(o.max_entries, 1, 100'000'000);
  if (key == "spool") return text(o.spool, "give a folder");
  if (key == "uid") return count(o.uid, 0, UINT32_MAX - 1);
  if (key == "gid") return count(o.gid, 0, UINT32_MAX - 1);
  if (key == "upload") {
    if (value != "direct" && value != "replace") return refuse("there are replace and direct");
    o.in_place = value == "direct";
    return true;
  }
  if (key == "read_ahead") {
    auto n = parse_bytes(value, 1 << 30);
    if (!n || *n < (128 << 10)) return refuse("not a number of bytes from 128k to 1g");
    o.read_ahead = static_cast<uint32_t>(*n);
    return true;
  }
  if (key == "hosts") {
    if (value.empty()) return refuse("give names of hosts");
    for (V rest = value; !rest.empty();) {
      const size_t comma = std::min(rest.find(','), rest.size());
      auto p = parse_place(rest.substr(0, comma));
      if (!p || !p->user.empty() || p->port) return refuse("not names of hosts with commas between");
      o.hosts.push_back(p->host);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return true;
  }
  why = fmt::format("no option '{}'", key);
  return false;
}

}  // namespace isthmus::fs::ftp
