#include "fs/curl/stream.h"

#include <fmt/format.h>

namespace isthmus::fs::curl {
namespace {

Problem problem_of(CURLcode code, const std::string& where, const Terms& terms, const char* details) {
  const std::string why = details && *details ? details : curl_easy_strerror(code);
  switch (code) {
    case CURLE_LOGIN_DENIED:
      return {err(EACCES), fmt::format("{} does not let {} in: {}", where, terms.user, why),
              "check the name and the password"};
    case CURLE_COULDNT_RESOLVE_HOST:
      return {err(EHOSTUNREACH), fmt::format("{}: {}", where, why), "check the name of the host"};
    case CURLE_OPERATION_TIMEDOUT:
      return {err(ETIMEDOUT), fmt::format("{} does not answer: {}", where, why), ""};
    case CURLE_USE_SSL_FAILED:
      return {err(EPROTO), fmt::format("{} offers no TLS (STARTTLS): {}", where, why),
              "without it everybody on the way reads the password; tls=off does so all the same"};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
      return {err(EPROTO), fmt::format("{}: TLS: {}", where, why), "cacert=FILE names certificates to be trusted"};
    case CURLE_ABORTED_BY_CALLBACK:
      return {err(EINTR), fmt::format("{}: interrupted", where), ""};
    case CURLE_UNSUPPORTED_PROTOCOL:
      return {err(EOPNOTSUPP), fmt::format("this machine's libcurl has no IMAP: {}", why), ""};
    default:
      return {err(EHOSTDOWN), fmt::format("{}: {}", where, why), ""};
  }
}

int ask_stop(void* stop, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& f = *static_cast<const std::function<bool()>*>(stop);
  return f && f() ? 1 : 0;
}

}  // namespace

Stream::~Stream() { curl_easy_cleanup(easy_); }

Expected<std::unique_ptr<Stream>> Stream::connect(const std::string& url, uint16_t port, const Terms& terms,
                                                  const std::function<bool()>& stop) {
  CURL* e = begin_curl() ? curl_easy_init() : nullptr;
  if (!e) return Problem{err(ENOMEM), "no memory for a connection", ""};
  std::unique_ptr<Stream> made(new Stream(e));
  char details[CURL_ERROR_SIZE] = "";
  set_terms(e, terms);
  curl_easy_setopt(e, CURLOPT_ERRORBUFFER, details);
  curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "imap,imaps");
  curl_easy_setopt(e, CURLOPT_URL, url.c_str());
  if (port) curl_easy_setopt(e, CURLOPT_PORT, static_cast<long>(port));
  curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, 1L);
  curl_easy_setopt(e, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, static_cast<long>(terms.connect_ms));
  curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, ask_stop);
  curl_easy_setopt(e, CURLOPT_XFERINFODATA, const_cast<void*>(static_cast<const void*>(&stop)));
  const CURLcode code = curl_easy_perform(e);
  // Neither outlives this call.
  curl_easy_setopt(e, CURLOPT_ERRORBUFFER, nullptr);
  curl_easy_setopt(e, CURLOPT_NOPROGRESS, 1L);
  const std::string_view host = std::string_view(url).substr(url.find("://") + 3);
  const std::string name(host.substr(0, host.find('/')));
  if (code != CURLE_OK) return problem_of(code, port ? fmt::format("{} port {}", name, port) : name, terms, details);
  curl_socket_t socket = CURL_SOCKET_BAD;
  if (curl_easy_getinfo(e, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK || socket == CURL_SOCKET_BAD)
    return Problem{err(EIO), name + ": the connection is gone already", ""};
  made->socket_ = socket;
  return made;
}

Result<size_t> Stream::send(std::string_view bytes) {
  size_t sent = 0;
  const CURLcode code = curl_easy_send(easy_, bytes.data(), bytes.size(), &sent);
  if (code == CURLE_OK && sent > 0) return sent;
  return code == CURLE_AGAIN || code == CURLE_OK ? err(EAGAIN) : err(EIO);
}

Result<size_t> Stream::receive(MutableBytes to) {
  size_t got = 0;
  const CURLcode code = curl_easy_recv(easy_, to.data(), to.size(), &got);
  if (code == CURLE_OK && got > 0) return got;
  return code == CURLE_AGAIN ? err(EAGAIN) : err(EIO);
}

}  // namespace isthmus::fs::curl
