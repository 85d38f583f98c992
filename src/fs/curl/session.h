#pragma once
#include <curl/curl.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/problem.h"
#include "base/result.h"

namespace isthmus::fs::curl {

/// A text that is wiped when dropped. Never logged.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view s) : text_(s) {}
  Secret(const Secret& o) = default;
  Secret& operator=(const Secret& o);
  ~Secret() { wipe(); }
  const char* c_str() const { return text_.c_str(); }
  bool empty() const { return text_.empty(); }

 private:
  void wipe();
  std::string text_;
};

/// How the server is spoken with: what is the same for each transfer.
struct Terms {
  enum class Tls : uint8_t { off, attempt, require, implicit };
  std::string user;
  Secret password;
  Tls tls = Tls::off;
  std::string ca_file;    ///< certificates that are trusted; empty: those of the system
  bool insecure = false;  ///< any certificate will do
  uint32_t connect_ms = 10'000;
  uint32_t stall_ms = 20'000;  ///< without a byte or a reply, while nothing is paused
};

/// libcurl's own state, made once a process; false: it cannot be. Before anything else of libcurl.
bool begin_curl();
/// What a handle takes of the terms, and what all handles are: silent, direct, kept alive.
void set_terms(CURL* easy, const Terms& terms);

/// How a transfer has ended.
struct Outcome {
  CURLcode code = CURLE_OK;
  long response = 0;               ///< the server's last code; 0: none
  int os_errno = 0;                ///< of the connect that failed
  bool fresh = false;              ///< a connection was made for it
  bool stopped = false;            ///< by abort(), or by Hooks::enough
  std::vector<std::string> lines;  ///< what the server said meanwhile, without line ends; the last kMostLines of it
  bool ok() const { return code == CURLE_OK && !stopped; }
  /// The last line, for people; or what libcurl says of the code.
  std::string why() const;
};

/// What a transfer wants to be asked from time to time, and after each wake(). Any may be empty.
struct TransferHooks {
  std::function<bool()> resume{};  ///< while paused: can it go on?
  std::function<bool()> enough{};  ///< true: the transfer is cut off, and its connection closed
};

/// One conversation with a server, by a connection that lasts from transfer to transfer: a multi handle of libcurl's
/// with one easy handle, so that a transfer can be woken, paused and cut off from other threads. libcurl waits inside
/// of a call at the end of FTP transfers and of connections, so a Session has a thread of its own (docs/decisions/0026)
/// and no two share one. Not copied; perform() on one thread at a time.
class Session {
 public:
  static constexpr size_t kMostLines = 512;

  using Hooks = TransferHooks;

  Session();
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// All options as they are at first, and those of the terms. Before each perform().
  CURL* prepare(const Terms& terms);
  CURL* easy() const { return easy_; }
  /// Until it has ended; never longer than it makes progress, the stall time apart.
  Outcome perform(const Hooks& hooks = {});

  /// From the handle's own callbacks, which answer CURL_WRITEFUNC_PAUSE or CURL_READFUNC_PAUSE with it.
  void pause() { paused_ = true; }

  // ---- any thread ----
  /// Has the hooks asked now.
  void wake();
  /// Ends what is under way and whatever comes after it, also where libcurl waits by itself.
  void abort();
  bool aborted() const { return abort_.load(std::memory_order_acquire); }

  /// What the server said before it closed, where libcurl was busy sending and did not read it. Of the last perform().
  const std::string& last_words() const { return last_words_; }

 private:
  static size_t on_line(char* data, size_t size, size_t count, void* self);
  static int on_progress(void* self, curl_off_t, curl_off_t down, curl_off_t, curl_off_t up);
  static curl_socket_t on_open(void* self, curlsocktype, curl_sockaddr* address);
  static int on_close(void* self, curl_socket_t socket);

  CURLM* multi_ = nullptr;
  CURL* easy_ = nullptr;
  Outcome outcome_;
  uint32_t stall_ms_ = 0;
  int64_t moved_ns_ = 0;  // when there was progress
  curl_off_t bytes_ = 0;
  bool paused_ = false, plain_ = true, spoken_ = false;
  std::string last_words_;
  std::atomic<bool> abort_{false};
  std::mutex m_;                        // guards sockets_; a leaf
  std::vector<curl_socket_t> sockets_;  // open, the connection's own first
};

/// Why a server cannot be spoken with, as an errno; Errno{} if it is not that: the connection stands.
/// `host` is looked up again to tell a name that does not exist (ENOENT) from a name server that does not answer.
Errno connection_error(const Outcome& o, const std::string& host);

}  // namespace isthmus::fs::curl
