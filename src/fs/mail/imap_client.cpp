#include "fs/mail/imap_client.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <span>

#include "base/clock.h"
#include "base/text.h"

namespace isthmus::fs::mail::imap {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kLongestCommandNs = int64_t{15} * 60 * kNsPerSec;
constexpr int kAgainMs = 200;  // a socket of TLS may be ready for what it does by itself

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return out;
}

}  // namespace

bool is_address(std::string_view place) { return place.starts_with("imap://") || place.starts_with("imaps://"); }

Expected<Address> parse_address(std::string_view url) {
  const auto wrong = [](std::string what) {
    return Problem{err(EINVAL), std::move(what),
                   "imaps://USER@HOST/FOLDER, for instance imaps://me@mail.example.org/Archive"};
  };
  Address a;
  a.implicit = url.starts_with("imaps://");
  std::string_view rest = url.substr(url.find("://") + 3);
  const size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view server = rest.substr(0, slash);
  a.folder = rest.substr(std::min(slash + 1, rest.size()));
  while (a.folder.ends_with('/')) a.folder.pop_back();
  if (const size_t at = server.rfind('@'); at != server.npos) {
    a.user = server.substr(0, at);
    server.remove_prefix(at + 1);
    if (a.user.find(':') != a.user.npos)
      return Problem{err(EINVAL), "a password in the address would be seen by everybody",
                     "put it into ~/.netrc, or name a file by password_file=; else you are asked"};
  }
  size_t colon = server.rfind(':');
  if (server.starts_with('[')) {
    const size_t end = server.find(']');
    if (end == server.npos) return wrong("the address of the server lacks a ']'");
    colon = server.substr(end + 1).starts_with(':') ? end + 1 : server.npos;
    if (colon == server.npos && end + 1 != server.size()) return wrong("something follows the address of the server");
  }
  if (colon != server.npos) {
    const auto port = parse_number(server.substr(colon + 1), UINT16_MAX);
    if (!port || *port == 0) return wrong(fmt::format("'{}' is no port", server.substr(colon + 1)));
    a.port = static_cast<uint16_t>(*port);
    server = server.substr(0, colon);
  }
  a.host = server;
  const bool fine = !a.host.empty() && std::all_of(a.host.begin(), a.host.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '/' && c != '\\' && c != '#' && c != '?';
  });
  if (!fine) return wrong("there is no server in the address");
  return a;
}

Client::Client(std::unique_ptr<curl::Stream> stream, uint32_t timeout_ms)
    : stream_(std::move(stream)), timeout_ms_(timeout_ms) {}

Client::~Client() {
  if (alive_) (void)stream_->send("z LOGOUT\r\n");  // without waiting for anything
}

Expected<std::unique_ptr<Client>> Client::connect(const Address& a, const curl::Terms& terms,
                                                  const std::function<bool()>& stop) {
  const std::string url = fmt::format("{}://{}/", a.implicit ? "imaps" : "imap", a.host);
  auto stream = curl::Stream::connect(url, a.port, terms, stop);
  if (!stream) return stream.problem();
  std::unique_ptr<Client> c(new Client(std::move(*stream), terms.stall_ms));
  const Reply caps = c->run("CAPABILITY", [&](const Response& r) { c->learn_capabilities(r); });
  if (!caps.status) return Problem{caps.status.error(), fmt::format("{} does not speak IMAP as it should", a.host), ""};
  return c;
}

void Client::learn_capabilities(const Response& r) {
  if (r.values.empty() || !r.values[0].is("CAPABILITY")) return;
  for (size_t i = 1; i < std::min<size_t>(r.values.size(), 1000); i++)
    if (r.values[i].kind == Value::Kind::atom) capabilities_.insert(upper(r.values[i].text));
}

bool Client::has(std::string_view capability) const { return capabilities_.contains(std::string(capability)); }

Status Client::lost(Errno why) {
  alive_ = false;
  return why;
}

int64_t Client::deadline() const {
  const int64_t for_bytes = static_cast<int64_t>(std::min<uint64_t>(received_, uint64_t{1} << 40)) * kNsPerMs;
  return std::min(began_ns_ + int64_t{timeout_ms_} * kNsPerMs + for_bytes, began_ns_ + kLongestCommandNs);
}

Status Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    auto sent = stream_->send(bytes);
    if (sent) {
      bytes.remove_prefix(*sent);
      continue;
    }
    if (sent.error() != err(EAGAIN)) return lost(sent.error());
    if (monotonic_ns() > deadline()) return lost(err(ETIMEDOUT));
    pollfd p{stream_->socket(), POLLOUT, 0};
    ::poll(&p, 1, kAgainMs);
  }
  return Unit{};
}

Status Client::receive(int64_t until_ns, int bell) {
  char piece[16 << 10];
  for (;;) {
    auto got = stream_->receive(std::as_writable_bytes(std::span(piece)));
    if (got) {
      received_ += *got;
      parser_.put({piece, *got});
      return Unit{};
    }
    if (got.error() != err(EAGAIN)) return lost(got.error());
    const int64_t left_ms = (until_ns - monotonic_ns()) / kNsPerMs;
    if (left_ms <= 0) return err(EAGAIN);
    pollfd p[] = {{stream_->socket(), POLLIN, 0}, {bell, POLLIN, 0}};
    if (::poll(p, 2, static_cast<int>(std::min<int64_t>(left_ms + 1, 60'000))) < 0 && errno != EINTR)
      return lost(last_errno());
    if (p[1].revents) return err(EAGAIN);
  }
}

Status Client::next(Response& r, int64_t until_ns, int bell) {
  for (;;) {
    switch (parser_.next(r)) {
      case Parser::Step::ready:
        if (r.tag == "*" && r.status == "BYE") return lost(err(EIO));
        return Unit{};
      case Parser::Step::broken:
        return lost(err(EPROTO));
      case Parser::Step::more:
        break;
    }
    // Bytes that come give time; without a bell that is a matter of the command.
    if (Status s = receive(bell < 0 ? deadline() : until_ns, bell); !s) return s;
  }
}

Client::Reply Client::run(std::string_view command, const Heard& heard) {
  Reply reply;
  if (!alive_) {
    reply.status = err(EIO);
    return reply;
  }
  began_ns_ = monotonic_ns();
  received_ = 0;
  const std::string tag = fmt::format("i{}", ++tags_);
  reply.status = send(fmt::format("{} {}\r\n", tag, command));
  while (reply.status) {
    reply.status = next(reply.response, 0, -1);
    if (!reply.status) {
      if (reply.status.error() == err(EAGAIN)) reply.status = lost(err(ETIMEDOUT));
      break;
    }
    if (reply.response.tag == tag) {
      if (!reply.response.ok()) reply.status = reply.response.status == "NO" ? err(EACCES) : err(EPROTO);
      break;
    }
    if (reply.response.tag != "*") {
      reply.status = lost(err(EPROTO));
      break;
    }
    if (heard) heard(reply.response);
    if (monotonic_ns() > deadline()) reply.status = lost(err(ETIMEDOUT));
  }
  return reply;
}

Status Client::idle(int bell, int64_t until_ns, const std::function<bool(const Response&)>& heard) {
  if (!alive_) return err(EIO);
  began_ns_ = monotonic_ns();
  received_ = 0;
  const std::string tag = fmt::format("i{}", ++tags_);
  if (Status s = send(fmt::format("{} IDLE\r\n", tag)); !s) return s;
  Response r;
  bool begun = false, done = false;
  for (;;) {
    // Until it has begun, and once it is to end, the server owes an answer.
    const bool waits = begun && !done;
    Status s = next(r, until_ns, waits ? bell : -1);
    if (!s && s.error() == err(EAGAIN) && waits) {
      done = true;
    } else if (!s) {
      return s.error() == err(EAGAIN) ? lost(err(ETIMEDOUT)) : s;
    } else if (r.tag == "+") {
      begun = true;
      continue;
    } else if (r.tag == tag) {
      return r.ok() ? Status(Unit{}) : Status(err(EOPNOTSUPP));
    } else if (r.tag != "*") {
      return lost(err(EPROTO));
    } else if (heard(r) && waits) {
      done = true;
    } else {
      continue;
    }
    began_ns_ = monotonic_ns();
    received_ = 0;
    if (Status said = send("DONE\r\n"); !said) return said;
  }
}

}  // namespace isthmus::fs::mail::imap
