/// The server of the tests.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <stdexcept>

#include "base/text.h"
#include "fs/ftp/test_server.h"
#include "wire/ftp/times.h"

namespace isthmus::fs::ftp {
namespace {

std::pair<Fd, uint16_t> listen_somewhere(uint16_t port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  a.sin_port = htons(port);
  socklen_t size = sizeof a;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&a), sizeof a) < 0 || ::listen(fd.get(), 64) < 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&a), &size) < 0)
    throw std::runtime_error("no port to listen at");
  return {std::move(fd), ntohs(a.sin_port)};
}

bool send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

}  // namespace

struct TestServer::Session {
  Fd control, passive;
  std::thread thread;
  std::string cwd = "/", from, user;
  uint64_t restart = 0;
  bool logged_in = false;

  std::string path(std::string argument) const {
    std::string p = argument.starts_with('/') ? argument : cwd + "/" + argument;
    std::string clean;
    while (!p.empty()) {
      const size_t slash = std::min(p.find('/'), p.size());
      const std::string part = p.substr(0, slash);
      p.erase(0, slash + 1);
      if (part == "..")
        clean.erase(clean.empty() ? 0 : clean.rfind('/'));
      else if (!part.empty() && part != ".")
        clean += "/" + part;
    }
    return clean.empty() ? "/" : clean;
  }
};

TestServer::TestServer(Options o, uint16_t port) : options_(std::move(o)) {
  std::tie(listener_, port_) = listen_somewhere(port);
  files_["/"] = {.folder = true};
  acceptor_ = std::thread([this] { accept_all(); });
}

TestServer::~TestServer() {
  {
    std::lock_guard lock(m_);
    stopping_ = true;
    for (auto& s : sessions_) ::shutdown(s->control.get(), SHUT_RDWR);
    ended_.notify_all();
  }
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  for (auto& s : sessions_) s->thread.join();
}

void TestServer::accept_all() {
  for (;;) {
    Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::lock_guard lock(m_);
    if (stopping_) return;
    if (!fd) continue;
    auto& s = *sessions_.emplace_back(std::make_unique<Session>());
    s.control = std::move(fd);
    s.thread = std::thread([this, &s] { serve(s); });
  }
}

void TestServer::drop_all() {
  std::lock_guard lock(m_);
  for (auto& s : sessions_)
    if (s->control) ::shutdown(s->control.get(), SHUT_RDWR);
}

void TestServer::fail(Fault f) {
  std::lock_guard lock(m_);
  faults_.push_back(std::move(f));
}
std::vector<std::string> TestServer::commands() {
  std::lock_guard lock(m_);
  return commands_;
}
size_t TestServer::count(const std::string& verb) {
  std::lock_guard lock(m_);
  return static_cast<size_t>(
      std::count_if(commands_.begin(), commands_.end(), [&](auto& c) { return c.substr(0, c.find(' ')) == verb; }));
}
size_t TestServer::sessions() {
  std::lock_guard lock(m_);
  return static_cast<size_t>(
      std::count_if(sessions_.begin(), sessions_.end(), [](auto& s) { return bool(s->control); }));
}
void TestServer::put(const std::string& path, std::string data) {
  std::lock_guard lock(m_);
  files_[path].data = std::move(data);
}
void TestServer::make_folder(const std::string& path) {
  std::lock_guard lock(m_);
  files_[path] = {.folder = true, .mode = 0755};
}
void TestServer::make_link(const std::string& path, std::string target) {
  std::lock_guard lock(m_);
  files_[path].target = std::move(target);
}
bool TestServer::has(const std::string& path) {
  std::lock_guard lock(m_);
  return files_.contains(path);
}
std::string TestServer::data(const std::string& path) { return file(path).data; }
TestServer::File TestServer::file(const std::string& path) {
  std::lock_guard lock(m_);
  auto it = files_.find(path);
  return it == files_.end() ? File{} : it->second;
}
std::vector<std::string> TestServer::names(const std::string& folder) {
  std::lock_guard lock(m_);
  std::vector<std::string> found;
  for (auto& [path, f] : files_)
    if (path != "/" && parent_of(path) == folder) found.push_back(path.substr(path.rfind('/') + 1));
  return found;
}

bool TestServer::say(Session& s, const std::string& text) { return send_all(s.control.get(), text + "\r\n"); }

const TestServer::Fault* TestServer::fault_of(const std::string& verb, const std::string& argument, Fault& room) {
  std::lock_guard lock(m_);
  for (auto& f : faults_)
    if (f.times > 0 && f.verb == verb && argument.find(f.part) != std::string::npos) {
      f.times--;
      room = f;
      return &room;
    }
  return nullptr;
}

void TestServer::serve(Session& s) {
  bool more = true;
  if (sessions() > options_.most_sessions) {
    say(s, "421 Too many connections from you");
    more = false;
  } else {
    more = say(s, "220-Welcome\r\n here\r\n220 ready");
  }
  std::string text;
  while (more) {
    const size_t end = text.find('\n');
    if (end == std::string::npos) {
      char piece[4096];
      const ssize_t n = ::recv(s.control.get(), piece, sizeof piece, 0);
      if (n <= 0) break;
      text.append(piece, static_cast<size_t>(n));
      continue;
    }
    std::string line = text.substr(0, end);
    text.erase(0, end + 1);
    if (line.ends_with('\r')) line.pop_back();
    const size_t blank = line.find(' ');
    const std::string verb = line.substr(0, blank), argument = blank == std::string::npos ? "" : line.substr(blank + 1);
    {
      std::lock_guard lock(m_);
      commands_.push_back(line);
    }
    more = command(s, verb, argument);
  }
  std::lock_guard lock(m_);
  s.control.reset();
}

bool TestServer::command(Session& s, const std::string& verb, const std::string& argument) {
  const bool moves = verb == "RETR" || verb == "STOR" || verb == "APPE" || verb == "MLSD" || verb == "LIST";
  Fault room;
  const Fault* f = moves ? nullptr : fault_of(verb, argument, room);
  if (f && f->what == Do::reply) return say(s, f->text);
  if (f && f->what == Do::drop) return false;
  if (f && f->what == Do::hang) {
    std::unique_lock lock(m_);
    ended_.wait(lock, [&] { return stopping_; });
    return false;
  }
  if (f && f->what == Do::undone) {
    Fd away = Fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
    std::swap(s.control, away);
    command(s, verb, argument);
    std::swap(s.control, away);
    return false;
  }
  if (verb == "QUIT") return say(s, "221 bye"), false;
  if (verb == "USER") {
    s.user = argument;
    return say(s, "331 password, please");
  }
  if (verb == "PASS") {
    s.logged_in = options_.user.empty() || (s.user == options_.user && argument == options_.password);
    return say(s, s.logged_in ? "230 logged in" : "530 Login incorrect.");
  }
  if (verb == "FEAT") {
    std::string features = "211-Features:\r\n EPSV\r\n SIZE\r\n MDTM\r\n UTF8\r\n";
    if (options_.restart) features += " REST STREAM\r\n";
    if (options_.machine_lists) features += " MLST type*;size*;modify*;UNIX.mode*;\r\n";
    if (options_.set_time) features += " MFMT\r\n";
    return say(s, features + "211 End");
  }
  if (!s.logged_in) return say(s, "530 log in first");
  if (verb == "PWD") return say(s, "257 \"" + s.cwd + "\"");
  if (verb == "TYPE" || verb == "NOOP" || verb == "OPTS") return say(s, "200 ok");
  if (verb == "EPSV" || verb == "PASV") {
    auto [fd, port] = listen_somewhere(0);
    s.passive = std::move(fd);
    return say(s, verb == "EPSV" ? fmt::format("229 Extended (|||{}|)", port)
                                 : fmt::format("227 Passive (127,0,0,1,{},{})", port / 256, port % 256));
  }
  if (verb == "CWD") {
    const std::string path = s.path(argument);
    const bool there = has(path) && file(path).folder;
    if (there) s.cwd = path;
    return say(s, there ? "250 ok" : "550 Failed to change directory.");
  }
  if (verb == "REST") {
    if (!options_.restart) return say(s, "502 not here");
    s.restart = parse_number(argument).value_or(0);
    return say(s, "350 from there");
  }
  return moves ? transfer(s, verb, argument) : change(s, verb, argument);
}

bool TestServer::change(Session& s, const std::string& verb, const std::string& argument) {
  const std::string path = s.path(argument);
  std::unique_lock lock(m_);
  auto it = files_.find(path);
  const bool there = it != files_.end();
  auto answer = [&](const std::string& text) {
    lock.unlock();
    return say(s, text);
  };
  if (verb == "SIZE")
    return answer(there && !it->second.folder ? fmt::format("213 {}", it->second.data.size())
                                              : "550 Could not get file size.");
  if (verb == "MDTM") {
    return answer(there && !it->second.folder ? "213 " + wire::ftp::format_time({it->second.time, 0}) : "550 No time.");
  }
  if (verb == "MLST") {
    if (!options_.machine_lists) return answer("500 Unknown command.");
    return answer(there ? "250-Listing\r\n " + facts(it->second) + " " + path + "\r\n250 End"
                        : "550 Can't look: No such file or directory");
  }
  if (verb == "MFMT") {
    const size_t blank = argument.find(' ');
    auto t = wire::ftp::parse_time(argument.substr(0, blank));
    it = files_.find(s.path(argument.substr(blank + 1)));
    if (!options_.set_time || !t || it == files_.end()) return answer("500 Unknown command.");
    it->second.time = t->sec;
    return answer("213 Modify=" + argument);
  }
  if (verb == "SITE") {
    const size_t blank = argument.find(' ', 6);
    it = argument.starts_with("CHMOD ") ? files_.find(s.path(argument.substr(blank + 1))) : files_.end();
    if (!options_.chmod || it == files_.end()) return answer("500 Unknown command.");
    it->second.mode = static_cast<uint32_t>(std::stoul(argument.substr(6, blank - 6), nullptr, 8));
    return answer("200 ok");
  }
  if (verb == "DELE") {
    if (!there || it->second.folder) return answer("550 Delete operation failed.");
    files_.erase(it);
    return answer("250 gone");
  }
  if (verb == "MKD") {
    if (there || !files_.contains(parent_of(path))) return answer("550 Create directory operation failed.");
    files_[path] = {.folder = true, .mode = 0755};
    return answer("257 made");
  }
  if (verb == "RMD") {
    if (!there || !it->second.folder) return answer("550 Remove directory operation failed.");
    for (auto& [other, f] : files_)
      if (other.starts_with(path + "/")) return answer("550 Remove directory operation failed.");
    files_.erase(it);
    return answer("250 gone");
  }
  if (verb == "RNFR") {
    s.from = there ? path : "";
    return answer(there ? "350 and to?" : "550 RNFR command failed.");
  }
  if (verb == "RNTO") {
    if (s.from.empty() || !files_.contains(s.from) || !files_.contains(parent_of(path)) ||
        (there && !options_.rename_over) || (!options_.dot_files && path[path.rfind('/') + 1] == '.'))
      return answer("550 Rename failed.");
    std::map<std::string, File> moved;
    for (auto i = files_.begin(); i != files_.end();)
      if (i->first == s.from || i->first.starts_with(s.from + "/")) {
        moved[path + i->first.substr(s.from.size())] = std::move(i->second);
        i = files_.erase(i);
      } else {
        ++i;
      }
    for (auto& [to, f] : moved) files_[to] = std::move(f);
    return answer("250 renamed");
  }
  return answer("500 Unknown command.");
}

std::string TestServer::facts(const File& f) {
  if (!f.target.empty()) return "type=OS.unix=slink:" + f.target + ";";
  return fmt::format("type={};{}modify={};UNIX.mode=0{:o};", f.folder ? "dir" : "file",
                     f.folder ? "" : fmt::format("size={};", f.data.size()), wire::ftp::format_time({f.time, 0}),
                     f.mode);
}

std::string TestServer::listing(const std::string& folder, bool machine, bool all) {
  std::string text = machine ? "type=cdir; .\r\n" : all ? "drwxr-xr-x 2 0 0 4096 Jan 1 2020 .\r\n" : "";
  std::lock_guard lock(m_);
  for (auto& [path, f] : files_) {
    if (path == "/" || parent_of(path) != folder) continue;
    const std::string name = path.substr(path.rfind('/') + 1);
    if (!machine && !all && name[0] == '.') continue;
    const time_t t = f.time - options_.zone;
    tm when{};
    gmtime_r(&t, &when);
    char date[32];
    if (machine) {
      text += facts(f) + " " + name + "\r\n";
    } else if (options_.dos) {
      strftime(date, sizeof date, "%m-%d-%y  %I:%M%p", &when);
      text += fmt::format("{} {:>20} {}\r\n", date, f.folder ? "<DIR>" : fmt::format("{}", f.data.size()), name);
    } else {
      strftime(date, sizeof date, "%Y-%m-%d %H:%M", &when);
      text += fmt::format("{}rw-r--r-- 1 0 0 {} {} {}{}\r\n",
                          f.folder           ? 'd'
                          : f.target.empty() ? '-'
                                             : 'l',
                          f.data.size(), date, name, f.target.empty() ? "" : " -> " + f.target);
    }
  }
  return text;
}

Fd TestServer::data_connection(Session& s) {
  pollfd p{s.passive.get(), POLLIN, 0};
  if (!s.passive || ::poll(&p, 1, 20'000) != 1) return Fd();
  Fd fd(::accept4(s.passive.get(), nullptr, nullptr, SOCK_CLOEXEC));
  s.passive.reset();
  return fd;
}

bool TestServer::transfer(Session& s, const std::string& verb, const std::string& argument) {
  Fault room;
  const Fault* f = fault_of(verb, argument, room);
  if (f && f->what == Do::reply) return say(s, f->text);
  if (f && f->what == Do::drop) return false;
  const uint64_t restart = std::exchange(s.restart, 0);
  const bool list = verb == "MLSD" || verb == "LIST", all = argument.starts_with("-a");
  const std::string path = s.path(verb == "LIST" && argument.starts_with("-a") ? "" : argument);
  std::string out;
  if (verb == "MLSD" && !options_.machine_lists) return say(s, "500 Unknown command.");
  if (verb == "APPE" && !options_.append) return say(s, "502 not here");
  if (list) {
    if (options_.dos && all) return say(s, "550 -a: no such folder");
    if (!has(path) || !file(path).folder) return say(s, "550 Can't list.");
    out = listing(path, verb == "MLSD", all);
  } else if (verb == "RETR") {
    if (!has(path) || file(path).folder) return say(s, "550 Failed to open file.");
    out = data(path);
    out.erase(0, static_cast<size_t>(std::min<uint64_t>(restart, out.size())));
  } else if (!has(parent_of(path)) || (has(path) && file(path).folder) ||
             (!options_.dot_files && path[path.rfind('/') + 1] == '.')) {
    return say(s, "553 Could not create file.");
  }
  if (!say(s, "150 here it comes")) return false;
  Fd data = data_connection(s);
  if (!data) return say(s, "425 no data connection");
  const size_t most = f && (f->what == Do::cut || f->what == Do::stop) ? f->bytes : SIZE_MAX;
  if (list || verb == "RETR") {
    send_all(data.get(), std::string_view(out).substr(0, most));
  } else {
    {
      std::lock_guard lock(m_);
      File& to = files_[path];
      if (verb == "STOR") to.data.resize(static_cast<size_t>(std::min<uint64_t>(restart, to.data.size())));
      to.time = 1'700'000'100;
    }
    char piece[16384];
    size_t got = 0;
    while (got < most) {
      const ssize_t n = ::recv(data.get(), piece, std::min(sizeof piece, most - got), 0);
      if (n <= 0) break;
      got += static_cast<size_t>(n);
      std::lock_guard lock(m_);
      files_[path].data.append(piece, static_cast<size_t>(n));
    }
  }
  if (f && f->what == Do::hang) {
    std::unique_lock lock(m_);
    ended_.wait(lock, [&] { return stopping_; });
    return false;
  }
  if (f && f->what == Do::stop) {
    const bool more = say(s, f->text);
    data.reset();
    return more;
  }
  data.reset();
  if (f && (f->what == Do::cut || f->what == Do::undone)) return false;
  return say(s, "226 done");
}

}  // namespace isthmus::fs::ftp
