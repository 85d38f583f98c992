#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "fs/curl/session.h"

namespace isthmus::fs::curl {

/// A connection that libcurl has made and logged in on, for a protocol that is spoken by ourselves from then on
/// (CURLOPT_CONNECT_ONLY). Never blocks once it is made. One thread at a time.
class Stream {
 public:
  /// url: imap://HOST/ or imaps://HOST/; port 0: the usual one. Blocks up to terms.connect_ms; `stop` is asked
  /// meanwhile. The problem's code: EACCES for a wrong name or password, EHOSTDOWN, EHOSTUNREACH, ETIMEDOUT, EINTR,
  /// EPROTO (TLS).
  static Expected<std::unique_ptr<Stream>> connect(const std::string& url, uint16_t port, const Terms& terms,
                                                   const std::function<bool()>& stop);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// How many bytes were taken, at least one. EAGAIN: none now; EIO: the connection is gone.
  Result<size_t> send(std::string_view bytes);
  /// How many came, at least one. EAGAIN: none yet; EIO: none will come.
  Result<size_t> receive(MutableBytes to);
  /// For poll(2). What TLS does by itself makes it ready, too.
  int socket() const { return socket_; }

 private:
  explicit Stream(CURL* easy) : easy_(easy) {}
  CURL* easy_;
  int socket_ = -1;
};

}  // namespace isthmus::fs::curl
