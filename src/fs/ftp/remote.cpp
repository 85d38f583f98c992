#include "fs/ftp/remote.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/log.h"
#include "base/text.h"

namespace isthmus::fs::ftp {
namespace {

using wire::ftp::Format;
using wire::ftp::ListingReader;
using wire::ftp::Reply;

struct SlistFree {
  void operator()(curl_slist* l) const { curl_slist_free_all(l); }
};
using Slist = std::unique_ptr<curl_slist, SlistFree>;

Slist slist_of(const std::vector<std::string>& words) {
  Slist list;
  for (auto& w : words) {
    curl_slist* longer = curl_slist_append(list.get(), w.c_str());
    if (!longer) throw std::bad_alloc();
    (void)list.release();
    list.reset(longer);
  }
  return list;
}

std::string escape(std::string_view path) {
  static constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
  std::string out;
  for (char c : path) {
    if (kPlain.find(c) != std::string_view::npos)
      out += c;
    else
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

/// A line's end in a path would be the beginning of another command.
bool sendable(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) == text.npos; }

int64_t wall_clock() { return now().sec; }

}  // namespace

CURL* Remote::prepare(const std::string& path, bool folder) {
  CURL* easy = session_.prepare(server_.terms);
  const bool ipv6 = server_.host.find(':') != std::string::npos;
  const bool implicit = server_.terms.tls == curl::Terms::Tls::implicit;
  const uint16_t port = server_.port ? server_.port : implicit ? 990 : 21;
  url_ =
      fmt::format("{}://{}{}{}:{}/%2F{}{}", implicit ? "ftps" : "ftp", ipv6 ? "[" : "", server_.host, ipv6 ? "]" : "",
                  port, escape(path.substr(std::min<size_t>(path.size(), 1))), folder && path.size() > 1 ? "/" : "");
  curl_easy_setopt(easy, CURLOPT_URL, url_.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "ftp,ftps");
  curl_easy_setopt(easy, CURLOPT_FTP_FILEMETHOD, static_cast<long>(CURLFTPMETHOD_NOCWD));
  if (server_.active) curl_easy_setopt(easy, CURLOPT_FTPPORT, "-");
  return easy;
}

Said Remote::finish(curl::Outcome o) {
  Said s;
  s.code = static_cast<int>(o.response);
  const auto replies = wire::ftp::replies_in(o.lines);
  if (!replies.empty()) s.text = replies.back().text;
  lines_ = std::move(o.lines);
  fresh_ = o.fresh;
  if (o.fresh) last_listed_.clear();
  s.stopped = o.stopped;
  if (o.ok()) {
    connected_ = true;
    return s;
  }
  if (o.stopped) {
    connected_ = false;
    s.lost = true;
    s.error = err(ECONNABORTED);
    return s;
  }
  s.error = s.code == 421 ? err(ECONNRESET) : connection_error(o, server_.host);
  if (s.error != Errno{}) {
    s.lost = true;
    connected_ = false;
    if (s.text.empty() || s.code < 400) s.text = curl_easy_strerror(o.code);
    // What it said before it closed may be the reason.
    std::vector<std::string> words(1);
    for (char c : session_.last_words()) {
      if (c == '\n')
        words.emplace_back();
      else if (c != '\r')
        words.back() += c;
    }
    const auto last = wire::ftp::replies_in(words);
    if (!last.empty() && last.back().code >= 400) {
      s.code = last.back().code;
      s.text = last.back().text;
      if (s.code == 452 || s.code == 552) s.error = wire::ftp::reason(s.code, s.text);
    }
    return s;
  }
  connected_ = true;
  if (o.code == CURLE_URL_MALFORMAT) {
    s.error = err(EINVAL);
    return s;
  }
  s.error = wire::ftp::reason(s.code, s.text);
  s.vague = s.error == Errno{};
  if (s.vague) s.error = err(EIO);
  return s;
}

Said Remote::command(const std::vector<std::string>& commands, std::vector<Reply>* done) {
  for (auto& c : commands)
    if (!sendable(c)) return {.error = err(EINVAL), .text = "a name with the end of a line in it"};
  CURL* easy = prepare("/", true);
  const Slist list = slist_of(commands);
  curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(easy, CURLOPT_QUOTE, list.get());
  Said s = run();
  if (done) {
    // Those of the login stand before them.
    *done = wire::ftp::replies_in(lines_);
    if (done->size() > commands.size())
      done->erase(done->begin(), done->end() - static_cast<ptrdiff_t>(commands.size()));
  }
  return s;
}

bool too_many(const Said& s) {
  if (s.code == 421) return true;
  std::string text = s.text;
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return s.code == 530 && (text.find("too many") != text.npos || text.find("maximum") != text.npos);
}

Said Remote::connect(bool patient) {
  constexpr int kMostLogins = 20, kPauseMs = 150;
  Said s = log_in();
  for (int i = 0; patient && i < kMostLogins && too_many(s) && !aborted(); i++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(kPauseMs));
    s = log_in();
  }
  return s;
}

Said Remote::log_in() {
  connected_ = false;
  const bool learn = !server_.known.load(std::memory_order_acquire);
  Said s = learn ? command({"*FEAT"})
                 : command(server_.features.utf8 ? std::vector<std::string>{"*OPTS UTF8 ON"}
                                                 : std::vector<std::string>{"NOOP"});
  if (!s.ok() || !learn) return s;
  const auto features = wire::ftp::parse_features(lines_);
  char* entry = nullptr;
  curl_easy_getinfo(session_.easy(), CURLINFO_FTP_ENTRY_PATH, &entry);
  std::string path = entry && entry[0] == '/' ? entry : "/";
  while (path.ends_with('/')) path.pop_back();
  static std::mutex first;
  {
    std::lock_guard lock(first);
    if (!server_.known.load(std::memory_order_relaxed)) {
      server_.features = features;
      server_.entry = sendable(path) ? path : "";
      server_.known.store(true, std::memory_order_release);
    }
  }
  return features.utf8 ? command({"*OPTS UTF8 ON"}) : s;
}

Said Remote::list_once(const std::string& path, bool machine, bool all, std::vector<Facts>& out, bool& self) {
  CURL* easy = nullptr;
  if (machine) {
    easy = prepare(path, true);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "MLSD");
  } else {
    // Into the folder, then LIST without a path: what a path holds may be a pattern or an option to it. libcurl leaves
    // out a CWD to where it believes to stand, but others may have moved that folder: so never twice the same words.
    const std::string words = path == last_listed_ ? path + "/." : path;
    easy = prepare(words, true);
    curl_easy_setopt(easy, CURLOPT_FTP_FILEMETHOD, static_cast<long>(CURLFTPMETHOD_SINGLECWD));
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, all ? "LIST -a" : "LIST");
    last_listed_ = words;
  }
  ListingReader reader(machine ? Format::mlsd : Format::list, wall_clock(), server_.max_entries);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &reader);
  curl_easy_setopt(
      easy, CURLOPT_WRITEFUNCTION, +[](char* data, size_t size, size_t count, void* to) -> size_t {
        static_cast<ListingReader*>(to)->feed({data, size * count});
        return size * count;
      });
  const std::string moved_to = last_listed_;
  Said s = run();
  if (!machine && !s.lost) last_listed_ = moved_to;
  out = reader.finish();
  const auto& counts = reader.counts();
  self = counts.self;
  if (s.ok() && counts.bad_names + counts.bad_lines + counts.too_many > 0)
    log(LogLevel::warning, "ftp: {}: {}: left out of the listing: {} names, {} lines that are none, {} too many",
        server_.name, wire::ftp::printable(path), counts.bad_names, counts.bad_lines, counts.too_many);
  return s;
}

Said Remote::list(const std::string& path, std::vector<Facts>& out) {
  if (!sendable(path)) return {.error = err(EINVAL)};
  using Hidden = Server::Hidden;
  bool self = false;
  const std::string at = path.empty() ? "/" : path;
  if (server_.features.machine_lists && !server_.no_machine_lists) {
    Said s = list_once(at, true, false, out, self);
    if (s.ok() && std::any_of(out.begin(), out.end(), [](auto& f) { return f.kind == Kind::unknown; })) {
      // Links, of which some do not say here where they lead; the other form does.
      std::vector<Facts> again;
      if (Said t = list_once(at, false, true, again, self); t.lost) return t;
      for (auto& f : out) {
        auto it = std::lower_bound(again.begin(), again.end(), f, [](auto& a, auto& b) { return a.name < b.name; });
        if (f.kind != Kind::unknown || it == again.end() || it->name != f.name || it->kind != Kind::link) continue;
        f.kind = Kind::link;
        f.target = it->target;
      }
    }
    if (s.code != 500 && s.code != 502 && s.code != 504) return s;
    server_.no_machine_lists = true;
  }
  Said s;
  const Hidden hidden = server_.hidden;
  if (hidden != Hidden::as_it_is) {
    s = list_once(at, false, true, out, self);
    if (s.lost) return s;
    if (s.ok() && self) server_.hidden = Hidden::shown_by_a;
  }
  // A server that takes "-a" for a name lists nothing, or refuses.
  if (server_.hidden != Hidden::shown_by_a) {
    s = list_once(at, false, false, out, self);
    if (s.ok()) server_.hidden = Hidden::as_it_is;
  }
  if (s.ok()) {
    if (server_.zone == Server::kNoZone && server_.features.modified) find_zone(path, out);
    const int64_t zone = server_.zone;
    for (auto& f : out)
      if (f.modified && !f.exact && zone != Server::kNoZone) f.modified->sec += zone;
  }
  return s;
}

/// LIST shows the server's own time of day. The time of one file, asked for in UTC, tells how far that is off.
void Remote::find_zone(const std::string& path, const std::vector<Facts>& listed) {
  constexpr int64_t kMinute = 60, kStep = 15 * kMinute, kMost = 26 * 3600;
  for (auto& f : listed) {
    if (f.kind != Kind::file || !f.modified || f.exact || f.modified->sec % (24 * 3600) == 0) continue;
    std::vector<Reply> replies;
    Said s = command({"MDTM " + path + "/" + f.name}, &replies);
    if (s.lost) return;
    auto t = s.ok() && !replies.empty() ? wire::ftp::parse_time(replies.back().text) : std::nullopt;
    if (!t) continue;
    const int64_t off = t->sec - f.modified->sec;
    const int64_t steps = (off >= 0 ? off : off - kStep + 1) / kStep;
    if (off - steps * kStep < kMinute && off < kMost && off > -kMost) server_.zone = steps * kStep;
    return;
  }
}

Said Remote::size(const std::string& path, uint64_t& out) {
  std::vector<Reply> replies;
  Said s = command({"*TYPE I", "SIZE " + path}, &replies);
  if (!s.ok()) return s;
  const std::string text = replies.empty() ? "" : replies.back().text;
  const auto n = parse_number(std::string_view(text).substr(0, text.find_last_not_of(' ') + 1));
  if (!n) return {.error = err(EIO), .code = s.code, .text = text};
  out = *n;
  return s;
}

Said Remote::set_mode(const std::string& path, uint32_t mode) {
  if (server_.no_chmod) return {.error = err(EOPNOTSUPP)};
  Said s = command({fmt::format("SITE CHMOD {:03o} {}", mode & 07777, path)});
  if (s.code == 500 || s.code == 501 || s.code == 502 || s.code == 504 || s.code == 202) {
    server_.no_chmod = true;
    s.error = err(EOPNOTSUPP);
    s.vague = false;
  }
  return s;
}

Said Remote::set_time(const std::string& path, Time t) {
  const auto& f = server_.features;
  if (server_.no_set_time || !(f.set_modified || f.modified)) return {.error = err(EOPNOTSUPP)};
  // Some take a time by MDTM; others look for a file of that name.
  Said s = command({(f.set_modified ? "MFMT " : "MDTM ") + wire::ftp::format_time(t) + " " + path});
  if (!s.ok() && !s.lost && (!f.set_modified || s.error == err(EOPNOTSUPP))) {
    server_.no_set_time = true;
    s.error = err(EOPNOTSUPP);
    s.vague = false;
  }
  return s;
}

Said Remote::facts(const std::string& path, Facts& out) {
  out = {};
  std::vector<Reply> replies;
  Said s;
  bool link = false;
  if (server_.features.machine_lists && !server_.no_machine_lists) {
    s = command({"MLST " + path});
    if (s.ok()) {
      for (auto& line : lines_) {
        if (line.empty() || line[0] != ' ') continue;
        // The path behind the facts is no name.
        const std::string facts = line.substr(1, std::min(line.find(' ', 1), line.size()) - 1);
        const auto kind = wire::ftp::parse_mlsd(facts + " x", out);
        if (kind == wire::ftp::Line::self) out.kind = Kind::folder;
        out.name.clear();
        link = kind == wire::ftp::Line::entry && out.kind == Kind::unknown;
        if (!link && (kind == wire::ftp::Line::entry || kind == wire::ftp::Line::self)) return s;
      }
      if (!link) return {.error = err(EIO), .code = s.code, .text = s.text};
    } else if (s.code != 500 && s.code != 502 && s.code != 504) {
      if (s.vague) s.error = err(ENOENT);
      return s;
    } else {
      server_.no_machine_lists = true;
    }
  }
  s = command({"*TYPE I", "*SIZE " + path, "*MDTM " + path}, &replies);
  if (!s.ok()) return s;
  if (replies.size() == 3 && replies[2].code == 213) {
    out.modified = wire::ftp::parse_time(replies[2].text);
    out.exact = out.modified.has_value();
  }
  if (replies.size() == 3 && replies[1].code == 213) {
    out.size = parse_number(replies[1].text);
    out.kind = Kind::file;
    return s;
  }
  if (link) {
    // It leads to a folder, or nowhere. As a folder it would lead `rm -r` to what lies elsewhere.
    out.kind = Kind::link;
    return s;
  }
  s = command({"CWD " + path});
  if (s.ok()) out.kind = Kind::folder;
  if (!s.ok() && s.vague) s.error = err(ENOENT);
  return s;
}

Said Remote::download(const std::string& path, uint64_t offset, const Sink& sink, const curl::Session::Hooks& hooks) {
  struct To {
    Remote* remote;
    const Sink* sink;
    uint64_t got = 0;
    bool enough = false;
  } to{this, &sink};
  CURL* easy = prepare(path, false);
  curl_easy_setopt(easy, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(offset));
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &to);
  curl_easy_setopt(
      easy, CURLOPT_WRITEFUNCTION, +[](char* data, size_t size, size_t count, void* p) -> size_t {
        auto& t = *static_cast<To*>(p);
        switch ((*t.sink)(as_bytes({data, size * count}))) {
          case Taken::none:
            t.remote->session_.pause();
            return CURL_WRITEFUNC_PAUSE;
          case Taken::enough:
            t.enough = true;
            return CURL_WRITEFUNC_ERROR;
          case Taken::all:
            break;
        }
        t.got += size * count;
        return size * count;
      });
  auto o = session_.perform(hooks);
  const CURLcode code = o.code;
  curl_off_t told = -1;
  curl_easy_getinfo(session_.easy(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &told);
  Said s = finish(std::move(o));
  if (to.enough) {
    s.stopped = true;
    s.lost = false;
  }
  if (s.ok() || s.stopped || s.lost) return s;
  // Nothing is left behind the end.
  if (code == CURLE_BAD_DOWNLOAD_RESUME) return {.code = s.code};
  // It has grown meanwhile, and all of it has come.
  if (code == CURLE_PARTIAL_FILE && s.code == 226 && told >= 0 && to.got >= static_cast<uint64_t>(told))
    return {.code = 226};
  if (code == CURLE_FTP_COULDNT_USE_REST) {
    server_.no_restart = true;
    s.error = err(EOPNOTSUPP);
  }
  if (code == CURLE_PARTIAL_FILE) {
    s.error = err(EIO);
    s.lost = true;
  }
  return s;
}

Said Remote::upload(const std::string& path, bool append, const Source& source, const curl::Session::Hooks& hooks) {
  struct From {
    Remote* remote;
    const Source* source;
    bool useless = false;
  } from{this, &source};
  CURL* easy = prepare(path, false);
  curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(easy, CURLOPT_APPEND, append ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_READDATA, &from);
  curl_easy_setopt(
      easy, CURLOPT_READFUNCTION, +[](char* data, size_t size, size_t count, void* p) -> size_t {
        auto& f = *static_cast<From*>(p);
        const size_t n = (*f.source)({reinterpret_cast<std::byte*>(data), size * count});
        if (n == kWait) {
          f.remote->session_.pause();
          return CURL_READFUNC_PAUSE;
        }
        if (n == kStop) f.useless = true;
        return n == kStop ? CURL_READFUNC_ABORT : n;
      });
  auto o = session_.perform(hooks);
  const CURLcode code = o.code;
  Said s = finish(std::move(o));
  if (from.useless) s.stopped = true;
  // Only this reply means that the file is there.
  if (s.ok() && s.code != 226 && s.code != 250) s.error = err(EIO);
  if (code == CURLE_PARTIAL_FILE || code == CURLE_FTP_COULDNT_RETR_FILE) s.lost = s.lost || s.code < 500;
  return s;
}

std::string explain(const Server& server, const Said& s) {
  std::string why =
      fmt::format("ftp: {}: {}", server.name, wire::ftp::printable(s.text.empty() ? text_of(s.error) : s.text));
  if (s.error == err(EACCES) && s.lost)
    why += server.terms.password.empty() || server.anonymous
               ? fmt::format("; no password is known: name a user (user@{}) and put the password into ~/.netrc",
                             server.host)
               : fmt::format("; check the password of {} in ~/.netrc or password_file", server.terms.user);
  else if (s.error == err(EKEYREJECTED))
    why += "; if it is the right server, give its certificate by cacert=FILE, or say insecure";
  else if (s.error == err(EPROTO))
    why += "; it may have no TLS: tls=off sends everything in clear text";
  else if (s.error == err(ENOENT) && s.lost)
    why += "; check the host's name";
  else if (s.error == err(ECONNREFUSED))
    why += "; is there an FTP server at that port?";
  else if (s.error == err(EHOSTDOWN) || s.error == err(EHOSTUNREACH) || s.error == err(ENETUNREACH))
    why += "; is the host up, and reachable from here?";
  return why;
}

}  // namespace isthmus::fs::ftp
