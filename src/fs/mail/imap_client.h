#pragma once
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/problem.h"
#include "fs/curl/stream.h"
#include "fs/mail/imap_parser.h"

namespace isthmus::fs::mail::imap {

/// A mailbox of a server.
struct Address {
  std::string host, user, folder;
  uint16_t port = 0;      ///< 0: the usual one
  bool implicit = false;  ///< TLS from the first byte (imaps)
};

/// "imap://user@host:port/Folder" or "imaps://...", taken apart. Folder as the server has it, decoded.
Expected<Address> parse_address(std::string_view url);
bool is_address(std::string_view place);

/// A conversation with a server, logged in. libcurl connects, starts TLS and logs in (CURLOPT_CONNECT_ONLY); commands
/// are ours, as libcurl's own cannot be pipelined, watched or left. One thread at a time.
class Client {
 public:
  /// As curl::Stream::connect(). terms.stall_ms is the time-out of commands.
  static Expected<std::unique_ptr<Client>> connect(const Address& address, const curl::Terms& terms,
                                                   const std::function<bool()>& stop);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  using Heard = std::function<void(const Response&)>;
  struct Reply {
    Status status{Unit{}};  ///< NO: EACCES; BAD: EPROTO; else the connection is lost
    Response response;
  };
  /// A command, without its tag and the end of the line. `heard` gets what comes before its answer. Never longer than
  /// the time-out and a millisecond for each byte that comes.
  Reply run(std::string_view command, const Heard& heard);
  /// IDLE (RFC 2177) until `bell` (an eventfd) rings, the time is up, or `heard` has said that it wants an end.
  Status idle(int bell, int64_t until_ns, const std::function<bool(const Response&)>& heard);

  /// False: nothing more can be said.
  bool alive() const { return alive_; }
  bool has(std::string_view capability) const;

 private:
  Client(std::unique_ptr<curl::Stream> stream, uint32_t timeout_ms);
  Status send(std::string_view bytes);
  /// Waits for bytes, up to `until_ns`; `bell` too, unless it is -1. EAGAIN: the bell, or the time was up.
  Status receive(int64_t until_ns, int bell);
  /// The next response. As receive(), and EPROTO.
  Status next(Response& r, int64_t until_ns, int bell);
  Status lost(Errno why);
  void learn_capabilities(const Response& r);
  int64_t deadline() const;

  const std::unique_ptr<curl::Stream> stream_;
  const uint32_t timeout_ms_;
  int64_t began_ns_ = 0;   // the command
  uint64_t received_ = 0;  // bytes since then
  Parser parser_;
  std::set<std::string> capabilities_;  // in upper case
  uint64_t tags_ = 0;
  bool alive_ = true;
};

}  // namespace isthmus::fs::mail::imap
