#pragma once
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "fs/mail/test_tools.h"

namespace isthmus::fs::mail {

/// A server of IMAP with as much of it as our client asks for, on a port of the loopback; what it does wrong is said by
/// the test. One mailbox a name, messages with UIDs.
class FakeImap {
 public:
  struct Letter {
    uint32_t uid;
    std::string text;
    std::string flags;
  };
  struct Box {
    uint32_t validity = 1, next = 1;
    std::vector<Letter> letters;
    void add(const std::string& text) { letters.push_back({next++, text, ""}); }
  };
  /// What a command is answered with instead, "TAG" being its tag; nullopt: as usual; "close": nothing, ever; "hang".
  using Fault = std::function<std::optional<std::string>(const std::string& command)>;

  FakeImap() {
    listener_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) < 0 || ::listen(listener_.get(), 8) < 0 ||
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size) < 0)
      throw std::runtime_error("listen");
    port_ = ntohs(at.sin_port);
    boxes.emplace("INBOX", Box());
    thread_ = std::thread([this] { accept_all(); });
  }
  ~FakeImap() {
    stopping_ = true;
    thread_.join();
    for (auto& t : conversations_) t.join();
  }

  std::string url(const std::string& folder = "") const {
    return "imap://me@127.0.0.1:" + std::to_string(port_) + "/" + folder;
  }
  /// f() while no conversation looks at what follows.
  template <class F>
  auto locked(F f) {
    std::lock_guard lock(m);
    return f();
  }
  Box box(const std::string& name) {
    return locked([&] { return boxes[name]; });
  }
  /// As mail delivery does it: news for who waits.
  void deliver(const std::string& text) {
    std::lock_guard lock(m);
    boxes["INBOX"].add(text);
  }
  void set_fault(Fault f) {
    std::lock_guard lock(m);
    fault = std::move(f);
  }
  size_t count(const std::string& word) {
    std::lock_guard lock(m);
    size_t n = 0;
    for (auto& c : commands) n += c.find(word) != c.npos;
    return n;
  }

  std::mutex m;
  std::map<std::string, Box> boxes;
  std::vector<std::string> commands;  // without tags
  std::string capabilities = "IMAP4rev1 IDLE UIDPLUS MOVE";
  std::string password = "secret";
  Fault fault;
  std::atomic<bool> refuses{false};  ///< connections are closed at once
  /// Cuts all conversations; they are over when it returns.
  void cut() {
    const int old = generation_++;
    while (talks_[old % 2] > 0) ::poll(nullptr, 0, 5);
  }

 private:
  void accept_all() {
    while (!stopping_) {
      pollfd p{listener_.get(), POLLIN, 0};
      if (::poll(&p, 1, 20) <= 0) continue;
      Fd c(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!c || refuses) continue;
      conversations_.emplace_back([this, fd = std::move(c)]() mutable { talk(std::move(fd)); });
    }
  }

  struct Talk {
    Fd fd;
    std::string box;             // selected
    std::vector<uint32_t> told;  // UIDs, as the client knows them
    void say(const std::string& text) const {
      for (size_t at = 0; at < text.size();) {
        const ssize_t n = ::send(fd.get(), text.data() + at, text.size() - at, MSG_NOSIGNAL);
        if (n <= 0) return;
        at += static_cast<size_t>(n);
      }
    }
  };

  static std::string unquoted(std::string s) {
    std::string out;
    for (size_t i = 0; i < s.size(); i++) {
      if (s[i] == '\\')
        i++;
      else if (s[i] == '"')
        continue;
      out += s[i];
    }
    return out;
  }

  void talk(Fd fd) {
    const int mine = generation_;
    struct Counted {
      explicit Counted(std::atomic<int>& c) : count(c) { count++; }
      ~Counted() { count--; }
      std::atomic<int>& count;
    } counted(talks_[mine % 2]);
    Talk t{std::move(fd), "", {}};
    t.say("* OK ready\r\n");
    std::string bytes, idle_tag;
    const auto over = [&] { return stopping_ || generation_ != mine; };
    while (!over()) {
      pollfd p{t.fd.get(), POLLIN, 0};
      if (::poll(&p, 1, 20) <= 0) {
        if (!idle_tag.empty()) tell_news(t);
        continue;
      }
      char piece[4096];
      const ssize_t n = ::recv(t.fd.get(), piece, sizeof piece, 0);
      if (n <= 0) return;
      bytes.append(piece, static_cast<size_t>(n));
      for (size_t end = 0; (end = bytes.find("\r\n")) != bytes.npos;) {
        const std::string line = bytes.substr(0, end);
        bytes.erase(0, end + 2);
        if (line == "DONE") {
          t.say(idle_tag + " OK done\r\n");
          idle_tag.clear();
          continue;
        }
        const std::string tag = line.substr(0, line.find(' ')),
                          command = line.substr(std::min(tag.size() + 1, line.size()));
        Fault f;
        {
          std::lock_guard lock(m);
          commands.push_back(command);
          f = fault;
        }
        auto other = f ? f(command) : std::nullopt;
        if (other == "close") return;
        if (other == "hang") {
          while (!over()) ::poll(nullptr, 0, 20);
          return;
        }
        if (other) {
          for (size_t at = 0; (at = other->find("TAG", at)) != other->npos; at += tag.size())
            other->replace(at, 3, tag);
          t.say(*other);
          continue;
        }
        std::lock_guard lock(m);
        if (command == "IDLE") idle_tag = tag;
        answer(t, tag, command);
      }
    }
  }

  void tell_news(Talk& t) {
    std::lock_guard lock(m);
    news(t);
  }

  /// Expunged and new ones, as untagged responses may tell.
  void news(Talk& t) {
    if (t.box.empty()) return;
    const Box& box = boxes[t.box];
    const auto has = [&](uint32_t uid) {
      return std::any_of(box.letters.begin(), box.letters.end(), [&](auto& l) { return l.uid == uid; });
    };
    for (size_t i = t.told.size(); i-- > 0;)
      if (!has(t.told[i])) {
        t.say("* " + std::to_string(i + 1) + " EXPUNGE\r\n");
        t.told.erase(t.told.begin() + static_cast<ptrdiff_t>(i));
      }
    const size_t had = t.told.size();
    for (auto& l : box.letters)
      if (std::find(t.told.begin(), t.told.end(), l.uid) == t.told.end()) t.told.push_back(l.uid);
    if (t.told.size() != had) t.say("* " + std::to_string(t.told.size()) + " EXISTS\r\n");
  }

  static bool in_set(const std::string& set, uint32_t n, uint32_t last) {
    std::istringstream in(set);
    for (std::string part; std::getline(in, part, ',');) {
      const size_t colon = part.find(':');
      const auto number = [&](const std::string& s) { return s == "*" ? last : static_cast<uint32_t>(std::stoul(s)); };
      const uint32_t a = number(part.substr(0, colon)), b = colon == part.npos ? a : number(part.substr(colon + 1));
      if (n >= std::min(a, b) && n <= std::max(a, b)) return true;
    }
    return false;
  }

  static std::string literal(const std::string& s) { return "{" + std::to_string(s.size()) + "}\r\n" + s; }

  std::string fetched(const Letter& l, const std::string& what) {
    std::string out = "UID " + std::to_string(l.uid);
    if (what.find("FLAGS") != what.npos) out += " FLAGS (" + l.flags + ")";
    if (what.find("INTERNALDATE") != what.npos) out += " INTERNALDATE \"17-Jul-1996 02:44:25 -0700\"";
    if (what.find("RFC822.SIZE") != what.npos) out += " RFC822.SIZE " + std::to_string(l.text.size());
    const size_t body = what.find("BODY.PEEK[");
    if (body != what.npos) {
      const bool head = what.find("[HEADER]") != what.npos;
      const size_t open = what.find('<'), dot = what.find('.', open);
      const size_t from = std::stoul(what.substr(open + 1)), size = std::stoul(what.substr(dot + 1));
      const std::string all = head ? l.text.substr(0, l.text.find("\r\n\r\n") + 4) : l.text;
      out += std::string(head ? " BODY[HEADER]<" : " BODY[]<") + std::to_string(from) + "> " +
             literal(from < all.size() ? all.substr(from, size) : "");
    }
    return out;
  }

  void answer(Talk& t, const std::string& tag, const std::string& command) {
    std::istringstream in(command);
    std::string verb, a, b, c;
    in >> verb;
    const auto ok = [&](const std::string& code = "") { t.say(tag + " OK " + code + "done\r\n"); };
    if (verb == "CAPABILITY") {
      t.say("* CAPABILITY " + capabilities + "\r\n");
      return ok();
    }
    if (verb == "LOGIN") {
      if (command.find(password) == command.npos) return t.say(tag + " NO [AUTHENTICATIONFAILED] no\r\n");
      return ok();
    }
    if (verb == "LIST") {
      for (auto& [name, box] : boxes) t.say("* LIST () \"/\" \"" + name + "\"\r\n");
      return ok();
    }
    if (verb == "CREATE" || verb == "SUBSCRIBE") {
      boxes[unquoted(command.substr(verb.size() + 1))];
      return ok();
    }
    if (verb == "SELECT" || verb == "EXAMINE") {
      const std::string name = unquoted(command.substr(verb.size() + 1));
      t.box.clear();
      if (!boxes.contains(name)) return t.say(tag + " NO [NONEXISTENT] none\r\n");
      t.box = name;
      t.told.clear();
      for (auto& l : boxes[name].letters) t.told.push_back(l.uid);
      t.say("* " + std::to_string(t.told.size()) + " EXISTS\r\n* OK [UIDVALIDITY " +
            std::to_string(boxes[name].validity) + "] valid\r\n");
      return ok("[READ-WRITE] ");
    }
    if (verb == "IDLE") {
      t.say("+ idling\r\n");
      return news(t);
    }
    if (verb == "NOOP") {
      news(t);
      return ok();
    }
    const bool by_uid = verb == "UID";
    if (by_uid) in >> verb;
    in >> a;
    std::string rest;
    std::getline(in, rest);
    Box& box = boxes[t.box];
    std::vector<uint32_t> hit;
    for (size_t i = 0; i < t.told.size(); i++)
      if (in_set(a, by_uid ? t.told[i] : static_cast<uint32_t>(i + 1),
                 by_uid ? t.told.back() : static_cast<uint32_t>(t.told.size())))
        hit.push_back(t.told[i]);
    for (uint32_t uid : hit) {
      const auto l = std::find_if(box.letters.begin(), box.letters.end(), [&](auto& x) { return x.uid == uid; });
      if (l == box.letters.end()) continue;
      const auto seq = std::find(t.told.begin(), t.told.end(), uid) - t.told.begin() + 1;
      if (verb == "FETCH") t.say("* " + std::to_string(seq) + " FETCH (" + fetched(*l, rest) + ")\r\n");
      if (verb == "STORE") {
        const std::string flag = rest.substr(rest.find('(') + 1, rest.find(')') - rest.find('(') - 1);
        if (rest.find('+') != rest.npos)
          l->flags += (l->flags.empty() ? "" : " ") + flag;
        else if (const size_t at = l->flags.find(flag); at != l->flags.npos)
          l->flags.erase(at, flag.size());
        t.say("* " + std::to_string(seq) + " FETCH (UID " + std::to_string(uid) + " FLAGS (" + l->flags + "))\r\n");
      }
      if (verb == "MOVE" || verb == "COPY") {
        const std::string to = unquoted(rest.substr(1));
        if (!boxes.contains(to)) return t.say(tag + " NO [TRYCREATE] none\r\n");
        Box& there = boxes[to];
        there.letters.push_back({there.next++, l->text, l->flags});
      }
      if (verb == "MOVE" || (verb == "EXPUNGE" && l->flags.find("\\Deleted") != l->flags.npos)) box.letters.erase(l);
    }
    if (verb == "MOVE" || verb == "EXPUNGE") news(t);
    ok();
  }

  Fd listener_;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> generation_{0};
  std::atomic<int> talks_[2] = {0, 0};  // by generations
  std::thread thread_;
  std::vector<std::thread> conversations_;
};

}  // namespace isthmus::fs::mail
