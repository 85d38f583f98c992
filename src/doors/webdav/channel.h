#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/problem.h"

namespace isthmus::webdav {

/// The bytes of a non-blocking stream socket, as they are or under TLS. One thread at a time.
class Channel {
 public:
  enum class Did : uint8_t {
    some,         ///< `size` bytes, at least one
    needs_read,   ///< again when the socket can be read
    needs_write,  ///< again when it has room
    over,         ///< the peer's end, or an error
  };
  struct Moved {
    Did did = Did::over;
    size_t size = 0;
  };

  virtual ~Channel() = default;
  /// Before anything else; `some` when it is done.
  virtual Did begin() = 0;
  virtual Moved receive(char* to, size_t size) = 0;
  /// `more`: other bytes follow at once. After needs_... the same bytes must come again.
  virtual Moved send(const char* from, size_t size, bool more) = 0;
  /// Whether receive() has bytes that the socket does not show any more.
  virtual bool holds_bytes() const = 0;
  /// Whether bytes may be put into the socket past send(), as sendfile(2) does.
  virtual bool is_plain() const = 0;
  /// Nothing more will be sent. Waits for nobody.
  virtual void end_sending() = 0;
};

/// `socket` lives longer.
std::unique_ptr<Channel> plain_channel(int socket);

/// What a TLS server needs: a certificate and its key. TLS 1.2 and 1.3, no renegotiation, no resumption from memory.
/// Any thread.
class TlsServer {
 public:
  /// PEM files; the first may have a chain behind the certificate.
  static Expected<std::shared_ptr<const TlsServer>> make(const std::string& certificate, const std::string& key);
  virtual ~TlsServer() = default;
  /// Null: no memory.
  virtual std::unique_ptr<Channel> channel(int socket) const = 0;
};

}  // namespace isthmus::webdav
