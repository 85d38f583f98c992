#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>

#include "doors/webdav/channel.h"

namespace isthmus::webdav {
namespace {

// What a peer may send before it is known to speak TLS at all: a ClientHello is hundreds of bytes.
constexpr uint64_t kMostHandshake = 32 << 10;

struct Free {
  void operator()(SSL_CTX* c) const { SSL_CTX_free(c); }
  void operator()(SSL* s) const { SSL_free(s); }
};

std::string reason() {
  char text[256];
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown reason";
  ERR_error_string_n(code, text, sizeof text);
  const char* plain = ERR_reason_error_string(code);
  return plain ? plain : text;
}

/// HTTP/1.1 is what is spoken here, whatever else a client offers.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
                    void*) {
  static constexpr unsigned char kOurs[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kOurs, sizeof kOurs - 1, in, in_size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int no_password(char*, int, int, void*) { return -1; }

class Tls final : public Channel {
 public:
  explicit Tls(SSL* ssl) : ssl_(ssl) {}

  Did begin() override {
    ERR_clear_error();
    const int n = SSL_accept(ssl_.get());
    if (n == 1) {
      done_ = true;
      return Did::some;
    }
    if (BIO_number_read(SSL_get_rbio(ssl_.get())) > kMostHandshake) return Did::over;
    return why(n);
  }
  Moved receive(char* to, size_t size) override {
    ERR_clear_error();
    size_t n = 0;
    const int done = SSL_read_ex(ssl_.get(), to, size, &n);
    return done == 1 && n > 0 ? Moved{Did::some, n} : Moved{why(done), 0};
  }
  Moved send(const char* from, size_t size, bool) override {
    ERR_clear_error();
    size_t n = 0;
    const int done = SSL_write_ex(ssl_.get(), from, size, &n);
    return done == 1 && n > 0 ? Moved{Did::some, n} : Moved{why(done), 0};
  }
  bool holds_bytes() const override { return SSL_has_pending(ssl_.get()) == 1; }
  bool is_plain() const override { return false; }
  void end_sending() override {
    ERR_clear_error();
    if (done_ && !broken_) SSL_shutdown(ssl_.get());
    ::shutdown(SSL_get_fd(ssl_.get()), SHUT_WR);
  }

 private:
  Did why(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return Did::needs_read;
      case SSL_ERROR_WANT_WRITE:
        return Did::needs_write;
      case SSL_ERROR_ZERO_RETURN:
        return Did::over;
      default:
        broken_ = true;
        ERR_clear_error();
        return Did::over;
    }
  }
  const std::unique_ptr<SSL, Free> ssl_;
  bool done_ = false, broken_ = false;
};

class Server final : public TlsServer {
 public:
  explicit Server(SSL_CTX* context) : context_(context) {}
  std::unique_ptr<Channel> channel(int socket) const override {
    std::unique_ptr<SSL, Free> ssl(SSL_new(context_.get()));
    if (!ssl || SSL_set_fd(ssl.get(), socket) != 1) return nullptr;
    return std::make_unique<Tls>(ssl.release());
  }

 private:
  const std::unique_ptr<SSL_CTX, Free> context_;
};

}  // namespace

Expected<std::shared_ptr<const TlsServer>> TlsServer::make(const std::string& certificate, const std::string& key) {
  ERR_clear_error();
  std::unique_ptr<SSL_CTX, Free> context(SSL_CTX_new(TLS_server_method()));
  if (!context) return Problem{err(ENOMEM), "TLS: " + reason(), ""};
  SSL_CTX* c = context.get();
  SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
  SSL_CTX_set_options(
      c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(c, 0);
  SSL_CTX_set_alpn_select_cb(c, choose_protocol, nullptr);
  SSL_CTX_set_default_passwd_cb(c, no_password);
  if (SSL_CTX_use_certificate_chain_file(c, certificate.c_str()) != 1)
    return Problem{err(EINVAL), fmt::format("cannot use the certificate '{}': {}", certificate, reason()),
                   "a PEM file, the server's certificate first"};
  if (SSL_CTX_use_PrivateKey_file(c, key.c_str(), SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(c) != 1)
    return Problem{err(EINVAL), fmt::format("cannot use the key '{}': {}", key, reason()),
                   "a PEM file without a passphrase, of that certificate"};
  return std::shared_ptr<const TlsServer>(std::make_shared<Server>(context.release()));
}

}  // namespace isthmus::webdav
