#include "fs/curl/session.h"

#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/clock.h"

namespace isthmus::fs::curl {
namespace {

constexpr int kLookMs = 1000;  // between looks at the clock
constexpr int kLastWordsMs = 200;
constexpr int64_t kNsPerMs = 1'000'000;

}  // namespace

bool begin_curl() {
  static const CURLcode ready = [] {
    // TLS writes to sockets in a way that raises SIGPIPE where a peer has gone.
    struct sigaction present {};
    if (sigaction(SIGPIPE, nullptr, &present) == 0 && present.sa_handler == SIG_DFL) signal(SIGPIPE, SIG_IGN);
    return curl_global_init(CURL_GLOBAL_DEFAULT);
  }();
  return ready == CURLE_OK;
}

void set_terms(CURL* easy, const Terms& t) {
  auto set = [easy](CURLoption option, auto value) { curl_easy_setopt(easy, option, value); };
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // a name that is being looked up does not hold up the end
  set(CURLOPT_PROXY, "");
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(t.connect_ms));
  set(CURLOPT_USERNAME, t.user.c_str());
  set(CURLOPT_PASSWORD, t.password.c_str());
  constexpr long kUse[] = {CURLUSESSL_NONE, CURLUSESSL_TRY, CURLUSESSL_ALL, CURLUSESSL_ALL};
  set(CURLOPT_USE_SSL, kUse[static_cast<size_t>(t.tls)]);
  if (!t.ca_file.empty()) set(CURLOPT_CAINFO, t.ca_file.c_str());
  if (t.insecure) {
    set(CURLOPT_SSL_VERIFYPEER, 0L);
    set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

Secret& Secret::operator=(const Secret& o) {
  if (this == &o) return *this;
  wipe();
  text_ = o.text_;
  return *this;
}

void Secret::wipe() { explicit_bzero(text_.data(), text_.size()); }

std::string Outcome::why() const {
  if (response >= 400 && !lines.empty()) return lines.back();
  return curl_easy_strerror(code);
}

Session::Session() {
  if (!begin_curl() || !(multi_ = curl_multi_init()) || !(easy_ = curl_easy_init())) throw std::bad_alloc();
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 1L);
}

Session::~Session() {
  curl_easy_cleanup(easy_);
  curl_multi_cleanup(multi_);
}

CURL* Session::prepare(const Terms& t) {
  curl_easy_reset(easy_);
  set_terms(easy_, t);
  auto set = [this](CURLoption option, auto value) { curl_easy_setopt(easy_, option, value); };
  set(CURLOPT_SERVER_RESPONSE_TIMEOUT, static_cast<long>((t.stall_ms + 999) / 1000));
  set(CURLOPT_HEADERFUNCTION, &Session::on_line);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_XFERINFOFUNCTION, &Session::on_progress);
  set(CURLOPT_XFERINFODATA, this);
  set(CURLOPT_OPENSOCKETFUNCTION, &Session::on_open);
  set(CURLOPT_OPENSOCKETDATA, this);
  set(CURLOPT_CLOSESOCKETFUNCTION, &Session::on_close);
  set(CURLOPT_CLOSESOCKETDATA, this);
  stall_ms_ = t.stall_ms;
  plain_ = t.tls == Terms::Tls::off;
  return easy_;
}

Outcome Session::perform(const Hooks& hooks) {
  outcome_ = {};
  last_words_.clear();
  paused_ = false;
  bytes_ = 0;
  moved_ns_ = monotonic_ns();
  int running = 1;
  CURLMcode m = aborted() ? CURLM_OK : curl_multi_add_handle(multi_, easy_);
  outcome_.code = m == CURLM_OK ? CURLE_OK : CURLE_FAILED_INIT;
  bool cut = m != CURLM_OK || aborted();
  outcome_.stopped = aborted();
  while (!cut) {
    m = curl_multi_perform(multi_, &running);
    if (m != CURLM_OK) outcome_.code = CURLE_FAILED_INIT;
    if (m != CURLM_OK || running == 0) break;
    if (aborted() || (hooks.enough && hooks.enough())) {
      outcome_.stopped = cut = true;
    } else if (paused_) {
      if (hooks.resume && hooks.resume()) {
        paused_ = false;
        moved_ns_ = monotonic_ns();
        curl_easy_pause(easy_, CURLPAUSE_CONT);
        continue;
      }
    } else if (monotonic_ns() - moved_ns_ > stall_ms_ * kNsPerMs) {
      outcome_.code = CURLE_OPERATION_TIMEDOUT;
      cut = true;
    }
    // libcurl 7.88 begins an FTP transfer's data connection only when it is called once more, and does not say so.
    if (!cut) curl_multi_poll(multi_, nullptr, 0, std::exchange(spoken_, false) ? 0 : kLookMs, nullptr);
  }
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left))
    if (message->msg == CURLMSG_DONE && !cut) outcome_.code = message->data.result;
  long number = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &outcome_.response);
  curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &number);
  outcome_.os_errno = static_cast<int>(number);
  curl_easy_getinfo(easy_, CURLINFO_NUM_CONNECTS, &number);
  outcome_.fresh = number > 0;
  curl_multi_remove_handle(multi_, easy_);
  return std::move(outcome_);
}

void Session::wake() { curl_multi_wakeup(multi_); }

void Session::abort() {
  abort_.store(true, std::memory_order_release);
  {
    std::lock_guard lock(m_);
    for (curl_socket_t s : sockets_) ::shutdown(s, SHUT_RDWR);
  }
  curl_multi_wakeup(multi_);
}

size_t Session::on_line(char* data, size_t size, size_t count, void* self) {
  auto& s = *static_cast<Session*>(self);
  std::string_view line(data, size * count);
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (s.outcome_.lines.size() >= kMostLines) s.outcome_.lines.erase(s.outcome_.lines.begin());
  s.outcome_.lines.emplace_back(line);
  s.spoken_ = true;
  s.moved_ns_ = monotonic_ns();
  return size * count;
}

int Session::on_progress(void* self, curl_off_t, curl_off_t down, curl_off_t, curl_off_t up) {
  auto& s = *static_cast<Session*>(self);
  if (down + up != s.bytes_) {
    s.bytes_ = down + up;
    s.moved_ns_ = monotonic_ns();
  }
  return s.aborted() ? 1 : 0;
}

curl_socket_t Session::on_open(void* self, curlsocktype, curl_sockaddr* a) {
  auto& s = *static_cast<Session*>(self);
  if (s.aborted()) return CURL_SOCKET_BAD;
  const curl_socket_t made = ::socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
  if (made != CURL_SOCKET_BAD) {
    std::lock_guard lock(s.m_);
    s.sockets_.push_back(made);
  }
  return made;
}

int Session::on_close(void* self, curl_socket_t socket) {
  auto& s = *static_cast<Session*>(self);
  {
    std::lock_guard lock(s.m_);
    const bool control = !s.sockets_.empty() && s.sockets_.front() == socket;
    if (control && s.plain_ && !s.aborted()) {
      // It may be on its way still.
      pollfd p{socket, POLLIN, 0};
      ::poll(&p, 1, kLastWordsMs);
      char words[1024];
      const ssize_t n = ::recv(socket, words, sizeof words, MSG_DONTWAIT);
      if (n > 0) s.last_words_.assign(words, static_cast<size_t>(n));
    }
    std::erase(s.sockets_, socket);
  }
  return ::close(socket);
}

Errno connection_error(const Outcome& o, const std::string& host) {
  switch (o.code) {
    case CURLE_COULDNT_RESOLVE_HOST: {
      addrinfo hints{}, *list = nullptr;
      hints.ai_socktype = SOCK_STREAM;
      const int e = getaddrinfo(host.c_str(), nullptr, &hints, &list);
      if (e == 0) freeaddrinfo(list);
      return err(e == EAI_NONAME || e == EAI_NODATA ? ENOENT : EHOSTUNREACH);
    }
    case CURLE_COULDNT_CONNECT:
      switch (o.os_errno) {
        case ECONNREFUSED:
        case EHOSTUNREACH:
        case ENETUNREACH:
        case EACCES:
          return err(o.os_errno);
        default:
          return err(EHOSTDOWN);
      }
    case CURLE_OPERATION_TIMEDOUT:
      return err(ETIMEDOUT);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return err(EKEYREJECTED);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_USE_SSL_FAILED:
      return err(EPROTO);
    case CURLE_LOGIN_DENIED:
      return err(EACCES);
    case CURLE_OUT_OF_MEMORY:
      return err(ENOMEM);
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_FTP_WEIRD_SERVER_REPLY:
    case CURLE_FTP_WEIRD_PASV_REPLY:
    case CURLE_FTP_WEIRD_227_FORMAT:
    case CURLE_FTP_CANT_GET_HOST:
    case CURLE_FTP_ACCEPT_FAILED:
    case CURLE_FTP_ACCEPT_TIMEOUT:
    case CURLE_FTP_PORT_FAILED:
    case CURLE_FTP_WEIRD_PASS_REPLY:
    case CURLE_FAILED_INIT:
    case CURLE_ABORTED_BY_CALLBACK:
      return err(ECONNRESET);
    default:
      return o.stopped ? err(ECONNABORTED) : Errno{};
  }
}

}  // namespace isthmus::fs::curl
